#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "graph/op_table.hpp"
#include "onnx/file/model_writer.hpp"
#include "onnx/standard/import.hpp"

namespace nibble::onnx {
namespace {

using graph::Ints;

bool is_eight_bit(ElementType type) {
  return type == ElementType::Int8 || type == ElementType::UInt8;
}

bool is_dilated(const graph::AveragePool& op) {
  return std::any_of(op.dilations.begin(), op.dilations.end(), [](int64_t dilation) { return dilation != 1; });
}

template <class Op>
concept Reduction = requires(const Op& op) {
  op.axes, op.keep_dims;
};

/// One of our nodes on its way into the standard. Each overload says the op, or false where the standard cannot.
class Standard {
 public:
  Standard(ModelWriter& writer, const graph::Node& node) : writer_(writer), node_(node) {}

  bool operator()(const graph::Conv& op) const {
    if (!reals() && !(integers_of_eight_bits() && node_.inputs.size() == 2)) return false;
    if (reals() && op.zero_point != 0) return false;
    if (op.strides.empty() || op.pads.empty() || op.dilations.empty()) return false;
    auto& proto = same(reals() ? "Conv" : "ConvInteger");
    if (!reals()) add_point(proto, 0, op.zero_point);
    convolution_window(proto, op);
    return true;
  }
  bool operator()(const graph::Gemm& op) const {
    if (!reals() || op.zero_point != 0 || !survives_float(op.alpha) || !survives_float(op.beta)) return false;
    auto& proto = same("Gemm");
    set_real(proto, "alpha", op.alpha);
    set_real(proto, "beta", op.beta);
    set_integer(proto, "transA", op.transpose_a);
    set_integer(proto, "transB", op.transpose_b);
    return true;
  }
  bool operator()(const graph::MatMul& op) const {
    if (reals()) return op.zero_point_a == 0 && op.zero_point_b == 0 && named("MatMul");
    if (!integers_of_eight_bits()) return false;
    auto& proto = same("MatMulInteger");
    add_point(proto, 0, op.zero_point_a);
    add_point(proto, 1, op.zero_point_b);
    return true;
  }
  bool operator()(const graph::Identity&) const { return named("Identity"); }
  /// Of integers our own: the standard's have no such types, or other meanings.
  template <class Op>
  requires(graph::row<Op>.pointwise && !graph::OnReals<Op>) bool operator()(const Op&) const {
    return reals() && named(Op::name);
  }
  bool operator()(const graph::Add&) const {
    if (node_.inputs.size() > 2) return reals() && one_type() && named("Sum");
    return one_type() && named("Add");
  }
  bool operator()(const graph::Sub&) const { return one_type() && named("Sub"); }
  bool operator()(const graph::Mul&) const { return one_type() && named("Mul"); }
  bool operator()(const graph::Dropout& op) const {
    if (!reals() || !survives_float(op.ratio)) return false;
    auto& proto = same("Dropout");
    proto.add_input(constant("ratio", Tensor(Shape{}, std::vector<float>{static_cast<float>(op.ratio)})));
    return true;
  }
  bool operator()(const graph::Clip& op) const {
    const auto says = [](double bound) { return !std::isfinite(bound) || survives_float(bound); };
    if (!reals() || !says(op.low) || !says(op.high) || std::isnan(op.low) || std::isnan(op.high)) return false;
    auto& proto = same("Clip");
    const bool high = std::isfinite(op.high), low = std::isfinite(op.low);
    if (low || high) proto.add_input(low ? constant("min", scalar(op.low)) : "");
    if (high) proto.add_input(constant("max", scalar(op.high)));
    return true;
  }
  /// Where the fields are numbers: under its own name, with them as attributes.
  template <graph::OnReals Op>
  requires(!Reduction<Op>) bool operator()(const Op& op) const {
    bool says = reals();
    Op::fields([&](std::string_view, auto number) { says = says && survives(number); }, op);
    if (!says) return false;
    auto& proto = same(Op::name);
    Op::fields([&](const std::string& name, auto number) { set_number(proto, name, number); }, op);
    return true;
  }
  bool operator()(const graph::Gelu& op) const {
    if (!reals()) return false;
    set_text(same("Gelu"), "approximate", op.tanh_form ? "tanh" : "none");
    return true;
  }
  bool operator()(const graph::MaxPool& op) const {
    if (!reals() && !is_eight_bit(type(0))) return false;
    if (!explicit_window(op)) return false;
    window(same("MaxPool"), op);
    return true;
  }
  bool operator()(const graph::AveragePool& op) const {
    if (!reals() || !explicit_window(op)) return false;
    auto& proto = same("AveragePool");
    window(proto, op, writer_.opset() >= first_opset("AveragePool", "dilations"));
    set_integer(proto, "count_include_pad", op.count_include_pad);
    return true;
  }
  bool operator()(const graph::SumPool&) const { return false; }
  /// Axes are an input from opset 18 on, an attribute before.
  template <Reduction Op>
  bool operator()(const Op& op) const {
    if (!(reals() || is_eight_bit(type(0))) || !non_negative(op.axes)) return false;
    auto& proto = same(Op::name);
    if (writer_.opset() >= 18 && !op.axes.empty())
      proto.add_input(list("axes", op.axes));
    else if (!op.axes.empty())
      set_integers(proto, "axes", op.axes);
    set_integer(proto, "keepdims", op.keep_dims);
    return true;
  }
  bool operator()(const graph::ReduceSum& op) const {
    if (!reals() || op.zero_point != 0 || !non_negative(op.axes)) return false;
    auto& proto = same("ReduceSum");
    if (!op.axes.empty()) proto.add_input(list("axes", op.axes));
    set_integer(proto, "keepdims", op.keep_dims);
    return true;
  }
  bool operator()(const graph::Concat& op) const {
    if (!one_type()) return false;
    set_integer(same("Concat"), "axis", op.axis);
    return true;
  }
  bool operator()(const graph::Split& op) const {
    if (op.sizes.empty()) return false;
    auto& proto = same("Split");
    proto.add_input(list("sizes", op.sizes));
    set_integer(proto, "axis", op.axis);
    return true;
  }
  bool operator()(const graph::Slice& op) const {
    const size_t count = op.starts.size();
    if (op.ends.size() != count || op.axes.size() != count || op.steps.size() != count) return false;
    auto& proto = same("Slice");
    for (const auto& [name, numbers] :
         {std::pair{"starts", &op.starts}, {"ends", &op.ends}, {"axes", &op.axes}, {"steps", &op.steps}})
      proto.add_input(list(name, *numbers));
    return true;
  }
  bool operator()(const graph::Pad& op) const {
    if (reals() ? !survives_float(op.value) : op.value != std::floor(op.value)) return false;
    auto& proto = same("Pad");
    proto.add_input(list("pads", op.pads));
    proto.add_input(constant("value", Tensor(Shape{}, std::vector<double>{op.value}).cast(type(0))));
    constexpr std::string_view modes[] = {"constant", "reflect", "edge"};
    set_text(proto, "mode", modes[static_cast<size_t>(op.mode)]);
    return true;
  }
  bool operator()(const graph::Flatten& op) const {
    set_integer(same("Flatten"), "axis", op.axis);
    return true;
  }
  bool operator()(const graph::Reshape& op) const {
    auto& proto = same("Reshape");
    proto.add_input(list("shape", op.shape));
    if (op.allow_zero) set_integer(proto, "allowzero", 1);
    return true;
  }
  bool operator()(const graph::Transpose& op) const {
    if (op.perm.empty()) return false;
    set_integers(same("Transpose"), "perm", op.perm);
    return true;
  }
  bool operator()(const graph::Squeeze& op) const {
    auto& proto = same("Squeeze");
    if (!op.axes.empty()) proto.add_input(list("axes", op.axes));
    return true;
  }
  bool operator()(const graph::Unsqueeze& op) const {
    same("Unsqueeze").add_input(list("axes", op.axes));
    return true;
  }
  bool operator()(const graph::Gather& op) const {
    if (type(1) != ElementType::Int64) return false;
    set_integer(same("Gather"), "axis", op.axis);
    return true;
  }
  bool operator()(const graph::Resize& op) const {
    const bool scaled = !op.scales.empty();
    if (scaled && !std::all_of(op.scales.begin(), op.scales.end(), survives_float)) return false;
    // The format has no word for "as it is" beside sizes.
    if (std::find(op.sizes.begin(), op.sizes.end(), any) != op.sizes.end()) return false;
    auto& proto = same("Resize");
    proto.add_input("");
    proto.add_input(
        scaled
            ? constant("scales", Tensor({static_cast<int64_t>(op.scales.size())}, op.scales).cast(ElementType::Float32))
            : "");
    if (!scaled) proto.add_input(list("sizes", op.sizes));
    constexpr std::string_view coordinates[] = {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"};
    constexpr std::string_view nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    set_text(proto, "mode", op.mode == graph::ResizeMode::Linear ? "linear" : "nearest");
    set_text(proto, "coordinate_transformation_mode", coordinates[static_cast<size_t>(op.coordinates)]);
    set_text(proto, "nearest_mode", nearest[static_cast<size_t>(op.nearest)]);
    return true;
  }
  bool operator()(const graph::ConvTranspose& op) const {
    if (!reals() || op.zero_point != 0 || !explicit_window(op) || op.output_pads.empty()) return false;
    auto& proto = same("ConvTranspose");
    set_integers(proto, "output_padding", op.output_pads);
    convolution_window(proto, op);
    return true;
  }
  bool operator()(const graph::Where&) const {
    return type(0) == ElementType::Bool && type(1) == type(2) && output_is(type(1)) && named("Where");
  }
  bool operator()(const graph::ArgMax& op) const {
    auto& proto = same("ArgMax");
    set_integer(proto, "axis", op.axis);
    set_integer(proto, "keepdims", op.keep_dims);
    set_integer(proto, "select_last_index", op.last);
    return true;
  }
  bool operator()(const graph::Quantise&) const { return false; }
  bool operator()(const graph::Dequantise&) const { return false; }
  bool operator()(const graph::OnIntegers auto&) const { return false; }

 private:
  const graph::Value& value(size_t input) const { return writer_.graph()[node_.inputs.at(input)]; }
  ElementType type(size_t input) const { return value(input).type; }
  bool reals() const { return is_real(type(0)); }
  bool integers_of_eight_bits() const {
    return is_eight_bit(type(0)) && is_eight_bit(type(1)) && output_is(ElementType::Int32);
  }
  bool output_is(ElementType wanted) const { return writer_.graph()[node_.outputs[0]].type == wanted; }
  /// Every input and output has the element type that the standard's signature asks for.
  bool one_type() const {
    const auto alike = [&](graph::ValueId id) { return id == graph::absent || writer_.graph()[id].type == type(0); };
    return std::all_of(node_.inputs.begin(), node_.inputs.end(), alike) && output_is(type(0));
  }
  static bool non_negative(const Ints& axes) {
    return std::all_of(axes.begin(), axes.end(), [](int64_t axis) { return axis >= 0; });
  }

  static bool survives(int64_t) { return true; }
  static bool survives(double number) { return survives_float(number); }
  static void set_number(pb::NodeProto& proto, const std::string& name, int64_t number) {
    set_integer(proto, name, number);
  }
  static void set_number(pb::NodeProto& proto, const std::string& name, double number) {
    set_real(proto, name, number);
  }

  pb::NodeProto& same(std::string_view op) const {
    auto& proto = writer_.add_node(node_.name, op);
    for (graph::ValueId id : node_.inputs) proto.add_input(writer_.name(id));
    for (graph::ValueId id : node_.outputs) proto.add_output(writer_.name(id));
    return proto;
  }
  bool named(std::string_view op) const { return same(op), true; }
  std::string constant(const std::string& suffix, const Tensor& tensor) const {
    return writer_.add_constant(node_.name + "." + suffix, tensor);
  }
  std::string list(const std::string& suffix, const Ints& numbers) const {
    return constant(suffix, Tensor({static_cast<int64_t>(numbers.size())}, numbers));
  }
  static Tensor scalar(double number) { return Tensor(Shape{}, std::vector<float>{static_cast<float>(number)}); }
  void add_point(pb::NodeProto& proto, size_t input, int64_t point) const {
    proto.add_input(constant(input == 0 ? "zero_point" : "zero_point_b",
                             Tensor(Shape{}, std::vector<int64_t>{point}).cast(type(input))));
  }
  template <class Convolution>
  void convolution_window(pb::NodeProto& proto, const Convolution& op) const {
    const Shape& weights = value(1).shape;
    set_integers(proto, "kernel_shape", Ints(weights.begin() + 2, weights.end()));
    set_integers(proto, "strides", op.strides);
    set_integers(proto, "pads", op.pads);
    set_integers(proto, "dilations", op.dilations);
    set_integer(proto, "group", op.group);
  }
  template <class Pool>
  static bool explicit_window(const Pool& op) {
    return !op.strides.empty() && !op.pads.empty() && !op.dilations.empty();
  }
  template <class Pool>
  static void window(pb::NodeProto& proto, const Pool& op, bool with_dilations = true) {
    set_integers(proto, "kernel_shape", op.kernel);
    set_integers(proto, "strides", op.strides);
    set_integers(proto, "pads", op.pads);
    if (with_dilations) set_integers(proto, "dilations", op.dilations);
    set_integer(proto, "ceil_mode", op.ceil_mode);
  }

  ModelWriter& writer_;
  const graph::Node& node_;
};

}  // namespace

int64_t opset_of(const graph::Op& op) {
  const std::string_view name = graph::name_of(op);
  if (const auto* pool = get_if<graph::AveragePool>(&op); pool && is_dilated(*pool))
    return first_opset(name, "dilations");
  if (const auto* reshape = get_if<graph::Reshape>(&op); reshape && reshape->allow_zero)
    return first_opset(name, "allowzero");
  return first_opset(name);
}

std::string standard_lacks(const graph::Op& op) {
  const std::string name(graph::name_of(op));
  std::string why = "the standard has no such " + name;
  const auto number = [&]<class Field>(std::string_view field, const Field& value) {
    if constexpr (std::is_same_v<Field, double>)
      if (std::isfinite(value) && !survives_float(value))
        why = name + "'s " + std::string(field) + " " + fmt::format("{}", value) + " is no float32 number";
  };
  visit([&]<class Each>(const Each& each) { Each::fields(number, each); }, op);
  return why;
}

bool write_standard(ModelWriter& writer, const graph::Node& node) {
  if (writer.opset() < opset_of(node.op)) return false;
  return visit(Standard(writer, node), node.op);
}

}  // namespace nibble::onnx
