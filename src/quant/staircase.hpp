#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "quant/requantisation.hpp"

namespace nibble::quant {

/// A non-decreasing integer function on an interval: `first` at its low end, one more from each of `at` on (sorted;
/// a jump of several levels stands there as often).
struct Staircase {
  int64_t first = 0;
  std::vector<int64_t> at;
  /// Where not every integer is an argument: the argument before each of `at`. Empty: at - 1.
  std::vector<int64_t> before;

  int64_t last() const { return first + static_cast<int64_t>(at.size()); }
  /// At any a of the interval.
  int64_t level(int64_t a) const;
};

/// The fake network's function, exactly; kappa >= 0.
Staircase staircase(const RealStep& step, Interval accumulator);
/// The integer network's; multiplier >= 0.
Staircase staircase(const Requantisation& requantisation, Interval levels, Interval accumulator);
/// Any function's, asked at O(levels log(arguments)) arguments. Throws InternalError where it ends below its start.
Staircase staircase(const std::function<int64_t(int64_t)>& level, Interval arguments);

/// A threshold for each level above levels.low, which holds the steps' levels: arguments.low where every argument has
/// reached it, arguments.high + 1 where none does.
std::vector<int64_t> thresholds(const Staircase& steps, Interval arguments, Interval levels);

struct Difference {
  int64_t count = 0;  ///< arguments on which they differ
  int64_t worst = 0;  ///< largest distance
};
/// Over the whole interval, from the steps alone.
Difference difference(const Staircase& a, const Staircase& b, Interval accumulator);

}  // namespace nibble::quant
