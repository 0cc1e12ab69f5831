#include <algorithm>
#include <cmath>
#include <map>

#include "base/channels.hpp"
#include "base/interval.hpp"
#include "graph/ranges.hpp"
#include "onnx/file/container.hpp"
#include "onnx/integer_form/integer_ops.hpp"
#include "onnx/standard/graph_reader.hpp"
#include "onnx/standard/import.hpp"
#include "onnx/standard/window.hpp"

// QLinearConv and its kin: y = clip(round_half_even(real number) + zero point), exactly. docs/design/dialects.md.
namespace nibble::onnx {
namespace {

using graph::ValueId;

constexpr Interval accumulator_range{INT32_MIN, INT32_MAX};

/// The grid that inputs `scale` and `scale` + 1 say for integers of `type`, per tensor.
Grid grid_at(const NodeReader& node, size_t scale, ElementType type) {
  Grid grid;
  grid.scale = node.constant(scale, "scale").tensor.to_reals();
  if (grid.scale.size() != 1) node.fail(std::to_string(grid.scale.size()) + " scales of an activation", "one");
  grid.zero_point = zero_point(node, scale + 1);
  const Interval range = range_of(file_type(type));
  if (range.low > range.high || range.high > UINT16_MAX)
    node.fail("of " + std::string(to_string(type)), "integers of 8 or 16 bits");
  grid.low = range.low, grid.high = range.high;
  if (!Interval{grid.low, grid.high}.contains(grid.zero_point))
    node.fail("zero point " + std::to_string(grid.zero_point), "one of its integers");
  check_grid(grid, "onnx", node.place());
  return grid;
}

/// The grid of the output: its type is its zero point's, or `otherwise`.
Grid result_grid(const NodeReader& node, size_t scale, ElementType otherwise) {
  return grid_at(node, scale, node.has(scale + 1) ? node.constant(scale + 1, "zero point").tensor.type() : otherwise);
}

/// An activation: the integers of input `slot`, their scale and zero point behind it.
struct Operand {
  ValueId id;
  Grid grid;
  double scale() const { return grid.scale[0]; }
  Interval range() const { return {grid.low, grid.high}; }
};
Operand operand(NodeReader& node, size_t slot) {
  const ValueId id = node.value(slot);
  const Grid grid = grid_at(node, slot + 1, node.typed(id).type);
  graph::Value& value = node.reader().graph()[id];
  if (!value.grid && !value.constant) value.grid = grid;
  return {id, grid};
}

std::vector<double> scales_of_weights(const NodeReader& node, size_t slot) {
  const std::vector<double> scales = node.constant(slot, "scale of the weights").tensor.to_reals();
  if (scales.empty()) node.fail("no scale of the weights", "one, or one for each channel");
  for (double scale : scales)
    if (!(scale > 0) || !std::isfinite(scale))
      node.fail("a scale of the weights of " + std::to_string(scale), "a positive number");
  return scales;
}

/// One rescaling a channel, or one where scales and weights have one; without constant weights any 32-bit sum.
std::vector<Rescaling> rescalings(const NodeReader& node, const Operand& x, const std::vector<double>& w_scale,
                                  const Grid& y, std::vector<Interval> sums, double factor = 1) {
  if (w_scale.size() > 1 && sums.size() != w_scale.size() && sums.size() != 1)
    node.fail(std::to_string(w_scale.size()) + " scales of the weights", std::to_string(sums.size()));
  std::vector<Rescaling> channels;
  for (size_t c = 0; c < std::max(w_scale.size(), sums.size()); ++c) {
    const Interval sum = sums[sums.size() == 1 ? 0 : c];
    if (sum.low < accumulator_range.low || sum.high > accumulator_range.high)
      node.fail("sums from " + std::to_string(sum.low) + " to " + std::to_string(sum.high), "32 bits");
    channels.push_back({quant::Ratio{{x.scale(), w_scale[w_scale.size() == 1 ? 0 : c], factor}, y.scale}, 0, sum});
  }
  return channels;
}

/// What the accumulator's integers stand for, where float32 can say it.
void annotate_sum(NodeReader& node, ValueId sum, const Operand& x, const std::vector<double>& w_scale) {
  graph::Value& value = node.reader().graph()[sum];
  Grid grid;
  grid.scale.clear();
  for (double scale : w_scale) grid.scale.push_back(static_cast<double>(static_cast<float>(x.scale() * scale)));
  grid.axis = w_scale.size() == 1 ? -1 : 1;
  grid.low = INT32_MIN, grid.high = INT32_MAX;
  const bool fits =
      w_scale.size() == 1 || (value.shape.size() > 1 && value.shape[1] == static_cast<int64_t>(w_scale.size()));
  if (fits && std::all_of(grid.scale.begin(), grid.scale.end(), [](double s) { return s > 0 && std::isfinite(s); }))
    value.grid = std::move(grid);
}

void annotate_weights(NodeReader& node, ValueId weights, const std::vector<double>& scale, size_t axis) {
  graph::Value& value = node.reader().graph()[weights];
  if (!value.constant || value.grid) return;
  const Interval range = range_of(file_type(value.type));
  value.grid = Grid{scale, scale.size() == 1 ? -1 : static_cast<int>(axis), 0, range.low, range.high};
}

const Tensor* constant_bias(NodeReader& node, ValueId bias) {
  return bias == graph::absent ? nullptr : node.reader().graph().constant(bias);
}

/// The output of a linear op: its sums requantised, channels on `axis` of the sums.
void finish_linear(NodeReader& node, graph::Op op, std::vector<ValueId> inputs, const Operand& x,
                   const std::vector<double>& w_scale, size_t channel_axis, const Grid& y, double factor = 1) {
  const ValueId w = inputs[1], bias = inputs.size() > 2 ? inputs[2] : graph::absent;
  annotate_weights(node, w, w_scale, channel_axis);
  ValueId sum = node.step("sum", std::move(op), std::move(inputs));  // checks that weights and bias fit
  const Tensor* weights = node.reader().graph().constant(w);
  const Tensor* added = constant_bias(node, bias);
  std::vector<Interval> sums{accumulator_range};
  if (weights && (bias == graph::absent || added))
    sums = graph::linear_bounds(*weights, x.range(), x.grid.zero_point, static_cast<int64_t>(channel_axis));
  if (weights && added) sums = graph::with_bias(std::move(sums), added->to_integers());
  annotate_sum(node, sum, x, w_scale);
  const Shape shape = node.shape(sum);
  const bool on_axis_1 =
      shape.size() >= 2 && shape[1] == static_cast<int64_t>(sums.size()) && (shape.size() == 2 || channel_axis == 0);
  if (!on_axis_1 && w_scale.size() == 1) sums = {hull(sums)};
  const std::vector<Rescaling> channels = rescalings(node, x, w_scale, y, sums, factor);
  if (on_axis_1 || channels.size() == 1) return emit_requantised(node, sum, channels, y);
  node.fail(std::to_string(w_scale.size()) + " scales of weights for a result of " + to_string(shape),
            "one, or a result of two axes");
}

struct Function {
  double (*of)(double x, double alpha);
  double alpha;
};

void read_table(NodeReader& node, const Function& function) {
  const Operand x = operand(node, 0);
  const Grid y = result_grid(node, 3, node.typed(x.id).type);
  std::vector<int64_t> table;
  for (int64_t q = x.grid.low; q <= x.grid.high; ++q)
    table.push_back(y.quantise(function.of(x.grid.real(q, 0), function.alpha), 0, Rounding::HalfEven));
  const auto levels = static_cast<int64_t>(table.size());
  node.emit(graph::Table{x.grid.low}, {x.id, node.add_constant("table", Tensor({levels}, table).cast(y.container()))});
  graph::Graph& graph = node.reader().graph();
  graph[graph.nodes.back().outputs[0]].grid = y;
}

void read_mean(NodeReader& node, graph::Op op, const Operand& x, const Grid& y, int64_t count) {
  const Interval each{std::min<int64_t>(x.grid.low - x.grid.zero_point, 0),
                      std::max<int64_t>(x.grid.high - x.grid.zero_point, 0)};
  const Interval sums{each.low * count, each.high * count};
  if (sums.low < accumulator_range.low || sums.high > accumulator_range.high)
    node.fail("a mean of " + std::to_string(count) + " integers", "a sum in 32 bits");
  const ValueId sum = node.step("sum", std::move(op), {x.id});
  emit_requantised(node, sum, {{quant::Ratio{{x.scale()}, {y.scale[0], static_cast<double>(count)}}, 0, sums}}, y);
}

void check_channels_first(const NodeReader& node) {
  if (node.attributes().integer("channels_last", 0) != 0) node.fail("attribute 'channels_last' is 1", "0");
}

// ---- the sum of two operands ----------------------------------------------------------------------------------------

/// Multipliers under which a sum of both operands has its levels in order.
struct Weighing {
  int64_t a, b;
};

/// The levels of all pairs as a staircase of a * i + b * j, offsets as in the operands; nothing where two pairs of one
/// sum, or of sums in order, have levels out of order.
std::optional<Stepped> staircase_of_sums(const Weighing& w, const Operand& a, const Operand& b, const Grid& y,
                                         const std::vector<int64_t>& levels) {
  std::map<int64_t, int64_t> level_of;
  size_t pair = 0;
  for (int64_t i = a.grid.low; i <= a.grid.high; ++i)
    for (int64_t j = b.grid.low; j <= b.grid.high; ++j, ++pair) {
      const int64_t level = std::clamp(levels[pair] + y.zero_point, y.low, y.high);
      if (!level_of.emplace(w.a * i + w.b * j, level).second && level_of[w.a * i + w.b * j] != level)
        return std::nullopt;
    }
  const auto [first, bottom] = *level_of.begin();
  quant::Staircase steps{bottom, {}, {}};
  int64_t before = first;
  for (const auto& [sum, level] : level_of) {
    if (level < steps.last()) return std::nullopt;
    const auto jump = static_cast<size_t>(level - steps.last());
    steps.at.insert(steps.at.end(), jump, sum);
    steps.before.insert(steps.before.end(), jump, before);
    before = sum;
  }
  return Stepped{std::move(steps), {first, before}, a.scale() / y.scale[0] / static_cast<double>(w.a)};
}

/// Equal scales, scales of a whole ratio, then ever finer approximations within 31 bits.
std::vector<Weighing> weighings(double a, double b) {
  const double ratio = std::max(a, b) / std::min(a, b);
  std::vector<Weighing> all;
  if (ratio == std::floor(ratio) && ratio < 0x1p20)
    all.push_back(a > b ? Weighing{static_cast<int64_t>(ratio), 1} : Weighing{1, static_cast<int64_t>(ratio)});
  for (int bits : {8, 12, 16, 20, 21}) {
    const double unit = std::ldexp(1.0, bits) / std::max(a, b);
    const Weighing w{std::llround(a * unit), std::llround(b * unit)};
    if (w.a > 0 && w.b > 0) all.push_back(w);
  }
  return all;
}

ValueId weighed(NodeReader& node, std::string_view suffix, const Operand& x, int64_t multiplier) {
  if (multiplier == 1) return x.id;
  graph::Requantise op;
  op.multiplier = {multiplier}, op.addend = {0}, op.shift = {0};
  op.low = INT32_MIN, op.high = INT32_MAX;
  return node.step(suffix, op, {x.id});
}

/// Any function of two 8-bit integers: a table over all pairs.
void emit_pair_table(NodeReader& node, const Operand& a, const Operand& b, const Grid& y,
                     const std::vector<int64_t>& levels) {
  const int64_t columns = b.grid.high - b.grid.low + 1;
  const ValueId index = node.step("index", graph::Add{}, {weighed(node, "row", a, columns), b.id});
  std::vector<int64_t> table;
  for (int64_t level : levels) table.push_back(std::clamp(level + y.zero_point, y.low, y.high));
  const auto count = static_cast<int64_t>(table.size());
  node.emit(graph::Table{a.grid.low * columns + b.grid.low},
            {index, node.add_constant("table", Tensor({count}, table).cast(y.container()))});
  graph::Graph& graph = node.reader().graph();
  graph[graph.nodes.back().outputs[0]].grid = y;
}

}  // namespace

ValueId centred_weights(NodeReader& node, size_t slot, size_t points, int64_t axis) {
  const ValueId id = node.value(slot);
  const ElementType type = node.typed(id).type;
  if (type != ElementType::Int8 && type != ElementType::UInt8)
    node.fail("weights of " + std::string(to_string(type)), "int8 or uint8");
  const graph::Ints z = node.has(points) ? node.integers(points, "zero point") : graph::Ints{0};
  if (z.empty()) node.fail("an empty zero point", "one");
  for (int64_t point : z)
    if (point < INT8_MIN || point > UINT8_MAX)
      node.fail("a zero point of the weights of " + std::to_string(point), "one of 8 bits");
  if (std::all_of(z.begin(), z.end(), [](int64_t point) { return point == 0; })) return id;
  const Tensor* weights = node.reader().graph().constant(id);
  if (!weights) node.fail("computed weights with a zero point", "0, or constant weights");
  const auto along = static_cast<size_t>(node.axis(axis, weights->rank()));
  const ChannelOf channel(weights->shape(), static_cast<int64_t>(along));
  if (z.size() != 1 && z.size() != channel.count())
    node.fail(std::to_string(z.size()) + " zero points of the weights", "1 or " + std::to_string(channel.count()));
  std::vector<int64_t> q = weights->to_integers();
  bool bytes = true;
  for (size_t i = 0; i < q.size(); ++i) {
    q[i] -= z[z.size() == 1 ? 0 : channel(i)];
    bytes = bytes && q[i] >= INT8_MIN && q[i] <= INT8_MAX;
  }
  return node.add_constant("weights", Tensor(weights->shape(), q).cast(bytes ? ElementType::Int8 : ElementType::Int16));
}

void read_qlinear_conv(NodeReader& node) {
  node.expect_inputs(8, 9);
  const Operand x = operand(node, 0);
  graph::Conv conv = conv_of(node, x.id, node.value(3));
  conv.zero_point = x.grid.zero_point;
  std::vector<ValueId> inputs{x.id, centred_weights(node, 3, 5, 0)};
  if (node.has(8)) inputs.push_back(node.value(8));
  finish_linear(node, conv, std::move(inputs), x, scales_of_weights(node, 4), 0,
                result_grid(node, 6, node.typed(x.id).type));
}

void read_qlinear_matmul(NodeReader& node) {
  node.expect_inputs(8, 8);
  const Operand a = operand(node, 0);
  const ValueId b = centred_weights(node, 3, 5, -1);
  const size_t rank = node.shape(b).size();
  if (rank == 0) node.fail("a scalar", "matrices");
  finish_linear(node, graph::MatMul{a.grid.zero_point, 0}, {a.id, b}, a, scales_of_weights(node, 4), rank - 1,
                result_grid(node, 6, node.typed(a.id).type));
}

void read_qgemm(NodeReader& node) {
  node.expect_inputs(6, 9);
  const Operand a = operand(node, 0);
  graph::Gemm gemm;
  gemm.transpose_a = node.attributes().integer("transA", 0) != 0;
  gemm.transpose_b = node.attributes().integer("transB", 0) != 0;
  gemm.zero_point = a.grid.zero_point;
  const double alpha = node.attributes().real("alpha", 1);
  if (!(alpha > 0) || !std::isfinite(alpha)) node.fail("attribute 'alpha' is " + std::to_string(alpha), "above 0");
  const size_t channel_axis = gemm.transpose_b ? 0 : 1;
  std::vector<ValueId> inputs{a.id, centred_weights(node, 3, 5, static_cast<int64_t>(channel_axis))};
  if (node.has(6)) inputs.push_back(node.value(6));
  std::vector<double> w_scale = scales_of_weights(node, 4);
  if (node.has(7))
    return finish_linear(node, gemm, std::move(inputs), a, w_scale, channel_axis,
                         result_grid(node, 7, node.typed(a.id).type), alpha);
  for (double& scale : w_scale) scale *= alpha;
  annotate_weights(node, inputs[1], w_scale, channel_axis);
  const ValueId sum = node.step("sum", gemm, std::move(inputs));
  annotate_sum(node, sum, a, w_scale);
  const auto& grid = node.typed(sum).grid;
  if (!grid) node.fail("scales whose product no float holds", "others");
  Item reals;
  reals.reals_of = RealsOf{sum, *grid};
  node.reader().define(node.output_name(0), std::move(reals));
}

void read_qlinear_add(NodeReader& node) {
  node.expect_inputs(7, 8);
  const Operand a = operand(node, 0), b = operand(node, 3);
  const Grid y = result_grid(node, 6, node.typed(a.id).type);
  if (a.grid.levels() > 256 || b.grid.levels() > 256) node.fail("16-bit integers", "8 bits");
  const Interval centred_a{a.grid.low - a.grid.zero_point, a.grid.high - a.grid.zero_point};
  const Interval centred_b{b.grid.low - b.grid.zero_point, b.grid.high - b.grid.zero_point};
  const std::vector<int64_t> levels = quant::rounded_sums(a.scale(), centred_a, b.scale(), centred_b, y.scale[0]);
  for (const Weighing& w : weighings(a.scale(), b.scale())) {
    auto stepped = staircase_of_sums(w, a, b, y, levels);
    if (!stepped) continue;
    const ValueId sum = node.step("sum", graph::Add{}, {weighed(node, "a", a, w.a), weighed(node, "b", b, w.b)});
    return emit_staircases(node, sum, {std::move(*stepped)}, y);
  }
  emit_pair_table(node, a, b, y, levels);
}

void read_qlinear_mul(NodeReader& node) {
  node.expect_inputs(7, 8);
  const Operand a = operand(node, 0), b = operand(node, 3);
  const Grid y = result_grid(node, 6, node.typed(a.id).type);
  const auto centred = [&](std::string_view suffix, const Operand& x) {
    if (x.grid.zero_point == 0) return x.id;
    const auto point = static_cast<int32_t>(x.grid.zero_point);
    const ValueId constant = node.add_constant(std::string(suffix) + "_zero", Tensor({1}, std::vector<int32_t>{point}));
    return node.step(suffix, graph::Sub{}, {x.id, constant});
  };
  const ValueId product = node.step("product", graph::Mul{}, {centred("a", a), centred("b", b)});
  const int64_t ends_a[] = {a.grid.low - a.grid.zero_point, a.grid.high - a.grid.zero_point};
  const int64_t ends_b[] = {b.grid.low - b.grid.zero_point, b.grid.high - b.grid.zero_point};
  Interval reachable{0, 0};
  for (int64_t i : ends_a)
    for (int64_t j : ends_b) reachable = hull(reachable, {i * j, i * j});
  emit_requantised(node, product, {{quant::Ratio{{a.scale(), b.scale()}, y.scale}, 0, reachable}}, y);
}

void read_qlinear_concat(NodeReader& node) {
  if (node.input_count() < 5 || node.input_count() % 3 != 2)
    node.fail(std::to_string(node.input_count()) + " inputs", "a scale and zero point, then three for each branch");
  const Operand first = operand(node, 2);
  const Grid y = result_grid(node, 0, node.typed(first.id).type);
  std::vector<ValueId> branches;
  for (size_t slot = 2; slot < node.input_count(); slot += 3) {
    const Operand x = operand(node, slot);
    if (x.grid == y) {
      branches.push_back(x.id);
      continue;
    }
    const quant::Staircase steps =
        quant::staircase(quant::Ratio{{x.scale()}, y.scale}, -x.grid.zero_point, y, x.range());
    std::vector<int64_t> table;
    for (int64_t q = x.grid.low; q <= x.grid.high; ++q) table.push_back(steps.level(q));
    const std::string suffix = "branch" + std::to_string(branches.size());
    const auto count = static_cast<int64_t>(table.size());
    const ValueId constant = node.add_constant(suffix + "_table", Tensor({count}, table).cast(y.container()));
    branches.push_back(node.step(suffix, graph::Table{x.grid.low}, {x.id, constant}));
    node.reader().graph()[branches.back()].grid = y;
  }
  if (!node.attributes().has("axis")) node.fail("no attribute 'axis'", "an integer");
  node.emit(graph::Concat{node.attributes().integer("axis", 0)}, branches);
  graph::Graph& graph = node.reader().graph();
  graph[graph.nodes.back().outputs[0]].grid = y;
}

void read_qlinear_average_pool(NodeReader& node) {
  node.expect_inputs(4, 5);
  check_channels_first(node);
  const Operand x = operand(node, 0);
  const Window window = read_window(node, x.id);
  const bool padded = std::any_of(window.pads.begin(), window.pads.end(), [](int64_t pad) { return pad != 0; });
  if (padded && node.attributes().integer("count_include_pad", 0) == 0)
    node.fail("pads that do not count", "count_include_pad 1: a divisor for all positions");
  if (node.attributes().integer("ceil_mode", 0) != 0) node.fail("attribute 'ceil_mode' is 1", "0");
  graph::SumPool pool;
  pool.kernel = window.kernel, pool.strides = window.strides, pool.pads = window.pads;
  pool.dilations = window.dilations;
  pool.zero_point = x.grid.zero_point;
  int64_t count = 1;
  for (int64_t extent : pool.kernel) count *= extent;
  read_mean(node, pool, x, result_grid(node, 3, node.typed(x.id).type), count);
}

void read_qlinear_global_average_pool(NodeReader& node) {
  node.expect_inputs(4, 5);
  check_channels_first(node);
  const Operand x = operand(node, 0);
  graph::ReduceSum sum;
  sum.zero_point = x.grid.zero_point;
  int64_t count = 1;
  for (size_t axis = 2; axis < node.shape(x.id).size(); ++axis) {
    sum.axes.push_back(static_cast<int64_t>(axis));
    count *= node.fixed_extent(x.id, axis);
  }
  if (sum.axes.empty()) node.fail("input of shape " + to_string(node.shape(x.id)), "[N, C, spatial...]");
  read_mean(node, sum, x, result_grid(node, 3, node.typed(x.id).type), count);
}

void read_qlinear_reduce_mean(NodeReader& node) {
  node.expect_inputs(4, 5);
  const Operand x = operand(node, 0);
  const size_t rank = node.shape(x.id).size();
  graph::ReduceSum sum;
  sum.axes = node.attributes().integers("axes");
  sum.keep_dims = node.attributes().integer("keepdims", 1) != 0;
  sum.zero_point = x.grid.zero_point;
  if (sum.axes.empty())
    for (size_t axis = 0; axis < rank; ++axis) sum.axes.push_back(static_cast<int64_t>(axis));
  int64_t count = 1;
  for (int64_t& axis : sum.axes) {
    axis = node.axis(axis, rank);
    count *= node.fixed_extent(x.id, static_cast<size_t>(axis));
  }
  read_mean(node, sum, x, result_grid(node, 3, node.typed(x.id).type), count);
}

void read_qlinear_sigmoid(NodeReader& node) {
  node.expect_inputs(4, 5);
  read_table(node, {[](double x, double) { return 1 / (1 + std::exp(-x)); }, 0});
}

void read_qlinear_leaky_relu(NodeReader& node) {
  node.expect_inputs(4, 5);
  const double alpha = node.attributes().real("alpha", 0.01);
  if (!std::isfinite(alpha)) node.fail("attribute 'alpha' is " + std::to_string(alpha), "a finite number");
  read_table(node, {[](double x, double factor) { return x >= 0 ? x : factor * x; }, alpha});
}

}  // namespace nibble::onnx
