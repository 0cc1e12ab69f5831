#pragma once
#include <vector>

#include "graph/graph.hpp"

namespace nibble::graph {

/// Type and shape of a value, and its constant where known (Gather's indices, Threshold's rows need none).
struct TypedShape {
  ElementType type;
  Shape shape;
};

/// Types and shapes of a node's outputs from those of its inputs (absent inputs: nullptr), static or with `any` as
/// batch. Reals give Float32 (Float64 if any input is); integer linear ops, sums and Add give Int32 (Int64 if an input
/// is wider than Int32); Rescale, Requantise, FloorDivide, Threshold and integer Quantise give the container of [low,
/// high]. Throws UserError "graph: node '<name>' (<op>): <found> (expected <what>)".
std::vector<TypedShape> infer(const Node& node, const std::vector<const TypedShape*>& inputs,
                              const std::vector<const Tensor*>& constants);

/// Throws UserError "graph: value '<name>': shape ..." where extents are negative (but for `any`) or hold more than
/// largest_tensor elements.
void check_extents(const Value& value);

/// infer over the whole graph, in order; writes values' types and shapes. A Quantise whose output value is of an
/// integer type keeps it.
void infer_shapes(Graph& graph);
/// The same of one node, whose inputs have theirs.
void infer_shapes(Graph& graph, const Node& node);

}  // namespace nibble::graph
