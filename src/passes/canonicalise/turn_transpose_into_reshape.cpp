#include <algorithm>

#include "passes/canonicalise/passes.hpp"

namespace nibble::passes {

int turn_transpose_into_reshape(graph::Graph& graph) {
  int changed = 0;
  for (graph::Node& node : graph.nodes) {
    const auto* transpose = get_if<graph::Transpose>(&node.op);
    if (!transpose) continue;
    const Shape &before = graph[node.inputs[0]].shape, &after = graph[node.outputs[0]].shape;
    graph::Ints longer;
    for (int64_t axis : transpose->perm)
      if (before[static_cast<size_t>(axis)] != 1) longer.push_back(axis);
    if (!std::is_sorted(longer.begin(), longer.end()) || std::count(after.begin(), after.end(), any) > 1) continue;
    node.op = graph::Reshape{after, true};
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
