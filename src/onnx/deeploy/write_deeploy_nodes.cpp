#include <algorithm>
#include <cmath>

#include "graph/windows.hpp"
#include "onnx/deeploy/deeploy_writer.hpp"

namespace nibble::onnx {
namespace {

using graph::Ints;

class Deeploy {
 public:
  Deeploy(DeeployWriter& writer, const graph::Node& node) : writer_(writer), node_(node) {}

  Refusal operator()(const graph::Conv& op) const { return write_deeploy(writer_, node_, op); }
  Refusal operator()(const graph::Gemm& op) const { return write_deeploy(writer_, node_, op); }
  Refusal operator()(const graph::MatMul& op) const { return write_deeploy(writer_, node_, op); }
  Refusal operator()(const graph::SumPool& op) const { return write_deeploy(writer_, node_, op); }
  Refusal operator()(const graph::ReduceSum& op) const { return write_deeploy(writer_, node_, op); }
  Refusal operator()(const graph::Requantise& op) const { return write_deeploy(writer_, node_, op); }
  Refusal operator()(const graph::FloorDivide& op) const { return write_deeploy(writer_, node_, op); }
  Refusal operator()(const graph::Threshold& op) const { return write_deeploy(writer_, node_, op); }
  Refusal operator()(const graph::Table& op) const { return write_deeploy(writer_, node_, op); }

  Refusal operator()(const graph::Identity&) const { return same("Identity"); }
  Refusal operator()(const graph::Dropout&) const { return same("Identity"); }
  Refusal operator()(const graph::Relu&) const { return same("Relu"); }
  /// Of many terms a chain: the dialect adds two.
  Refusal operator()(const graph::Add&) const {
    const size_t count = node_.inputs.size();
    if (count == 1) return same("Identity");
    std::string sum = x();
    for (size_t i = 1; i < count; ++i) {
      const bool last = i + 1 == count;
      const std::string name = last ? node_.name : node_.name + "." + std::to_string(i);
      sum = writer_.add(name, "Add", {sum, writer_.name(node_.inputs[i])}, last ? y() : "");
    }
    return {};
  }
  Refusal operator()(const graph::Sub&) const { return same("Sub"); }
  Refusal operator()(const graph::Mul&) const { return same("Mul"); }
  Refusal operator()(const graph::Neg&) const {
    writer_.add(node_.name, "Mul", {x(), writer_.constant(node_.name + ".sign", number(-1))}, y());
    return {};
  }
  Refusal operator()(const graph::Abs&) const {
    const std::string sign = writer_.constant(node_.name + ".sign", number(-1));
    const std::string negated = writer_.add(node_.name + ".negated", "Mul", {x(), sign});
    const std::string below = writer_.add(node_.name + ".below", "Relu", {negated});
    writer_.add(node_.name, "Add", {writer_.add(node_.name + ".above", "Relu", {x()}), below}, y());
    return {};
  }
  Refusal operator()(const graph::Clip& op) const {
    const auto bound = [](double real, int64_t limit) {
      return std::abs(real) > 0x1p62 ? limit : static_cast<int64_t>(real);
    };
    // Beyond what an int32 accumulator holds is no bound at all.
    return add_deeploy_clip(writer_, node_.name, x(),
                            {bound(std::ceil(op.low), INT32_MIN), bound(std::floor(op.high), int64_t{1} << 31)}, y());
  }
  Refusal operator()(const graph::MaxPool& op) const {
    same("MaxPool");
    const size_t spatial = op.kernel.size();
    set_integers(writer_.last(), "kernel_shape", op.kernel);
    set_integers(writer_.last(), "pads", op.pads.empty() ? Ints(2 * spatial, 0) : op.pads);
    set_integers(writer_.last(), "strides", op.strides.empty() ? Ints(spatial, 1) : op.strides);
    set_integers(writer_.last(), "dilations", op.dilations.empty() ? Ints(spatial, 1) : op.dilations);
    set_integer(writer_.last(), "ceil_mode", op.ceil_mode);
    return {};
  }

