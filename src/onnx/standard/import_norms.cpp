#include <algorithm>
#include <cmath>

#include "onnx/file/container.hpp"
#include "onnx/standard/import.hpp"

// Normalisations and reductions of the standard that are read as several ops of ours.
namespace nibble::onnx {
namespace {

using graph::Ints;
using graph::ValueId;

ValueId ones(NodeReader& node, const std::string& suffix, float value) {
  return node.add_constant(suffix, Tensor({1}, std::vector<float>{value}));
}

/// [N, C, spatial...] with C, which must be known, and every axis behind it.
Shape channelled_shape(const NodeReader& node, ValueId x) {
  const Shape shape = node.shape(x);
  if (shape.size() < 3) node.fail("an input of shape " + to_string(shape), "[N, C, spatial...]");
  for (size_t axis = 1; axis < shape.size(); ++axis) node.fixed_extent(x, axis);
  return shape;
}

/// Constants or values [C] as [C, 1..] for an input of the rank.
ValueId along_channels(NodeReader& node, const std::string& suffix, ValueId parameter, size_t rank) {
  Ints shape{node.fixed_extent(parameter, 0)};
  if (node.shape(parameter).size() != 1) node.fail("parameters of shape " + to_string(node.shape(parameter)), "[C]");
  shape.resize(rank - 1, 1);
  if (const auto& constant = node.typed(parameter).constant)
    return node.add_constant(suffix, Tensor(Shape(shape), constant->to_reals()).cast(ElementType::Float32));
  return node.step(suffix, graph::Reshape{shape, true}, {parameter});
}

/// y = normalised * scale + bias, the node itself.
void scale_channels(NodeReader& node, ValueId normalised, ValueId scale, ValueId bias) {
  const size_t rank = node.shape(normalised).size();
  const ValueId product = node.step("scaled", graph::Mul{}, {normalised, along_channels(node, "scale", scale, rank)});
  node.emit(graph::Add{}, {product, along_channels(node, "bias", bias, rank)});
}

/// Parameters of each group, for each channel of it.
ValueId of_groups(NodeReader& node, const std::string& suffix, ValueId parameter, int64_t channels, int64_t groups) {
  if (node.fixed_extent(parameter, 0) == channels) return parameter;
  const auto& constant = node.typed(parameter).constant;
  if (!constant || static_cast<int64_t>(constant->size()) != groups)
    node.fail("parameters of shape " + to_string(node.shape(parameter)), "[" + std::to_string(channels) + "]");
  std::vector<double> values;
  for (double value : constant->to_reals()) values.insert(values.end(), static_cast<size_t>(channels / groups), value);
  return node.add_constant(suffix, Tensor({channels}, values).cast(ElementType::Float32));
}

/// The sum of f(x) over the axes that the node says, as a step or as the node itself.
graph::ReduceSum sum_of(const Reduction& reduction) {
  return {reduction.axes, reduction.keep_dims, 0};
}

ValueId square(NodeReader& node) {
  const ValueId x = node.value(0);
  return node.step("square", graph::Mul{}, {x, x});
}

}  // namespace

void read_instance_normalization(NodeReader& node) {
  node.expect_inputs(3, 3);
  const ValueId x = node.value(0);
  channelled_shape(node, x);
  const graph::LayerNormalization op{2, node.attributes().real("epsilon", 1e-5)};
  scale_channels(node, node.step("normalised", op, {x, ones(node, "one", 1)}), node.value(1), node.value(2));
}

void read_group_normalization(NodeReader& node) {
  node.expect_inputs(3, 3);
  const ValueId x = node.value(0);
  const Shape shape = channelled_shape(node, x);
  const int64_t groups = node.attributes().integer("num_groups", 0);
  if (groups < 1 || shape[1] % groups != 0)
    node.fail("attribute 'num_groups' is " + std::to_string(groups), "a divisor of " + std::to_string(shape[1]));
  const int64_t elements = element_count(Shape(shape.begin() + 1, shape.end())) / groups;
  const ValueId grouped = node.step("groups", graph::Reshape{{shape[0], groups, elements}, true}, {x});
  const graph::LayerNormalization op{2, node.attributes().real("epsilon", 1e-5)};
  const ValueId normal = node.step("normalised", op, {grouped, ones(node, "one", 1)});
  const ValueId whole = node.step("channels", graph::Reshape{shape, true}, {normal});
  scale_channels(node, whole, of_groups(node, "scale_of_groups", node.value(1), shape[1], groups),
                 of_groups(node, "bias_of_groups", node.value(2), shape[1], groups));
}

void read_lp_normalization(NodeReader& node) {
  node.expect_inputs(1, 1);
  const ValueId x = node.value(0);
  const size_t rank = node.shape(x).size();
  const int64_t axis = node.axis(node.attributes().integer("axis", -1), rank), p = node.attributes().integer("p", 2);
  if (p == 1) {
    const ValueId size = node.step("size", graph::Abs{}, {x});
    return node.emit(graph::Div{}, {x, node.step("sum", graph::ReduceSum{{axis}, true, 0}, {size})});
  }
  if (p != 2) node.fail("attribute 'p' is " + std::to_string(p), "1 or 2");
  const int64_t count = node.fixed_extent(x, static_cast<size_t>(axis));
  const auto last = static_cast<int64_t>(rank) - 1;
  const graph::RmsNormalization op{-1, graph::no_epsilon};
  const ValueId gain = ones(node, "gain", static_cast<float>(1 / std::sqrt(static_cast<double>(count))));
  if (axis == last) return node.emit(op, {x, gain});
  Ints perm;
  for (int64_t i = 0; i <= last; ++i) perm.push_back(i == axis ? last : i == last ? axis : i);
  const ValueId turned = node.step("turned", graph::Transpose{perm}, {x});
  node.emit(graph::Transpose{perm}, {node.step("normalised", op, {turned, gain})});
}

void read_reduce_l1(NodeReader& node) {
  const Reduction reduction = reduction_of(node, 18);
  if (reduction.nothing) return node.emit(graph::Abs{}, {node.value(0)});
  node.emit(sum_of(reduction), {node.step("size", graph::Abs{}, {node.value(0)})});
}

void read_reduce_l2(NodeReader& node) {
  const Reduction reduction = reduction_of(node, 18);
  if (reduction.nothing) return node.emit(graph::Abs{}, {node.value(0)});
  node.emit(graph::Sqrt{}, {node.step("sum", sum_of(reduction), {square(node)})});
}

void read_reduce_sum_square(NodeReader& node) {
  const Reduction reduction = reduction_of(node, 18);
  if (reduction.nothing) return node.emit(graph::Mul{}, {node.value(0), node.value(0)});
  node.emit(sum_of(reduction), {square(node)});
}

void read_reduce_log_sum(NodeReader& node) {
  const Reduction reduction = reduction_of(node, 18);
  if (reduction.nothing) return node.emit(graph::Log{}, {node.value(0)});
  node.emit(graph::Log{}, {node.step("sum", sum_of(reduction), {node.value(0)})});
}

void read_reduce_min(NodeReader& node) {
  const Reduction reduction = reduction_of(node, 18);
  if (reduction.nothing) return node.emit(graph::Identity{}, {node.value(0)});
  const ValueId mirrored = node.step("mirrored", graph::Neg{}, {node.value(0)});
  node.emit(graph::Neg{}, {node.step("most", graph::ReduceMax{reduction.axes, reduction.keep_dims}, {mirrored})});
}

}  // namespace nibble::onnx
