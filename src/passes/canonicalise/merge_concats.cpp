#include "passes/canonicalise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;

int64_t axis_of(const Graph& graph, const Node& node) {
  return normalise_axis(get<graph::Concat>(node.op).axis, graph[node.outputs[0]].shape.size());
}

/// The Concat along the same axis that writes the value for this reader alone, or nullptr.
const Node* inner_concat(const Graph& graph, const graph::Uses& uses, graph::ValueId id, int64_t axis) {
  const int writer = uses.writer[static_cast<size_t>(id)];
  if (writer < 0 || uses.only_reader(id) < 0) return nullptr;
  const Node& inner = graph.nodes[static_cast<size_t>(writer)];
  return holds_alternative<graph::Concat>(inner.op) && axis_of(graph, inner) == axis ? &inner : nullptr;
}

}  // namespace

int merge_concats(Graph& graph) {
  const graph::Uses uses(graph);
  int changed = 0;
  for (Node& node : graph.nodes) {
    if (!holds_alternative<graph::Concat>(node.op)) continue;
    std::vector<graph::ValueId> joined;
    for (graph::ValueId id : node.inputs) {
      const Node* inner = inner_concat(graph, uses, id, axis_of(graph, node));
      if (!inner) {
        joined.push_back(id);
        continue;
      }
      joined.insert(joined.end(), inner->inputs.begin(), inner->inputs.end());
      ++changed;
    }
    node.inputs = std::move(joined);
  }
  return changed;
}

}  // namespace nibble::passes
