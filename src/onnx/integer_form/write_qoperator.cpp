#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/file.hpp"
#include "onnx/file/container.hpp"
#include "onnx/file/metadata.hpp"
#include "onnx/file/model_writer.hpp"
#include "onnx/file/tensors.hpp"
#include "onnx/integer_form/moves_integers.hpp"
#include "onnx/integer_form/to_fake_quantised.hpp"
#include "onnx/onnx.hpp"
#include "quant/range.hpp"

namespace nibble::onnx {
namespace {

using graph::absent;
using graph::Graph;
using graph::Node;
using graph::Quantise;
using graph::ValueId;

struct Refusal {
  std::string why;
};

/// Integers in the file that stand for a value of the fake-quantised graph.
struct Held {
  std::string integers, scale, point;
  Grid grid;
};

/// The type of 8 bits that holds a grid's levels.
ElementType element_of(const Grid& grid) {
  const bool is_signed = grid.low < 0 || grid.zero_point < 0;
  const Interval range = is_signed ? Interval{-128, 127} : Interval{0, 255};
  if (grid.low < range.low || grid.high > range.high || !range.contains(grid.zero_point))
    throw Refusal{"levels " + std::to_string(grid.low) + " to " + std::to_string(grid.high) + ", zero point " +
                  std::to_string(grid.zero_point)};
  return is_signed ? ElementType::Int8 : ElementType::UInt8;
}

/// The standard has no integer operator of a ConvTranspose.
bool has_integer_product(const Node& node) {
  return graph::is_linear(node.op) && !holds_alternative<graph::ConvTranspose>(node.op);
}

/// What is a sum of integers as it stands: the dialect has 32 bits for it.
bool has_integer_sum(const Node& node) {
  return has_integer_product(node) || holds_alternative<graph::AveragePool>(node.op) ||
         holds_alternative<graph::GlobalAveragePool>(node.op) || holds_alternative<graph::ReduceMean>(node.op) ||
         holds_alternative<graph::Add>(node.op);
}

/// The fake-quantised graph as the file will hold it: values on grids are integers under their own names. An output's
/// integers are "<name>.integers", its reals a value behind the others.
struct View {
  Graph graph;
  std::vector<ValueId> integers_of;  ///< for each output: its integers, or `absent` of a sum in reals

  explicit View(const Graph& fake) : graph(fake) {
    std::vector<bool> integer(graph.values.size());
    const graph::Uses uses(graph);
    for (const Node& node : graph.nodes) {
      const auto* op = get_if<Quantise>(&node.op);
      if (has_integer_sum(node) && is_moved(uses, node.outputs[0])) {
        integer[static_cast<size_t>(node.outputs[0])] = true, graph[node.outputs[0]].type = ElementType::Int32;
        continue;
      }
      const bool starts = op && !graph.constant(node.inputs[0]);
      if (!starts && !(moves_integers(node.op) && integer[static_cast<size_t>(node.inputs[0])])) continue;
      const ElementType type = starts ? type_of(op->grid) : graph[node.inputs[0]].type;
      for (ValueId id : node.outputs) integer[static_cast<size_t>(id)] = true, graph[id].type = type;
    }
    for (ValueId& output : graph.outputs) {
      const ValueId id = output;
      integers_of.push_back(integer[static_cast<size_t>(id)] ? id : absent);
      if (integers_of.back() == absent) continue;
      const Shape shape = graph[id].shape;
      const std::string name = graph[id].name;
      graph[id].name = free_name(name + ".integers");
      output = graph.add_value(name, ElementType::Float32, shape);
    }
  }

 private:
  /// A sum that nothing but movement reads is moved as 32-bit integers.
  bool is_moved(const graph::Uses& uses, ValueId id) const {
    const auto& readers = uses.readers[static_cast<size_t>(id)];
    return !readers.empty() && !uses.is_output[static_cast<size_t>(id)] &&
           std::all_of(readers.begin(), readers.end(),
                       [&](int reader) { return moves_integers(graph.nodes[static_cast<size_t>(reader)].op); });
  }
  /// What has no such type is refused when its node is written.
  static ElementType type_of(const Grid& grid) {
    try {
      return element_of(grid);
    } catch (const Refusal&) {
      return ElementType::Int16;
    }
  }
  std::string free_name(std::string name) const {
    while (graph.find(name) != absent) name += "_";
    return name;
  }
};

class QOperatorWriter {
 public:
  explicit QOperatorWriter(const View& view) : view_(view), graph_(view.graph), uses_(graph_), writer_(graph_, 17, 8) {}

