#include <algorithm>

#include "graph/op_traits.hpp"
#include "passes/canonicalise/passes.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;

/// [d0, d1, ..] -> [d0, all others]. Two open first extents need not be the same.
bool flattens(const Shape& before, const Shape& after) {
  if (before.size() <= 2 || after.size() != 2 || before[0] != after[0]) return false;
  const Shape rest(before.begin() + 1, before.end());
  return is_static(rest) && element_count(rest) == after[1];
}

bool write_as_flatten(const Graph& graph, Node& node) {
  if (!flattens(graph[node.inputs[0]].shape, graph[node.outputs[0]].shape)) return false;
  const auto* flatten = get_if<graph::Flatten>(&node.op);
  if (flatten && flatten->axis == 1) return false;
  node.op = graph::Flatten{1};
  return true;
}

}  // namespace

int merge_reshapes(Graph& graph) {
  const graph::Uses uses(graph);
  int changed = 0;
  for (Node& node : graph.nodes) {
    if (!reshapes(node.op)) continue;
    changed += write_as_flatten(graph, node);
    const int before = uses.writer[static_cast<size_t>(node.inputs[0])];
    if (before < 0 || !reshapes(graph.nodes[static_cast<size_t>(before)].op)) continue;
    const Shape& shape = graph[node.outputs[0]].shape;
    if (std::count(shape.begin(), shape.end(), any) > 1) continue;
    node.op = graph::Reshape{shape, true};
    node.inputs = {graph.nodes[static_cast<size_t>(before)].inputs[0]};
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
