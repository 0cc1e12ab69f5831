#pragma once
#include <ATen/ATen.h>

#include <vector>

#include "graph/graph.hpp"
#include "train/exact_types.hpp"

/// Nodes of QD and ID on libtorch, exact in the types that ExactTypes proves (docs/design/train.md).
namespace nibble::train {

at::ScalarType torch_type(Carrier carrier);

/// An input as the node computes with it: places and what the naive evaluator reads stay.
at::Tensor as_read(const graph::Node& node, size_t input, const at::Tensor& x, Carrier computes);

/// A node's outputs from its inputs in their own carriers (undefined: absent). `computes`: ExactTypes::add of the node;
/// `gives`: the carrier of its first output. Linear ops that compute in Float32 are differentiable.
std::vector<at::Tensor> forward_exact(const graph::Graph& graph, const graph::Node& node,
                                      const std::vector<at::Tensor>& inputs, Carrier computes, Carrier gives);

}  // namespace nibble::train
