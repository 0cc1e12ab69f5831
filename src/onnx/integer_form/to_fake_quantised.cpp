#include "onnx/integer_form/to_fake_quantised.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "base/channels.hpp"
#include "base/decimal.hpp"
#include "base/error.hpp"
#include "base/interval.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "onnx/file/container.hpp"
#include "onnx/integer_form/moves_integers.hpp"
#include "onnx/integer_form/requantised.hpp"
#include "quant/ratio.hpp"

namespace nibble::onnx {
namespace {

using graph::absent;
using graph::Graph;
using graph::Node;
using graph::ValueId;

struct Refusal {
  std::string why;
  bool of_scales = false;  ///< the standard's own requantisation would have scales that say it
};

/// What a table may be: a rescaling, or any function of the standard with its usual parameters.
std::vector<graph::Op> functions() {
  // First what every tool has.
  std::vector<graph::Op> all{graph::Identity{},  graph::Sigmoid{}, graph::Tanh{},
                             graph::HardSwish{}, graph::Abs{},     graph::HardSigmoid{decimal_of(1.0F / 6), 0.5}};
#define NIBBLE_FUNCTION_OF(NAME) all.push_back(graph::NAME{});
  NIBBLE_REAL_FUNCTIONS(NIBBLE_FUNCTION_OF)
#undef NIBBLE_FUNCTION_OF
  all.push_back(graph::Gelu{true});
  return all;
}

/// What an integer value of the network is in the fake-quantised graph.
struct Lifted {
  ValueId real = absent;
  Grid grid;
};

class Lifter {
 public:
  explicit Lifter(const Graph& from) : from_(from), uses_(from) {}

  Graph run() {
    to_.name = from_.name;
    to_.metadata = from_.metadata;
    to_.stage = graph::Stage::FQ;
    std::string refused;
    bool of_scales = false;
    const auto attempt = [&](const std::string& name, auto&& f) {
      try {
        f();
      } catch (const Refusal& refusal) {
        if (!refusal.why.empty()) refused += (refused.empty() ? "" : ", ") + name + " (" + refusal.why + ")";
        of_scales = of_scales || refusal.of_scales;
      }
    };
    for (ValueId id : from_.inputs) attempt("input " + in_quotes(from_[id].name), [&] { lift_input(id); });
    for (const Node& node : from_.nodes) attempt(in_quotes(node.name), [&] { visit(node); });
    for (ValueId id : from_.outputs) attempt(in_quotes(from_[id].name), [&] { lift_output(id); });
    if (!refused.empty())
      fail("onnx", from_.name, "nodes that the standard's scales cannot say: " + refused,
           std::string("float32 scales, whole biases and 8-bit levels") +
               (of_scales ? ": integerize --requantisation standard gives them" : ""));
    graph::tidy(to_);
    return std::move(to_);
  }

 private:
  // ---- values -------------------------------------------------------------------------------------------------------

  void lift_input(ValueId id) {
    const graph::Value& value = from_[id];
    if (!value.grid) throw Refusal{"an input without a scale"};
    if (uses_.readers[static_cast<size_t>(id)].empty() && !uses_.is_output[static_cast<size_t>(id)])
      throw Refusal{"an input that nothing reads"};
    const ValueId real = to_.add_value(value.name, ElementType::Float32, value.shape);
    to_.inputs.push_back(real);
    Grid grid = *value.grid;
    const ValueId scaled = grid.per_channel() ? on_one_scale(value, real, grid) : real;
    quantise(value.name + "_q", value.name + "_q", id, scaled, grid);
  }

  /// An input with a scale for each channel times what brings all to the largest, which `grid` has then; powers of two
  /// round nothing.
  ValueId on_one_scale(const graph::Value& value, ValueId real, Grid& grid) {
    const double largest = *std::max_element(grid.scale.begin(), grid.scale.end());
    std::vector<float> factors;
    for (double scale : grid.scale) {
      int exponent = 0;
      if (grid.axis != 1 || std::frexp(largest / scale, &exponent) != 0.5)
        throw Refusal{"an input with a scale for each channel"};
      factors.push_back(static_cast<float>(largest / scale));
    }
    Shape shape(value.shape.size(), 1);
    shape[1] = static_cast<int64_t>(factors.size());
    grid.axis = -1;
    grid.scale = {largest};
    const ValueId constant = to_.add_constant(value.name + "_factors", Tensor(shape, factors));
    return step(value.name + "_equalised", graph::Mul{}, {real, constant}, value.shape);
  }