  std::string bytes(const Json& metadata) {
    for (ValueId id : graph_.inputs) writer_.add_input(id);
    for (ValueId id : graph_.outputs) writer_.add_output(id, ElementType::Float32);
    std::string refused;
    for (const Node& node : graph_.nodes) {
      try {
        visit(node);
      } catch (const Refusal& refusal) {
        refused_.insert(node.outputs.begin(), node.outputs.end());
        if (!refusal.why.empty()) refused += (refused.empty() ? "'" : ", '") + node.name + "' (" + refusal.why + ")";
      }
    }
    if (!refused.empty())
      fail("onnx", graph_.name, "nodes that QLinear ops cannot say: " + refused,
           "an integer network of 8-bit linear ops, pools, sums and movement");
    for (size_t i = 0; i < graph_.outputs.size(); ++i) write_output(view_.integers_of[i], graph_.outputs[i]);
    for (const auto& [key, text] : graph_.metadata) writer_.add_metadata(key, text);
    writer_.add_metadata(std::string(metadata_key), metadata.dump());
    return writer_.bytes();
  }

 private:
  const Node* writer(ValueId id) const {
    const int index = uses_.writer[static_cast<size_t>(id)];
    return index < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(index)];
  }

  std::string add_scales(const std::string& name, const std::vector<double>& scales) {
    const Shape shape = scales.size() > 1 ? Shape{static_cast<int64_t>(scales.size())} : Shape{};
    return writer_.add_constant(name, Tensor(shape, scales).cast(ElementType::Float32));
  }
  std::string add_point(const std::string& name, int64_t point, ElementType type, size_t count = 1) {
    const Shape shape = count > 1 ? Shape{static_cast<int64_t>(count)} : Shape{};
    return writer_.add_constant(name, Tensor(shape, std::vector<int64_t>(count, point)).cast(type));
  }

  /// A silent refusal where the value's writer was refused.
  const Held& held(ValueId id) const {
    if (refused_.contains(id)) throw Refusal{};
    const auto found = held_.find(id);
    if (found == held_.end()) throw Refusal{"reads '" + graph_[id].name + "', which is on no grid"};
    return found->second;
  }

  void visit(const Node& node) {
    if (const auto* op = get_if<Quantise>(&node.op)) {
      if (!graph_.constant(node.inputs[0])) quantise(node, *op);
      return;
    }
    if (moves_integers(node.op)) return move(node);
    // What a quantiser follows is written with it.
    const bool output = uses_.is_output[static_cast<size_t>(node.outputs[0])];
    const bool moved = graph_[node.outputs[0]].type == ElementType::Int32;
    if ((output || moved) && has_integer_sum(node)) return raw_sum(node, moved);
    const int reader = uses_.only_reader(node.outputs[0]);
    if (reader < 0 || !holds_alternative<Quantise>(graph_.nodes[static_cast<size_t>(reader)].op))
      throw Refusal{std::string(graph::name_of(node.op)) + " without a quantiser of its own behind it"};
  }

  // ---- quantisers ---------------------------------------------------------------------------------------------------

  void quantise(const Node& node, const Quantise& op) {
    if (op.grid.per_channel()) throw Refusal{"a scale for each channel of an activation"};
    const ElementType type = element_of(op.grid);
    const bool input = std::find(graph_.inputs.begin(), graph_.inputs.end(), node.inputs[0]) != graph_.inputs.end();
    if (op.rounding != Rounding::HalfEven && !input) throw Refusal{"rounds " + std::string(to_string(op.rounding))};
    const bool whole = op.grid.low == (type == ElementType::Int8 ? -128 : 0) &&
                       op.grid.high == (type == ElementType::Int8 ? 127 : 255);
    Held y{writer_.name(node.outputs[0]), add_scales(node.name + ".scale", op.grid.scale),
           add_point(node.name + ".zero_point", op.grid.zero_point, type), op.grid};
    const std::string wide = whole ? y.integers : writer_.free_name(node.name + ".wide");
    write_source(node, y, wide);
    if (!whole) {
      const std::string low = add_point(node.name + ".low", op.grid.low, type);
      const std::string high = add_point(node.name + ".high", op.grid.high, type);
      add(node.name + ".clip", "Clip", {wide, low, high}, y.integers);
    }
    held_[node.outputs[0]] = std::move(y);
  }