  Refusal operator()(const graph::Concat& op) const { return with_axis("Concat", op.axis); }
  Refusal operator()(const graph::Flatten& op) const { return with_axis("Flatten", op.axis); }
  Refusal operator()(const graph::Gather& op) const {
    if (!writer_.graph().constant(node_.inputs[1])) return "indices that are computed";
    writer_.add(node_.name, "Gather", {x(), writer_.indices(node_.inputs[1])}, y());
    set_integer(writer_.last(), "axis", op.axis);
    return {};
  }
  Refusal operator()(const graph::Split& op) const {
    int64_t begin = 0;
    for (size_t i = 0; i < op.sizes.size(); ++i) {
      const std::string name = node_.name + (i == 0 ? "" : "." + std::to_string(i));
      slice(name, {{begin}, {begin + op.sizes[i]}, {op.axis}, {1}}, writer_.graph()[node_.outputs[i]].name);
      begin += op.sizes[i];
    }
    return {};
  }
  Refusal operator()(const graph::Slice& op) const {
    graph::Slice all = op;
    for (size_t i = 0; i < op.starts.size() && op.axes.empty(); ++i) all.axes.push_back(static_cast<int64_t>(i));
    if (op.steps.empty()) all.steps.assign(op.starts.size(), 1);
    slice(node_.name, all, y());
    return {};
  }
  Refusal operator()(const graph::Pad& op) const {
    if (!survives_float(op.value)) return "a padding of a number that float32 does not hold";
    same("Pad");
    constexpr std::string_view modes[] = {"constant", "reflect", "edge"};
    set_text(writer_.last(), "mode", modes[static_cast<size_t>(op.mode)]);
    set_integers(writer_.last(), "pads", op.pads);
    set_real(writer_.last(), "value", op.value);
    return {};
  }
  Refusal operator()(const graph::Reshape&) const {
    // As inferred: the batch is copied where it stays in its place, else it is what remains.
    const Shape& from = writer_.graph()[node_.inputs[0]].shape;
    Ints shape = writer_.graph()[node_.outputs[0]].shape;
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == 0) return "a tensor without elements";
      if (shape[i] == any && i < from.size() && from[i] == any) shape[i] = 0;
    }
    writer_.add(node_.name, "Reshape", {x(), list("shape", shape)}, y());
    return {};
  }
  Refusal operator()(const graph::Transpose& op) const {
    Ints perm = op.perm;
    for (size_t i = writer_.graph()[node_.inputs[0]].shape.size(); op.perm.empty() && i-- > 0;)
      perm.push_back(static_cast<int64_t>(i));
    same("Transpose");
    set_integers(writer_.last(), "perm", perm);
    return {};
  }
  Refusal operator()(const graph::Squeeze& op) const {
    const Shape& shape = writer_.graph()[node_.inputs[0]].shape;
    Ints axes;
    for (int64_t axis : op.axes) axes.push_back(normalise_axis(axis, shape.size()));
    for (size_t i = 0; i < shape.size() && op.axes.empty(); ++i)
      if (shape[i] == 1) axes.push_back(static_cast<int64_t>(i));
    return with_axes("Squeeze", axes);
  }
  Refusal operator()(const graph::Unsqueeze& op) const {
    Ints axes = op.axes;
    for (int64_t& axis : axes) axis = normalise_axis(axis, writer_.graph()[node_.outputs[0]].shape.size());
    return with_axes("Unsqueeze", axes);
  }

  Refusal operator()(const graph::ISoftmax& op) const {
    same("iSoftmax");
    writer_.set_number("coeffA", op.a), writer_.set_number("coeffB", op.b), writer_.set_number("coeffC", op.c);
    writer_.set_number("log2", op.log2), writer_.set_number("n_levels", op.levels);
    return {};
  }
  Refusal operator()(const graph::ItaMax& op) const {
    same("ITAMax");
    writer_.set_number("n_levels", op.levels);
    return {};
  }
  Refusal operator()(const graph::ItaPartialMax& op) const {
    same("ITAPartialMax");
    writer_.set_number("n_levels", op.levels);
    set_integer(writer_.last(), "groups", writer_.graph()[node_.inputs[0]].shape.back() / op.group_width);
    set_integer(writer_.last(), "group_width", op.group_width);
    return {};
  }
  Refusal operator()(const graph::IGelu& op) const {
    same("iGELU");
    set_integer(writer_.last(), "b", op.b), set_integer(writer_.last(), "one", op.one);
    return {};
  }
  Refusal operator()(const graph::ILayerNorm& op) const {
    same("iLayerNorm");
    writer_.set_number("D", int64_t{1} << op.shift), writer_.set_number("n_levels", op.levels);
    return {};
  }
  Refusal operator()(const graph::IRmsNorm& op) const {
    same("iRMSNorm");
    set_integer(writer_.last(), "D", int64_t{1} << op.shift), set_integer(writer_.last(), "n_levels", op.levels);
    return {};
  }
  Refusal operator()(const graph::IHardSwish& op) const {
    same("iHardswish");
    set_integer(writer_.last(), "one_over_six", op.one_over_six);
    set_integer(writer_.last(), "six", op.six), set_integer(writer_.last(), "three", op.three);
    return {};
  }
  Refusal operator()(const graph::IntegerDiv& op) const {
    same("IntegerDiv");
    return division(op.delta, op.eps, op.eta);
  }
  Refusal operator()(const graph::TrueIntegerDiv& op) const {
    same("TrueIntegerDiv");
    if (node_.inputs.size() < 2) set_integer(writer_.last(), "y", op.y);
    return division(op.delta, op.eps, op.eta);
  }
  Refusal operator()(const graph::INoNorm& op) const {
    same("iNoNorm");
    writer_.set_number("D", int64_t{1} << op.shift), writer_.set_number("mul", op.multiplier);
    writer_.set_number("n_levels", op.levels);
    return {};
  }

