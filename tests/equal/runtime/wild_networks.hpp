#pragma once
#include <numeric>

#include "base/error.hpp"
#include "equal/onnx/random_integer_networks.hpp"
#include "equal/runtime/image_networks.hpp"
#include "graph/ranges.hpp"

namespace nibble::tests {

/// Integer networks beyond what files hold: any extents, windows of one to three axes, odd strides and pads, groups,
/// zero points, wide integers, residual sums of every shape, views of views. Each value's range is the one that
/// graph::integer_range proves.
class WildNetwork : public AnyNetwork {
 public:
  using AnyNetwork::AnyNetwork;

  graph::Graph make() {
    start();
    const int64_t count = between(2, 11);
    for (int64_t i = 0; i < count; ++i) {
      if (chance(4) && tame())
        step();
      else
        wild_step();
    }
    end();
    return graph;
  }

 private:
  static constexpr int64_t widest = int64_t{1} << 58;
  static constexpr int64_t largest_size = 4000;

  /// What AnyNetwork's steps take.
  bool tame() const {
    return std::all_of(live_.begin(), live_.end(), [&](const Live& x) {
      const Shape& extents = shape(x);
      return extents.size() >= 2 && elements(x) > 0 && largest(x.range) < (int64_t{1} << 40) &&
             std::find(extents.begin() + 1, extents.end(), any) == extents.end();
    });
  }

  // ---- construction

  /// The node, and its range; nothing where its inputs do not fit, or its integers would be too wide or too many.
  std::optional<Live> put(const std::string& what, graph::Op op, const std::vector<graph::ValueId>& inputs) {
    try {
      Live y = node(what, std::move(op), inputs, {});
      graph[y.id].bounds.clear();
      const graph::Ranges ranges = graph::integer_range(graph, graph.nodes.back(), [&](graph::ValueId id) {
        return graph[id].bounds.empty() ? graph::Ranges{graph::any_integer()} : graph[id].bounds;
      });
      graph[y.id].bounds = ranges.size() > 1 && shape(y).size() < 2 ? graph::Ranges{hull(ranges)} : ranges;
      y.range = hull(ranges);
      if (y.range.low >= -widest && y.range.high <= widest && elements(y) <= largest_size) return y;
    } catch (const UserError&) {
    }
    graph.nodes.pop_back();
    return std::nullopt;
  }
  std::optional<Live> kept(const std::string& what, graph::Op op, const std::vector<graph::ValueId>& inputs) {
    const auto y = put(what, std::move(op), inputs);
    if (y) keep(*y);
    return y;
  }
  static Interval hull(const graph::Ranges& ranges) {
    Interval all = ranges.front();
    for (const Interval& each : ranges) all = united(all, each);
    return all;
  }
  Interval any_levels() { return chance(6) ? wide_levels() : levels(between(1, 8)); }
  Interval wide_levels() {
    const int64_t n = int64_t{1} << between(9, 31);
    return chance(2) ? Interval{0, n - 1} : Interval{-n / 2, n / 2 - 1};
  }
  int64_t any_extent() { return chance(8) ? 1 : between(1, 7); }
  int64_t any_channels() { return chance(4) ? between(5, 40) : between(1, 4); }

  void start() {
    const int64_t batch = chance(4) ? any : chance(4) ? between(2, 3) : 1;
    const int64_t axes = between(0, 3);
    const int64_t inputs = between(1, 2);
    for (int64_t i = 0; i < inputs; ++i) {
      Shape extents{batch, any_channels()};
      for (int64_t k = 0; k < axes; ++k) extents.push_back(any_extent());
      if (i > 0 && chance(2)) extents = shape(live_.front());
      keep(input(extents, any_levels()));
    }
    if (batch != any && chance(8)) {
      const Interval range = any_levels();
      const graph::ValueId id = constant("fixed", {any_channels(), any_extent()}, range);
      graph[id].bounds = {range};
      keep({id, range});
    }
  }

  // ---- the tail