  /// A quantiser behind `source`, which is the network's value `id` under `name`.
  void quantise(const std::string& node, const std::string& name, ValueId id, ValueId source, const Grid& grid) {
    const ValueId real = to_.add_value(name, ElementType::Float32, from_[id].shape);
    to_[real].grid = grid;
    to_.nodes.push_back({free_name(node), graph::Quantise{grid, Rounding::HalfEven}, {source}, {real}});
    lifted_[id] = {real, grid};
  }

  std::string free_name(std::string name) {
    while (!node_names_.insert(name).second) name += "_";
    return name;
  }

  /// The network's value on its grid; a silent refusal where its writer was refused.
  const Lifted& to_fake_quantised(ValueId id) const {
    const auto found = lifted_.find(id);
    if (found == lifted_.end()) throw Refusal{waiting_.contains(id) ? "reads a sum that nothing requantises" : ""};
    return found->second;
  }

  const Grid& grid_of(ValueId id) const {
    const auto& grid = from_[id].grid;
    if (!grid) throw Refusal{"no scale says what its integers mean"};
    if (grid->per_channel()) throw Refusal{"an activation with a scale for each channel"};
    return *grid;
  }

  Interval range_of_value(ValueId id) const {
    const graph::Value& value = from_[id];
    if (!value.bounds.empty()) return hull(value.bounds);
    return value.grid ? Interval{value.grid->low, value.grid->high} : any_sum;
  }

  const Node* writer(ValueId id) const {
    const int index = uses_.writer[static_cast<size_t>(id)];
    return index < 0 ? nullptr : &from_.nodes[static_cast<size_t>(index)];
  }

  // ---- nodes --------------------------------------------------------------------------------------------------------

  // The standard's integer operators: none of a ConvTranspose, of a difference, of a division downwards.
  static bool has_integer_product(const graph::Op& op) {
    return is_linear(op) && !holds_alternative<graph::ConvTranspose>(op);
  }
  static bool has_integer_sum(const graph::Op& op) {
    return terms_of(op) != graph::Terms::None && !holds_alternative<graph::ConvTranspose>(op) &&
           !holds_alternative<graph::Sub>(op);
  }
  static bool becomes_a_quantiser(const graph::Op& op) {
    return holds_alternative<graph::Requantise>(op) || holds_alternative<graph::Threshold>(op) ||
           holds_alternative<graph::Rescale>(op) || holds_alternative<graph::Clip>(op);
  }
  /// A Pad's value is on the grid, so it has a rule of its own.
  static bool keeps_its_form(const graph::Op& op) { return moves_integers(op) && !holds_alternative<graph::Pad>(op); }
  /// A multiple of an operand on its way into a sum: not a value of its own.
  bool is_weighing(const Node& node) const {
    if (!holds_alternative<graph::Requantise>(node.op)) return false;
    const auto& readers = uses_.readers[static_cast<size_t>(node.outputs[0])];
    return !from_[node.outputs[0]].grid && !readers.empty() && std::all_of(readers.begin(), readers.end(), [&](int r) {
      return holds_alternative<graph::Add>(from_.nodes[static_cast<size_t>(r)].op);
    });
  }

  void visit(const Node& node) {
    if (has_integer_sum(node.op) || is_weighing(node)) {
      waiting_.insert(node.outputs[0]);
      return;
    }
    if (becomes_a_quantiser(node.op)) return requantise(node);
    if (holds_alternative<graph::Table>(node.op)) return tabulated(node);
    if (keeps_its_form(node.op)) return move(node);
    if (const auto* pad = get_if<graph::Pad>(&node.op)) return this->pad(node, *pad);
    throw Refusal{"the standard has no integer form of " + std::string(graph::name_of(node.op))};
  }

  void move(const Node& node) {
    std::vector<ValueId> inputs;
    if (waiting_.contains(node.inputs[0])) lift_raw_sum(node.inputs[0]);
    if (channelled_.contains(node.inputs[0])) keep_channels(node);
    const Lifted first = to_fake_quantised(node.inputs[0]);
    const auto& held = from_[node.outputs[0]].grid;
    const bool of_channels = held && held->per_channel() && holds_alternative<graph::Concat>(node.op);
    for (ValueId id : node.inputs) {
      if (id == absent || from_.constant(id)) {
        inputs.push_back(id == absent ? absent : to_.add_constant(from_[id].name, *from_.constant(id)));
        continue;
      }
      const Lifted& each = to_fake_quantised(id);
      if (each.grid != first.grid && !of_channels) throw Refusal{"joins values on two grids"};
      inputs.push_back(each.real);
    }
    emit(node, node.op, std::move(inputs), of_channels ? *held : first.grid);
  }

