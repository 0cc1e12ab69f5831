#include <algorithm>

#include "passes/passes.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;

bool is_reshape(const Node& node) {
  return std::holds_alternative<graph::Reshape>(node.op) || std::holds_alternative<graph::Flatten>(node.op) ||
         std::holds_alternative<graph::Squeeze>(node.op) || std::holds_alternative<graph::Unsqueeze>(node.op);
}

}  // namespace

int merge_reshapes(Graph& graph) {
  const graph::Uses uses(graph);
  int changed = 0;
  for (Node& node : graph.nodes) {
    if (!is_reshape(node)) continue;
    const int before = uses.writer[static_cast<size_t>(node.inputs[0])];
    if (before < 0 || !is_reshape(graph.nodes[static_cast<size_t>(before)])) continue;
    const Shape& shape = graph[node.outputs[0]].shape;
    if (std::count(shape.begin(), shape.end(), any) > 1) continue;
    node.op = graph::Reshape{shape, true};
    node.inputs = {graph.nodes[static_cast<size_t>(before)].inputs[0]};
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