  pb::NodeProto& add(const std::string& name, std::string_view op, const std::vector<std::string>& inputs,
                     const std::string& output, std::string_view domain = {}) {
    auto& proto = writer_.add_node(name, op, domain);
    for (const std::string& each : inputs) proto.add_input(each);
    proto.add_output(output);
    return proto;
  }

  /// The op before the quantiser and the quantiser, as one.
  void write_source(const Node& node, const Held& y, const std::string& output) {
    const ValueId x = node.inputs[0];
    const Node* source = writer(x);
    if (held_.contains(x)) return requantise(node, held(x), y, output);
    if (!source) {
      add(node.name, "QuantizeLinear", {writer_.name(x), y.scale, y.point}, output);
      return;
    }
    if (has_integer_product(*source)) return linear(*source, y, output);
    const auto with = [&](const Held& a) { return std::vector<std::string>{a.integers, a.scale, a.point}; };
    if (holds_alternative<graph::Add>(source->op) || holds_alternative<graph::Mul>(source->op)) {
      if (source->inputs.size() != 2) throw Refusal{"of " + std::to_string(source->inputs.size()) + " values"};
      std::vector<std::string> inputs = with(held(source->inputs[0]));
      for (const std::string& each : with(held(source->inputs[1]))) inputs.push_back(each);
      inputs.push_back(y.scale), inputs.push_back(y.point);
      const bool sum = holds_alternative<graph::Add>(source->op);
      add(source->name, sum ? "QLinearAdd" : "QLinearMul", inputs, output, microsoft_domain);
      return;
    }
    std::vector<std::string> inputs = with(held(source->inputs[0]));
    inputs.push_back(y.scale), inputs.push_back(y.point);
    if (holds_alternative<graph::Sigmoid>(source->op)) {
      add(source->name, "QLinearSigmoid", inputs, output, microsoft_domain);
      return;
    }
    average(*source, inputs, output);
  }

  void requantise(const Node& node, const Held& x, const Held& y, const std::string& output) {
    const std::string real = writer_.free_name(node.name + ".real");
    add(node.name + ".dequantise", "DequantizeLinear", {x.integers, x.scale, x.point}, real);
    add(node.name, "QuantizeLinear", {real, y.scale, y.point}, output);
  }

  void average(const Node& node, const std::vector<std::string>& inputs, const std::string& output) {
    const Shape& shape = graph_[node.inputs[0]].shape;
    if (const auto* pool = get_if<graph::AveragePool>(&node.op)) {
      if (std::any_of(pool->dilations.begin(), pool->dilations.end(), [](int64_t d) { return d != 1; }))
        throw Refusal{"QLinearAveragePool has no dilations"};
      if (!pool->count_include_pad && std::any_of(pool->pads.begin(), pool->pads.end(), [](int64_t p) { return p; }))
        throw Refusal{"an average that divides by another number at the border"};
      auto& proto = add(node.name, "QLinearAveragePool", inputs, output, microsoft_domain);
      set_integers(proto, "kernel_shape", pool->kernel);
      set_integers(proto, "strides", pool->strides);
      set_integers(proto, "pads", pool->pads);
      set_integer(proto, "count_include_pad", 1);
      return;
    }
    graph::Ints axes;
    bool keep = true;
    if (const auto* mean = get_if<graph::ReduceMean>(&node.op)) {
      axes = mean->axes, keep = mean->keep_dims;
    } else if (!holds_alternative<graph::GlobalAveragePool>(node.op)) {
      throw Refusal{"QLinear ops have no " + std::string(graph::name_of(node.op))};
    }
    graph::Ints spatial;
    for (size_t axis = 2; axis < shape.size(); ++axis) spatial.push_back(static_cast<int64_t>(axis));
    std::sort(axes.begin(), axes.end());
    if (keep && shape.size() == 4 && (axes == spatial || holds_alternative<graph::GlobalAveragePool>(node.op))) {
      set_integer(add(node.name, "QLinearGlobalAveragePool", inputs, output, microsoft_domain), "channels_last", 0);
      return;
    }
    auto& proto = add(node.name, "QLinearReduceMean", inputs, output, microsoft_domain);
    set_integers(proto, "axes", axes.empty() ? spatial : axes);
    set_integer(proto, "keepdims", keep);
  }

  // ---- linear ops ---------------------------------------------------------------------------------------------------