  /// Sums with a scale for each channel are moved only where axis 1 stays the channels.
  void keep_channels(const Node& node) {
    const Shape &x = from_[node.inputs[0]].shape, &y = from_[node.outputs[0]].shape;
    const bool kept = x.size() > 1 && y.size() > 1 && x[0] == y[0] && x[1] == y[1];
    if (!holds_alternative<graph::Identity>(node.op) && !(reshapes(node.op) && kept))
      throw Refusal{"moves sums that have a scale for each channel"};
    channelled_.insert(node.outputs[0]);
  }

  void pad(const Node& node, graph::Pad op) {
    const Lifted& x = to_fake_quantised(node.inputs[0]);
    op.value = op.mode == graph::PadMode::Constant ? x.grid.real(static_cast<int64_t>(op.value), 0) : 0;
    emit(node, op, {x.real}, x.grid);
  }

  void emit(const Node& node, graph::Op op, std::vector<ValueId> inputs, const Grid& grid) {
    Node real{free_name(node.name), std::move(op), std::move(inputs), {}};
    for (ValueId id : node.outputs) {
      real.outputs.push_back(to_.add_value(from_[id].name, ElementType::Float32, from_[id].shape));
      lifted_[id] = {real.outputs.back(), grid};
    }
    to_.nodes.push_back(std::move(real));
  }

  ValueId step(const std::string& name, graph::Op op, std::vector<ValueId> inputs, const Shape& shape) {
    const ValueId id = to_.add_value(name, ElementType::Float32, shape);
    to_.nodes.push_back({free_name(name), std::move(op), std::move(inputs), {id}});
    return id;
  }

  /// A table that is the standard's rescaling, or a function of the standard between its grids.
  void tabulated(const Node& node) {
    const ValueId x = node.inputs[0], y = node.outputs[0];
    if (waiting_.contains(x)) return tabulated_by_channel(node, *writer(x));
    const Lifted& input = to_fake_quantised(x);
    const Grid& grid = grid_of(y);
    const Interval range = range_of_value(x);
    const std::vector<int64_t> table = from_.constant(node.inputs[1])->to_integers();
    const int64_t first = get<graph::Table>(node.op).first;
    const auto found = [&](int64_t q) { return table.at(static_cast<size_t>(q - first)); };
    for (const graph::Op& op : functions()) {
      std::vector<double> reals;
      for (int64_t q = range.low; q <= range.high; ++q) reals.push_back(input.grid.real(q, 0));
      const Tensor argument({static_cast<int64_t>(reals.size())}, reals);
      const std::vector<double> values = graph::evaluate(Node{"f", op, {}, {}}, {&argument}).at(0).to_reals();
      bool same = std::none_of(values.begin(), values.end(), [](double value) { return std::isnan(value); });
      for (int64_t q = range.low; q <= range.high && same; ++q)
        same = grid.quantise(values[static_cast<size_t>(q - range.low)], 0, Rounding::HalfEven) == found(q);
      if (!same) continue;
      const ValueId real = holds_alternative<graph::Identity>(op)
                               ? input.real
                               : step(node.name + ".real", op, {input.real}, from_[y].shape);
      return quantise(node.name, from_[y].name, y, real, grid);
    }
    const auto level = [&](int64_t q) { return found(q); };
    if (const std::optional<float> slope = slope_below_zero(input.grid, range, grid, level)) {
      const ValueId real =
          step(node.name + ".real", graph::LeakyRelu{decimal_of(*slope)}, {input.real}, from_[y].shape);
      return quantise(node.name, from_[y].name, y, real, grid);
    }
    throw Refusal{"a table of no function known by its integers; the fake-quantised network still has it"};
  }

