#pragma once
#include "base/int128.hpp"
#include "quant/staircase.hpp"

namespace nibble::quant {

/// What (m, b, d) may be, for m >= 0 on one accumulator interval. Source: docs/design/requantisation.md (6).
struct Limits {
  Interval accumulator;
  int128 multiplier = 0;  ///< the largest m
  int least_shift = 0, shift = 62;
  int product = 64;  ///< signed bits of a*m, b and a*m + b

  bool fits(int128 m, int128 b) const;
  /// The largest m for which some b fits, at most `multiplier`.
  int128 most_multiplier() const;
  /// The addends that fit beside m; low > high where there are none.
  struct Addends {
    int128 low, high;
  };
  Addends addends(int128 m) const;
};

/// The (m, b, d) within the limits whose staircase, clipped to the levels, differs from `steps` on the fewest
/// accumulators: branch and bound over slopes and addends, `fewest` where it came to its end (docs/design/
/// requantisation.md (8)). kappa > 0 is only where the search starts. `differing` is filled in, `worst` is not.
Requantisation nearest_requantisation(const Staircase& steps, double kappa, Interval levels, const Limits& limits);

}  // namespace nibble::quant