  struct Weights {
    std::string name, integers, point;
    std::vector<double> scales;
  };
  /// `bytes`: unsigned ones whatever they are, all that ONNX Runtime's ConvInteger takes.
  Weights weights_of(const Node& node, bool bytes = false) {
    const Node* source = writer(node.inputs[1]);
    const auto* op = source ? get_if<Quantise>(&source->op) : nullptr;
    const Tensor* reals = op ? graph_.constant(source->inputs[0]) : nullptr;
    if (!reals) throw Refusal{"weights that are not a quantised constant"};
    const Tensor integers = quant::quantise(*reals, op->grid, op->rounding);
    std::vector<int64_t> q = integers.to_integers();
    const auto [least, most] = std::minmax_element(q.begin(), q.end());
    int64_t point = op->grid.zero_point;
    ElementType type = ElementType::Int8;
    if (bytes && *least >= -128 && *most <= 127 && point == 0) {
      for (int64_t& level : q) level += 128;
      point = 128, type = ElementType::UInt8;
    } else if (*least < -128 || *most > 127 || point < -128 || point > 127) {
      // Another zero point makes them unsigned bytes.
      const int64_t shift = point < 0 || *least < 0 ? -std::min(*least, point) : 0;
      if (std::max(*most, point) + shift > 255) throw Refusal{"weights of more than 8 bits"};
      for (int64_t& level : q) level += shift;
      point += shift, type = ElementType::UInt8;
    }
    const std::string& name = source->name;
    return {name, writer_.add_constant(name + ".integers", Tensor(integers.shape(), q).cast(type)),
            add_point(name + ".zero_point", point, type, op->grid.scale.size()), op->grid.scale};
  }

  /// The bias as 32-bit integers on the grid of the sums; "" where there is none.
  std::string bias_of(const Node& node, const Held& x, const std::vector<double>& scales, const Shape& shape) {
    if (node.inputs.size() < 3 || node.inputs[2] == absent) return "";
    const Node* source = writer(node.inputs[2]);
    const auto* op = source ? get_if<Quantise>(&source->op) : nullptr;
    const Tensor* reals = op ? graph_.constant(source->inputs[0]) : nullptr;
    if (!reals) throw Refusal{"a bias in reals: integerize --requantisation standard makes it whole"};
    for (size_t c = 0; c < std::max(scales.size(), op->grid.scale.size()); ++c)
      if (std::abs(op->grid.scale_of(c) / (scales[scales.size() == 1 ? 0 : c] * x.grid.scale[0]) - 1) > 1e-6)
        throw Refusal{"a bias on another grid than the sums"};
    const Tensor integers = quant::quantise(*reals, op->grid, op->rounding).cast(ElementType::Int32);
    return writer_.add_constant(source->name + ".integers", shape.empty() ? integers : integers.reshaped(shape));
  }

  static void conv_attributes(pb::NodeProto& proto, const graph::Conv& op, const Shape& weights) {
    set_integers(proto, "kernel_shape", graph::Ints(weights.begin() + 2, weights.end()));
    set_integers(proto, "strides", op.strides);
    set_integers(proto, "pads", op.pads);
    set_integers(proto, "dilations", op.dilations);
    set_integer(proto, "group", op.group);
  }

  void linear(const Node& node, const Held& y, const std::string& output) {
    const Held& x = held(node.inputs[0]);
    const Weights w = weights_of(node);
    const std::string bias = bias_of(node, x, w.scales, {});
    std::vector<std::string> inputs{x.integers, x.scale, x.point, w.integers, add_scales(w.name + ".scale", w.scales),
                                    w.point};
    if (const auto* gemm = get_if<graph::Gemm>(&node.op)) {
      if (gemm->alpha != 1 || gemm->beta != 1) throw Refusal{"factors of its own"};
      for (const std::string& each : {bias, y.scale, y.point}) inputs.push_back(each);
      auto& proto = add(node.name, "QGemm", inputs, output, microsoft_domain);
      set_integer(proto, "transA", gemm->transpose_a);
      set_integer(proto, "transB", gemm->transpose_b);
      return;
    }
    inputs.push_back(y.scale), inputs.push_back(y.point);
    if (!bias.empty()) inputs.push_back(bias);
    if (const auto* conv = get_if<graph::Conv>(&node.op))
      conv_attributes(add(node.name, "QLinearConv", inputs, output), *conv, graph_[node.inputs[1]].shape);
    else
      add(node.name, "QLinearMatMul", inputs, output);
  }