  std::optional<graph::ValueId> real(const std::string& what, graph::Op op, const std::vector<graph::ValueId>& inputs) {
    try {
      const Live y = node(what, std::move(op), inputs, {});
      graph[y.id].bounds.clear();
      return y.id;
    } catch (const UserError&) {
      graph.nodes.pop_back();
      return std::nullopt;
    }
  }
  graph::ValueId real_constant(const Shape& extents) {
    Tensor tensor(ElementType::Float32, extents);
    for (float& value : tensor.as<float>()) value = static_cast<float>(random.normal());
    return graph.add_constant("r", tensor);
  }

  /// Reals behind a Dequantise, function after function.
  void tail() {
    const Live x = pick();
    if (x.range.high - x.range.low > 100000) return;
    Grid grid{.low = x.range.low, .high = std::max(x.range.high, x.range.low + 1)};
    grid.zero_point = between(x.range.low, x.range.high);
    grid.scale = {std::ldexp(static_cast<double>(between(1, 255)), -12)};
    if (shape(x).size() >= 2 && shape(x)[1] > 0 && chance(2)) {
      grid.axis = 1;
      grid.scale.resize(static_cast<size_t>(shape(x)[1]), 0.125);
      for (double& scale : grid.scale) scale = std::ldexp(static_cast<double>(between(1, 255)), -10);
    }
    auto y = real("dequantise", graph::Dequantise{grid}, {x.id});
    const int64_t count = between(0, 4);
    for (int64_t i = 0; y && i < count; ++i)
      if (const auto next = real_step(*y)) y = next;
    if (y && chance(4) && graph[*y].shape.size() > 1)
      if (const auto place = real(
              "argmax", graph::ArgMax{static_cast<int64_t>(graph[*y].shape.size()) - 1, chance(2), chance(2)}, {*y}))
        y = place;
    if (y) graph.outputs.push_back(*y);
  }

  std::optional<graph::ValueId> real_step(graph::ValueId x) {
    const Shape extents = graph[x].shape;
    const auto rank = static_cast<int64_t>(extents.size());
    if (rank == 0) return {};
    switch (random.below(16)) {
      case 0: return real("sigmoid", graph::Sigmoid{}, {x});
      case 1: return real("tanh", graph::Tanh{}, {x});
      case 2: return real("softmax", graph::Softmax{rank - 1}, {x});
      case 3: return real("logsoftmax", graph::LogSoftmax{extents[static_cast<size_t>(rank) - 1] == any ? 0 : -1}, {x});
      case 4: return real("leaky", graph::LeakyRelu{0.125}, {x});
      case 5: return real("gelu", graph::Gelu{chance(2)}, {x});
      case 6: return real("add", graph::Add{}, {x, x});
      case 7: return real("mul", graph::Mul{}, {x, real_constant({extents.back() == any ? 1 : extents.back()})});
      case 8: return real("clip", graph::Clip{-0.5, 1.25}, {x});
      case 9: return real("neg", graph::Neg{}, {x});
      case 10:
        return extents.back() == any ? std::nullopt : real("mean", graph::ReduceMean{{rank - 1}, chance(2)}, {x});
      case 11:
        return extents.back() == any
                   ? std::nullopt
                   : real("matmul", graph::MatMul{}, {x, real_constant({extents.back(), between(1, 4)})});
      case 12: return real("concat", graph::Concat{rank - 1}, {x, x});
      case 13: return real("hardswish", graph::HardSwish{}, {x});
      case 14: return real("unsqueeze", graph::Unsqueeze{{rank}}, {x});
      default: return real("flatten", graph::Flatten{1}, {x});
    }
  }

  /// Outputs: what nothing reads, and now and then others, an input or the same twice among them.
  void end() {
    if (graph.nodes.empty() && !kept("identity", graph::Identity{}, {live_.front().id}))
      fail("tests", "a drawn network", "an input that no node takes", "another draw");
    const graph::Uses uses(graph);
    for (size_t i = graph.nodes.size(); i-- > 0;)
      for (graph::ValueId id : graph.nodes[i].outputs)
        if (uses.readers[static_cast<size_t>(id)].empty() && (graph.outputs.size() < 4 || chance(2)))
          graph.outputs.push_back(id);
    if (chance(4)) graph.outputs.push_back(pick().id);
    if (chance(4)) tail();
    if (chance(3))
      for (graph::Value& value : graph.values)
        if (!value.constant &&
            std::find(graph.inputs.begin(), graph.inputs.end(), graph.find(value.name)) == graph.inputs.end())
          value.bounds.clear();
    graph::tidy(graph);
    graph::verify(graph);
  }

