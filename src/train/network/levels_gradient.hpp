#pragma once
#include <ATen/ATen.h>

#include <vector>

/// Linear ops on levels, with the gradients of the reals that they stand for (docs/design/qat.md).
namespace nibble::train {

/// `levels` as a function of the reals `x` of the same shape: backward gives dL/dx = factor[c] * dL/dlevels, c the index
/// of `axis` (-1: one factor).
at::Tensor as_levels_of(const at::Tensor& x, const at::Tensor& levels, const std::vector<double>& factor, int64_t axis);

/// What an accumulator stands for: z = scale[c] * a + shift[c], c the index of axis 1 (or one number). Backward gives
/// dL/da = gain[c] * dL/dz, and `bias` (undefined: none), a number or one a channel, the sum of dL/dz, `beta` times.
struct AccumulatorReals {
  std::vector<double> scale, shift, gain;
  double beta = 1;
};
at::Tensor reals_of_accumulator(const at::Tensor& a, const AccumulatorReals& reals, const at::Tensor& bias);

}  // namespace nibble::train
