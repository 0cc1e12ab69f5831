#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/grid.hpp"

namespace nibble::quant {

/// What a Rescale does to one channel: y = clip(round((sum of kappa[k] * a[k] + lambda) / divisor) + zero_point, low,
/// high). kappa and lambda are finite, divisor > 0.
struct Rescaling {
  std::vector<double> kappa;  ///< one an operand
  double lambda = 0;
  int64_t divisor = 1;
  Rounding rounding = Rounding::HalfUp;
  int64_t zero_point = 0, low = 0, high = 255;
};

/// y[i] of whole numbers that floats carry (Element: float or double), `count` in each operand. The same as
/// nibble::rescaled on every element: where rounding errors of doubles could reach a step, it decides. |zero_point|,
/// |low| and |high| are at most 2^24.
template <class Element>
void rescale(const Rescaling& how, std::span<const Element* const> a, size_t count, float* y);

extern template void rescale(const Rescaling&, std::span<const float* const>, size_t, float*);
extern template void rescale(const Rescaling&, std::span<const double* const>, size_t, float*);

}  // namespace nibble::quant
