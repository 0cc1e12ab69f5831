#pragma once
#include <ATen/ATen.h>

#include "graph/ops.hpp"

/// Ops that slide a window over the spatial axes, on [N,C,L] or [N,C,H,W] of any float type. Exact on integers carried
/// as floats where every partial sum is one.
namespace nibble::train {

at::Tensor convolve(const graph::Conv& op, const at::Tensor& x, const at::Tensor& weights, const at::Tensor& bias);

struct ConvolutionGradient {
  at::Tensor x, weights;  ///< undefined where it was not asked for
};
/// Of `convolve`, from that of its result.
ConvolutionGradient convolve_backward(const graph::Conv& op, const at::Tensor& g, const at::Tensor& x,
                                      const at::Tensor& weights, bool of_x, bool of_weights);

at::Tensor convolve_transposed(const graph::ConvTranspose& op, const at::Tensor& x, const at::Tensor& weights,
                               const at::Tensor& bias);
at::Tensor max_pool(const graph::MaxPool& op, const at::Tensor& x);
at::Tensor average_pool(const graph::AveragePool& op, const at::Tensor& x);
at::Tensor sum_pool(const graph::SumPool& op, const at::Tensor& x);

}  // namespace nibble::train
