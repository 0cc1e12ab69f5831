#include <algorithm>

#include "passes/canonicalise/passes.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

bool is_sum_of_activations(const Graph& graph, const Node& node) {
  return holds_alternative<graph::Add>(node.op) &&
         std::none_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return graph.constant(id); });
}

/// The terms of a sum, with those of a sum that only it reads in the place of that.
std::vector<ValueId> terms_of(const Graph& graph, const graph::Uses& uses, const Node& sum) {
  std::vector<ValueId> terms;
  for (ValueId id : sum.inputs) {
    const int writer = uses.writer[static_cast<size_t>(id)];
    const bool inner = writer >= 0 && uses.only_reader(id) >= 0 &&
                       is_sum_of_activations(graph, graph.nodes[static_cast<size_t>(writer)]);
    const std::vector<ValueId> own{id};
    const auto& taken = inner ? graph.nodes[static_cast<size_t>(writer)].inputs : own;
    terms.insert(terms.end(), taken.begin(), taken.end());
  }
  return terms;
}

/// Of a sum of activations and constants: the activations first, then constant after constant.
void part(Graph& graph, size_t index) {
  std::vector<ValueId> terms = graph.nodes[index].inputs;
  std::stable_partition(terms.begin(), terms.end(), [&](ValueId id) { return !graph.constant(id); });
  const auto constants = static_cast<size_t>(
      std::count_if(terms.begin(), terms.end(), [&](ValueId id) { return graph.constant(id) != nullptr; }));
  const size_t first = std::max<size_t>(terms.size() - constants, 1);
  const auto middle = terms.begin() + static_cast<std::ptrdiff_t>(first);
  const std::string name = graph.nodes[index].name;
  ValueId sum = first == 1 ? terms[0] : graph.add_node(name + "_sum", graph::Add{}, {terms.begin(), middle});
  for (size_t i = first; i + 1 < terms.size(); ++i) sum = graph.add_node(name + "_sum", graph::Add{}, {sum, terms[i]});
  graph.nodes[index].inputs = {sum, terms.back()};
}

}  // namespace

int unify_adds(Graph& graph) {
  const graph::Uses uses(graph);
  int changed = 0;
  const size_t count = graph.nodes.size();
  for (size_t i = 0; i < count; ++i) {
    if (!holds_alternative<graph::Add>(graph.nodes[i].op)) continue;
    if (is_sum_of_activations(graph, graph.nodes[i])) {
      std::vector<ValueId> terms = terms_of(graph, uses, graph.nodes[i]);
      changed += terms.size() != graph.nodes[i].inputs.size();
      graph.nodes[i].inputs = std::move(terms);
    } else if (graph.nodes[i].inputs.size() > 2) {
      part(graph, i);
      ++changed;
    }
  }
  return changed;
}

}  // namespace nibble::passes
