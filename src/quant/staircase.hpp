#pragma once
#include <cstdint>
#include <vector>

#include "quant/requantisation.hpp"

namespace nibble::quant {

/// A non-decreasing integer function on an interval: `first` at its low end, one more from each of `at` on (sorted;
/// a jump of several levels stands there as often).
struct Staircase {
  int64_t first = 0;
  std::vector<int64_t> at;
};

/// The fake network's function, exactly; kappa >= 0.
Staircase staircase(const RealStep& step, Interval accumulator);
/// The integer network's; multiplier >= 0.
Staircase staircase(const Requantisation& requantisation, Interval levels, Interval accumulator);

struct Difference {
  int64_t count = 0;  ///< arguments on which they differ
  int64_t worst = 0;  ///< largest distance
};
/// Over the whole interval, from the steps alone.
Difference difference(const Staircase& a, const Staircase& b, Interval accumulator);

}  // namespace nibble::quant