  /// A table for each channel, side by side: what is added to an integer says where its channel's begins.
  void tabulated_by_channel(const Node& node, const Node& place) {
    const bool second = !place.inputs.empty() && from_.constant(place.inputs.back()) != nullptr;
    if (!holds_alternative<graph::Add>(place.op) || place.inputs.size() != 2 || !second ||
        uses_.only_reader(place.outputs[0]) < 0)
      throw Refusal{"reads a sum that nothing requantises"};
    const Tensor& begins = *from_.constant(place.inputs[1]);
    const Lifted& input = to_fake_quantised(place.inputs[0]);
    const Grid& grid = grid_of(node.outputs[0]);
    const Interval range = range_of_value(place.inputs[0]);
    const std::vector<int64_t> table = from_.constant(node.inputs[1])->to_integers();
    const int64_t first = get<graph::Table>(node.op).first;
    Tensor slopes(ElementType::Float32, begins.shape());
    for (size_t c = 0; c < begins.size(); ++c) {
      const int64_t begin = begins.to_integers()[c] - first;
      const auto slope = slope_below_zero(input.grid, range, grid,
                                          [&](int64_t q) { return table.at(static_cast<size_t>(q + begin)); });
      if (!slope) throw Refusal{"a table for each channel that no slope below zero gives"};
      slopes.as<float>()[c] = *slope;
    }
    const ValueId held = to_.add_constant(node.name + ".slope", std::move(slopes));
    const Shape& shape = from_[node.outputs[0]].shape;
    const ValueId real = step(node.name + ".real", graph::PRelu{}, {input.real, held}, shape);
    quantise(node.name, from_[node.outputs[0]].name, node.outputs[0], real, grid);
  }

  /// The s for which `level` is the integer of x >= 0 ? x : s * x, at every x of the range; none where there is none.
  template <class Level>
  static std::optional<float> slope_below_zero(const Grid& x, Interval range, const Grid& y, Level level) {
    double least = -std::numeric_limits<double>::infinity(), most = std::numeric_limits<double>::infinity();
    for (int64_t q = range.low; q <= range.high && x.real(q, 0) < 0; ++q) {
      const auto crossed = [&](double half) {
        return (static_cast<double>(level(q) - y.zero_point) + half) * y.scale[0] / x.real(q, 0);
      };
      // Where the level is the last one, the slope may go on.
      if (level(q) < y.high) least = std::max(least, crossed(0.5));
      if (level(q) > y.low) most = std::min(most, crossed(-0.5));
    }
    if (!(least <= most)) return std::nullopt;
    const double middle = std::isfinite(least) && std::isfinite(most) ? (least + most) / 2
                          : std::isfinite(least)                      ? least + 1
                          : std::isfinite(most)                       ? most - 1
                                                                      : 0;
    const auto slope = static_cast<float>(middle);
    const double held = decimal_of(slope);
    for (int64_t q = range.low; q <= range.high; ++q) {
      const double real = x.real(q, 0);
      for (double s : {held, static_cast<double>(slope)})
        if (y.quantise(real >= 0 ? real : s * real, 0, Rounding::HalfEven) != level(q)) return std::nullopt;
    }
    return slope;
  }

  void requantise(const Node& node) {
    const ValueId sum = node.inputs[0];
    const Node* source = waiting_.contains(sum) ? writer(sum) : nullptr;
    if (source && uses_.only_reader(sum) < 0) throw Refusal{"requantises a sum that others read too"};
    Grid grid = grid_of(node.outputs[0]);
    const Requantised target(from_, node);
    grid.low = target.levels().low, grid.high = target.levels().high;
    if (grid.high - grid.low > 255) throw Refusal{std::to_string(grid.levels()) + " levels"};
    if (source && has_integer_product(source->op)) return linear(node, *source, target, grid);
    ValueId real = absent;
    if (!source)
      real = rescaled(sum, target, grid);
    else if (holds_alternative<graph::Add>(source->op))
      real = added(*source, target, grid);
    else
      real = averaged(*source, target, grid);
    quantise(node.name, from_[node.outputs[0]].name, node.outputs[0], real, grid);
  }

  static void expect_same(const Requantised& target, const quant::Ratio& ratio, int64_t offset, const Grid& grid,
                          Interval reachable) {
    if (target.level(0, reachable.low) > target.level(0, reachable.high)) throw Refusal{"a function that falls"};
    if (target.channels() > 1) throw Refusal{"a requantisation for each channel of what has one scale"};
    const quant::Staircase said = quant::staircase(ratio, offset, grid, reachable);
    const int64_t count = quant::difference(target.staircase(0, reachable), said, reachable).count;
    if (count > 0) throw Refusal{differ(count, reachable), true};
  }
  static std::string differ(int64_t count, Interval reachable) {
    return "its scales give other integers on " + std::to_string(count) + " of " +
           std::to_string(reachable.high - reachable.low + 1) + " sums";
  }

  ValueId rescaled(ValueId x, const Requantised& target, const Grid& grid) {
    const Lifted& input = to_fake_quantised(x);
    if (input.grid.per_channel() || input.grid.low == INT32_MIN) throw Refusal{"a sum that was moved"};
    expect_same(target, quant::Ratio{input.grid.scale, grid.scale}, -input.grid.zero_point, grid, range_of_value(x));
    return input.real;
  }