  // ---- stages

  /// With what integers come back into few bits: products, divisions, thresholds, tables.
  std::optional<Live> any_stage(const Live& x, Interval to) {
    switch (random.below(8)) {
      case 0: return floor_divide(x, to);
      case 1: return wild_threshold(x);
      case 2: return narrow(x) ? wild_table(x) : wild_requantise(x, to);
      case 3: return put("clip", graph::Clip{static_cast<double>(to.low), static_cast<double>(to.high)}, {x.id});
      default: return wild_requantise(x, to);
    }
  }

  std::optional<Live> wild_requantise(const Live& x, Interval to) {
    graph::Requantise op;
    op.low = to.low, op.high = to.high;
    const int64_t count = shape(x).size() >= 2 && chance(2) ? shape(x)[1] : 1;
    const int64_t bits = chance(8) ? between(32, 62) : between(1, 31);
    const double reach = static_cast<double>(std::max<int64_t>(largest(x.range), 1));
    const double wanted = static_cast<double>(std::max<int64_t>(to.high - to.low, 1));
    for (int64_t c = 0; c < count; ++c) {
      const int64_t m = chance(16) ? 0 : between(1, (int64_t{1} << bits) - 1);
      const double exact = std::log2(reach * static_cast<double>(std::max<int64_t>(m, 1)) / wanted);
      const int64_t shift = chance(12)
                                ? between(0, 63)
                                : std::clamp<int64_t>(static_cast<int64_t>(std::ceil(exact)) - between(0, 2), 0, 63);
      op.multiplier.push_back(chance(5) ? -m : m);
      op.shift.push_back(shift);
      const int64_t half = shift == 0 ? 0 : int64_t{1} << std::min<int64_t>(shift - 1, 61);
      op.addend.push_back(chance(3)    ? half
                          : chance(12) ? one_of<int64_t>({INT64_MIN, INT64_MAX})
                                       : between(-half, half));
    }
    return put("rq", op, {x.id});
  }

  std::optional<Live> floor_divide(const Live& x, Interval to) {
    graph::FloorDivide op;
    op.low = to.low, op.high = to.high;
    const int64_t count = shape(x).size() >= 2 && chance(2) ? shape(x)[1] : 1;
    for (int64_t c = 0; c < count; ++c) {
      op.multiplier.push_back(between(-99, 99)), op.addend.push_back(between(-999, 999));
      op.divisor.push_back(chance(9) ? INT64_MAX
                                     : between(1, 1 + largest(x.range) / std::max<int64_t>(largest(to), 1)));
    }
    return put("floordivide", op, {x.id});
  }

  std::optional<Live> wild_threshold(const Live& x) {
    const int64_t rows = shape(x).size() >= 2 && chance(2) ? shape(x)[1] : 1, steps = between(1, 20);
    Tensor thresholds(ElementType::Int64, {rows, steps});
    const auto values = thresholds.as<int64_t>();
    for (int64_t& value : values) value = between(x.range.low - 2, x.range.high + 2);
    for (int64_t row = 0; row < rows; ++row)
      std::sort(values.begin() + row * steps, values.begin() + (row + 1) * steps);
    graph::Threshold op{between(-20, 20), {}};
    if (chance(2))
      for (int64_t row = 0; row < rows; ++row) op.falling.push_back(between(0, 1));
    return put("threshold", op, {x.id, graph.add_constant("steps", thresholds)});
  }

  std::optional<Live> wild_table(const Live& x) {
    const int64_t before = between(0, 3), after = between(0, 3);
    return put("table", graph::Table{x.range.low - before},
               {x.id, constant("table", {x.range.high - x.range.low + 1 + before + after}, any_levels())});
  }

  /// x within few bits.
  Live small_one(const Live& x) {
    if (narrow(x)) return x;
    if (const auto y = wild_requantise(x, levels(between(1, 8)))) return *y;
    return x;
  }

  // ---- linear

