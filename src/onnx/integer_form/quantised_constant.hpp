#pragma once
#include "graph/graph.hpp"

namespace nibble::onnx {

/// The integers of a constant under its quantiser, in the grid's container.
Tensor quantised_constant(const Tensor& reals, const graph::Quantise& op);

}  // namespace nibble::onnx