  /// The mean whose sum a node is, and of how many.
  struct Mean {
    graph::Op op;
    double count = 1;
  };
  Mean mean_of(const Node& source, const Grid& x) const {
    const Shape& shape = from_[source.inputs[0]].shape;
    Mean mean;
    int64_t zero = 0;
    if (const auto* pool = get_if<graph::SumPool>(&source.op)) {
      for (int64_t extent : pool->kernel) mean.count *= static_cast<double>(extent);
      mean.op = graph::AveragePool{pool->kernel, pool->strides, pool->pads, pool->dilations, pool->ceil_mode, true};
      if (pool->ceil_mode) throw Refusal{"an average in ceil_mode"};
      zero = pool->zero_point;
    } else {
      const auto& reduce = get<graph::ReduceSum>(source.op);
      graph::Ints axes = reduce.axes;
      if (axes.empty())
        for (size_t axis = 0; axis < shape.size(); ++axis) axes.push_back(static_cast<int64_t>(axis));
      for (int64_t& axis : axes) {
        axis = normalise_axis(axis, shape.size());
        if (shape[static_cast<size_t>(axis)] == any) throw Refusal{"a mean over the batch"};
        mean.count *= static_cast<double>(shape[static_cast<size_t>(axis)]);
      }
      mean.op = graph::ReduceMean{axes, reduce.keep_dims};
      zero = reduce.zero_point;
    }
    if (zero != x.zero_point) throw Refusal{"a sum about " + std::to_string(zero) + ", not its zero point"};
    return mean;
  }

  ValueId averaged(const Node& source, const Requantised& target, const Grid& grid) {
    const Lifted& x = to_fake_quantised(source.inputs[0]);
    const Mean mean = mean_of(source, x.grid);
    const Interval sums = range_of_value(source.outputs[0]);
    expect_same(target, quant::Ratio{x.grid.scale, {grid.scale[0], mean.count}}, 0, grid, sums);
    return step(source.name, mean.op, {x.real}, from_[source.outputs[0]].shape);
  }

  /// An operand of a sum: a value, perhaps behind a multiple of it.
  struct Term {
    ValueId id;
    quant::Requantisation line;
    Interval range;
  };
  Term term_of(ValueId id) const {
    const Node* source = writer(id);
    if (!source || !waiting_.contains(id)) return {id, {}, range_of_value(id)};
    if (!is_weighing(*source)) throw Refusal{"adds to a sum that nothing requantises"};
    const auto& op = get<graph::Requantise>(source->op);
    if (op.multiplier.size() != 1 || waiting_.contains(source->inputs[0]))
      throw Refusal{"adds to a sum that nothing requantises"};
    const Interval range = range_of_value(source->inputs[0]);
    const quant::Requantisation line{op.multiplier[0], op.addend[0], static_cast<int>(op.shift[0])};
    return {source->inputs[0], line, range};
  }

  ValueId added(const Node& source, const Requantised& target, const Grid& grid) {
    if (source.inputs.size() != 2) throw Refusal{"a sum of " + std::to_string(source.inputs.size()) + " values"};
    const Term terms[] = {term_of(source.inputs[0]), term_of(source.inputs[1])};
    const Lifted &a = to_fake_quantised(terms[0].id), &b = to_fake_quantised(terms[1].id);
    const auto centred = [](Interval range, const Grid& g) {
      return Interval{range.low - g.zero_point, range.high - g.zero_point};
    };
    for (const Term& term : terms)
      if (term.range.high - term.range.low > 255) throw Refusal{"a sum of more than 8 bits"};
    if (target.channels() > 1) throw Refusal{"a requantisation for each channel of what has one scale"};
    if (a.grid.per_channel() || b.grid.per_channel()) throw Refusal{"a sum that was moved"};
    const std::vector<int64_t> expected =
        quant::rounded_sums(a.grid.scale[0], centred(terms[0].range, a.grid), b.grid.scale[0],
                            centred(terms[1].range, b.grid), grid.scale[0]);
    const auto weighed = [](const Term& term, int64_t q) {
      return (q * term.line.multiplier + term.line.addend) >> term.line.shift;
    };
    size_t pair = 0;
    int64_t count = 0;
    for (int64_t i = terms[0].range.low; i <= terms[0].range.high; ++i)
      for (int64_t j = terms[1].range.low; j <= terms[1].range.high; ++j, ++pair)
        count += target.level(0, weighed(terms[0], i) + weighed(terms[1], j)) !=
                 std::clamp(expected[pair] + grid.zero_point, grid.low, grid.high);
    if (count > 0)
      throw Refusal{
          "its scales give other integers on " + std::to_string(count) + " of " + std::to_string(pair) + " pairs",
          true};
    return step(source.name, graph::Add{}, {a.real, b.real}, from_[source.outputs[0]].shape);
  }

