#include "graph/evaluate/fold_constants.hpp"

#include <algorithm>

#include "graph/evaluate/evaluate.hpp"

namespace nibble::graph {
namespace {

bool can_fold(const Graph& graph, const Node& node, const Uses& uses) {
  if (holds_alternative<Quantise>(node.op) || holds_alternative<Dequantise>(node.op)) return false;
  for (ValueId id : node.outputs)
    if (uses.is_output[static_cast<size_t>(id)]) return false;
  bool any_input = false;
  for (ValueId id : node.inputs) {
    if (id == absent) continue;
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
  for (ValueId id : node.inputs) {
    if (id != absent) held.push_back(widened(*graph.constant(id)));
    inputs.push_back(id == absent ? nullptr : &held.back());
  }
  std::vector<Tensor> results = evaluate(node, inputs);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    Value& value = graph[node.outputs[i]];
    value.constant = is_real(results[i].type()) ? results[i].cast(ElementType::Float32) : std::move(results[i]);
    value.type = value.constant->type();
    value.shape = value.constant->shape();
  }
}

}  // namespace

int fold_constants(Graph& graph) {
  const Uses uses(graph);
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

}  // namespace nibble::graph