  template <class Op>
  bool wild_window(Op& op, graph::Ints& kernel, const Live& x, bool overlap) {
    for (size_t i = 0; i < spatial(x); ++i) {
      kernel.push_back(chance(3) ? 1 : between(1, 5));
      op.strides.push_back(chance(2) ? 1 : between(1, 3));
      op.dilations.push_back(chance(4) ? between(2, 3) : 1);
    }
    for (size_t side = 0; side < 2; ++side)
      for (size_t i = 0; i < spatial(x); ++i)
        op.pads.push_back(chance(3) ? 0 : between(0, overlap ? kernel[i] / 2 : kernel[i] + 1));
    return !kernel.empty() && kernel.size() <= 3;
  }

  int64_t wild_zero_point(const Live& x) {
    if (chance(12)) return between(-400, 400);
    return chance(2) ? between(std::max<int64_t>(x.range.low, -40000), std::min<int64_t>(x.range.high, 40000)) : 0;
  }
  Interval any_weights() {
    return chance(8) ? one_of<Interval>({{-1, 1}, {-1000, 1000}, {-70000, 70000}, {-128, 255}}) : levels(between(1, 8));
  }

  std::optional<Live> wild_conv(const Live& given) {
    if (shape(given).size() < 3 || shape(given).size() > 5) return {};
    const Live x = chance(10) ? given : small_one(given);
    graph::Conv op;
    graph::Ints kernel;
    wild_window(op, kernel, x, false);
    op.zero_point = wild_zero_point(x);
    const int64_t channels = shape(x)[1];
    if (channels < 1) return {};
    op.group = chance(3) ? channels : 1;
    if (chance(4))
      for (int64_t g = 2; g < channels; ++g)
        if (channels % g == 0) op.group = g;
    const int64_t outputs =
        op.group == channels && !chance(4) ? channels : op.group * between(1, std::max<int64_t>(20 / op.group, 1));
    Shape w{outputs, channels / op.group};
    w.insert(w.end(), kernel.begin(), kernel.end());
    std::vector<graph::ValueId> inputs{x.id, constant("w", w, any_weights())};
    if (chance(2)) inputs.push_back(constant("b", {outputs}, {-bias_most, bias_most}, ElementType::Int32));
    return put("conv", op, inputs);
  }

  std::optional<Live> wild_conv_transpose(const Live& given) {
    if (shape(given).size() < 3 || shape(given).size() > 5 || elements(given) > 500) return {};
    const Live x = small_one(given);
    graph::ConvTranspose op;
    graph::Ints kernel;
    wild_window(op, kernel, x, true);
    for (size_t i = 0; i < kernel.size(); ++i)
      op.output_pads.push_back(between(0, std::max(op.strides[i], op.dilations[i]) - 1));
    op.zero_point = wild_zero_point(x);
    const int64_t channels = shape(x)[1];
    if (channels < 1) return {};
    op.group = chance(3) ? channels : 1;
    Shape w{channels, between(1, 3)};
    w.insert(w.end(), kernel.begin(), kernel.end());
    std::vector<graph::ValueId> inputs{x.id, constant("w", w, any_weights())};
    if (chance(2)) inputs.push_back(constant("b", {w[1] * op.group}, {-bias_most, bias_most}, ElementType::Int32));
    return put("convtranspose", op, inputs);
  }

  std::optional<Live> wild_gemm(const Live& given) {
    if (shape(given).size() != 2) return {};
    const Live x = small_one(given);
    graph::Gemm op{1, 1, chance(4), chance(2), wild_zero_point(x)};
    const int64_t inner = shape(x)[op.transpose_a ? 0 : 1], columns = between(1, 20);
    if (inner == any) return {};
    const Shape w = op.transpose_b ? Shape{columns, inner} : Shape{inner, columns};
    std::vector<graph::ValueId> inputs{x.id, constant("w", w, any_weights())};
    if (chance(8))
      for (const Live& y : live_)
        if (shape(y) == w) inputs[1] = y.id;
    const int64_t rows = shape(x)[op.transpose_a ? 1 : 0];
    if (chance(2)) {
      std::vector<Shape> shapes{{columns}, {columns}, {1, columns}, {1}, {}};
      if (rows != any) shapes.push_back({rows, 1}), shapes.push_back({rows, columns});
      inputs.push_back(constant("b", one_of(shapes), {-bias_most, bias_most}, ElementType::Int32));
    }
    return put("gemm", op, inputs);
  }

