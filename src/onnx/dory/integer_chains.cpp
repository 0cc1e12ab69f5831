#include "onnx/dory/integer_chains.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/int128.hpp"
#include "base/interval.hpp"
#include "onnx/file/container.hpp"
#include "onnx/standard/import.hpp"
#include "onnx/standard/window.hpp"

namespace nibble::onnx {
namespace {

using graph::Ints;
using graph::ValueId;

constexpr Interval all_levels{std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};

/// Integers beyond which a double has gaps.
constexpr double largest_exact = 0x1p53;

/// f of each pair, one list being of one element or both of the same count.
template <class F>
Ints paired(const Ints& a, const Ints& b, F&& f) {
  Ints result(std::max(a.size(), b.size()));
  for (size_t i = 0; i < result.size(); ++i) result[i] = f(a[a.size() == 1 ? 0 : i], b[b.size() == 1 ? 0 : i]);
  return result;
}

int64_t narrow(const NodeReader& node, int128 number) {
  if (number < all_levels.low || number > all_levels.high) node.fail("numbers beyond 64 bits", "a shorter chain");
  return static_cast<int64_t>(number);
}

Ints products(const NodeReader& node, const Ints& a, const Ints& b) {
  return paired(a, b, [&](int64_t x, int64_t y) { return narrow(node, static_cast<int128>(x) * y); });
}

bool all_are(const Ints& numbers, int64_t number) {
  return std::all_of(numbers.begin(), numbers.end(), [&](int64_t each) { return each == number; });
}

int64_t integer_of(const NodeReader& node, double number, std::string_view what) {
  if (std::floor(number) != number || std::abs(number) > largest_exact)
    node.fail(std::string(what) + " " + std::to_string(number), "a whole number");
  return static_cast<int64_t>(number);
}

/// The known integers of input `slot` that act on x: one, or one a channel of axis 1.
Ints per_channel(const NodeReader& node, size_t slot, const Folded& known, const Shape& x, std::string_view what) {
  const bool reals = is_real(known.type);
  Ints numbers;
  for (const Element& element : known.elements)
    numbers.push_back(reals ? integer_of(node, element.real, what) : element.integer);
  bool fits = known.shape.size() <= x.size();
  for (size_t i = 0; fits && i < known.shape.size(); ++i) {
    const size_t axis = x.size() - known.shape.size() + i;
    fits = known.shape[i] == 1 || (axis == 1 && known.shape[i] == x[axis]);
  }
  if (!fits || numbers.empty())
    node.fail("input " + std::to_string(slot) + " of shape " + to_string(known.shape) + " beside " + to_string(x),
              "one, or one for each channel of axis 1");
  return numbers;
}

/// [C, 1, ...] beside a tensor of that rank.
Tensor beside(const Ints& numbers, size_t rank) {
  Shape shape(numbers.size() == 1 ? 0 : rank - 1, 1);
  if (!shape.empty()) shape[0] = static_cast<int64_t>(numbers.size());
  const auto [low, high] = std::minmax_element(numbers.begin(), numbers.end());
  const bool wide = *low < std::numeric_limits<int32_t>::min() || *high > std::numeric_limits<int32_t>::max();
  return Tensor(shape, numbers).cast(wide ? ElementType::Int64 : ElementType::Int32);
}

ValueId constant(GraphReader& reader, const std::string& name, Tensor tensor) {
  const ValueId id = reader.add_value(reader.free_value_name(name), tensor.type(), tensor.shape());
  reader.graph()[id].constant = std::move(tensor);
  return id;
}

}  // namespace

Interval levels_of(ElementType type) {
  return is_real(type) ? all_levels : range_of(type);
}

graph::Op requantisation_of(const Quotient& quotient, Interval levels) {
  const size_t count = std::max({quotient.multiplier.size(), quotient.addend.size(), quotient.divisor.size()});
  const auto spread = [&](const Ints& numbers) { return numbers.size() == count ? numbers : Ints(count, numbers[0]); };
  const Ints divisor = spread(quotient.divisor);
  const bool shifts = std::all_of(divisor.begin(), divisor.end(),
                                  [](int64_t each) { return std::has_single_bit(static_cast<uint64_t>(each)); });
  if (!shifts)
    return graph::FloorDivide{spread(quotient.multiplier), spread(quotient.addend), divisor, levels.low, levels.high};
  Ints shift;
  for (int64_t each : divisor) shift.push_back(std::countr_zero(static_cast<uint64_t>(each)));
  return graph::Requantise{spread(quotient.multiplier), spread(quotient.addend), shift, levels.low, levels.high};
}

void ChainReader::begin(GraphReader& reader) {
  for (ValueId id : reader.graph().inputs) {
    graph::Value& input = reader.graph()[id];
    input.type = Grid{.low = input_levels_.low, .high = input_levels_.high}.container();
    input.bounds = {input_levels_};
  }
}

void ChainReader::end(GraphReader& reader) {
  for (const std::string& name : reader.output_names()) settle(reader, name);
}

void ChainReader::read(NodeReader& node) {
  const std::string op = node.op_type();
  if ((op == "Mul" || op == "Add" || op == "Div") && read_arithmetic(node)) return;
  if (op == "Floor" && !node.known(0)) return read_floor(node);
  if (op == "Cast" && (is_quotient(node, 0) || !node.known(0))) return read_cast(node);
  if (op == "Clip") return read_clip(node);
  if (op == "AveragePool") return read_pool(node);
  if (op == "GlobalAveragePool") return read_mean(node, {}, true);
  if (op == "ReduceMean")
    return read_mean(node, node.attributes().integers("axes"), node.attributes().integer("keepdims", 1) != 0);
  read_other(node);
}

Quotient ChainReader::quotient_of(NodeReader& node, size_t slot) {
  if (const auto found = quotients_.find(node.input_name(slot)); found != quotients_.end()) return found->second;
  Quotient quotient;
  quotient.x = node.value(slot);
  if (is_real(node.typed(quotient.x).type)) node.fail("reals in input " + std::to_string(slot), "integers");
  return quotient;
}

void ChainReader::give(NodeReader& node, Quotient quotient) {
  quotient.writer = node.name();
  quotients_[node.output_name(0)] = quotient;
  // Others see the name; what it leads to follows when they read it.
  Item item;
  item.id = quotient.x;
  node.reader().define(node.output_name(0), std::move(item));
}

void ChainReader::settle(GraphReader& reader, const std::string& name) {
  const auto found = quotients_.find(name);
  if (found == quotients_.end()) return;
  const Quotient quotient = found->second;
  quotients_.erase(found);
  const size_t rank = reader.graph()[quotient.x].shape.size();
  Item item;
  const auto emit = [&](graph::Op op, std::vector<ValueId> inputs, const std::string& value) {
    return reader.add_node(reader.free_node_name(quotient.writer), std::move(op), std::move(inputs), {value})[0];
  };
  if (!all_are(quotient.divisor, 1)) {
    if (!quotient.floored && !quotient.mean)
      fail("onnx", reader.place() + ": node " + in_quotes(quotient.writer), "a quotient that nothing rounds",
           "a Floor, or a Cast to integers, behind the Div");
    const Interval levels = quotient.mean ? quotient.levels : all_levels;
    item.id = emit(requantisation_of(quotient, levels), {quotient.x}, name);
  } else {
    item.id = quotient.x;
    const bool adds = !all_are(quotient.addend, 0);
    if (!all_are(quotient.multiplier, 1)) {
      const ValueId factor = constant(reader, name + ".multiplier", beside(quotient.multiplier, rank));
      item.id = emit(graph::Mul{}, {item.id, factor}, adds ? reader.free_value_name(name + ".product") : name);
    }
    if (adds)
      item.id = emit(graph::Add{}, {item.id, constant(reader, name + ".addend", beside(quotient.addend, rank))}, name);
  }
  reader.define(name, std::move(item));
}

void ChainReader::settle_inputs(NodeReader& node) {
  for (size_t i = 0; i < node.input_count(); ++i) settle(node.reader(), node.input_name(i));
}

bool ChainReader::read_arithmetic(NodeReader& node) {
  node.expect_inputs(2, 2);
  const auto known = [&](size_t slot) { return is_quotient(node, slot) ? std::optional<Folded>{} : node.known(slot); };
  const auto first = known(0), second = known(1);
  if ((first && second) || (!first && !second)) return false;
  const std::string op = node.op_type();
  if (op == "Div" && first) node.fail("a constant over a value", "a value over a constant");
  const size_t slot = first ? 1 : 0;
  Quotient quotient = quotient_of(node, slot);
  if (quotient.floored) {
    settle(node.reader(), node.input_name(slot));
    quotient = quotient_of(node, slot);
  }
  const std::string_view what = op == "Mul" ? "a multiplier of" : op == "Add" ? "an addend of" : "a divisor of";
  const Ints numbers = per_channel(node, 1 - slot, first ? *first : *second, node.shape(quotient.x), what);
  if (op == "Mul") {
    quotient.multiplier = products(node, quotient.multiplier, numbers);
    quotient.addend = products(node, quotient.addend, numbers);
  } else if (op == "Add") {
    quotient.addend = paired(quotient.addend, products(node, numbers, quotient.divisor),
                             [&](int64_t a, int64_t b) { return narrow(node, static_cast<int128>(a) + b); });
  } else {
    for (int64_t each : numbers)
      if (each < 1) node.fail("a divisor of " + std::to_string(each), "whole numbers above 0");
    quotient.divisor = products(node, quotient.divisor, numbers);
    quotient.floored = rules_.divisions_floor;
  }
  give(node, std::move(quotient));
  return true;
}

void ChainReader::read_floor(NodeReader& node) {
  node.expect_inputs(1, 1);
  Quotient quotient = quotient_of(node, 0);
  quotient.floored = true;
  give(node, std::move(quotient));
}

void ChainReader::read_cast(NodeReader& node) {
  node.expect_inputs(1, 1);
  const int64_t to = node.attributes().integer("to", 0);
  if (to < 0 || to > INT32_MAX) node.fail("attribute 'to' is " + std::to_string(to), "a type");
  const bool to_reals = is_real(element_type_of_file(static_cast<int>(to), node.place(), false));
  Quotient quotient = quotient_of(node, 0);
  quotient.floored = quotient.floored || (!to_reals && !all_are(quotient.divisor, 1));
  give(node, std::move(quotient));
}

void ChainReader::read_clip(NodeReader& node) {
  const bool inputs = node.opset() >= 11;
  node.expect_inputs(1, inputs ? 3 : 1);
  const auto bound = [&](size_t slot, std::string_view name) {
    const bool there = inputs ? node.has(slot) : node.attributes().has(name);
    if (!there) node.fail("no " + std::string(name), "both bounds, the levels of its output");
    return integer_of(node, inputs ? node.real(slot, name) : node.attributes().real(name, 0), name);
  };
  const Interval levels{bound(1, "min"), bound(2, "max")};
  if (levels.low > levels.high)
    node.fail("min " + std::to_string(levels.low) + " above max " + std::to_string(levels.high), "min <= max");
  const Quotient quotient = quotient_of(node, 0);
  if (!all_are(quotient.divisor, 1) && !quotient.floored && !quotient.mean)
    node.fail("clips a quotient that nothing rounds", "a Floor, or a Cast to integers, behind the Div");
  node.emit(requantisation_of(quotient, levels), {quotient.x});
  graph::Graph& graph = node.reader().graph();
  graph[graph.nodes.back().outputs[0]].bounds = {levels};
}

void ChainReader::give_mean(NodeReader& node, ValueId x, ValueId sum, int64_t count, bool padded) {
  Quotient quotient;
  quotient.x = sum;
  quotient.divisor = {count};
  quotient.mean = true;
  quotient.floored = rules_.pools_floor;
  const graph::Value& pooled = node.typed(x);
  quotient.levels = pooled.bounds.size() == 1 ? pooled.bounds[0] : levels_of(pooled.type);
  if (padded) quotient.levels = {std::min<int64_t>(quotient.levels.low, 0), std::max<int64_t>(quotient.levels.high, 0)};
  give(node, std::move(quotient));
}

void ChainReader::read_pool(NodeReader& node) {
  node.expect_inputs(1, 1);
  settle_inputs(node);
  const ValueId x = node.value(0);
  const Window window = read_window(node, x);
  const bool padded = !all_are(window.pads, 0);
  if (padded && node.attributes().integer("count_include_pad", 0) == 0)
    node.fail("divides by another number at the border", "count_include_pad = 1, or no pads");
  if (node.attributes().integer("ceil_mode", 0) != 0) node.fail("attribute 'ceil_mode' is 1", "0");
  graph::SumPool op;
  op.kernel = window.kernel, op.strides = window.strides, op.pads = window.pads, op.dilations = window.dilations;
  const int64_t count = std::accumulate(op.kernel.begin(), op.kernel.end(), int64_t{1}, std::multiplies<int64_t>());
  give_mean(node, x, node.step("sum", op, {x}), count, padded);
}

void ChainReader::read_mean(NodeReader& node, Ints axes, bool keep_dims) {
  node.expect_inputs(1, 1);
  settle_inputs(node);
  const ValueId x = node.value(0);
  const size_t rank = node.shape(x).size();
  if (axes.empty())
    for (size_t axis = node.op_type() == "ReduceMean" ? 0 : 2; axis < rank; ++axis)
      axes.push_back(static_cast<int64_t>(axis));
  int64_t count = 1;
  for (int64_t& axis : axes) {
    axis = node.axis(axis, rank);
    count *= node.fixed_extent(x, static_cast<size_t>(axis));
  }
  if (count < 1) node.fail("a mean of no elements", "at least one");
  give_mean(node, x, node.step("sum", graph::ReduceSum{axes, keep_dims, 0}, {x}), count, false);
}

/// Floats of one type may hold integers of several: they join in 32 bits.
void ChainReader::read_concat(NodeReader& node) {
  settle_inputs(node);
  std::vector<ValueId> inputs;
  for (size_t i = 0; i < node.input_count(); ++i) inputs.push_back(node.value(i));
  const auto type = [&](ValueId id) { return node.typed(id).type; };
  const bool mixed = std::any_of(inputs.begin(), inputs.end(), [&](ValueId id) { return type(id) != type(inputs[0]); });
  for (size_t i = 0; mixed && i < inputs.size(); ++i) {
    if (type(inputs[i]) == ElementType::Int32) continue;
    if (is_real(type(inputs[i])) || type(inputs[i]) == ElementType::Int64)
      node.fail("input " + std::to_string(i) + " of " + std::string(to_string(type(inputs[i]))), "integers of 32 bits");
    inputs[i] = node.step("wide" + std::to_string(i), graph::FloorDivide{{1}, {0}, {1}}, {inputs[i]});
  }
  node.emit(graph::Concat{node.attributes().integer("axis", 0)}, inputs);
}

void ChainReader::read_other(NodeReader& node) {
  const std::string op = node.op_type();
  const auto known = [&](size_t i) { return node.known(i).has_value(); };
  if (op == "Concat" && node.input_count() > 0 && (is_quotient(node, 0) || !known(0))) return read_concat(node);
  settle_inputs(node);
  begins_tail(node) ? import_tail(node) : import_standard(node, rules_.attributes);
}

}  // namespace nibble::onnx
