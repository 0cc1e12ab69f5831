#pragma once
#include <functional>
#include <vector>

#include "graph/graph.hpp"

/// Parts of a graph that compute one value from one other: what exporters made of a function that they had no op for.
namespace nibble::passes {

struct Subgraph {
  graph::ValueId source = graph::absent;
  std::vector<size_t> nodes;  ///< in order; the last one writes the result
};

/// The regions that end in node `last`, the smallest first: all their nodes are `allowed`, at most `most` of them, and
/// read nothing but each other, constants and the source.
std::vector<Subgraph> subgraphs_to(const graph::Graph& graph, const graph::Uses& uses, size_t last,
                                   const std::function<bool(const graph::Node&)>& allowed, size_t most);

/// What the region makes of x, in doubles.
Tensor evaluate_subgraph(const graph::Graph& graph, const Subgraph& region, const Tensor& x);

}  // namespace nibble::passes
