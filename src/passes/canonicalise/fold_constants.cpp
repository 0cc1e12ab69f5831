#include <algorithm>

#include "graph/evaluate/evaluate.hpp"
#include "passes/canonicalise/passes.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;

bool can_fold(const Graph& graph, const Node& node, const graph::Uses& uses) {
  if (holds_alternative<graph::Quantise>(node.op) || holds_alternative<graph::Dequantise>(node.op)) return false;
  for (graph::ValueId id : node.outputs)
    if (uses.is_output[static_cast<size_t>(id)]) return false;
  bool any_input = false;
  for (graph::ValueId id : node.inputs) {
    if (id == graph::absent) continue;
    any_input = true;
    if (!graph.constant(id)) return false;
  }
  return any_input;
}

Tensor widened(const Tensor& tensor) {
  return tensor.cast(is_real(tensor.type()) ? ElementType::Float64 : ElementType::Int64);
}

void fold(Graph& graph, const Node& node) {
  std::vector<Tensor> held;
  held.reserve(node.inputs.size());
  std::vector<const Tensor*> inputs;
  for (graph::ValueId id : node.inputs) {
    if (id != graph::absent) held.push_back(widened(*graph.constant(id)));
    inputs.push_back(id == graph::absent ? nullptr : &held.back());
  }
  std::vector<Tensor> results = graph::evaluate(node, inputs);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    graph::Value& value = graph[node.outputs[i]];
    value.constant = is_real(results[i].type()) ? results[i].cast(ElementType::Float32) : std::move(results[i]);
    value.type = value.constant->type();
    value.shape = value.constant->shape();
  }
}

}  // namespace

int fold_constants(Graph& graph) {
  const graph::Uses uses(graph);
  std::vector<Node> kept;
  int changed = 0;
  for (Node& node : graph.nodes) {
    if (can_fold(graph, node, uses)) {
      fold(graph, node);
      ++changed;
    } else {
      kept.push_back(std::move(node));
    }
  }
  graph.nodes = std::move(kept);
  return changed;
}

}  // namespace nibble::passes
