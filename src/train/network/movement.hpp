#pragma once
#include <ATen/ATen.h>

#include "graph/ops.hpp"

/// Ops that move elements, on any element type.
namespace nibble::train {

at::Tensor slice(const graph::Slice& op, at::Tensor x);
at::Tensor pad(const graph::Pad& op, at::Tensor x);
at::Tensor reshape(const graph::Reshape& op, const at::Tensor& x);
at::Tensor flatten(const graph::Flatten& op, const at::Tensor& x);
at::Tensor squeeze(const graph::Squeeze& op, const at::Tensor& x);
at::Tensor unsqueeze(const graph::Unsqueeze& op, at::Tensor x);
at::Tensor gather(const graph::Gather& op, const at::Tensor& x, const at::Tensor& indices);
at::Tensor resize(const graph::Resize& op, at::Tensor x);

}  // namespace nibble::train
