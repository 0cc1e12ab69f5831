#include "quant/corners.hpp"

namespace nibble::quant {

Corners corners_of(const Staircase& steps, Interval accumulator, Interval levels) {
  Corners corners;
  if (steps.first > levels.low) corners.reach.push_back({accumulator.low, steps.first});
  for (size_t i = 0; i < steps.at.size(); ++i) {
    const int64_t level = steps.first + static_cast<int64_t>(i) + 1;
    corners.reach.push_back({steps.at[i], level});
    corners.miss.push_back({steps.before.empty() ? steps.at[i] - 1 : steps.before[i], level});
  }
  if (steps.last() < levels.high) corners.miss.push_back({accumulator.high, steps.last() + 1});
  return corners;
}

}  // namespace nibble::quant
