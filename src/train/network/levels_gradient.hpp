#pragma once
#include <ATen/ATen.h>

#include <vector>

#include "graph/ops.hpp"
#include "train/network/quantise_gradient.hpp"

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

/// The levels that a convolution multiplied, and the reals whose gradients it has.
struct ConvolvedLevels {
  graph::Conv op;
  at::Tensor x, weights;             ///< reals; their numbers are not read
  at::Tensor levels, weight_levels;  ///< without their zero points
  std::vector<double> weight_scale;  ///< one, or one an output channel
};
/// reals_of_accumulator of the convolution's `a`, and its own gradients in the same step: no other pass over activations.
/// Elsewhere: its numbers are not set here.
at::Tensor reals_of_convolution(const at::Tensor& a, const AccumulatorReals& reals, const ConvolvedLevels& of,
                                const at::Tensor& bias, Values values = Values::Here);

/// `reals` as the sum of terms of their shape: each has its gradient.
at::Tensor as_sum_of(const at::Tensor& reals, const std::vector<at::Tensor>& terms);

}  // namespace nibble::train
