#pragma once
#include "graph/graph.hpp"

/// What becomes of a sum of integers: one question for the plan of quantisers and for the walk to integers.
namespace nibble::passes {

/// Whether a sum leaves the network as it is: nothing but movement of its integers stands between it and the graph's
/// outputs, however much of it. A Pad is none: it adds numbers that the sum's grid need not hold.
bool stays_a_sum(const graph::Graph& graph, const graph::Uses& uses, graph::ValueId sum);

/// Whether the node moves the sum that it reads out of the network: its results stay sums.
bool moves_a_sum_out(const graph::Graph& graph, const graph::Uses& uses, const graph::Node& node);

}  // namespace nibble::passes