  std::optional<Live> wild_product(const Live& given) {
    const Live x = small_one(given);
    const int64_t inner = shape(x).back();
    if (inner == any) return {};
    graph::MatMul op{wild_zero_point(x), 0};
    if (chance(3)) {
      op.zero_point_b = between(-9, 9);
      Shape w{inner, between(1, 20)};
      if (chance(4)) w.pop_back();
      if (chance(5)) w.insert(w.begin(), between(1, 3));
      return put("matmul", op, {x.id, constant("w", w, any_weights())});
    }
    if (shape(x).size() >= 3 && chance(2)) {
      const auto rank = static_cast<int64_t>(shape(x).size());
      graph::Transpose turn;
      for (int64_t i = 0; i < rank; ++i) turn.perm.push_back(i);
      std::swap(turn.perm[static_cast<size_t>(rank) - 1], turn.perm[static_cast<size_t>(rank) - 2]);
      const auto turned = put("transpose", turn, {x.id});
      op.zero_point_b = wild_zero_point(x);
      return turned ? put("matmul", op, {x.id, turned->id}) : turned;
    }
    if (!is_static(shape(x))) return {};
    if (chance(2)) return put("matmul", op, {x.id, small_one(pick()).id});
    const int64_t terms = shape(x).size() > 1 ? shape(x)[shape(x).size() - 2] : inner;
    return put("matmul", op, {constant("a", {between(1, 9), terms}, any_weights()), x.id});
  }

  // ---- sums

  /// A convolution that keeps x's shape.
  std::optional<Live> like(const Live& x) {
    graph::Conv op;
    Shape w{shape(x)[1], shape(x)[1]};
    for (size_t i = 0; i < spatial(x); ++i) w.push_back(3), op.strides.push_back(1), op.dilations.push_back(1);
    op.pads = graph::Ints(2 * spatial(x), 1);
    op.zero_point = wild_zero_point(x);
    if (chance(3)) op.group = shape(x)[1], w[1] = 1;
    return put("conv", op, {x.id, constant("w", w, any_weights())});
  }

  /// A branch of x's shape: x itself, moved, pooled, convolved; requantised by none, one or two stages.
  std::optional<Live> branch(const Live& x) {
    std::optional<Live> y = x;
    const bool windows = shape(x).size() >= 3 && shape(x).size() <= 5;
    switch (random.below(6)) {
      case 0:
      case 1:
      case 2:
        if (windows) y = like(small_one(x));
        break;
      case 3: y = put("identity", graph::Identity{}, {x.id}); break;
      case 4:
        if (const auto other = partner(x, false)) y = *other;
        break;
      default: break;
    }
    const int64_t stages = between(0, 2);
    for (int64_t i = 0; y && i < stages; ++i) y = chance(3) ? any_stage(*y, any_levels()) : scalar_requantise(*y);
    if (y && windows && chance(8)) {
      graph::MaxPool op;
      op.kernel.assign(spatial(x), 3), op.strides.assign(spatial(x), 1), op.pads.assign(2 * spatial(x), 1);
      y = put("maxpool", op, {y->id});
    }
    return y;
  }

  /// One multiplier; clipped or not.
  std::optional<Live> scalar_requantise(const Live& x) {
    graph::Requantise op;
    op.multiplier = {chance(4) ? -between(1, 999) : between(1, 999)};
    op.shift = {chance(3) ? 0 : between(0, 12)}, op.addend = {between(-5000, 5000)};
    const Interval wide{-(int64_t{1} << 40), int64_t{1} << 40}, few = any_levels();
    op.low = chance(2) ? wide.low : few.low, op.high = chance(2) ? wide.high : few.high;
    return op.low <= op.high ? put("rq", op, {x.id}) : std::nullopt;
  }

  std::optional<Live> residual(const Live& x) {
    const auto a = branch(x), b = chance(8) ? a : branch(x);
    if (!a || !b || shape(*a) != shape(*b)) return {};
    std::vector<graph::ValueId> terms{a->id, b->id};
    if (chance(8)) terms.push_back(x.id);
    const auto sum = put("add", graph::Add{}, terms);
    if (!sum) return {};
    if (chance(6)) keep(*sum);
    if (chance(6)) keep(*a);
    auto y = chance(4) ? put("relu", graph::Relu{}, {sum->id}) : sum;
    if (y && !chance(5)) y = any_stage(*y, any_levels());
    if (y && chance(4)) y = put("relu", graph::Relu{}, {y->id});
    return y;
  }

