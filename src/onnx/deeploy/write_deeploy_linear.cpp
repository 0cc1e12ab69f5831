#include <algorithm>
#include <bit>

#include "onnx/deeploy/deeploy_writer.hpp"
#include "onnx/file/integers.hpp"

namespace nibble::onnx {
namespace {

using graph::Ints;

Tensor one(int64_t number) {
  return Tensor(Shape{}, std::vector<int64_t>{number});
}

bool zero(const Ints& pads) {
  return std::all_of(pads.begin(), pads.end(), [](int64_t pad) { return pad == 0; });
}

/// x - zero_point, by a node of its own where there is something to take off.
std::string centred(DeeployWriter& writer, const std::string& name, const std::string& x, int64_t zero_point) {
  if (zero_point == 0) return x;
  return writer.add(name, "Add", {x, writer.constant(name + ".by", one(-zero_point))});
}

/// x [N, C, spatial] with the window's pads as a Pad of `value`.
std::string padded(DeeployWriter& writer, const std::string& name, const std::string& x, const Ints& pads,
                   int64_t value) {
  const size_t spatial = pads.size() / 2;
  Ints all(4 + pads.size(), 0);
  for (size_t i = 0; i < spatial; ++i) all[2 + i] = pads[i], all[4 + spatial + i] = pads[spatial + i];
  const std::string y = writer.add(name, "Pad", {x});
  set_text(writer.last(), "mode", "constant");
  set_integers(writer.last(), "pads", all);
  set_real(writer.last(), "value", static_cast<double>(value));
  return y;
}

/// A convolution of the file: its window is explicit.
struct Convolution {
  std::string x{}, w{}, bias{};
  Ints kernel, strides, pads, dilations;
  int64_t group = 1;
};

void add_conv(DeeployWriter& writer, const graph::Node& node, const Convolution& conv) {
  std::vector<std::string> inputs{conv.x, conv.w};
  if (!conv.bias.empty()) inputs.push_back(conv.bias);
  writer.add(node.name, "Conv", inputs, writer.graph()[node.outputs[0]].name);
  set_integers(writer.last(), "dilations", conv.dilations);
  set_integer(writer.last(), "group", conv.group);
  set_integers(writer.last(), "kernel_shape", conv.kernel);
  set_integers(writer.last(), "pads", conv.pads);
  set_integers(writer.last(), "strides", conv.strides);
}

/// Sum of each row of [rows, ...].
Ints row_sums(const Tensor& tensor) {
  const auto values = tensor.to_integers();
  Ints sums(static_cast<size_t>(tensor.shape()[0]), 0);
  for (size_t i = 0; i < values.size(); ++i) sums[i / (values.size() / sums.size())] += values[i];
  return sums;
}

/// sum w (x - z) = sum w x + (b - z sum w): the pads hold z then, and b is a constant.
void take_off(DeeployWriter& writer, const graph::Node& node, int64_t zero_point, const Tensor& w, const Tensor* bias,
              Convolution& conv) {
  if (!zero(conv.pads)) {
    conv.x = padded(writer, node.name + ".pad", conv.x, conv.pads, zero_point);
    conv.pads.assign(conv.pads.size(), 0);
  }
  Ints sums = row_sums(w);
  const Ints given = bias ? bias->to_integers() : Ints(sums.size(), 0);
  for (size_t i = 0; i < sums.size(); ++i) sums[i] = given[given.size() == 1 ? 0 : i] - zero_point * sums[i];
  conv.bias = writer.constant(node.name + ".bias", Tensor({static_cast<int64_t>(sums.size())}, sums));
}

/// Column sums of a matrix [K, N].
Ints column_sums(const Tensor& matrix) {
  const auto values = matrix.to_integers();
  Ints sums(static_cast<size_t>(matrix.shape()[1]), 0);
  for (size_t i = 0; i < values.size(); ++i) sums[i % sums.size()] += values[i];
  return sums;
}

Tensor shifted(const Tensor& tensor, int64_t by) {
  auto values = tensor.to_integers();
  for (int64_t& value : values) value += by;
  return Tensor(tensor.shape(), values);
}

/// floor((2 sum + n) / 2n), the dialect's mean of n.
bool is_mean(const graph::FloorDivide& op, int64_t count) {
  return op.multiplier == Ints{2} && op.addend == Ints{count} && op.divisor == Ints{2 * count};
}

int64_t reduced(const Shape& shape, const Ints& axes) {
  int64_t count = 1;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    const bool taken = axes.empty() || std::any_of(axes.begin(), axes.end(), [&](int64_t a) {
                         return normalise_axis(a, shape.size()) == static_cast<int64_t>(axis);
                       });
    if (taken && shape[axis] == any) return any;
    if (taken) count *= shape[axis];
  }
  return count;
}

/// The sum that a FloorDivide makes a mean of, or nullptr.
const graph::Node* mean_of(const DeeployWriter& writer, const graph::Node& node) {
  const auto* divide = get_if<graph::FloorDivide>(&node.op);
  const int index = divide ? writer.uses().writer[static_cast<size_t>(node.inputs[0])] : -1;
  if (index < 0) return nullptr;
  const graph::Node& sum = writer.graph().nodes[static_cast<size_t>(index)];
  const auto* op = get_if<graph::ReduceSum>(&sum.op);
  if (!op || op->zero_point != 0) return nullptr;
  const int64_t count = reduced(writer.graph()[sum.inputs[0]].shape, op->axes);
  return count > 0 && is_mean(*divide, count) ? &sum : nullptr;
}

/// Whether nothing but means reads a sum.
bool only_means(const DeeployWriter& writer, const graph::Node& node) {
  const auto id = static_cast<size_t>(node.outputs[0]);
  const std::vector<int>& readers = writer.uses().readers[id];
  return !writer.uses().is_output[id] && !readers.empty() && std::all_of(readers.begin(), readers.end(), [&](int i) {
    return mean_of(writer, writer.graph().nodes[static_cast<size_t>(i)]) == &node;
  });
}

std::string add_reduction(DeeployWriter& writer, const std::string& name, std::string_view type, const graph::Node& sum,
                          const std::string& output) {
  const auto& op = get<graph::ReduceSum>(sum.op);
  const size_t rank = writer.graph()[sum.inputs[0]].shape.size();
  Ints axes;
  for (int64_t axis : op.axes) axes.push_back(normalise_axis(axis, rank));
  for (size_t axis = 0; axis < rank && op.axes.empty(); ++axis) axes.push_back(static_cast<int64_t>(axis));
  const std::string y = writer.add(name, type, {writer.name(sum.inputs[0])}, output);
  set_integers(writer.last(), "axes", axes);
  set_integer(writer.last(), "keepdims", op.keep_dims);
  return y;
}

/// Levels of a RequantShift that hold [low, high]: n and whether they are signed.
struct Levels {
  int64_t count = 0;
  bool is_signed = false;
  Interval range() const { return is_signed ? Interval{-count / 2, count / 2 - 1} : Interval{0, count - 1}; }
};

Levels levels_for(int64_t low, int64_t high) {
  if (low >= 0) return {std::max<int64_t>(high + 1, 2), false};
  return {2 * std::max(-low, high + 1), true};
}

/// Multipliers and addends under one shift, which leaves every integer as it is. False where 64 bits do not hold them.
bool share_shift(graph::Requantise& op) {
  const int64_t shift = *std::max_element(op.shift.begin(), op.shift.end());
  for (size_t i = 0; i < op.shift.size(); ++i) {
    const int64_t factor = int64_t{1} << (shift - op.shift[i]);
    if (__builtin_mul_overflow(op.multiplier[i], factor, &op.multiplier[i]) ||
        __builtin_mul_overflow(op.addend[i], factor, &op.addend[i]))
      return false;
  }
  op.shift.assign(op.shift.size(), shift);
  return true;
}

/// As the dialect's writers shape it: a scalar, or [C, 1, ...] for the axes behind the batch.
Tensor parameter(const Ints& values, size_t rank) {
  Shape shape;
  if (values.size() > 1) {
    shape.assign(rank - 1, 1);
    shape[0] = static_cast<int64_t>(values.size());
  }
  return Tensor(shape, values);
}

Refusal add_requant_shift(DeeployWriter& writer, const graph::Node& node, graph::Requantise op) {
  if (!share_shift(op)) return "its shifts differ, and 64 bits do not hold its parameters under one shift";
  const int64_t shift = op.shift[0];
  if (shift > 62) return "a shift of " + std::to_string(shift) + " (62 at most)";
  const int64_t half = shift == 0 ? 0 : int64_t{1} << (shift - 1);
  for (int64_t& addend : op.addend)
    if (__builtin_sub_overflow(addend, half, &addend)) return "an addend that 64 bits do not hold without its half";
  if (op.low < INT32_MIN || op.high > INT32_MAX) return "levels beyond 32 bits";
  const Levels levels = levels_for(op.low, op.high);
  const bool exact = levels.range() == Interval{op.low, op.high};
  const graph::Value& x = writer.graph()[node.inputs[0]];
  const std::string& output = writer.graph()[node.outputs[0]].name;
  const std::string mul = writer.constant(node.name + ".mul", parameter(op.multiplier, x.shape.size()));
  const std::string add = writer.constant(node.name + ".add", parameter(op.addend, x.shape.size()));
  const std::string y = writer.add(exact ? node.name : node.name + ".requantised", "RequantShift",
                                   {writer.name(node.inputs[0]), mul, add}, exact ? output : "");
  writer.set_number("div", int64_t{1} << shift);
  writer.set_number("n_levels_out", levels.count);
  writer.set_number("signed", levels.is_signed);
  return exact ? Refusal{} : add_deeploy_clip(writer, node.name, y, {op.low, op.high}, output);
}

}  // namespace

