#pragma once
#include <cstdint>
#include <vector>

#include "quant/staircase.hpp"

/// What the standard's integer ops say in real numbers, exactly: scales are floats, so their quotients are fractions of
/// whole numbers. docs/design/dialects.md (1).
namespace nibble::quant {

/// A positive quotient of products of doubles: `over` / `under`, taken exactly.
struct Ratio {
  std::vector<double> over, under;
  /// To a double: where to look, not what is right.
  double value() const;
};

/// The steps of clip(round_half_even(ratio * (a + offset)) + grid.zero_point, grid.low, grid.high).
///
/// Not a RealStep's: a product of three scales has more bits than the double kappa that a RealStep takes exactly.
Staircase staircase(const Ratio& ratio, int64_t offset, const Grid& grid, Interval arguments);

/// round_half_even((a * i + b * j) / unit) for each i of x and, within it, each j of y: exactly, clipped to 32 bits.
/// a, b and unit are positive float32 numbers.
std::vector<int64_t> rounded_sums(double a, Interval x, double b, Interval y, double unit);

}  // namespace nibble::quant
