#include <algorithm>
#include <cmath>

#include "graph/evaluate/evaluate.hpp"
#include "passes/integerise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

/// The nodes from a Dequantise to the integer Quantise, in order; empty where it is of more than one value's levels.
std::vector<size_t> chain_to(const Graph& graph, const graph::Uses& uses, size_t quantise) {
  std::vector<size_t> chain{quantise};
  while (!holds_alternative<graph::Dequantise>(graph.nodes[chain.back()].op)) {
    const Node& last = graph.nodes[chain.back()];
    const int writer = uses.writer[static_cast<size_t>(last.inputs[0])];
    if (last.inputs.size() != 1 || writer < 0) return {};
    chain.push_back(static_cast<size_t>(writer));
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

/// What the chain makes of levels, up to its node `end`.
Tensor through(const Graph& graph, const std::vector<size_t>& chain, size_t end, Tensor tensor) {
  for (size_t i = 0; i < end; ++i)
    tensor = graph::evaluate(graph.nodes[chain[i]], {&tensor}, i + 1 == chain.size()).at(0);
  return tensor;
}

Tensor levels_from(int64_t first, int64_t count, int64_t step) {
  Tensor levels(ElementType::Int64, {count});
  for (int64_t i = 0; i < count; ++i) levels.as<int64_t>()[static_cast<size_t>(i)] = first + i * step;
  return levels;
}

/// A table of at most 2^bits steps, its entries with a fraction, for lines between them.
void interpolate(Graph& graph, size_t index, const std::vector<size_t>& chain, int bits, const Tensor& exact,
                 std::vector<Approximation>* approximations) {
  const Grid from = get<graph::Dequantise>(graph.nodes[chain[0]].op).grid;
  const graph::Quantise quantiser = get<graph::Quantise>(graph.nodes[index].op);
  const Grid& to = quantiser.grid;
  graph::InterpolatedTable op{from.low, 0, 8, to.low, to.high};
  while ((from.levels() - 1) >> op.shift >= int64_t{1} << bits) ++op.shift;
  const int64_t entries = ((from.levels() - 1) >> op.shift) + 2;
  const Tensor reals = through(graph, chain, chain.size() - 1, levels_from(from.low, entries, int64_t{1} << op.shift));
  std::vector<int32_t> table;
  for (double real : reals.to_reals()) {
    const double level = std::clamp(real / to.scale[0] + static_cast<double>(to.zero_point),
                                    static_cast<double>(to.low) - 1, static_cast<double>(to.high) + 1);
    table.push_back(static_cast<int32_t>(std::llround(std::ldexp(level, static_cast<int>(op.fraction)))));
  }
  const Tensor constant({entries}, table);
  const Tensor x = levels_from(from.low, from.levels(), 1), wide = constant.cast(ElementType::Int64);
  const Node node{graph.nodes[index].name, op, {}, {}};
  const auto y = graph::evaluate(node, {&x, &wide}).at(0).to_integers(), expected = exact.to_integers();
  Approximation found{node.name, "table", 0, from.levels(), 0, 0};
  for (size_t i = 0; i < y.size(); ++i) {
    found.differing += y[i] != expected[i];
    found.worst = std::max(found.worst, std::abs(y[i] - expected[i]));
  }
  if (approximations) approximations->push_back(found);
  const ValueId held = graph.add_constant(node.name + "_table", constant);
  graph.nodes[index].op = op;
  graph.nodes[index].inputs = {graph.nodes[chain[0]].inputs[0], held};
}

}  // namespace

int tabulate(Graph& graph, int table_bits, std::vector<Approximation>* approximations) {
  if (table_bits < 2 || table_bits > 16) fail("passes", "table bits", std::to_string(table_bits), "2 to 16");
  const graph::Uses uses(graph);
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* quantiser = get_if<graph::Quantise>(&graph.nodes[i].op);
    if (!quantiser || is_real(graph[graph.nodes[i].outputs[0]].type)) continue;
    const std::vector<size_t> chain = chain_to(graph, uses, i);
    if (chain.empty()) continue;
    const Grid from = get<graph::Dequantise>(graph.nodes[chain[0]].op).grid;
    const ValueId x = graph.nodes[chain[0]].inputs[0];
    const Tensor exact =
        through(graph, chain, chain.size(), levels_from(from.low, from.levels(), 1)).cast(quantiser->grid.container());
    ++changed;
    if (from.levels() > int64_t{1} << table_bits) {
      interpolate(graph, i, chain, table_bits, exact, approximations);
      continue;
    }
    const ValueId table = graph.add_constant(graph.nodes[i].name + "_table", exact);
    graph.nodes[i].op = graph::Table{from.low};
    graph.nodes[i].inputs = {x, table};
  }
  return changed;
}

}  // namespace nibble::passes