  /// 32-bit integers and what one of them stands for.
  struct Sum {
    std::string integers;
    std::vector<double> scales;
  };

  Sum product(const Node& node) {
    const Held& x = held(node.inputs[0]);
    const Weights w = weights_of(node, holds_alternative<graph::Conv>(node.op));
    const Shape& shape = graph_[node.outputs[0]].shape;
    std::string left = x.integers, right = w.integers, sum = writer_.free_name(node.name + ".sum");
    const auto* conv = get_if<graph::Conv>(&node.op);
    Shape bias_shape;
    if (conv) {
      conv_attributes(add(node.name, "ConvInteger", {left, right, x.point, w.point}, sum), *conv,
                      graph_[node.inputs[1]].shape);
      bias_shape.assign(shape.size(), 1), bias_shape[1] = shape[1];
    } else {
      if (const auto* gemm = get_if<graph::Gemm>(&node.op)) {
        if (gemm->alpha != 1 || gemm->beta != 1) throw Refusal{"factors of its own"};
        if (gemm->transpose_a) left = transposed(node.name + ".a", left);
        if (gemm->transpose_b) right = transposed(node.name + ".b", right);
      }
      add(node.name, "MatMulInteger", {left, right, x.point, w.point}, sum);
    }
    if (const std::string bias = bias_of(node, x, w.scales, bias_shape); !bias.empty()) {
      const std::string biased = writer_.free_name(node.name + ".biased");
      add(node.name + ".bias", "Add", {sum, bias}, biased);
      sum = biased;
    }
    Sum result{sum, {}};
    for (double scale : w.scales)
      result.scales.push_back(static_cast<double>(static_cast<float>(scale * x.grid.scale[0])));
    return result;
  }

  /// Integers of 8 bits, less their zero point, as 32.
  std::string widened(const std::string& name, const Held& x) {
    if (x.point.empty()) return x.integers;
    const std::string wide = writer_.free_name(name + ".wide");
    set_integer(add(name + ".widen", "Cast", {x.integers}, wide), "to", pb::TensorProto::INT32);
    if (x.grid.zero_point == 0) return wide;
    const std::string point = add_point(name + ".point", x.grid.zero_point, ElementType::Int32);
    const std::string centred = writer_.free_name(name + ".centred");
    add(name + ".centre", "Sub", {wide, point}, centred);
    return centred;
  }

  /// A mean before its division: the sum of what it averages.
  Sum sum_of_mean(const Node& node) {
    const Held& x = held(node.inputs[0]);
    const Shape& shape = graph_[node.inputs[0]].shape;
    const std::string sum = writer_.free_name(node.name + ".sum");
    double count = 1;
    if (const auto* pool = get_if<graph::AveragePool>(&node.op)) {
      if (pool->ceil_mode) throw Refusal{"an average in ceil_mode"};
      if (!pool->count_include_pad && std::any_of(pool->pads.begin(), pool->pads.end(), [](int64_t p) { return p; }))
        throw Refusal{"an average that divides by another number at the border"};
      Shape ones{shape[1], 1};
      for (int64_t extent : pool->kernel) ones.push_back(extent), count *= static_cast<double>(extent);
      const Tensor weights(ones, std::vector<uint8_t>(static_cast<size_t>(element_count(ones)), 1));
      const graph::Conv conv{pool->strides, pool->pads, pool->dilations, shape[1], 0};
      const std::string w = writer_.add_constant(node.name + ".ones", weights);
      const std::string zero = add_point(node.name + ".no_point", 0, ElementType::UInt8);
      if (x.point.empty()) throw Refusal{"an average of a sum"};
      conv_attributes(add(node.name, "ConvInteger", {x.integers, w, x.point, zero}, sum), conv, ones);
    } else {
      graph::Ints axes;
      bool keep = true;
      if (const auto* mean = get_if<graph::ReduceMean>(&node.op)) axes = mean->axes, keep = mean->keep_dims;
      if (axes.empty())
        for (size_t axis = holds_alternative<graph::ReduceMean>(node.op) ? 0 : 2; axis < shape.size(); ++axis)
          axes.push_back(static_cast<int64_t>(axis));
      for (int64_t& axis : axes) {
        axis = normalise_axis(axis, shape.size());
        if (shape[static_cast<size_t>(axis)] == any) throw Refusal{"a mean over the batch"};
        count *= static_cast<double>(shape[static_cast<size_t>(axis)]);
      }
      const std::string along = writer_.add_constant(
          node.name + ".axes", Tensor({static_cast<int64_t>(axes.size())}, std::vector<int64_t>(axes)));
      set_integer(add(node.name, "ReduceSum", {widened(node.name, x), along}, sum), "keepdims", keep);
    }
    return {sum, {static_cast<double>(static_cast<float>(x.grid.scale[0] / count))}};
  }