  // ---- linear ops ---------------------------------------------------------------------------------------------------

  static graph::Op real_op(const graph::Op& op) {
    if (const auto* conv = get_if<graph::Conv>(&op)) {
      graph::Conv real = *conv;
      real.zero_point = 0;
      return real;
    }
    if (const auto* gemm = get_if<graph::Gemm>(&op)) return graph::Gemm{1, 1, gemm->transpose_a, gemm->transpose_b, 0};
    return graph::MatMul{};
  }
  static int64_t zero_of(const graph::Op& op) {
    if (const auto* conv = get_if<graph::Conv>(&op)) return conv->zero_point;
    if (const auto* gemm = get_if<graph::Gemm>(&op)) return gemm->zero_point;
    return get<graph::MatMul>(op).zero_point_a;
  }
  size_t channel_axis(const Node& node) const {
    if (holds_alternative<graph::Conv>(node.op)) return 0;
    if (const auto* gemm = get_if<graph::Gemm>(&node.op)) return gemm->transpose_b ? 0 : 1;
    return from_[node.inputs[1]].shape.size() - 1;
  }

  struct Layer {
    Tensor weights;
    size_t axis;
    std::vector<int64_t> bias;
    Lifted x;
  };
  Layer layer_of(const Node& source) const {
    const Tensor* weights = from_.constant(source.inputs[1]);
    if (!weights) throw Refusal{"weights that are computed, not constant"};
    Layer layer{*weights, channel_axis(source), {}, to_fake_quantised(source.inputs[0])};
    if (zero_of(source.op) != layer.x.grid.zero_point) throw Refusal{"a sum about another number than its zero point"};
    if (const auto* matmul = get_if<graph::MatMul>(&source.op); matmul && matmul->zero_point_b != 0)
      throw Refusal{"weights with a zero point"};
    const auto channels = static_cast<size_t>(weights->shape()[layer.axis]);
    layer.bias.assign(channels, 0);
    if (source.inputs.size() > 2 && source.inputs[2] != absent) {
      const Tensor* bias = from_.constant(source.inputs[2]);
      if (!bias || (bias->size() != channels && bias->size() != 1))
        throw Refusal{"a bias that is computed, not constant"};
      const std::vector<int64_t> b = bias->to_integers();
      for (size_t c = 0; c < channels; ++c) layer.bias[c] = b[b.size() == 1 ? 0 : c];
    }
    return layer;
  }

  Interval sums_of(const Node& source, size_t channel) const {
    const auto& bounds = from_[source.outputs[0]].bounds;
    if (bounds.empty()) return any_sum;
    return bounds.size() == 1 ? bounds[0] : bounds.at(channel);
  }

  void linear(const Node& node, const Node& source, const Requantised& target, const Grid& grid) {
    Layer layer = layer_of(source);
    const auto& held = from_[source.inputs[1]].grid;
    const size_t channels = layer.bias.size();
    const bool per_channel = channels > 1 && from_[source.outputs[0]].shape.size() > 1 &&
                             from_[source.outputs[0]].shape[1] == static_cast<int64_t>(channels);
    if (target.channels() > 1 && target.channels() != channels) throw Refusal{"channels that its weights do not have"};
    std::vector<double> scales(channels);
    std::vector<bool> flipped(channels), dead(channels);
    int64_t worst = 0;
    size_t bad = 0, first_bad = 0;
    for (size_t c = 0; c < channels; ++c) {
      const double given = held ? held->scale_of(held->per_channel() ? c : 0) : 0;
      const Interval sums = per_channel ? sums_of(source, c) : range_of_value(source.outputs[0]);
      const Fit fit = target.fit(target.channels() > 1 ? c : 0, sums, layer.x.grid.scale[0], given, grid);
      if (fit.differing > 0 && bad++ == 0) first_bad = c;
      worst = std::max(worst, fit.differing);
      scales[c] = fit.weight_scale, flipped[c] = fit.flipped, dead[c] = fit.constant;
      layer.bias[c] = (fit.constant ? 0 : fit.flipped ? -layer.bias[c] : layer.bias[c]) + fit.offset;
      if (std::abs(layer.bias[c]) > INT32_MAX) throw Refusal{"a bias of more than 32 bits"};
    }
    if (bad > 0)
      throw Refusal{"no whole bias and float32 scale has its integers: channel " + std::to_string(first_bad) +
                        (bad > 1 ? " and " + std::to_string(bad - 1) + " more" : "") + ", up to " +
                        std::to_string(worst) + " sums differ",
                    true};
    change_weights(layer, flipped, dead);
    const ValueId real = emit_linear(source, layer, scales);
    quantise(node.name, from_[node.outputs[0]].name, node.outputs[0], real, grid);
  }

