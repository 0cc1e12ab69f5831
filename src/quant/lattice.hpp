#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "base/int128.hpp"
#include "quant/corners.hpp"
#include "quant/requantisation.hpp"

/// A staircase of many steps by what it is, a line rounded down: its hull and its sum in some hundred divisions, where
/// going through its steps takes one for each. Source: docs/design/requantisation.md (9) to (11).
namespace nibble::quant {

/// level(a) = floor((slope * a + offset) / unit), exactly; 0 <= slope < unit, so that no level is passed over.
struct Line {
  int128 slope, offset, unit;

  int64_t level(int64_t a) const;
  /// The smallest a with level(a) >= wanted; slope > 0.
  int64_t first(int64_t wanted) const;
};

/// The step's function before it is clipped, where 128 bits hold it over the interval. Nothing for ties to even, which
/// no line rounds to, and for slopes of 1 and more.
std::optional<Line> line_of(const RealStep& step, Interval accumulator);

/// The corners of the upper convex hull of the points (a, level(a)), a in the interval, from left to right.
std::vector<Corner> upper_hull(const Line& line, Interval interval);

/// As corners_of of the line's staircase, clipped to the levels: those that bind alone.
Corners corners_of(const Line& line, Interval accumulator, Interval levels);

/// Sum over the interval of level(a), clipped to the levels.
int128 clipped_sum(const Line& line, Interval interval, Interval levels);

}  // namespace nibble::quant
