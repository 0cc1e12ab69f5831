#pragma once
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "base/grid.hpp"

namespace nibble::quant {

/// What whole numbers of one channel stand for: real = clip(sum of scale[k] * (a[k] - zero[k]) + shift, low, high).
struct LevelReals {
  std::vector<double> scale, zero;  ///< one an operand
  double shift = 0;
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
};

/// y[i] of `count` elements in each operand (Element: float or double), computed in doubles and rounded once.
template <class Element>
void reals_of_levels(const LevelReals& how, std::span<const Element* const> a, size_t count, float* y);

extern template void reals_of_levels(const LevelReals&, std::span<const float* const>, size_t, float*);
extern template void reals_of_levels(const LevelReals&, std::span<const double* const>, size_t, float*);

/// How reals become levels, or reals on the grid.
struct Levels {
  double scale = 1;
  double low = 0, high = 255;  ///< whole, relative to the zero point
  double gain = 1, shift = 0;
  Rounding rounding = Rounding::HalfUp;
};

/// The integers of a channel of the grid.
Levels levels_on(const Grid& grid, Rounding rounding, size_t channel);

/// y = gain * clip(round(x / scale), low, high) + shift in doubles, decided as Grid::quantise does; NaN stays NaN. For
/// float and double elements. x and y are apart.
template <class In, class Out>
void levels_of_reals(const Levels& how, const In* x, size_t count, Out* y);

}  // namespace nibble::quant
