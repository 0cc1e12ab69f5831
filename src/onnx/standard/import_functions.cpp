#include <algorithm>
#include <cmath>
#include <limits>

#include "onnx/file/container.hpp"
#include "onnx/standard/import.hpp"
#include "onnx/standard/window.hpp"

namespace nibble::onnx {
namespace {

bool is_scalar(const NodeReader& node, graph::ValueId id) {
  const auto& constant = node.typed(id).constant;
  return constant && constant->size() == 1 && is_real(constant->type());
}

/// min or max of two, as a Clip where one is a number.
graph::Op bound_by(const NodeReader& node, bool least, graph::ValueId scalar) {
  const double bound = decimal_of(static_cast<float>(node.typed(scalar).constant->to_reals()[0]));
  graph::Clip clip;
  (least ? clip.low : clip.high) = bound;
  return clip;
}

}  // namespace

graph::ValueId without_infinity(NodeReader& node, std::string_view suffix, graph::ValueId id) {
  const auto& constant = node.typed(id).constant;
  if (!constant || !is_real(constant->type())) return id;
  const double lowest = static_cast<double>(std::numeric_limits<float>::lowest());
  std::vector<double> values = constant->to_reals();
  if (std::none_of(values.begin(), values.end(), [](double x) { return x == -HUGE_VAL; })) return id;
  for (double& value : values)
    if (value == -HUGE_VAL) value = lowest;
  return node.add_constant(suffix, Tensor(constant->shape(), values).cast(constant->type()));
}

/// The spatial extents that a ConvTranspose is asked for, by 'output_shape' or 'auto_pad'; empty where pads say them.
static graph::Ints asked_extents(const NodeReader& node, graph::ValueId x, const graph::ConvTranspose& op) {
  const size_t axes = op.strides.size();
  graph::Ints shape = node.attributes().integers("output_shape");
  if (shape.size() == axes + 2) shape.erase(shape.begin(), shape.begin() + 2);
  if (!shape.empty() && shape.size() != axes)
    node.fail("attribute 'output_shape' is " + to_string(shape), std::to_string(axes) + " extents");
  const std::string automatic = node.attributes().text("auto_pad", "NOTSET");
  if (!shape.empty() || !automatic.starts_with("SAME")) return shape;
  for (size_t i = 0; i < axes; ++i) shape.push_back(node.fixed_extent(x, i + 2) * op.strides[i]);
  return shape;
}

/// Pads that give the extents asked for: what is too much is cut half at each end, one more at the end for SAME_UPPER,
/// else at the start; what lacks is added behind.
static void pad_to_shape(const NodeReader& node, graph::ValueId x, const graph::Ints& kernel,
                         graph::ConvTranspose& op) {
  const graph::Ints asked = asked_extents(node, x, op);
  const bool upper = node.attributes().text("auto_pad", "NOTSET") == "SAME_UPPER";
  const size_t axes = kernel.size();
  for (size_t i = 0; i < asked.size(); ++i) {
    if (asked[i] < 1 || asked[i] > INT32_MAX) node.fail("an output extent of " + std::to_string(asked[i]), "1 or more");
    const int64_t whole =
        (node.fixed_extent(x, i + 2) - 1) * op.strides[i] + op.output_pads[i] + (kernel[i] - 1) * op.dilations[i] + 1;
    const int64_t more = std::max<int64_t>(whole - asked[i], 0);
    op.pads[i] = upper ? more / 2 : more - more / 2;
    op.pads[i + axes] = more - op.pads[i];
    op.output_pads[i] += std::max<int64_t>(asked[i] - whole, 0);
  }
}

void read_conv_transpose(NodeReader& node) {
  node.expect_inputs(2, 3);
  const auto x = node.value(0), w = node.value(1);
  const Shape& weights = node.shape(w);
  if (weights.size() < 3 || !is_static(weights))
    node.fail("weights of shape " + to_string(weights), "[C, O/group, kernel...]");
  const Window window = read_window(node, x, graph::Ints(weights.begin() + 2, weights.end()));
  const size_t axes = weights.size() - 2;
  graph::ConvTranspose op{window.strides,
                          window.pads,
                          window.dilations,
                          node.attributes().integers("output_padding", graph::Ints(axes, 0)),
                          node.attributes().integer("group", 1),
                          0};
  if (op.output_pads.empty()) op.output_pads.assign(axes, 0);
  if (op.output_pads.size() != axes)
    node.fail("attribute 'output_padding' has " + std::to_string(op.output_pads.size()) + " numbers",
              std::to_string(axes));
  const int64_t channels = node.fixed_extent(x, 1);
  if (op.group < 1 || channels % op.group != 0)
    node.fail(
        "attribute 'group' is " + std::to_string(op.group) + " with " + std::to_string(channels) + " input channels",
        "a divisor of " + std::to_string(channels));
  pad_to_shape(node, x, window.kernel, op);
  std::vector<graph::ValueId> inputs{x, w};
  if (node.has(2)) inputs.push_back(node.value(2));
  node.emit(op, inputs);
}

void read_rms_normalization(NodeReader& node) {
  node.expect_inputs(2, 2);
  graph::RmsNormalization op;
  op.axis = node.attributes().integer("axis", -1);
  op.epsilon = node.attributes().real("epsilon", 1e-5);
  node.emit(op, {node.value(0), node.value(1)});
}

void read_log_softmax(NodeReader& node) {
  node.expect_inputs(1, 1);
  const auto x = node.value(0);
  const size_t rank = node.shape(x).size();
  const int64_t axis = node.axis(node.attributes().integer("axis", node.opset() >= 13 ? -1 : 1), rank);
  // Before opset 13 of everything from the axis on.
  if (node.opset() < 13 && axis + 1 != static_cast<int64_t>(rank))
    node.fail("axis " + std::to_string(axis) + " of " + std::to_string(rank) + " before opset 13", "the last axis");
  node.emit(graph::LogSoftmax{axis}, {x});
}

void read_min_max(NodeReader& node) {
  if (node.input_count() == 0) node.fail("no inputs", "at least one");
  const bool most = node.op_type() == "Max";
  graph::ValueId held = node.value(0);
  if (node.input_count() == 1) return node.emit(graph::Identity{}, {held});
  for (size_t i = 1; i < node.input_count(); ++i) {
    graph::ValueId other = node.value(i);
    if (is_scalar(node, held)) std::swap(held, other);
    const bool clip = is_scalar(node, other);
    const graph::Op op = clip ? bound_by(node, most, other) : most ? graph::Op(graph::Max{}) : graph::Op(graph::Min{});
    const std::vector<graph::ValueId> inputs = clip ? std::vector{held} : std::vector{held, other};
    if (i + 1 == node.input_count()) return node.emit(op, inputs);
    held = node.step("part" + std::to_string(i), op, inputs);
  }
}

/// max(x, 0) + slope * min(x, 0)
static void emit_in_pieces(NodeReader& node, graph::ValueId x, graph::ValueId slope) {
  const auto below = node.step("below", graph::Clip{-HUGE_VAL, 0}, {x});
  const auto falling = node.step("falling", graph::Mul{}, {below, slope});
  node.emit(graph::Add{}, {node.step("above", graph::Relu{}, {x}), falling});
}

void read_prelu(NodeReader& node) {
  node.expect_inputs(2, 2);
  const auto x = node.value(0);
  auto slope = node.value(1);
  const Shape shape = node.shape(x);
  // Before opset 7 a list of slopes was of the channels.
  if (node.opset() < 7 && node.shape(slope).size() == 1 && shape.size() > 2) {
    Shape channels{node.fixed_extent(slope, 0)};
    channels.resize(shape.size() - 1, 1);
    if (const auto& held = node.typed(slope).constant)
      slope = node.add_constant("slopes", held->reshaped(channels));
    else
      slope = node.step("slopes", graph::Reshape{channels, true}, {slope});
  }
  const Shape slopes = node.shape(slope);
  if (slopes.size() > shape.size() || broadcast(shape, slopes) != shape)
    node.fail("slopes of shape " + to_string(slopes), "what broadcasts to " + to_string(shape));
  constexpr size_t most = 4096;  // of which each has a table in an integer network
  const auto& constant = node.typed(slope).constant;
  const bool known = constant || node.is_quantised_constant(slope);
  if (!known || static_cast<size_t>(element_count(slopes)) > most) return emit_in_pieces(node, x, slope);
  const std::vector<double> values = constant ? constant->to_reals() : std::vector<double>{};
  const bool one =
      !values.empty() && std::all_of(values.begin(), values.end(), [&](double v) { return v == values[0]; });
  if (one) return node.emit(graph::LeakyRelu{decimal_of(static_cast<float>(values[0]))}, {x});
  node.emit(graph::PRelu{}, {x, slope});
}

void read_where(NodeReader& node) {
  node.expect_inputs(3, 3);
  const auto condition = node.value(0);
  if (is_real(node.typed(condition).type)) node.fail("a condition of reals", "truth values");
  node.emit(graph::Where{}, {condition, without_infinity(node, "chosen", node.value(1)),
                             without_infinity(node, "otherwise", node.value(2))});
}

}  // namespace nibble::onnx