  static void change_weights(Layer& layer, const std::vector<bool>& flipped, const std::vector<bool>& dead) {
    std::vector<int64_t> w = layer.weights.to_integers();
    const ChannelOf channel(layer.weights.shape(), static_cast<int64_t>(layer.axis));
    for (size_t i = 0; i < w.size(); ++i) {
      const size_t c = channel(i);
      w[i] = dead[c] ? 0 : flipped[c] ? -w[i] : w[i];
    }
    layer.weights = Tensor(layer.weights.shape(), w);
  }

  /// The levels of quantised weights: 8 bits where they fit.
  static Grid weight_grid(const std::vector<int64_t>& w, std::vector<double> scales, int axis) {
    const auto [least, most] = std::minmax_element(w.begin(), w.end());
    const bool same = std::all_of(scales.begin(), scales.end(), [&](double s) { return s == scales[0]; });
    Grid grid;
    grid.axis = same ? -1 : axis;
    if (same) scales.resize(1);
    grid.scale = std::move(scales);
    const int64_t span = std::max(-*least - 1, *most);
    grid.low = -128, grid.high = 127;
    for (int64_t bits : {2, 4})
      if (span < int64_t{1} << (bits - 1)) {
        grid.low = -(int64_t{1} << (bits - 1)), grid.high = (int64_t{1} << (bits - 1)) - 1;
        break;
      }
    if (span > 127) grid.low = -32768, grid.high = 32767;
    return grid;
  }

  /// A constant behind its quantiser.
  ValueId quantised_constant(const std::string& name, const Shape& shape, const std::vector<int64_t>& q,
                             const Grid& grid) {
    const ChannelOf channel(shape, grid.axis);
    Tensor reals(ElementType::Float32, shape);
    for (size_t i = 0; i < q.size(); ++i) {
      const size_t c = channel(i);
      reals.as<float>()[i] = static_cast<float>(grid.real(q[i], c));
      if (grid.quantise(static_cast<double>(reals.as<float>()[i]), c, Rounding::HalfEven) != q[i])
        throw Refusal{"bias " + std::to_string(q[i]) + " that no float32 tells from its neighbours"};
    }
    const ValueId constant = to_.add_constant(name + "_real", std::move(reals));
    const ValueId id = to_.add_value(name, ElementType::Float32, shape);
    to_[id].grid = grid;
    to_.nodes.push_back({free_name(name), graph::Quantise{grid, Rounding::HalfEven}, {constant}, {id}});
    return id;
  }

  ValueId emit_linear(const Node& source, const Layer& layer, const std::vector<double>& scales) {
    const std::vector<int64_t> w = layer.weights.to_integers();
    const Grid grid = weight_grid(w, scales, static_cast<int>(layer.axis));
    std::vector<ValueId> inputs{layer.x.real,
                                quantised_constant(from_[source.inputs[1]].name, layer.weights.shape(), w, grid)};
    Grid sums;
    sums.scale.clear();
    for (double scale : grid.scale)
      sums.scale.push_back(static_cast<double>(static_cast<float>(scale * layer.x.grid.scale[0])));
    sums.low = INT32_MIN, sums.high = INT32_MAX;
    sums.axis = grid.per_channel() ? 0 : -1;
    graph::Op op = real_op(source.op);
    const bool biased = std::any_of(layer.bias.begin(), layer.bias.end(), [](int64_t b) { return b != 0; });
    const bool matmul = holds_alternative<graph::MatMul>(op);
    if (matmul && biased && (layer.weights.rank() != 2 || from_[source.outputs[0]].shape.size() != 2))
      throw Refusal{"a bias of a product of more than two axes"};
    if (matmul && biased) op = graph::Gemm{};
    if (biased)
      inputs.push_back(
          quantised_constant(source.name + "_bias", {static_cast<int64_t>(layer.bias.size())}, layer.bias, sums));
    const ValueId real = step(source.name, std::move(op), std::move(inputs), from_[source.outputs[0]].shape);
    sums.axis = grid.per_channel() ? 1 : -1;
    if (!grid.per_channel() || !matmul) to_[real].grid = sums;
    return real;
  }

