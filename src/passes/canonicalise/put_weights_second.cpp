#include <numeric>
#include <optional>

#include "graph/op_traits.hpp"
#include "passes/canonicalise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Ints;
using graph::Node;
using graph::ValueId;

/// The last two axes exchanged.
Ints swapped(size_t rank) {
  Ints perm(rank);
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[rank - 2], perm[rank - 1]);
  return perm;
}

/// The quantiser of a constant that writes the value, or nullptr.
const Node* quantiser_of_constant(const Graph& graph, const graph::Uses& uses, ValueId id) {
  const int writer = uses.writer[static_cast<size_t>(id)];
  if (writer < 0) return nullptr;
  const Node& node = graph.nodes[static_cast<size_t>(writer)];
  return holds_alternative<graph::Quantise>(node.op) && graph.constant(node.inputs[0]) ? &node : nullptr;
}

/// The weights transposed: a constant, behind a quantiser of its own where these have one.
ValueId transposed_weights(Graph& graph, const graph::Uses& uses, ValueId weights) {
  const Node* found = quantiser_of_constant(graph, uses, weights);
  const std::string name = graph[weights].name + "_transposed";
  const Tensor& reals = *graph.constant(found ? found->inputs[0] : weights);
  const Ints perm = swapped(reals.rank());
  if (!found) return graph.add_constant(name, permuted(reals, perm));
  graph::Quantise quantiser = get<graph::Quantise>(found->op);
  int& axis = quantiser.grid.axis;
  if (axis >= 0) axis = static_cast<int>(perm[static_cast<size_t>(axis)]);
  const std::string node = found->name + "_transposed";
  const ValueId constant = graph.add_constant(name + "_real", permuted(reals, perm));
  const ValueId placed = graph.add_node(node, quantiser, {constant});
  graph.swap_names(placed, graph.add_value(name));
  graph[placed].grid = quantiser.grid;
  return placed;
}

}  // namespace

int put_weights_second(Graph& graph) {
  const graph::Uses uses(graph);
  int changed = 0;
  const size_t count = graph.nodes.size();
  for (size_t i = 0; i < count; ++i) {
    if (!holds_alternative<graph::MatMul>(graph.nodes[i].op)) continue;
    const ValueId w = graph.nodes[i].inputs[0], x = graph.nodes[i].inputs[1], y = graph.nodes[i].outputs[0];
    const auto is_constant = [&](ValueId id) { return graph.constant(id) || quantiser_of_constant(graph, uses, id); };
    if (!is_constant(w) || is_constant(x) || !is_real(graph[w].type)) continue;
    const size_t rank = graph[x].shape.size();
    if (graph[w].shape.size() < 2 || rank < 2) continue;
    const std::string name = graph.nodes[i].name;
    const ValueId second = transposed_weights(graph, uses, w);
    const ValueId first = graph.add_node(name + "_input", graph::Transpose{swapped(rank)}, {x});
    const ValueId product = graph.add_value(graph[y].name + "_transposed", graph[y].type);
    graph.nodes[i].inputs = {first, second};
    graph.nodes[i].outputs = {product};
    graph.add_node(name + "_output", graph::Transpose{swapped(graph[y].shape.size())}, {product});
    graph.nodes.back().outputs = {y};
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
