#include <algorithm>
#include <numeric>

#include "passes/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

/// The nodes from a Dequantise to the integer Quantise, in order.
std::vector<size_t> chain_to(const Graph& graph, const graph::Uses& uses, size_t quantise) {
  std::vector<size_t> chain{quantise};
  while (!std::holds_alternative<graph::Dequantise>(graph.nodes[chain.back()].op)) {
    const int writer = uses.writer[static_cast<size_t>(graph.nodes[chain.back()].inputs[0])];
    ensure(writer >= 0, "a real value of QD comes from a Dequantise");
    chain.push_back(static_cast<size_t>(writer));
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

Tensor table_of(const Graph& graph, const std::vector<size_t>& chain, const Grid& from, const Grid& to) {
  std::vector<int64_t> levels(static_cast<size_t>(from.levels()));
  std::iota(levels.begin(), levels.end(), from.low);
  Tensor tensor({static_cast<int64_t>(levels.size())}, levels);
  for (size_t index : chain) {
    const bool last = index == chain.back();
    tensor = graph::evaluate(graph.nodes[index], {&tensor}, last).at(0);
  }
  return tensor.cast(to.container());
}

}  // namespace

int tabulate(Graph& graph) {
  const graph::Uses uses(graph);
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* quantiser = std::get_if<graph::Quantise>(&graph.nodes[i].op);
    if (!quantiser || is_real(graph[graph.nodes[i].outputs[0]].type)) continue;
    const std::vector<size_t> chain = chain_to(graph, uses, i);
    const Grid from = std::get<graph::Dequantise>(graph.nodes[chain[0]].op).grid;
    const ValueId x = graph.nodes[chain[0]].inputs[0];
    const std::string name = graph.nodes[i].name + "_table";
    const ValueId table = graph.add_constant(name, table_of(graph, chain, from, quantiser->grid));
    graph.nodes[i].op = graph::Table{from.low};
    graph.nodes[i].inputs = {x, table};
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
