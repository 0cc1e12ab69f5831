#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "graph/input_rounding.hpp"
#include "graph/op_traits.hpp"
#include "passes/input_factors.hpp"
#include "passes/integerise/passes.hpp"
#include "passes/integerise/propagation.hpp"
#include "passes/quantise/batch_norm_ways.hpp"
#include "passes/scales.hpp"

namespace nibble::passes {
namespace {
using graph::absent;
using graph::Graph;
using graph::Node;
using graph::ValueId;

/// Indices are integers from the start; each table that they pick from bounds them.
void carry_indices(Propagation& p, ValueId id) {
  const graph::Value& value = p.from[id];
  const Index carried{p.to.add_value(value.name, value.type, value.shape)};
  int64_t rows = INT32_MAX;
  for (int reader : p.uses.readers[static_cast<size_t>(id)]) {
    const Node& node = p.from.nodes[static_cast<size_t>(reader)];
    const auto* gather = get_if<graph::Gather>(&node.op);
    if (!gather || node.inputs[0] == id)
      fail("passes", "input '" + value.name + "'", "holds integers and is read by " + passes::place_of(node),
           "a Gather that picks by them");
    const Shape& table = p.from[node.inputs[0]].shape;
    rows = std::min(rows, table[static_cast<size_t>(normalise_axis(gather->axis, table.size()))]);
  }
  p.to[carried.id].bounds = {{-rows, rows - 1}};
  p.to.inputs.push_back(carried.id);
  p.set(id, carried);
}

/// The grid of an output that no quantiser wrote: a sum of integers times one scale, or one for each channel of axis 1,
/// as weights have them whose quantisers came with the network.
Grid grid_of_sum(const Sum& sum, const std::string& place) {
  const bool positive = std::all_of(sum.scale.begin(), sum.scale.end(), [](double scale) { return scale > 0; });
  if (!positive || !sum.others.empty() || sum.shifted() || sum.clipped())
    fail("passes", place, "is not on one grid",
         "a quantiser before it, or a linear op with one weight scale and its bias on the accumulator's grid");
  Grid grid{{}, sum.uniform() ? -1 : 1, sum.zero, INT32_MIN, INT32_MAX};
  for (double scale : sum.scale) grid.scale.push_back(static_cast<double>(static_cast<float>(scale)));
  if (!grid.per_channel()) grid.scale.resize(1);
  check_grid(grid, "passes", place);
  return grid;
}

/// The integers of an output.
ValueId integers_of(const Propagation& p, ValueId id, const std::string& place) {
  const Carried* found = p.find(id);
  if (!found || p.find_constant(id)) fail("passes", place, "is a constant", "something computed from the inputs");
  if (std::holds_alternative<RealValue>(*found)) fail("passes", place, "is real", "a quantiser before it");
  const auto sum = sum_of(*found);
  if (!sum) fail("passes", place, "is of a function without integers", "a quantiser before it");
  return sum->id;
}

std::optional<Grid> grid_of_output(const Carried& carried, const std::string& place) {
  if (const auto* x = std::get_if<OnGrid>(&carried)) return x->grid;
  if (const auto* x = std::get_if<Sum>(&carried)) return grid_of_sum(*x, place);
  return std::nullopt;
}

void carry_graph_output(Propagation& p, ValueId id) {
  const std::string& name = p.from[id].name;
  const std::string place = "output '" + name + "'";
  ValueId output = integers_of(p, id, place);
  const std::optional<Grid> grid = grid_of_output(*p.find(id), place);
  const auto taken = [&](const std::vector<ValueId>& ids) {
    return std::find(ids.begin(), ids.end(), output) != ids.end();
  };
  if (taken(p.to.inputs) || taken(p.to.outputs)) {
    const ValueId same = p.to.find(name);
    output = p.emit(name + "_output", graph::Identity{}, {output}, name);
    if (same != absent) p.to.swap_names(same, output);
  } else if (p.to[output].name != name) {
    const ValueId spare = p.to.add_value(name);
    p.to.swap_names(output, spare);
  }
  p.to[output].grid = grid;
  p.to.outputs.push_back(output);
}

}  // namespace

void carry_graph_input(Propagation& p, ValueId id) {
  const graph::Value& value = p.from[id];
  if (!is_real(value.type)) return carry_indices(p, id);
  const std::string place = "input '" + value.name + "'";
  const auto& outputs = p.from.outputs;
  const bool unread =
      p.uses.readers[static_cast<size_t>(id)].empty() && std::find(outputs.begin(), outputs.end(), id) == outputs.end();
  // It stays an input; what it is given is of no account.
  static const graph::Quantise bytes{Grid{}, Rounding::HalfUp};
  const graph::Quantise* quantiser = unread ? &bytes : nullptr;
  const auto factors = factors_of_input(p.from, p.uses, id);
  const ValueId quantised = factors ? p.from.nodes[factors->node].outputs[0] : id;
  for (int reader : p.uses.readers[static_cast<size_t>(quantised)]) {
    const Node& node = p.from.nodes[static_cast<size_t>(reader)];
    const auto* read = get_if<graph::Quantise>(&node.op);
    if (!read) fail("passes", place, "is read by " + passes::place_of(node), "a quantiser between the two");
    if (quantiser && !(quantiser->grid == read->grid))
      fail("passes", place, "has quantisers of two grids", "one quantiser, and others behind it");
    quantiser = read;
  }
  if (!quantiser) fail("passes", place, "is read by nothing that has integers", "a quantiser after it");
  if (quantiser->grid.per_channel()) fail("passes", place, "has a grid for each channel", "one grid for the tensor");
  if (quantiser->rounding == Rounding::Floor)
    fail("passes", place, "has a quantiser that rounds by floor", "half_up or half_even");
  Grid grid = quantiser->grid;
  if (factors) {
    grid.axis = factors->gain.size() > 1 ? 1 : -1;
    grid.scale = factors->gain;
    for (double& scale : grid.scale) scale = quantiser->grid.scale[0] / scale;
    check_grid(grid, "passes", place);
  }
  OnGrid carried{p.to.add_value(value.name, grid.container(), value.shape), grid};
  p.to.inputs.push_back(carried.id);
  graph::set_input_rounding(p.to, value.name, quantiser->rounding);
  p.set(id, std::move(carried));
}

void carry(Propagation& p, const Node& node) {
  switch (class_of(node.op)) {
    case graph::OpClass::Linear: return carry_linear(p, node);
    case graph::OpClass::Affine:
    case graph::OpClass::Arithmetic: return carry_arithmetic(p, node);
    case graph::OpClass::Clip: return carry_clip(p, node);
    case graph::OpClass::Mean: return carry_mean(p, node);
    case graph::OpClass::Movement: return carry_movement(p, node);
    case graph::OpClass::Concat: return carry_concat(p, node);
    case graph::OpClass::Function: return carry_function(p, node);
    case graph::OpClass::Algorithm: return carry_algorithm(p, node);
    case graph::OpClass::Choice: return carry_choice(p, node);
    case graph::OpClass::Index: return carry_index(p, node);
    case graph::OpClass::Quantiser: return carry_quantise(p, node);
    case graph::OpClass::Integer: refuse(node, "is of an integer network", "a fake-quantised network");
    case graph::OpClass::Refused: refuse(node, "has no integer form", "a network without it");
  }
}

bool Sum::uniform() const {
  const auto same = [](const std::vector<double>& values) {
    return std::all_of(values.begin(), values.end(), [&](double v) { return v == values[0]; });
  };
  return others.empty() && same(scale) && same(shift) && same(low) && same(high);
}

bool Sum::clipped() const {
  return std::any_of(low.begin(), low.end(), [](double v) { return std::isfinite(v); }) ||
         std::any_of(high.begin(), high.end(), [](double v) { return std::isfinite(v); });
}

bool Sum::shifted() const {
  return std::any_of(shift.begin(), shift.end(), [](double s) { return s != 0; });
}

std::optional<Sum> sum_of(const Carried& value) {
  if (const auto* x = std::get_if<OnGrid>(&value))
    return Sum{.id = x->id, .scale = x->grid.scale, .zero = x->grid.zero_point};
  if (const auto* x = std::get_if<Sum>(&value)) return *x;
  if (const auto* x = std::get_if<Index>(&value)) return Sum{.id = x->id};
  return std::nullopt;
}

std::vector<ValueId> terms_of(const Carried& value) {
  std::vector<ValueId> ids;
  std::visit(
      [&](const auto& x) {
        if constexpr (requires { x.id; }) ids.push_back(x.id);
      },
      value);
  if (const auto* sum = std::get_if<Sum>(&value))
    for (const Sum::Term& term : sum->others) ids.push_back(term.id);
  return ids;
}

ValueId Propagation::emit(std::string node_name, graph::Op op, std::vector<ValueId> inputs, std::string value_name) {
  std::string name = node_name;
  for (int number = 1; !node_names.insert(name).second; ++number) name = node_name + "_" + std::to_string(number);
  const ValueId id = to.add_value(std::move(value_name));
  to.nodes.push_back({std::move(name), std::move(op), std::move(inputs), {id}});
  return id;
}

const Carried* Propagation::find(ValueId id) const {
  const auto& found = carried[static_cast<size_t>(id)];
  return found ? &*found : nullptr;
}

const OnGrid* Propagation::find_constant(ValueId id) const {
  const auto* found = std::get_if<OnGrid>(find(id));
  return found && to.constant(found->id) ? found : nullptr;
}

const Carried& Propagation::input(const Node& node, size_t slot) const {
  const ValueId id = node.inputs[slot];
  const Carried* found = find(id);
  if (!found || find_constant(id))
    refuse(node, "input '" + from[id].name + "' is a constant without integers",
           "an activation, or a quantiser after it");
  if (const auto* pending = std::get_if<Pending>(found)) {
    const std::string function(graph::name_of(pending->function->op));
    refuse(node, "reads '" + from[id].name + "' of " + function, "a quantiser right after " + function);
  }
  return *found;
}

const OnGrid& Propagation::integers(const Node& node, size_t slot) const {
  const OnGrid* constant = find_constant(node.inputs[slot]);
  return constant ? *constant : on_grid(node, slot);
}

const OnGrid& Propagation::on_grid(const Node& node, size_t slot) const {
  const auto* found = std::get_if<OnGrid>(&input(node, slot));
  if (!found)
    refuse(node, "input '" + from[node.inputs[slot]].name + "' is not on a grid", "a quantiser between the two");
  if (found->grid.per_channel())
    refuse(node, "input '" + from[node.inputs[slot]].name + "' has a scale for each channel", "one scale");
  return *found;
}

Sum Propagation::scaled(const Node& node, size_t slot) const {
  const auto* sum = std::get_if<Sum>(&input(node, slot));
  if (sum && sum->is_scaled() && sum->scale[0] > 0) return *sum;
  return *sum_of(on_grid(node, slot));
}

const Node* Propagation::quantiser_after(ValueId id) const {
  if (std::find(from.outputs.begin(), from.outputs.end(), id) != from.outputs.end()) return nullptr;
  const Node* found = nullptr;
  for (const Node& node : from.nodes) {
    if (std::find(node.inputs.begin(), node.inputs.end(), id) == node.inputs.end()) continue;
    const auto* quantiser = get_if<graph::Quantise>(&node.op);
    if (!quantiser || quantiser->grid.per_channel()) return nullptr;
    const auto* first = found ? get_if<graph::Quantise>(&found->op) : quantiser;
    if (first->grid != quantiser->grid || first->rounding != quantiser->rounding) return nullptr;
    if (!found) found = &node;
  }
  return found;
}

std::string Propagation::name_for(ValueId id, const Carried& value) const {
  return std::holds_alternative<OnGrid>(value) ? from[id].name : from[id].name + "_acc";
}

bool Propagation::is_input_with_grid(ValueId id) const {
  return to[id].grid && std::find(to.inputs.begin(), to.inputs.end(), id) != to.inputs.end();
}

void Propagation::set(ValueId id, Carried value) {
  // An input's integers stand for what is given, whatever a product by its factors makes of them.
  if (const auto* x = std::get_if<OnGrid>(&value); x && !is_input_with_grid(x->id)) to[x->id].grid = x->grid;
  carried[static_cast<size_t>(id)] = std::move(value);
}

void Propagation::annotate(const Sum& sum) {
  Grid grid;
  grid.scale.clear();
  for (double scale : sum.scale) {
    const auto rounded = static_cast<double>(static_cast<float>(scale));
    if (!(rounded > 0) || !std::isfinite(rounded)) return;
    grid.scale.push_back(rounded);
  }
  grid.axis = grid.scale.size() == 1 ? -1 : 1;
  grid.zero_point = sum.zero;
  grid.low = INT32_MIN;
  grid.high = INT32_MAX;
  to[sum.id].grid = std::move(grid);
}

void refuse(const Node& node, std::string_view found, std::string_view expected) {
  fail("passes", place_of(node), found, expected);
}

int propagate_scales(Graph& graph, std::vector<Approximation>* approximations) {
  if (graph.stage != graph::Stage::FQ) return 0;
  Propagation p(graph);
  p.to.metadata = graph.metadata;
  for (ValueId id : graph.inputs) carry_graph_input(p, id);
  for (const Node& node : graph.nodes) carry(p, node);
  for (ValueId id : graph.outputs) carry_graph_output(p, id);
  p.to.name = graph.name;
  p.to.stage = graph::Stage::QD;
  write_ways(p.to, ways_of_quantisers(graph));
  const int changed = static_cast<int>(graph.nodes.size());
  if (approximations) *approximations = std::move(p.approximations);
  Graph result = std::move(p.to);
  graph = std::move(result);
  return changed;
}

}  // namespace nibble::passes
