#include "passes/sums.hpp"

#include <algorithm>

#include "graph/op_traits.hpp"

namespace nibble::passes {

bool stays_a_sum(const graph::Graph& graph, const graph::Uses& uses, graph::ValueId sum) {
  const auto& readers = uses.readers[static_cast<size_t>(sum)];
  return std::all_of(readers.begin(), readers.end(), [&](int reader) {
    return moves_a_sum_out(graph, uses, graph.nodes[static_cast<size_t>(reader)]);
  });
}

bool moves_a_sum_out(const graph::Graph& graph, const graph::Uses& uses, const graph::Node& node) {
  return class_of(node.op) == graph::OpClass::Movement && !holds_alternative<graph::Pad>(node.op) &&
         std::all_of(node.outputs.begin(), node.outputs.end(),
                     [&](graph::ValueId id) { return stays_a_sum(graph, uses, id); });
}

}  // namespace nibble::passes
