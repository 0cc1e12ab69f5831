#include <algorithm>

#include "base/interval.hpp"
#include "onnx/deeploy/dialect_deeploy.hpp"
#include "onnx/file/container.hpp"
#include "onnx/file/integers.hpp"
#include "onnx/standard/import.hpp"

namespace nibble::onnx {
namespace {

/// What is an attribute or a second input, whatever the opset. Nothing where it is neither.
std::optional<graph::Ints> attribute_or_input(const NodeReader& node, std::string_view name, size_t input) {
  if (node.attributes().has(name)) return whole_numbers(node, name);
  if (!node.has(input)) return {};
  graph::Ints numbers;
  for (double real : node.reals(input, name))
    numbers.push_back(integer_of(real, node.place() + ": " + std::string(name)));
  return numbers;
}

/// Axes in [0, rank), each once; empty for all or none.
graph::Ints axes_of(const NodeReader& node, size_t rank) {
  graph::Ints axes = attribute_or_input(node, "axes", 1).value_or(graph::Ints{});
  for (int64_t& axis : axes) axis = node.axis(axis, rank);
  std::sort(axes.begin(), axes.end());
  const auto twice = std::adjacent_find(axes.begin(), axes.end());
  if (twice != axes.end()) node.fail("axis " + std::to_string(*twice) + " twice", "each once");
  return axes;
}

/// The reduction's sum, or `absent` where the node does nothing (and is read).
std::optional<graph::ReduceSum> reduction(NodeReader& node) {
  node.expect_inputs(1, 2);
  const auto x = node.value(0);
  graph::ReduceSum sum;
  sum.axes = axes_of(node, node.shape(x).size());
  sum.keep_dims = !node.attributes().has("keepdims") || whole_number(node, "keepdims") != 0;
  const bool nothing = node.attributes().has("noop_with_empty_axes") && whole_number(node, "noop_with_empty_axes") != 0;
  if (!nothing || !sum.axes.empty()) return sum;
  node.emit(graph::Identity{}, {x});
  return {};
}

/// The same integers as another type: x * 1 >> 0, clipped to all that the type holds.
graph::ValueId widened(NodeReader& node, const std::string& suffix, graph::ValueId x, Interval range) {
  return node.step(suffix, graph::Requantise{{1}, {0}, {0}, range.low, range.high}, {x});
}

}  // namespace

void read_integer_mean(NodeReader& node) {
  const auto sum = reduction(node);
  if (!sum) return;
  const auto x = node.value(0);
  const size_t rank = node.shape(x).size();
  int64_t count = 1;
  for (size_t axis = 0; axis < rank; ++axis)
    if (sum->axes.empty() ||
        std::find(sum->axes.begin(), sum->axes.end(), static_cast<int64_t>(axis)) != sum->axes.end())
      count *= node.fixed_extent(x, axis);
  if (count == 0) node.fail("a mean of no elements", "at least one");
  const Interval range = range_in_file(node.typed(x).type);
  node.emit(graph::FloorDivide{{2}, {count}, {2 * count}, range.low, range.high}, {node.step("sum", *sum, {x})});
}

void read_integer_sum(NodeReader& node) {
  if (const auto sum = reduction(node)) node.emit(*sum, {node.value(0)});
}

void read_integer_pad(NodeReader& node) {
  node.expect_inputs(1, 3);
  const auto x = node.value(0);
  graph::Pad pad;
  const auto pads = attribute_or_input(node, "pads", 1);
  if (!pads) node.fail("no pads", "an attribute or an input");
  pad.pads = *pads;
  check_pads(node, pad.pads, node.shape(x).size());
  pad.mode = pad_mode_of(node);
  const graph::Ints value = attribute_or_input(node, "value", 2).value_or(graph::Ints{0});
  if (value.size() != 1) node.fail("a value of " + std::to_string(value.size()) + " elements", "one");
  pad.value = static_cast<double>(value[0]);
  node.emit(pad, {x});
}

void read_integer_squeeze(NodeReader& node) {
  node.expect_inputs(1, 2);
  const auto x = node.value(0);
  graph::Ints axes = axes_of(node, node.shape(x).size());
  if (axes.empty())
    for (size_t i = 0; i < node.shape(x).size(); ++i)
      if (node.shape(x)[i] == 1) axes.push_back(static_cast<int64_t>(i));
  if (axes.empty()) return node.emit(graph::Identity{}, {x});
  node.emit(graph::Squeeze{axes}, {x});
}

void read_integer_unsqueeze(NodeReader& node) {
  node.expect_inputs(1, 2);
  const auto x = node.value(0);
  const auto given = attribute_or_input(node, "axes", 1);
  if (!given) node.fail("no axes", "an attribute or an input");
  node.emit(graph::Unsqueeze{axes_of(node, node.shape(x).size() + given->size())}, {x});
}

void read_integer_concat(NodeReader& node) {
  node.expect_inputs(1, node.input_count());
  if (!node.attributes().has("axis")) node.fail("no attribute 'axis'", "an integer");
  std::vector<graph::ValueId> inputs;
  Interval range;
  bool alike = true, wide = false;
  for (size_t i = 0; i < node.input_count(); ++i) {
    inputs.push_back(node.value(i));
    const ElementType type = node.typed(inputs[i]).type;
    range = hull(range, range_in_file(type));
    alike = alike && type == node.typed(inputs[0]).type;
    wide = wide || type == ElementType::Int64;
  }
  if (!alike && wide) node.fail("inputs of int64 and of narrower integers", "one type");
  const ElementType common = Grid{.low = range.low, .high = range.high}.container();
  for (size_t i = 0; i < inputs.size() && !alike; ++i)
    if (node.typed(inputs[i]).type != common) inputs[i] = widened(node, "input" + std::to_string(i), inputs[i], range);
  const int64_t axis = whole_number(node, "axis");
  node.axis(axis, node.shape(inputs[0]).size());
  node.emit(graph::Concat{axis}, inputs);
}

void read_integer_cast(NodeReader& node) {
  node.expect_inputs(1, 1);
  const auto x = node.value(0);
  const int64_t to = node.attributes().integer("to", 0);
  const ElementType type = element_type_of_file(static_cast<int>(to), node.place(), true);
  const Interval from = range_in_file(node.typed(x).type), held = range_in_file(type);
  if (!is_real(type) && type != ElementType::Int64 && !(held.contains(from.low) && held.contains(from.high)))
    node.fail(
        "to " + std::string(to_string(type)) + ", which may not hold " + std::string(to_string(node.typed(x).type)),
        "a type that holds its input");
  node.alias(x);
}

void read_debug_print(NodeReader& node) {
  node.expect_inputs(1, 1);
  node.emit(graph::Identity{}, {node.value(0)});
}

}  // namespace nibble::onnx
