#include <optional>

#include "passes/canonicalise/passes.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;

std::optional<graph::Op> op_of_exponent(double exponent) {
  if (exponent == 1) return graph::Identity{};
  if (exponent == 2) return graph::Mul{};
  if (exponent == 0.5) return graph::Sqrt{};
  if (exponent == -1) return graph::Reciprocal{};
  return std::nullopt;
}

}  // namespace

int unify_powers(Graph& graph) {
  int changed = 0;
  for (Node& node : graph.nodes) {
    if (!holds_alternative<graph::Pow>(node.op)) continue;
    const graph::ValueId x = node.inputs[0];
    const Tensor* exponent = graph.constant(node.inputs[1]);
    // An exponent of more axes widens the result.
    if (!exponent || exponent->size() != 1 || exponent->rank() > graph[x].shape.size()) continue;
    auto op = op_of_exponent(exponent->to_reals()[0]);
    if (!op) continue;
    node.inputs = holds_alternative<graph::Mul>(*op) ? std::vector{x, x} : std::vector{x};
    node.op = std::move(*op);
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