  // ---- outputs ------------------------------------------------------------------------------------------------------

  void lift_output(ValueId id) {
    if (waiting_.contains(id)) lift_raw_sum(id);
    const ValueId real = to_fake_quantised(id).real;
    if (to_[real].name != from_[id].name && std::find(to_.inputs.begin(), to_.inputs.end(), real) == to_.inputs.end()) {
      const ValueId spare = to_.find(from_[id].name);
      if (spare == absent)
        to_[real].name = from_[id].name;
      else
        to_.swap_names(real, spare);
    }
    to_.outputs.push_back(real);
  }

  /// A sum that leaves the network as it is: real units are integers times the scales.
  void lift_raw_sum(ValueId id) {
    const Node& source = *writer(id);
    for (int reader : uses_.readers[static_cast<size_t>(id)])
      if (!keeps_its_form(from_.nodes[static_cast<size_t>(reader)].op))
        throw Refusal{"a sum that is read and an output"};
    if (!has_integer_product(source.op)) return lift_raw_mean(id, source);
    const Layer layer = layer_of(source);
    const auto& held = from_[source.inputs[1]].grid;
    const auto& grid = from_[id].grid;
    if (!grid && !held) throw Refusal{"no scale of its weights"};
    std::vector<double> scales;
    for (size_t c = 0; c < layer.bias.size(); ++c) {
      if (held)
        scales.push_back(held->scale_of(held->per_channel() ? c : 0));
      else
        scales.push_back(static_cast<double>(static_cast<float>(grid->scale[0] / layer.x.grid.scale[0])));
    }
    const ValueId real = emit_linear(source, layer, scales);
    lifted_[id] = {real, grid.value_or(Grid{})};
    if (std::any_of(scales.begin(), scales.end(), [&](double scale) { return scale != scales[0]; }))
      channelled_.insert(id);
    waiting_.erase(id);
    to_[real].name = from_[id].name;
  }

  /// A sum of one value's integers, or of two values' on one scale, as the mean or the sum of their reals.
  void lift_raw_mean(ValueId id, const Node& source) {
    const Grid sums = grid_of(id);
    if (sums.zero_point != 0) throw Refusal{"a sum with a zero point"};
    const Lifted x = to_fake_quantised(source.inputs[0]);
    const auto said = [&](double scale) { return static_cast<float>(scale) == static_cast<float>(sums.scale[0]); };
    std::vector<ValueId> inputs{x.real};
    graph::Op op = graph::Add{};
    double count = 1;
    if (holds_alternative<graph::Add>(source.op)) {
      if (source.inputs.size() != 2) throw Refusal{"a sum of " + std::to_string(source.inputs.size()) + " values"};
      if (waiting_.contains(source.inputs[0]) || waiting_.contains(source.inputs[1]) ||
          from_.constant(source.inputs[0]) || from_.constant(source.inputs[1]))
        throw Refusal{"a sum of sums, not requantised"};
      const Lifted& other = to_fake_quantised(source.inputs[1]);
      // The sum of stored integers has their zero points in it.
      if (x.grid.zero_point != 0 || other.grid.zero_point != 0 || !said(other.grid.scale[0]))
        throw Refusal{"a sum of values on two grids, not requantised"};
      inputs.push_back(other.real);
    } else if (holds_alternative<graph::SumPool>(source.op) || holds_alternative<graph::ReduceSum>(source.op)) {
      Mean mean = mean_of(source, x.grid);
      op = std::move(mean.op), count = mean.count;
    } else {
      throw Refusal{"a sum of values, not requantised"};
    }
    if (x.grid.per_channel() || !said(x.grid.scale[0] / count))
      throw Refusal{"a sum whose scale is not that of what it adds"};
    const ValueId real = step(source.name, std::move(op), std::move(inputs), from_[id].shape);
    to_[real].grid = sums;
    to_[real].name = from_[id].name;
    lifted_[id] = {real, sums};
    waiting_.erase(id);
  }

  static constexpr Interval any_sum{INT32_MIN, INT32_MAX};

  const Graph& from_;
  graph::Uses uses_;
  Graph to_;
  std::map<ValueId, Lifted> lifted_;
  std::set<ValueId> waiting_;     ///< sums and multiples: part of what requantises them
  std::set<ValueId> channelled_;  ///< sums in reals, a scale for each channel
  std::set<std::string> node_names_;
};

}  // namespace

Graph to_fake_quantised(const Graph& graph) {
  return Lifter(graph).run();
}

}  // namespace nibble::onnx
