#include <cmath>

#include "base/interval.hpp"
#include "onnx/file/container.hpp"
#include "onnx/standard/graph_reader.hpp"
#include "onnx/standard/import.hpp"

namespace nibble::onnx {
namespace {

/// A constant of integers beside reals (Pow's exponent) as reals.
graph::ValueId real_operand(NodeReader& node, size_t index, graph::ValueId id, graph::ValueId other) {
  if (is_real(node.typed(id).type) || !is_real(node.typed(other).type)) return id;
  const auto& constant = node.typed(id).constant;
  if (!constant)
    node.fail("input " + std::to_string(index) + " of " + std::string(to_string(node.typed(id).type)),
              "reals, like the other");
  return node.add_constant("operand" + std::to_string(index), constant->cast(ElementType::Float32));
}

/// Before opset 7 a second operand was broadcast only where 'broadcast' says so, from 'axis' on.
void check_old_broadcast(const NodeReader& node, const Shape& a, const Shape& b) {
  if (node.opset() >= 7) return;
  if (node.attributes().integer("broadcast", 0) == 0 && a != b)
    node.fail("shapes " + to_string(a) + " and " + to_string(b) + " without 'broadcast'", "equal shapes");
  const auto suffix = static_cast<int64_t>(a.size()) - static_cast<int64_t>(b.size());
  const int64_t axis = node.attributes().integer("axis", suffix);
  if (axis != suffix && axis != suffix - static_cast<int64_t>(a.size()))
    node.fail("attribute 'axis' is " + std::to_string(axis), std::to_string(suffix) + ": broadcast from the last axis");
}

/// The op of ours that bears the node's name; its numbers are attributes of the same names.
graph::Op op_of_name(const NodeReader& node) {
  const graph::Op* named = graph::op_named(node.op_type());
  ensure(named != nullptr, "a row of the table that reads an op by its name names an op of ours");
  graph::Op op = *named;
  const auto read = [&]<class Field>(std::string_view name, Field& field) {
    if constexpr (std::is_same_v<Field, double>)
      field = node.attributes().real(name, field);
    else
      throw InternalError("an op that is read by its name has numbers only");
  };
  visit([&]<class Op>(Op& each) { Op::fields(read, each); }, op);
  return op;
}

void read_bound(NodeReader& node, size_t index, std::string_view name, double& bound) {
  if (node.opset() < 11)
    bound = node.attributes().real(name, bound);
  else if (node.has(index))
    bound = decimal_of(static_cast<float>(node.real(index, name)));
  // The old defaults were float's limits, which cut nothing.
  if (std::abs(bound) >= static_cast<double>(std::numeric_limits<float>::max())) bound = std::copysign(HUGE_VAL, bound);
  if (std::isnan(bound)) node.fail(std::string(name) + " is NaN", "a number");
}

}  // namespace

void read_pointwise(NodeReader& node) {
  node.expect_inputs(1, 1);
  node.emit(op_of_name(node), {node.value(0)});
}

void read_arithmetic(NodeReader& node) {
  node.expect_inputs(2, 2);
  const auto a = without_infinity(node, "left", node.value(0)), b = without_infinity(node, "right", node.value(1));
  check_old_broadcast(node, node.shape(a), node.shape(b));
  const std::vector<graph::ValueId> inputs{real_operand(node, 0, a, b), real_operand(node, 1, b, a)};
  node.emit(op_of_name(node), inputs);
}

void read_sum(NodeReader& node) {
  if (node.input_count() == 0) node.fail("no inputs", "at least one");
  if (node.input_count() == 1) return node.emit(graph::Identity{}, {node.value(0)});
  std::vector<graph::ValueId> terms;
  for (size_t i = 0; i < node.input_count(); ++i) terms.push_back(node.value(i));
  node.emit(graph::Add{}, std::move(terms));
}

void read_mean(NodeReader& node) {
  if (node.input_count() == 0) node.fail("no inputs", "at least one");
  if (node.input_count() == 1) return node.emit(graph::Identity{}, {node.value(0)});
  std::vector<graph::ValueId> terms;
  for (size_t i = 0; i < node.input_count(); ++i) terms.push_back(node.value(i));
  const auto count = static_cast<float>(terms.size());
  const auto sum = node.step("sum", graph::Add{}, std::move(terms));
  node.emit(graph::Div{}, {sum, node.add_constant("count", Tensor(Shape{}, std::vector<float>{count}))});
}

void read_cast_like(NodeReader& node) {
  node.expect_inputs(2, 2);
  const auto x = node.value(0), like = node.value(1);
  const ElementType from = node.typed(x).type, to = node.typed(like).type;
  if (from != to && !(is_real(from) && is_real(to)))
    node.fail("from " + std::string(to_string(from)) + " to " + std::string(to_string(to)),
              "reals to reals: other casts are folded, not run");
  node.emit(graph::Identity{}, {x});
}

/// Constant levels in another type of integers.
static bool cast_levels(NodeReader& node, int to) {
  const Item& x = node.item(0);
  const Interval range = range_of(to);
  if (!x.constant || node.native() || !is_levels(*x.constant) || range.low > range.high) return false;
  const std::vector<int64_t> levels = x.constant->tensor.to_integers();
  for (int64_t level : levels)
    if (!range.contains(level)) node.fail("level " + std::to_string(level), "one of " + type_name(to));
  const ElementType type = element_type_of_file(to, node.place(), false);
  return node.give(FileTensor{x.constant->tensor.cast(type), to}), true;
}

void read_cast(NodeReader& node) {
  node.expect_inputs(1, 1);
  const int64_t to = node.attributes().integer("to", 0);
  if (to < INT32_MIN || to > INT32_MAX) node.fail("attribute 'to' is " + std::to_string(to), "a type");
  if (cast_levels(node, static_cast<int>(to))) return;
  const auto x = node.value(0);
  const ElementType type = element_type_of_file(static_cast<int>(to), node.place(), node.native());
  // Integers that stay what they are need no node: sums and products of theirs have the type that holds them.
  const auto holds = [](ElementType wide, ElementType narrow) {
    const Interval of = nibble::range_of(narrow), in = nibble::range_of(wide);
    return in.low <= of.low && of.high <= in.high;
  };
  if (node.reader().integer_form() && !is_real(type) && !is_real(node.typed(x).type) && holds(type, node.typed(x).type))
    return node.alias(x);
  if (type != node.typed(x).type && !(is_real(type) && is_real(node.typed(x).type)))
    node.fail("from " + std::string(to_string(node.typed(x).type)) + " to " + type_name(static_cast<int>(to)),
              "reals to reals: other casts are folded, not run");
  node.emit(graph::Identity{}, {x});
}

void read_clip(NodeReader& node) {
  node.expect_inputs(1, node.opset() < 11 ? 1 : 3);
  if (clip_levels(node)) return;
  graph::Clip clip;
  read_bound(node, 1, "min", clip.low);
  read_bound(node, 2, "max", clip.high);
  node.emit(clip, {node.value(0)});
}

void read_gelu(NodeReader& node) {
  node.expect_inputs(1, 1);
  const std::string form = node.attributes().text("approximate", "none");
  if (form != "none" && form != "tanh") node.fail("attribute 'approximate' is " + in_quotes(form), "none or tanh");
  node.emit(graph::Gelu{form == "tanh"}, {node.value(0)});
}

void read_dropout(NodeReader& node) {
  node.expect_inputs(1, node.opset() < 12 ? 1 : 3);
  graph::Dropout dropout;
  dropout.ratio = node.opset() < 12 ? node.attributes().real("ratio", 0.5) : 0.5;
  if (node.has(1)) dropout.ratio = decimal_of(static_cast<float>(node.real(1, "ratio")));
  if (node.has(2)) {
    const auto training = node.known(2);
    if (!training || training->elements.size() != 1 || training->elements[0].integer != 0)
      node.fail("training_mode is not false", "inference");
  }
  node.emit(dropout, {node.value(0)});
}

void read_softmax(NodeReader& node) {
  node.expect_inputs(1, 1);
  const auto x = node.value(0);
  const Shape shape = node.shape(x);
  if (shape.empty()) node.fail("a scalar", "at least one axis");
  const int64_t given = node.attributes().integer("axis", node.opset() >= 13 ? -1 : 1);
  if (node.opset() >= 13) {
    node.axis(given, shape.size());
    return node.emit(graph::Softmax{given}, {x});
  }
  // axis = rank is allowed by the flattened form, and makes every row one element.
  const int64_t axis = given == static_cast<int64_t>(shape.size()) ? given : node.axis(given, shape.size());
  bool last = axis < static_cast<int64_t>(shape.size());
  for (size_t i = static_cast<size_t>(axis) + 1; i < shape.size(); ++i) last = last && shape[i] == 1;
  if (last) return node.emit(graph::Softmax{axis}, {x});
  const auto flat = node.step("flat", graph::Flatten{axis}, {x});
  const auto soft = node.step("rows", graph::Softmax{1}, {flat});
  // `any` is -1, which takes what the others leave.
  node.emit(graph::Reshape{shape, true}, {soft});
}

}  // namespace nibble::onnx
