#include <algorithm>
#include <cmath>

#include "graph/evaluate/evaluate.hpp"
#include "graph/op_traits.hpp"
#include "passes/integerise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

constexpr int64_t most_entries = int64_t{1} << 24;

/// What a table can hold between two integers: a function or clip of one value, its parameters constant.
bool is_tabulated(const Graph& graph, const Node& node) {
  const graph::OpClass kind = class_of(node.op);
  return (kind == graph::OpClass::Function || kind == graph::OpClass::Clip || kind == graph::OpClass::Quantiser) &&
         std::all_of(node.inputs.begin() + 1, node.inputs.end(),
                     [&](ValueId id) { return id != graph::absent && graph.constant(id); });
}

/// The nodes from a Dequantise to the integer Quantise, in order; empty where it is of more than one value's levels.
std::vector<size_t> chain_to(const Graph& graph, size_t quantise) {
  const auto writer_of = [&](ValueId id, size_t before) {
    while (before-- > 0) {
      const std::vector<ValueId>& outputs = graph.nodes[before].outputs;
      if (std::find(outputs.begin(), outputs.end(), id) != outputs.end()) return static_cast<int>(before);
    }
    return -1;
  };
  std::vector<size_t> chain{quantise};
  while (!holds_alternative<graph::Dequantise>(graph.nodes[chain.back()].op)) {
    const Node& last = graph.nodes[chain.back()];
    const int writer = is_tabulated(graph, last) ? writer_of(last.inputs[0], chain.back()) : -1;
    if (writer < 0) return {};
    chain.push_back(static_cast<size_t>(writer));
  }
  std::reverse(chain.begin(), chain.end());
  const Grid& from = get<graph::Dequantise>(graph.nodes[chain[0]].op).grid;
  return from.per_channel() || from.levels() > most_entries ? std::vector<size_t>{} : chain;
}

/// What the functions' second inputs (slopes, exponents) broadcast to: a table for each element.
Shape parameters_of(const Graph& graph, const std::vector<size_t>& chain) {
  Shape shape;
  for (size_t index : chain)
    for (size_t slot = 1; slot < graph.nodes[index].inputs.size(); ++slot) {
      const Tensor* constant = graph.constant(graph.nodes[index].inputs[slot]);
      ensure(constant != nullptr, "a function between integers has constant parameters");
      shape = broadcast(shape, constant->shape());
    }
  return element_count(shape) == 1 ? Shape{} : shape;
}

/// With one axis more, for the levels.
Shape with_levels(Shape shape, int64_t count) {
  shape.push_back(count);
  return shape;
}

/// What the chain makes of levels [parameters.., levels], up to its node `end`.
Tensor through(const Graph& graph, const std::vector<size_t>& chain, size_t end, Tensor tensor) {
  for (size_t i = 0; i < end; ++i) {
    const Node& node = graph.nodes[chain[i]];
    std::vector<Tensor> held;
    held.reserve(node.inputs.size());
    std::vector<const Tensor*> inputs{&tensor};
    for (size_t slot = 1; slot < node.inputs.size(); ++slot) {
      const Tensor& constant = *graph.constant(node.inputs[slot]);
      const Shape own = element_count(constant.shape()) == 1 ? Shape{} : constant.shape();
      inputs.push_back(&held.emplace_back(constant.cast(ElementType::Float64).reshaped(with_levels(own, 1))));
    }
    tensor = graph::evaluate(node, inputs, i + 1 == chain.size()).at(0);
  }
  return tensor;
}

Tensor levels_from(int64_t first, int64_t count, int64_t step, const Shape& parameters = {}) {
  Tensor levels(ElementType::Int64, with_levels(parameters, count));
  const auto values = levels.as<int64_t>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<int64_t>(i) % count * step;
  return levels;
}

std::string free_name(const Graph& graph, std::string name) {
  const auto taken = [&](const Node& node) { return node.name == name; };
  while (std::any_of(graph.nodes.begin(), graph.nodes.end(), taken)) name += "_";
  return name;
}

/// x moved to the part of the table that its element has, by a node before `index`: the tables stand one after the
/// other.
ValueId with_offsets(Graph& graph, size_t index, ValueId x, const Shape& parameters, const Grid& from) {
  std::vector<int32_t> offsets;
  for (int64_t i = 0; i < element_count(parameters); ++i) offsets.push_back(static_cast<int32_t>(i * from.levels()));
  const std::string name = graph.nodes[index].name;
  const int64_t last = offsets.back();
  const ValueId constant = graph.add_constant(name + "_offset", Tensor(parameters, offsets));
  const ValueId place = graph.add_value(name + "_place", ElementType::Int32);
  graph[place].bounds = {{from.low, from.high + last}};
  const Node sum{free_name(graph, name + "_place"), graph::Add{}, {x, constant}, {place}};
  graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(index), sum);
  return place;
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

bool tabulate_node(Graph& graph, size_t index, int table_bits, std::vector<Approximation>* approximations) {
  const auto* quantiser = get_if<graph::Quantise>(&graph.nodes[index].op);
  if (!quantiser || is_real(graph[graph.nodes[index].outputs[0]].type)) return false;
  const std::vector<size_t> chain = chain_to(graph, index);
  if (chain.empty()) return false;
  const Grid from = get<graph::Dequantise>(graph.nodes[chain[0]].op).grid;
  const ValueId x = graph.nodes[chain[0]].inputs[0];
  const Shape parameters = parameters_of(graph, chain);
  const int64_t tables = element_count(parameters);
  if (tables > 1 && tables * from.levels() > most_entries)
    fail("passes", place_of(graph.nodes[index]), std::to_string(tables) + " tables of " + std::to_string(from.levels()),
         "at most " + std::to_string(most_entries) + " entries: fewer bits for what it reads");
  const Tensor exact = through(graph, chain, chain.size(), levels_from(from.low, from.levels(), 1, parameters))
                           .cast(quantiser->grid.container())
                           .reshaped({tables * from.levels()});
  if (tables == 1 && from.levels() > int64_t{1} << table_bits) {
    interpolate(graph, index, chain, table_bits, exact, approximations);
    return true;
  }
  const ValueId place = tables == 1 ? x : with_offsets(graph, index, x, parameters, from);
  Node& node = graph.nodes[tables == 1 ? index : index + 1];
  const ValueId table = graph.add_constant(node.name + "_table", exact);
  node.op = graph::Table{from.low};
  node.inputs = {place, table};
  return true;
}

int tabulate(Graph& graph, int table_bits, std::vector<Approximation>* approximations) {
  if (table_bits < 2 || table_bits > 16) fail("passes", "table bits", std::to_string(table_bits), "2 to 16");
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) changed += tabulate_node(graph, i, table_bits, approximations);
  return changed;
}

}  // namespace nibble::passes
