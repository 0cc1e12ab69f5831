#pragma once
#include <cstdint>
#include <vector>

namespace nibble {

/// xoshiro256** seeded by splitmix64: the same numbers on every machine and compiler, its whole state four words that a
/// checkpoint can hold. Source: Blackman and Vigna 2021.
class Random {
 public:
  explicit Random(uint64_t seed);
  uint64_t bits();
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Uniform integer in [0, bound), without bias; bound > 0.
  uint64_t below(uint64_t bound);
  /// Standard normal (Box-Muller, no value kept between calls).
  double normal();
  /// A stream of its own for item `index`: the result does not depend on which thread asks, or when.
  Random fork(uint64_t index) const;
  /// 0 .. count-1 in random order (Fisher-Yates).
  std::vector<int64_t> permutation(int64_t count);

  uint64_t state[4];
};

}  // namespace nibble
