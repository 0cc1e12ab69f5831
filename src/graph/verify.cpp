#include "graph/verify.hpp"

#include <cmath>
#include <unordered_set>

#include "base/error.hpp"
#include "graph/infer/infer.hpp"
#include "graph/op_traits.hpp"

namespace nibble::graph {
namespace {

std::string place_of(const Node& node) {
  return "node '" + node.name + "' (" + std::string(name_of(node.op)) + ")";
}
std::string place_of(const Value& value) {
  return "value '" + value.name + "'";
}

void check(bool holds, const std::string& place, const std::string& found, const std::string& expected) {
  if (!holds) fail("graph", place, found, expected);
}

void check_finite(const Value& value) {
  const auto scan = [&](auto values) {
    for (size_t i = 0; i < values.size(); ++i)
      if (!std::isfinite(values[i]))
        fail("graph", "constant '" + value.name + "'",
             std::string(std::isnan(values[i]) ? "NaN" : "infinity") + " at index " + std::to_string(i),
             "finite numbers");
  };
  if (value.constant->type() == ElementType::Float32) scan(value.constant->as<float>());
  if (value.constant->type() == ElementType::Float64) scan(value.constant->as<double>());
}

void check_constant(const Value& value) {
  check(value.constant->type() == value.type && value.constant->shape() == value.shape, place_of(value),
        "a constant of " + std::string(to_string(value.constant->type())) + " " + to_string(value.constant->shape()),
        std::string(to_string(value.type)) + " " + to_string(value.shape));
  check_finite(value);
}

void check_value(const Value& value) {
  check_extents(value);
  if (value.constant) check_constant(value);
  if (value.grid) {
    check_grid(*value.grid, "graph", place_of(value));
    const Grid& grid = *value.grid;
    if (grid.per_channel())
      check(static_cast<size_t>(grid.axis) < value.shape.size() &&
                value.shape[static_cast<size_t>(grid.axis)] == static_cast<int64_t>(grid.scale.size()),
            place_of(value), std::to_string(grid.scale.size()) + " scales for " + to_string(value.shape),
            "one for each index of axis " + std::to_string(grid.axis));
  }
  const size_t bounds = value.bounds.size();
  check(bounds <= 1 || (value.shape.size() >= 2 && value.shape[1] == static_cast<int64_t>(bounds)), place_of(value),
        std::to_string(bounds) + " bounds for " + to_string(value.shape), "one, or one for each channel of axis 1");
  for (const Interval& bound : value.bounds)
    check(bound.low <= bound.high, place_of(value),
          "bounds " + std::to_string(bound.low) + " to " + std::to_string(bound.high), "low <= high");
}

void check_values(const Graph& graph) {
  std::unordered_set<std::string_view> names;
  for (const Value& value : graph.values) {
    check(!value.name.empty() && names.insert(value.name).second, place_of(value), "its name is taken or empty",
          "unique names");
    check_value(value);
  }
}

/// Ids in range, one writer a value, written before read. Marks what is written in `known`.
void check_wiring(const Graph& graph) {
  const auto count = static_cast<ValueId>(graph.values.size());
  std::vector<bool> known(graph.values.size());
  for (size_t i = 0; i < graph.values.size(); ++i) known[i] = graph.values[i].constant.has_value();
  for (ValueId id : graph.inputs) {
    check(id >= 0 && id < count && !known[static_cast<size_t>(id)], "graph input", "value " + std::to_string(id),
          "a value that nothing else writes");
    known[static_cast<size_t>(id)] = true;
  }
  for (const Node& node : graph.nodes) {
    for (ValueId id : node.inputs) {
      if (id == absent) continue;
      check(id >= 0 && id < count, place_of(node), "input value " + std::to_string(id), "a value of the graph");
      check(known[static_cast<size_t>(id)], place_of(node), "reads '" + graph[id].name + "' before it is written",
            "nodes in order");
    }
    for (ValueId id : node.outputs) {
      check(id >= 0 && id < count && !known[static_cast<size_t>(id)], place_of(node),
            "writes value " + std::to_string(id), "a value that nothing else writes");
      known[static_cast<size_t>(id)] = true;
    }
  }
  check(!graph.outputs.empty(), "network '" + graph.name + "'", "no outputs", "at least one");
  for (ValueId id : graph.outputs)
    check(id >= 0 && id < count && known[static_cast<size_t>(id)], "graph output", "value " + std::to_string(id),
          "a value that a node writes");
}

void check_node_names(const Graph& graph) {
  std::unordered_set<std::string_view> names;
  for (const Node& node : graph.nodes)
    check(!node.name.empty() && names.insert(node.name).second, place_of(node), "its name is taken or empty",
          "unique names");
}

/// What a node's fields promise beyond shapes.
void check_fields(const Node& node) {
  const auto number = [&]<class T>(std::string_view key, const T& field) {
    const auto text = [&](double x) { return std::string(key) + " " + std::to_string(x); };
    if constexpr (std::is_same_v<T, double>) check(!std::isnan(field), place_of(node), text(field), "a number");
    if constexpr (std::is_same_v<T, std::vector<double>>)
      for (double x : field) check(std::isfinite(x), place_of(node), text(x), "a finite number");
  };
  visit([&](const auto& op) { std::decay_t<decltype(op)>::fields(number, op); }, node.op);
  if (const auto* op = get_if<Quantise>(&node.op)) check_grid(op->grid, "graph", place_of(node));
  if (const auto* op = get_if<Dequantise>(&node.op)) check_grid(op->grid, "graph", place_of(node));
  if (const auto* op = get_if<Rescale>(&node.op))
    check(op->low <= op->high, place_of(node), "low above high", "low <= high");
  if (const auto* op = get_if<Requantise>(&node.op))
    check(op->low <= op->high, place_of(node), "low above high", "low <= high");
  if (const auto* op = get_if<FloorDivide>(&node.op))
    check(op->low <= op->high, place_of(node), "low above high", "low <= high");
}

void check_types(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    std::vector<TypedShape> held;
    held.reserve(node.inputs.size());
    std::vector<const TypedShape*> inputs;
    std::vector<const Tensor*> constants;
    for (ValueId id : node.inputs) {
      if (id != absent) held.push_back({graph[id].type, graph[id].shape});
      inputs.push_back(id == absent ? nullptr : &held.back());
      constants.push_back(graph.constant(id));
    }
    const auto types = infer(node, inputs, constants);
    check(types.size() == node.outputs.size(), place_of(node), std::to_string(node.outputs.size()) + " outputs",
          std::to_string(types.size()));
    const bool quantiser = holds_alternative<Quantise>(node.op);
    for (size_t i = 0; i < types.size(); ++i) {
      const Value& value = graph[node.outputs[i]];
      check(value.shape == types[i].shape, place_of(node), "writes '" + value.name + "' of " + to_string(value.shape),
            to_string(types[i].shape));
      const bool integer_quantiser = quantiser && !is_real(value.type);
      check(integer_quantiser || value.type == types[i].type, place_of(node),
            "writes '" + value.name + "' as " + std::string(to_string(value.type)),
            std::string(to_string(types[i].type)));
    }
  }
}

/// What computes in reals between the integers of QD: functions of what was dequantised, never sums, windows or fake
/// quantisers.
bool may_be_real_in_qd(const Op& op) {
  return terms_of(op) != Terms::Many && !holds_alternative<BatchNormalization>(op) && !holds_alternative<MaxPool>(op) &&
         !holds_alternative<Quantise>(op);
}

/// What a node of ID may write in reals: what a Dequantise gives, and the tail of real ops behind it.
bool in_tail(const Graph& graph, const Node& node) {
  return std::any_of(node.inputs.begin(), node.inputs.end(),
                     [&](ValueId id) { return id != absent && is_real(graph[id].type) && !graph[id].constant; }) &&
         !holds_alternative<Quantise>(node.op);
}

/// Nothing makes integers of what a node computed in reals, but the place of the largest.
void check_tail_is_last(const Graph& graph, const Uses& uses, const Node& node) {
  if (is_real(graph[node.outputs[0]].type) || class_of(node.op) == OpClass::Index) return;
  for (ValueId id : node.inputs)
    check(id == absent || !is_real(graph[id].type) || uses.writer[static_cast<size_t>(id)] < 0, place_of(node),
          "makes integers of the reals that '" + (id == absent ? std::string() : graph[id].name) + "' is at stage ID",
          "integers, behind which reals stay");
}

/// QD and ID hold integers. Reals are left only to a graph input before its quantisers; in ID to a tail behind the last
/// integers, from a Dequantise to graph outputs; in QD to the functions of what a Dequantise gives and to the
/// dequantisation of a graph output that nothing reads.
void check_stage(const Graph& graph) {
  if (graph.stage != Stage::ID && graph.stage != Stage::QD) return;
  const std::string stage = " at stage " + std::string(to_string(graph.stage));
  const Uses uses(graph);
  for (ValueId id : graph.inputs)
    for (int reader : uses.readers[static_cast<size_t>(id)])
      check(!is_real(graph[id].type) || holds_alternative<Quantise>(graph.nodes[static_cast<size_t>(reader)].op),
            "input '" + graph[id].name + "'", "is real" + stage, "integers, or quantisers alone after it");
  for (const Node& node : graph.nodes) {
    if (graph.stage == Stage::ID) check_tail_is_last(graph, uses, node);
    for (ValueId id : node.outputs) {
      if (!is_real(graph[id].type)) continue;
      const bool output = uses.is_output[static_cast<size_t>(id)],
                 read = !uses.readers[static_cast<size_t>(id)].empty();
      const bool dequantises = holds_alternative<Dequantise>(node.op);
      const bool last = dequantises && output && !read;
      const bool real_island = graph.stage == Stage::QD && (dequantises || may_be_real_in_qd(node.op));
      const bool tail = graph.stage == Stage::ID && (dequantises || in_tail(graph, node));
      check(last || real_island || tail, place_of(node), "writes reals" + stage, "integers in every tensor");
    }
  }
}

}  // namespace

void verify(const Graph& graph) {
  check_values(graph);
  check_node_names(graph);
  check_wiring(graph);
  for (const Node& node : graph.nodes) check_fields(node);
  check_types(graph);
  check_stage(graph);
}

}  // namespace nibble::graph
