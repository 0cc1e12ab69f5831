#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/grid.hpp"

/// The staircases of the standard's integer ops, exactly: which accumulator reaches which level.
/// docs/design/dialects.md.
namespace nibble::onnx {

/// A positive quotient of products of doubles: `over` / `under`, taken exactly.
struct Ratio {
  std::vector<double> over, under;
  double value() const;
};

/// One step of a staircase: the smallest reachable argument that has the level or a higher one, and the largest
/// reachable one that has not.
struct Step {
  int64_t below = 0;
  int64_t at = 0;
};

/// A function that does not fall: level low + number of steps with a >= at. Arguments lie in `reachable`; a step at its
/// low end is one that every argument has taken, one past its high end none.
struct Staircase {
  Interval reachable;
  int64_t low = 0;
  std::vector<Step> steps;

  int64_t high() const { return low + static_cast<int64_t>(steps.size()); }
  int64_t level(int64_t a) const;
  bool operator==(const Staircase& other) const;
};

/// The staircase of any function with `levels` that does not fall, by halving the interval for each level.
Staircase searched_staircase(Interval levels, Interval reachable, const std::function<int64_t(int64_t)>& level);

/// clip(round_half_even(ratio * (a + offset)) + grid.zero_point, grid.low, grid.high) on every a of `reachable`: what
/// QLinearConv and its kin say in real numbers.
Staircase standard_staircase(const Ratio& ratio, int64_t offset, const Grid& grid, Interval reachable);

/// (a * m + b) >> d
struct ShiftedLine {
  int64_t multiplier = 1, addend = 0, shift = 0;
};

/// A line near `slope` that has the staircase, of the smallest shift; nothing where there is none with a multiplier in
/// 32 bits and a product in 63.
std::optional<ShiftedLine> line_through(const Staircase& staircase, double slope);

/// How many reachable integers have another level in the one than in the other.
int64_t differing(const Staircase& a, const Staircase& b);

/// round_half_even(a * i + b * j) for each i of x and, within it, each j of y: exactly, clipped to 32 bits.
std::vector<int64_t> rounded_sums(const Ratio& a, Interval x, const Ratio& b, Interval y);

}  // namespace nibble::onnx