  Sum sum_of_values(const Node& node) {
    if (node.inputs.size() != 2) throw Refusal{"of " + std::to_string(node.inputs.size()) + " values"};
    const Held &a = held(node.inputs[0]), &b = held(node.inputs[1]);
    if (a.grid.scale != b.grid.scale) throw Refusal{"a sum of values on two grids, without a quantiser behind it"};
    const std::string sum = writer_.free_name(node.name + ".sum");
    add(node.name, "Add", {widened(node.name + ".a", a), widened(node.name + ".b", b)}, sum);
    return {sum, a.grid.scale};
  }

  /// A sum that is an output: 32-bit integers, then reals, behind what moves the integers.
  void raw_sum(const Node& node, bool moved) {
    const Sum sum = has_integer_product(node)                ? product(node)
                    : holds_alternative<graph::Add>(node.op) ? sum_of_values(node)
                                                             : sum_of_mean(node);
    const auto& grid = graph_[node.outputs[0]].grid;
    const std::vector<double> scales = grid ? grid->scale : sum.scales;
    if (moved) {
      if (scales.size() > 1) throw Refusal{"a sum with a scale for each channel, moved"};
      add(node.name + ".raw", "Identity", {sum.integers}, writer_.name(node.outputs[0]));
      held_[node.outputs[0]] = {writer_.name(node.outputs[0]), add_scales(node.name + ".scale", scales), "",
                                Grid{scales}};
      return;
    }
    auto& proto = add(node.name + ".dequantise", "DequantizeLinear",
                      {sum.integers, add_scales(node.name + ".scale", scales)}, writer_.name(node.outputs[0]));
    if (scales.size() > 1) set_integer(proto, "axis", 1);
  }

  std::string transposed(const std::string& name, const std::string& matrix) {
    const std::string output = writer_.free_name(name + ".transposed");
    set_integers(add(name, "Transpose", {matrix}, output), "perm", {1, 0});
    return output;
  }

  // ---- movement -----------------------------------------------------------------------------------------------------

  void move(const Node& node) {
    const Held first = held(node.inputs[0]);
    Node integer = node;
    if (auto* pad = get_if<graph::Pad>(&integer.op))
      pad->value = static_cast<double>(first.grid.quantise(pad->value, 0, Rounding::HalfEven));
    for (ValueId id : node.inputs) {
      if (id == absent) continue;
      if (graph_.constant(id)) {
        if (constants_.insert(id).second) writer_.add_value_constant(id);
      } else if (held(id).grid != first.grid) {
        throw Refusal{"joins values on two grids"};
      }
    }
    if (!write_standard(writer_, integer)) throw Refusal{"QLinear ops have no " + std::string(graph::name_of(node.op))};
    for (ValueId id : node.outputs) {
      held_[id] = first;
      held_[id].integers = writer_.name(id);
    }
  }

  void write_output(ValueId integers, ValueId real) {
    if (integers == absent) return;
    const Held& y = held(integers);
    std::vector<std::string> inputs{y.integers, y.scale};
    if (!y.point.empty()) inputs.push_back(y.point);
    add(graph_[real].name + ".dequantise", "DequantizeLinear", inputs, writer_.name(real));
  }

  const View& view_;
  const Graph& graph_;
  graph::Uses uses_;
  ModelWriter writer_;
  std::map<ValueId, Held> held_;
  std::set<ValueId> constants_, refused_;
};

}  // namespace

void write_qoperator(const Graph& graph, const std::filesystem::path& file) {
  if (graph.stage == graph::Stage::FP)
    fail("onnx", graph.name, "a graph at stage FP", "a quantised one: quantize and integerize give it");
  const Json metadata = {{"version", 1}, {"dialect", "qoperator"}};
  const Graph fake = graph.stage == graph::Stage::FQ ? graph : to_fake_quantised(graph);
  const View view(fake);
  write_file(file, QOperatorWriter(view).bytes(metadata), "onnx");
}

}  // namespace nibble::onnx