  Refusal operator()(const graph::Div&) const { return "a division that truncates"; }
  Refusal operator()(const graph::Resize&) const { return "a resampling, which the dialect does not have"; }
  /// The dialect's ops stand above: every other is refused.
  Refusal operator()(const auto&) const { return foreign(); }
  // What a graph of stage ID has none of.
  Refusal operator()(const graph::Quantise&) const { return on_reals(); }
  /// Integers as they are, in a tensor of reals.
  Refusal operator()(const graph::Dequantise& op) const {
    if (op.grid.scale != std::vector<double>{1} || op.grid.zero_point != 0) return on_reals();
    same("Cast");
    set_integer(writer_.last(), "to", pb::TensorProto::FLOAT);
    return {};
  }
  Refusal operator()(const graph::Rescale&) const { return on_reals(); }
  Refusal operator()(const graph::OnReals auto&) const { return on_reals(); }

 private:
  static Refusal on_reals() { return "an op on reals"; }
  static Refusal foreign() { return "an op that the dialect does not have"; }
  static Tensor number(int64_t value) { return Tensor(Shape{}, std::vector<int64_t>{value}); }
  std::string x() const { return writer_.name(node_.inputs[0]); }
  const std::string& y() const { return writer_.graph()[node_.outputs[0]].name; }
  std::string list(const std::string& suffix, const Ints& numbers) const {
    return writer_.indices(node_.name + "." + suffix, Tensor({static_cast<int64_t>(numbers.size())}, numbers));
  }

  Refusal same(std::string_view op) const {
    std::vector<std::string> inputs;
    for (graph::ValueId id : node_.inputs) inputs.push_back(writer_.name(id));
    writer_.add(node_.name, op, inputs, y());
    return {};
  }
  Refusal with_axis(std::string_view op, int64_t axis) const {
    same(op);
    set_integer(writer_.last(), "axis", axis);
    return {};
  }
  Refusal with_axes(std::string_view op, const Ints& axes) const {
    same(op);
    set_integers(writer_.last(), "axes", axes);
    return {};
  }
  Refusal division(int64_t delta, int64_t eps, int64_t eta) const {
    set_integer(writer_.last(), "Delta", delta);
    set_integer(writer_.last(), "eps", eps), set_integer(writer_.last(), "eta", eta);
    return {};
  }
  void slice(const std::string& name, const graph::Slice& op, const std::string& output) const {
    const auto part = [&](const std::string& suffix, const Ints& numbers) {
      return writer_.indices(name + "." + suffix, Tensor({static_cast<int64_t>(numbers.size())}, numbers));
    };
    writer_.add(name, "Slice",
                {x(), part("starts", op.starts), part("ends", op.ends), part("axes", op.axes), part("steps", op.steps)},
                output);
  }

  DeeployWriter& writer_;
  const graph::Node& node_;
};

}  // namespace

Refusal write_deeploy_node(DeeployWriter& writer, const graph::Node& node) {
  const bool tail = is_real(writer.graph()[node.outputs[0]].type) && !holds_alternative<graph::Dequantise>(node.op);
  if (tail) return writer.add_standard(node) ? Refusal{} : "an op on reals that the standard does not have at opset 10";
  return visit(Deeploy(writer, node), node.op);
}

}  // namespace nibble::onnx
