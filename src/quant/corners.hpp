#pragma once
#include <vector>

#include "quant/staircase.hpp"

namespace nibble::quant {

/// What (a*m + b) >> d must do at a point of the accumulator: reach a level there, or not yet.
struct Corner {
  int64_t at;
  int64_t level;
};

/// (m, b, d) clipped to the levels has the staircase where a*m + b >= level * 2^d at each of `reach`, and
/// a*m + b <= level * 2^d - 1 at each of `miss`. Source: docs/design/requantisation.md (3).
struct Corners {
  std::vector<Corner> reach, miss;
};

Corners corners_of(const Staircase& steps, Interval accumulator, Interval levels);

}  // namespace nibble::quant