Refusal add_deeploy_clip(DeeployWriter& writer, const std::string& name, const std::string& x, Interval range,
                         const std::string& output) {
  for (int64_t bound : {range.low, range.high})
    if (!survives_float(static_cast<double>(bound))) return "a clip at " + std::to_string(bound) + ", no float32";
  writer.add(name, "Clip", {x}, output);
  set_real(writer.last(), "min", static_cast<double>(range.low));
  set_real(writer.last(), "max", static_cast<double>(range.high));
  return {};
}

Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::Conv& op) {
  const graph::Value& weights = writer.graph()[node.inputs[1]];
  const size_t spatial = weights.shape.size() - 2;
  Convolution conv{.x = writer.name(node.inputs[0]),
                   .w = writer.name(node.inputs[1]),
                   .bias = node.inputs.size() > 2 ? writer.name(node.inputs[2]) : "",
                   .kernel = Ints(weights.shape.begin() + 2, weights.shape.end()),
                   .strides = op.strides.empty() ? Ints(spatial, 1) : op.strides,
                   .pads = op.pads.empty() ? Ints(2 * spatial, 0) : op.pads,
                   .dilations = op.dilations.empty() ? Ints(spatial, 1) : op.dilations,
                   .group = op.group};
  const Tensor* bias = node.inputs.size() > 2 ? writer.graph().constant(node.inputs[2]) : nullptr;
  if (op.zero_point != 0 && weights.constant && (bias || conv.bias.empty()))
    take_off(writer, node, op.zero_point, *weights.constant, bias, conv);
  else
    conv.x = centred(writer, node.name + ".centred", conv.x, op.zero_point);
  add_conv(writer, node, conv);
  return {};
}

Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::SumPool& op) {
  const graph::Value& x = writer.graph()[node.inputs[0]];
  const int64_t channels = x.shape[1];
  const size_t spatial = op.kernel.size();
  Convolution conv{.x = writer.name(node.inputs[0]),
                   .kernel = op.kernel,
                   .strides = op.strides.empty() ? Ints(spatial, 1) : op.strides,
                   .pads = op.pads.empty() ? Ints(2 * spatial, 0) : op.pads,
                   .dilations = op.dilations.empty() ? Ints(spatial, 1) : op.dilations,
                   .group = channels};
  // A window that hangs over the end reads zeros there, as if the pads reached so far.
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t last = (writer.graph()[node.outputs[0]].shape[i + 2] - 1) * conv.strides[i];
    const int64_t reach = last + conv.dilations[i] * (conv.kernel[i] - 1) + 1 - x.shape[i + 2] - conv.pads[i];
    conv.pads[spatial + i] = std::max(conv.pads[spatial + i], reach);
  }
  Shape shape{channels, 1};
  shape.insert(shape.end(), op.kernel.begin(), op.kernel.end());
  Tensor ones(ElementType::Int8, shape);
  for (int8_t& weight : ones.as<int8_t>()) weight = 1;
  conv.w = writer.constant(node.name + ".ones", ones);
  if (op.zero_point != 0) take_off(writer, node, op.zero_point, ones, nullptr, conv);
  add_conv(writer, node, conv);
  return {};
}

Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::Gemm& op) {
  if (op.alpha != 1 || op.beta != 1) return "factors other than 1";
  std::string a = writer.name(node.inputs[0]);
  std::string c = node.inputs.size() > 2 ? writer.name(node.inputs[2]) : "";
  const Tensor* b = writer.graph().constant(node.inputs[1]);
  const Tensor* bias = node.inputs.size() > 2 ? writer.graph().constant(node.inputs[2]) : nullptr;
  const bool fold = b && (c.empty() || (bias && bias->rank() <= 1));
  if (op.zero_point != 0 && fold) {
    Ints sums = op.transpose_b ? row_sums(*b) : column_sums(*b);
    const Ints given = bias ? bias->to_integers() : Ints{0};
    for (size_t i = 0; i < sums.size(); ++i) sums[i] = given[given.size() == 1 ? 0 : i] - op.zero_point * sums[i];
    c = writer.constant(node.name + ".bias", Tensor({static_cast<int64_t>(sums.size())}, sums));
  } else {
    a = centred(writer, node.name + ".centred", a, op.zero_point);
  }
  std::vector<std::string> inputs{a, writer.name(node.inputs[1])};
  if (!c.empty()) inputs.push_back(c);
  writer.add(node.name, "Gemm", inputs, writer.graph()[node.outputs[0]].name);
  set_real(writer.last(), "alpha", 1), set_real(writer.last(), "beta", 1);
  set_integer(writer.last(), "transA", op.transpose_a), set_integer(writer.last(), "transB", op.transpose_b);
  return {};
}

Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::MatMul& op) {
  const std::string& output = writer.graph()[node.outputs[0]].name;
  const auto operand = [&](size_t slot, int64_t zero_point) {
    const std::string name = node.name + (slot == 0 ? ".a" : ".b");
    const Tensor* constant = writer.graph().constant(node.inputs[slot]);
    if (constant && zero_point != 0) return writer.constant(name, shifted(*constant, -zero_point));
    return centred(writer, name, writer.name(node.inputs[slot]), zero_point);
  };
  const std::string b = operand(1, op.zero_point_b);
  const Tensor* matrix = writer.graph().constant(node.inputs[1]);
  if (op.zero_point_a == 0 || writer.graph()[node.inputs[0]].constant || !matrix || matrix->rank() != 2) {
    writer.add(node.name, "MatMul", {operand(0, op.zero_point_a), b}, output);
    return {};
  }
  Ints sums = column_sums(shifted(*matrix, -op.zero_point_b));
  for (int64_t& sum : sums) sum *= -op.zero_point_a;
  const std::string bias = writer.constant(node.name + ".bias", Tensor({static_cast<int64_t>(sums.size())}, sums));
  const std::string product = writer.add(node.name + ".product", "MatMul", {writer.name(node.inputs[0]), b});
  writer.add(node.name, "Add", {product, bias}, output);
  return {};
}

Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::ReduceSum& op) {
  if (only_means(writer, node)) return {};
  const std::string& output = writer.graph()[node.outputs[0]].name;
  if (op.zero_point == 0) {
    add_reduction(writer, node.name, "ReduceSum", node, output);
    return {};
  }
  const int64_t count = reduced(writer.graph()[node.inputs[0]].shape, op.axes);
  if (count == any) return "a zero point in a sum over the batch (bind it: --batch)";
  const std::string sum = add_reduction(writer, node.name + ".sum", "ReduceSum", node, "");
  writer.add(node.name, "Add", {sum, writer.constant(node.name + ".bias", one(-count * op.zero_point))}, output);
  return {};
}

Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::Requantise& op) {
  return add_requant_shift(writer, node, op);
}

Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::FloorDivide& op) {
  if (const graph::Node* sum = mean_of(writer, node)) {
    const std::string& output = writer.graph()[node.outputs[0]].name;
    const Interval reach = range_in_file(writer.graph()[sum->inputs[0]].type);
    if (op.low <= reach.low && reach.high <= op.high) {
      add_reduction(writer, node.name, "ReduceMean", *sum, output);
      return {};
    }
    const std::string mean = add_reduction(writer, node.name + ".mean", "ReduceMean", *sum, "");
    return add_deeploy_clip(writer, node.name, mean, {op.low, op.high}, output);
  }
  graph::Requantise shifts{op.multiplier, op.addend, {}, op.low, op.high};
  for (int64_t divisor : op.divisor) {
    if (!std::has_single_bit(static_cast<uint64_t>(divisor)))
      return "a division by " + std::to_string(divisor) + ", neither a power of two nor a mean";
    shifts.shift.push_back(std::countr_zero(static_cast<uint64_t>(divisor)));
  }
  return add_requant_shift(writer, node, shifts);
}

}  // namespace nibble::onnx
