#pragma once
#include <vector>

#include "graph/graph.hpp"

namespace nibble::graph {

/// A BatchNormalization whose gain can go into the weights before it: y = (linear(x, w s) + shift), s a number a
/// channel.
struct FoldableNorm {
  size_t norm, linear;  ///< nodes
  int axis;             ///< of the output channels in the weights
  ValueId weights;      ///< the constant, Float32
};

/// In the graph's order, FP or FQ: each BatchNormalization of constants, its statistics its own, that alone reads a
/// Conv, a ConvTranspose of one group or a Gemm (alpha and beta 1) whose bias is a constant and whose weights are one
/// that nothing else reads; a Quantise may stand between the weights and the op.
std::vector<FoldableNorm> foldable_norms(const Graph& graph);

/// Folded training divides by the gain: a gamma closer to 0 counts as this, with its sign (0 as positive).
inline constexpr double least_gamma = 0x1p-20;

/// gamma / sqrt(variance + epsilon) of its batch-norm, one a channel, never 0.
std::vector<double> folding_gain(const Graph& graph, const FoldableNorm& pair);

}  // namespace nibble::graph