  // ---- elements

  /// An operand that broadcasts with x: a constant of any such shape, or a value.
  graph::ValueId operand(const Live& x, Interval range) {
    // Examples are not to meet each other: a batch may stand along another axis of a value of another rank.
    if (chance(3) && is_static(shape(x))) return pick().id;
    if (chance(2))
      if (const auto other = partner(x, false)) return other->id;
    Shape extents = shape(x);
    for (int64_t& extent : extents)
      if (extent == any || chance(2)) extent = 1;
    while (!extents.empty() && chance(3)) extents.erase(extents.begin());
    return constant("c", extents, range);
  }

  void elements_of(const Live& x) {
    const Interval range = any_levels();
    switch (random.below(12)) {
      case 0: kept("sub", graph::Sub{}, {x.id, operand(x, range)}); break;
      case 1: kept("mul", graph::Mul{}, {x.id, operand(x, range)}); break;
      case 2: kept("min", graph::Min{}, {x.id, operand(x, range)}); break;
      case 3: kept("max", graph::Max{}, {operand(x, range), x.id}); break;
      case 4: kept("where", graph::Where{}, {operand(x, {0, 1}), x.id, operand(x, range)}); break;
      case 5: kept("neg", graph::Neg{}, {x.id}); break;
      case 6: kept("abs", graph::Abs{}, {x.id}); break;
      case 7: kept("div", graph::Div{}, {x.id, constant("by", {1}, {1, 9})}); break;
      case 8: kept("add", graph::Add{}, {x.id, operand(x, range), operand(x, range)}); break;
      case 9: kept("relu", graph::Relu{}, {x.id}); break;
      case 10:
        kept("clip", graph::Clip{chance(2) ? -INFINITY : -0.5 * largest(range), 2.5 + range.high}, {x.id});
        break;
      default: kept("add", graph::Add{}, {operand(x, range), x.id});
    }
  }

  // ---- movement

  int64_t any_axis(const Live& x) { return between(0, static_cast<int64_t>(shape(x).size()) - 1); }
  bool fixed(const Live& x, int64_t axis) const { return shape(x)[static_cast<size_t>(axis)] != any; }

  void wild_concat(const Live& x) {
    const int64_t axis = any_axis(x), count = between(1, 4);
    std::vector<graph::ValueId> parts{x.id};
    for (int64_t i = 0; i < count; ++i) {
      std::vector<graph::ValueId> found;
      for (const Live& y : live_) {
        if (graph[y.id].type != graph[x.id].type || shape(y).size() != shape(x).size()) continue;
        Shape extents = shape(y);
        extents[static_cast<size_t>(axis)] = shape(x)[static_cast<size_t>(axis)];
        if (extents == shape(x)) found.push_back(y.id);
      }
      Shape extents = shape(x);
      extents[static_cast<size_t>(axis)] = between(1, 2);
      if (extents[0] != any && chance(4))
        parts.push_back(constant("c", extents, {0, 1}, graph[x.id].type));
      else if (!found.empty())
        parts.push_back(one_of(found));
    }
    std::rotate(parts.begin(), parts.begin() + between(0, static_cast<int64_t>(parts.size()) - 1), parts.end());
    kept("concat", graph::Concat{chance(3) ? axis - static_cast<int64_t>(shape(x).size()) : axis}, parts);
  }

  void wild_split(const Live& x) {
    const int64_t axis = any_axis(x);
    if (!fixed(x, axis)) return;
    graph::Split op{axis, {}};
    int64_t rest = shape(x)[static_cast<size_t>(axis)];
    while (rest > 0 && op.sizes.size() < 3) op.sizes.push_back(between(1, rest)), rest -= op.sizes.back();
    if (rest > 0) op.sizes.push_back(rest);
    if (op.sizes.empty()) return;
    const std::string name = "split" + std::to_string(graph.nodes.size());
    graph::Node node{name, op, {x.id}, {}};
    for (int64_t size : op.sizes) {
      const graph::ValueId id = graph.add_value(name + "_", graph[x.id].type, shape(x));
      graph[id].shape[static_cast<size_t>(axis)] = size;
      graph[id].bounds = {x.range};
      node.outputs.push_back(id);
    }
    graph.nodes.push_back(node);
    for (graph::ValueId id : node.outputs) keep({id, x.range});
  }

