#include "onnx/file/container.hpp"
#include "onnx/standard/import.hpp"
#include "onnx/standard/window.hpp"

namespace nibble::onnx {
namespace {

bool flag(const NodeReader& node, std::string_view name, bool otherwise) {
  const int64_t value = node.attributes().integer(name, otherwise);
  if (value != 0 && value != 1) node.fail("attribute " + in_quotes(name) + " is " + std::to_string(value), "0 or 1");
  return value == 1;
}

}  // namespace

graph::Conv conv_of(const NodeReader& node, graph::ValueId x, graph::ValueId w) {
  const Shape& weights = node.shape(w);
  if (weights.size() < 3 || !is_static(weights))
    node.fail("weights of shape " + to_string(weights), "[O, C/group, kernel...]");
  const Window window = read_window(node, x, graph::Ints(weights.begin() + 2, weights.end()));
  graph::Conv conv;
  conv.strides = window.strides;
  conv.pads = window.pads;
  conv.dilations = window.dilations;
  conv.group = node.attributes().integer("group", 1);
  if (conv.group < 1 || weights[0] % conv.group != 0)
    node.fail("attribute 'group' is " + std::to_string(conv.group) + " with " + std::to_string(weights[0]) +
                  " output channels",
              "a divisor of " + std::to_string(weights[0]));
  const int64_t channels = node.fixed_extent(x, 1);
  if (channels % conv.group != 0)
    node.fail(
        "attribute 'group' is " + std::to_string(conv.group) + " with " + std::to_string(channels) + " input channels",
        "a divisor of " + std::to_string(channels));
  return conv;
}

/// The one zero point of an integer op's input; 0 where it is absent.
int64_t zero_point(const NodeReader& node, size_t index) {
  if (!node.has(index)) return 0;
  const graph::Ints points = node.integers(index, "zero point");
  if (points.empty()) node.fail("an empty zero point", "one");
  for (int64_t point : points)
    if (point != points[0]) node.fail("zero points that differ", "one for the tensor");
  return points[0];
}

void read_conv(NodeReader& node) {
  node.expect_inputs(2, 3);
  const auto x = node.value(0), w = node.value(1);
  std::vector<graph::ValueId> inputs{x, w};
  if (node.has(2)) inputs.push_back(node.value(2));
  node.emit(conv_of(node, x, w), inputs);
}

void read_conv_integer(NodeReader& node) {
  node.expect_inputs(2, 4);
  const auto x = node.value(0), w = node.value(1);
  graph::Conv conv = conv_of(node, x, w);
  conv.zero_point = zero_point(node, 2);
  if (node.native() && zero_point(node, 3) == 0) return node.emit(conv, {x, w});
  node.emit(conv, {x, centred_weights(node, 1, 3, 0)});
}

void read_gemm(NodeReader& node) {
  node.expect_inputs(2, 3);
  graph::Gemm gemm;
  gemm.alpha = node.attributes().real("alpha", 1);
  gemm.beta = node.attributes().real("beta", 1);
  gemm.transpose_a = flag(node, "transA", false);
  gemm.transpose_b = flag(node, "transB", false);
  std::vector<graph::ValueId> inputs{node.value(0), node.value(1)};
  if (node.has(2)) inputs.push_back(node.value(2));
  node.emit(gemm, inputs);
}

void read_matmul(NodeReader& node) {
  node.expect_inputs(2, 2);
  node.emit(graph::MatMul{}, {node.value(0), node.value(1)});
}

void read_matmul_integer(NodeReader& node) {
  node.expect_inputs(2, 4);
  graph::MatMul product;
  product.zero_point_a = zero_point(node, 2);
  const bool columns = node.has(3) && node.integers(3, "zero point").size() > 1;
  if (columns) return node.emit(product, {node.value(0), centred_weights(node, 1, 3, -1)});
  product.zero_point_b = zero_point(node, 3);
  node.emit(product, {node.value(0), node.value(1)});
}

void read_batch_normalization(NodeReader& node) {
  node.expect_inputs(5, 5);
  if (!flag(node, "spatial", true)) node.fail("attribute 'spatial' is 0", "1");
  if (flag(node, "training_mode", false)) node.fail("attribute 'training_mode' is 1", "0: statistics are constants");
  if (node.opset() < 7 && !flag(node, "is_test", false)) node.fail("attribute 'is_test' is 0", "1");
  graph::BatchNormalization op;
  op.epsilon = node.attributes().real("epsilon", 1e-5);
  node.emit(op, {node.value(0), node.value(1), node.value(2), node.value(3), node.value(4)});
}

void read_layer_normalization(NodeReader& node) {
  node.expect_inputs(2, 3);
  graph::LayerNormalization op;
  op.axis = node.attributes().integer("axis", -1);
  op.epsilon = node.attributes().real("epsilon", 1e-5);
  const auto x = node.value(0);
  std::vector<graph::ValueId> inputs{x, node.value(1)};
  if (node.has(2)) inputs.push_back(node.value(2));
  node.emit(op, inputs);
  if (node.output_count() < 2) return;
  // The statistics, of which tidy leaves what is read.
  graph::ReduceMean mean;
  for (auto axis = node.axis(op.axis, node.shape(x).size()); axis < static_cast<int64_t>(node.shape(x).size()); ++axis)
    mean.axes.push_back(axis);
  const auto center = node.step("mean", mean, {x});
  const auto rest = node.step("rest", graph::Sub{}, {x, center});
  const auto variance = node.step("variance", mean, {node.step("square", graph::Mul{}, {rest, rest})});
  const auto epsilon =
      node.add_constant("epsilon", Tensor(Shape{}, std::vector<float>{static_cast<float>(op.epsilon)}));
  const auto deviation = node.step("deviation", graph::Sqrt{}, {node.step("sum", graph::Add{}, {variance, epsilon})});
  node.alias(center, 1);
  if (node.output_count() > 2) node.alias(node.step("inverse", graph::Reciprocal{}, {deviation}), 2);
}

}  // namespace nibble::onnx
