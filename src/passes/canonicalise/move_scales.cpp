#include <cmath>

#include "passes/canonicalise/passes.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

/// The slot of the activation of a product with one positive number, or of a quotient by it; -1 otherwise.
int scaled_slot(const Graph& graph, const Node& node) {
  const bool mul = holds_alternative<graph::Mul>(node.op), div = holds_alternative<graph::Div>(node.op);
  if (!mul && !div) return -1;
  for (int slot = 0; slot < (div ? 1 : 2); ++slot) {
    const Tensor* constant = graph.constant(node.inputs[static_cast<size_t>(1 - slot)]);
    if (!constant || constant->size() != 1 || constant->rank() > 1 ||
        graph.constant(node.inputs[static_cast<size_t>(slot)]))
      continue;
    const double number = constant->to_reals()[0];
    if (number > 0 && std::isfinite(number)) return slot;
  }
  return -1;
}

}  // namespace

int move_scales(Graph& graph) {
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!holds_alternative<graph::MatMul>(graph.nodes[i].op)) continue;
    if (graph.constant(graph.nodes[i].inputs[0]) || graph.constant(graph.nodes[i].inputs[1])) continue;
    for (size_t side = 0; side < 2; ++side) {
      const graph::Uses uses(graph);
      const ValueId scaled = graph.nodes[i].inputs[side];
      const int writer = uses.writer[static_cast<size_t>(scaled)];
      if (writer < 0 || uses.only_reader(scaled) != static_cast<int>(i)) continue;
      const int slot = scaled_slot(graph, graph.nodes[static_cast<size_t>(writer)]);
      if (slot < 0) continue;
      Node &scale = graph.nodes[static_cast<size_t>(writer)], &product = graph.nodes[i];
      std::swap(product.inputs[side], scale.inputs[static_cast<size_t>(slot)]);
      std::swap(product.outputs, scale.outputs);
      scale.inputs[static_cast<size_t>(slot)] = product.outputs[0];
      // The scale now reads the product: it stands behind it.
      std::swap(product, scale);
      graph::sort(graph);
      return changed + 1 + move_scales(graph);
    }
  }
  return changed;
}

}  // namespace nibble::passes