  void wild_slice(const Live& x) {
    graph::Slice op;
    for (int64_t axis = 0; axis < static_cast<int64_t>(shape(x).size()); ++axis) {
      const int64_t extent = shape(x)[static_cast<size_t>(axis)];
      if (extent == any || chance(2)) continue;
      op.axes.push_back(chance(4) ? axis - static_cast<int64_t>(shape(x).size()) : axis);
      if (chance(3)) {
        op.starts.push_back(between(0, extent)), op.ends.push_back(INT64_MIN), op.steps.push_back(-between(1, 3));
      } else {
        op.starts.push_back(between(0, std::max<int64_t>(extent - 1, 0)));
        op.ends.push_back(chance(2) ? INT64_MAX : between(-1, extent)), op.steps.push_back(between(1, 3));
      }
    }
    const auto y = put("slice", op, {x.id});
    if (y && (elements(*y) > 0 || chance(8))) keep(*y);
  }

  void wild_pad(const Live& x) {
    graph::Pad op;
    op.mode = one_of<graph::PadMode>({graph::PadMode::Constant, graph::PadMode::Reflect, graph::PadMode::Edge});
    const size_t rank = shape(x).size();
    for (size_t i = 0; i < 2 * rank; ++i)
      op.pads.push_back(shape(x)[i % rank] == any || chance(2) ? 0 : between(-1, 2));
    if (op.mode == graph::PadMode::Constant && chance(2)) op.value = static_cast<double>(between(-300, 300));
    kept("pad", op, {x.id});
  }

  void wild_transpose(const Live& x) {
    graph::Transpose op;
    for (int64_t i = 0; i < static_cast<int64_t>(shape(x).size()); ++i) op.perm.push_back(i);
    const size_t first = shape(x).empty() || shape(x)[0] != any ? 0 : 1;
    for (size_t i = op.perm.size(); i > first + 1; --i)
      std::swap(op.perm[i - 1], op.perm[first + random.below(i - first)]);
    kept("transpose", op, {x.id});
  }

  void wild_reshape(const Live& x) {
    const Shape& from = shape(x);
    switch (random.below(6)) {
      case 0: kept("flatten", graph::Flatten{between(0, static_cast<int64_t>(from.size()))}, {x.id}); return;
      case 1: kept("squeeze", graph::Squeeze{}, {x.id}); return;
      case 2: kept("unsqueeze", graph::Unsqueeze{{between(0, static_cast<int64_t>(from.size()))}}, {x.id}); return;
      default: break;
    }
    // Extents of the same product, drawn from the prime factors.
    Shape to{1};
    const size_t first = !from.empty() && from[0] == any ? 1 : 0;
    if (std::find(from.begin() + static_cast<std::ptrdiff_t>(first), from.end(), any) != from.end()) return;
    int64_t rest = element_count(Shape(from.begin() + static_cast<std::ptrdiff_t>(first), from.end()));
    for (int64_t f = 2; f <= rest; ++f)
      for (; rest % f == 0 && rest > 0; rest /= f) {
        if (chance(2) && to.size() < 5) to.insert(to.begin() + between(0, static_cast<int64_t>(to.size())), 1);
        to[random.below(to.size())] *= f;
      }
    if (rest == 0) return;
    if (first == 1) to.insert(to.begin(), 0);
    if (chance(3)) to.back() = -1;
    kept("reshape", graph::Reshape{to, false}, {x.id});
  }

  void wild_gather(const Live& x) {
    const int64_t axis = any_axis(x);
    if (!fixed(x, axis)) return;
    const int64_t extent = shape(x)[static_cast<size_t>(axis)];
    if (extent == 0) return;
    for (const Live& y : live_)
      if (is_static(shape(x)) && graph[y.id].type == ElementType::Int64 && y.range.low >= -extent &&
          y.range.high < extent && chance(2)) {
        kept("gather", graph::Gather{axis}, {x.id, y.id});
        return;
      }
    const Shape of = one_of<Shape>({{}, {between(1, 3)}, {2, 2}});
    kept("gather", graph::Gather{axis}, {x.id, constant("at", of, {-extent, extent - 1}, ElementType::Int64)});
  }

