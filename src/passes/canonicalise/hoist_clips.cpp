#include "graph/op_traits.hpp"
#include "passes/canonicalise/passes.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;

bool commutes(const Node& node) {
  return reorders(node.op) || holds_alternative<graph::MaxPool>(node.op);
}

bool is_clip(const Node& node) {
  return class_of(node.op) == graph::OpClass::Clip;
}

}  // namespace

int hoist_clips(Graph& graph) {
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!is_clip(graph.nodes[i])) continue;
    const graph::ValueId between = graph.nodes[i].inputs[0];
    const graph::Uses uses(graph);
    const int writer = uses.writer[static_cast<size_t>(between)];
    if (writer < 0 || uses.only_reader(between) != static_cast<int>(i)) continue;
    const auto pool = static_cast<size_t>(writer);
    if (!commutes(graph.nodes[pool])) continue;
    const graph::ValueId clipped =
        graph.add_value(graph.nodes[i].name + "_hoisted", graph[graph.nodes[pool].inputs[0]].type);
    graph.nodes[i].inputs = graph.nodes[pool].inputs;
    graph.nodes[pool].inputs = {clipped};
    graph.nodes[pool].outputs = graph.nodes[i].outputs;
    graph.nodes[i].outputs = {clipped};
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
