#include "passes/canonicalise/passes.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;

bool commutes(const Node& node) {
  return holds_alternative<graph::MaxPool>(node.op) || holds_alternative<graph::Flatten>(node.op) ||
         holds_alternative<graph::Reshape>(node.op) || holds_alternative<graph::Squeeze>(node.op) ||
         holds_alternative<graph::Unsqueeze>(node.op) || holds_alternative<graph::Transpose>(node.op);
}

bool is_clip(const Node& node) {
  return holds_alternative<graph::Relu>(node.op) || holds_alternative<graph::Clip>(node.op);
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