  void reduction(const Live& given) {
    const Live x = chance(3) ? given : small_one(given);
    graph::Ints axes;
    for (int64_t axis = 0; axis < static_cast<int64_t>(shape(x).size()); ++axis)
      if (fixed(x, axis) && chance(2)) axes.push_back(chance(4) ? axis - static_cast<int64_t>(shape(x).size()) : axis);
    if (axes.empty() && !is_static(shape(x))) return;
    switch (random.below(3)) {
      case 0: kept("sum", graph::ReduceSum{axes, chance(2), wild_zero_point(x)}, {x.id}); break;
      case 1: kept("most", graph::ReduceMax{axes, chance(2)}, {x.id}); break;
      default:
        if (!axes.empty()) kept("argmax", graph::ArgMax{axes[0], chance(2), chance(2)}, {x.id});
    }
  }

  void pools(const Live& given) {
    if (shape(given).size() < 3 || shape(given).size() > 5) return;
    if (chance(2)) {
      graph::MaxPool op;
      wild_window(op, op.kernel, given, true);
      op.ceil_mode = chance(3);
      kept("maxpool", op, {given.id});
      return;
    }
    const Live x = small_one(given);
    graph::SumPool op;
    wild_window(op, op.kernel, x, false);
    op.ceil_mode = chance(3);
    op.zero_point = wild_zero_point(x);
    kept("sumpool", op, {x.id});
  }

  void keep_staged(const std::optional<Live>& x) {
    if (!x) return;
    if (chance(5)) keep(*x);
    if (chance(5)) return keep(*x);
    const auto y = any_stage(*x, any_levels());
    if (!y) return;
    if (chance(4)) {
      kept("relu", graph::Relu{}, {y->id});
      if (chance(2)) return;
    }
    keep(*y);
  }

  void wild_step() {
    const Live x = pick();
    switch (random.below(20)) {
      case 0:
      case 1:
      case 2:
      case 3: keep_staged(wild_conv(x)); break;
      case 4: keep_staged(wild_conv_transpose(x)); break;
      case 5: keep_staged(wild_gemm(x)); break;
      case 6: keep_staged(shape(x).empty() ? std::nullopt : wild_product(x)); break;
      case 7:
      case 8:
      case 9:
        if (const auto y = residual(x)) keep(*y);
        break;
      case 10:
      case 11: elements_of(x); break;
      case 12: pools(x); break;
      case 13: reduction(x); break;
      case 14:
        if (!shape(x).empty()) wild_concat(x);
        break;
      case 15:
        if (!shape(x).empty()) chance(2) ? wild_split(x) : wild_gather(x);
        break;
      case 16: chance(2) ? wild_slice(x) : wild_pad(x); break;
      case 17: wild_reshape(x); break;
      case 18: wild_transpose(x); break;
      default: keep_staged(x);
    }
  }
};

/// A network of any kind.
inline graph::Graph any_network(uint64_t seed) {
  if (seed % 8 == 0) return random_integer_network(seed, Style::Deployable);
  if (seed % 8 == 1) return random_integer_network(seed, Style::Attention);
  if (seed % 8 == 5) return ImageNetwork(seed).make();
  return WildNetwork(seed).make();
}

/// Integers of the inputs' ranges, now and then at their ends.
inline std::vector<Tensor> inputs_of(const graph::Graph& graph, uint64_t seed, int64_t batch) {
  Random random(seed);
  std::vector<Tensor> inputs;
  for (graph::ValueId id : graph.inputs) {
    Shape extents = graph[id].shape;
    if (!extents.empty() && extents.front() == any) extents.front() = batch;
    const Interval range = graph[id].bounds.front();
    const uint64_t kind = random.below(6);
    Tensor tensor(ElementType::Int64, extents);
    for (int64_t& value : tensor.as<int64_t>()) {
      value = range.low + static_cast<int64_t>(random.below(static_cast<uint64_t>(range.high - range.low + 1)));
      if (kind == 0) value = random.below(2) == 0 ? range.low : range.high;
      if (kind == 1) value = range.high;
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

}  // namespace nibble::tests
