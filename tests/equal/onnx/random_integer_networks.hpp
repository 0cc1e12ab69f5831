#pragma once
#include <set>
#include <string_view>

#include "equal/onnx/standard_network.hpp"
#include "equal/onnx/wired_network.hpp"

/// Random integer networks, every one verified.
namespace nibble::tests {

/// Every op that the networks of all batches have between them.
// clang-format off
inline const std::set<std::string_view> ops_of_random_integer_networks{
    "Add", "ArgMax", "Clip", "Concat", "Conv", "ConvTranspose", "Div", "Flatten", "FloorDivide", "Gather", "Gemm",
    "IGelu", "IHardSwish", "ILayerNorm", "INoNorm", "IRmsNorm", "ISoftmax", "IntegerDiv", "IntegerNormalization",
    "InterpolatedTable", "ItaMax", "ItaPartialMax", "MatMul", "Max", "MaxPool", "Min", "Mul", "Pad", "ReduceMax",
    "ReduceSum", "Relu", "Requantise", "Reshape", "Resize", "RoundedDivision", "Slice", "Split", "Squeeze", "Sub",
    "SumPool", "Table", "TableSoftmax", "Threshold", "Transpose", "TrueIntegerDiv", "Unsqueeze", "Where"};
// clang-format on

/// Any wiring of any integer op.
class AnyNetwork : public WiredNetwork {
 public:
  using WiredNetwork::WiredNetwork;

  graph::Graph make() {
    const int64_t batch = chance(2) ? any : 1;
    const size_t axes = chance(3) ? 1 : 2;
    Shape extents{batch, between(1, 4)};
    for (size_t i = 0; i < axes; ++i) extents.push_back(between(3, 6));
    live_.push_back(input(extents, levels(between(1, 8))));
    if (chance(4)) live_.push_back(input(extents, levels(between(1, 8))));
    const int64_t count = between(4, 12);
    for (int64_t i = 0; i < count; ++i) step();
    if (graph.nodes.empty()) keep(relu(live_.front()));
    return finish(between(1, 3));
  }

 protected:
  Live narrowed(const Live& x) { return narrow(x) ? x : any_requantise(x); }

  Live any_requantise(const Live& x) {
    return requantise(x, levels(between(1, 8)), chance(2), chance(6) ? 31 : between(1, 16), true);
  }

  void step() {
    const Live x = pick();
    switch (random.below(33)) {
      case 0:
      case 1:
      case 2:
        if (has_space(x)) keep(any_conv(narrowed(x)));
        break;
      case 3:
      case 4: keep(any_requantise(x)); break;
      case 5:
        if (has_space(x)) keep(any_max_pool(x));
        break;
      case 6:
        if (has_space(x)) keep(any_sum_pool(narrowed(x)));
        break;
      case 7:
      case 8: keep(combined(x)); break;
      case 9: concat(x); break;
      case 10: split(x); break;
      case 11: slice(x); break;
      case 12: pad(x); break;
      case 13: keep(reshaped(x)); break;
      case 14: keep(transposed(x)); break;
      case 15: keep(gather(x)); break;
      case 16: resize(x); break;
      case 17: keep(chance(2) ? relu(x) : clip(x)); break;
      case 18: keep(threshold(x)); break;
      case 19: keep(table(narrowed(x))); break;
      case 20: keep(product(narrowed(x))); break;
      case 21:
        if (has_space(x) && elements(x) < 100) keep(any_conv_transpose(narrowed(x)));
        break;
      case 22: keep(choice(x)); break;
      case 23: keep(softmax(narrowed(x))); break;
      case 24: keep(normalisation(narrowed(x))); break;
      case 25: keep(quotient(narrowed(x), narrowed(partner(x, false).value_or(x)))); break;
      case 26: keep(interpolated(narrowed(x))); break;
      case 27: keep(argmax(x)); break;
      case 28: keep(divided(x)); break;
      case 29:
      case 30:
      case 31: keep(of_deeploy(narrowed(x), narrowed(partner(x, false).value_or(x)))); break;
      default: reduce(narrowed(x)); break;
    }
  }

  Live any_conv(const Live& x) {
    graph::Conv op;
    const int64_t kernel = window(op, x);
    op.zero_point = zero_point(x);
    const int64_t channels = shape(x)[1];
    const int64_t group = chance(3) ? channels : (channels % 2 == 0 && chance(3) ? 2 : 1);
    return conv(x, group * between(1, std::max<int64_t>(4 / group, 1)), group, levels(between(1, 8)), op, kernel,
                chance(2));
  }

  Live any_sum_pool(const Live& x) {
    graph::SumPool op;
    op.kernel.assign(spatial(x), window(op, x));
    op.ceil_mode = chance(3);
    op.zero_point = zero_point(x);
    return sum_pool(x, op);
  }

  bool small(const Live& x) const { return largest(x.range) < (int64_t{1} << 20); }

  /// x with another of its shape, or with constants: one, or one a channel.
  Live combined(Live x) {
    if (!small(x)) x = any_requantise(x);
    auto other = partner(x, false);
    if (!other || !small(*other) || chance(4)) {
      Shape extents(shape(x).size(), 1);
      if (extents.size() >= 2 && chance(2)) extents[1] = shape(x)[1];
      const Interval range = levels(between(1, 8));
      other = Live{constant("c", extents, range), range};
    }
    const Interval a = x.range, b = other->range;
    switch (random.below(3)) {
      case 0: return node("sub", graph::Sub{}, {x.id, other->id}, {a.low - b.high, a.high - b.low});
      case 1:
        if (narrow(x) && narrow(*other)) {
          const int64_t most = largest(a) * largest(b);
          return node("mul", graph::Mul{}, {x.id, other->id}, {-most, most});
        }
        [[fallthrough]];
      default: return add(x, *other);
    }
  }

  void resize(const Live& x) {
    if (!has_space(x) || elements(x) > 100) return;
    graph::Resize op;
    op.scales = {1, 1};
    for (size_t i = 0; i < spatial(x); ++i) op.scales.push_back(one_of<double>({1, 1.5, 2}));
    op.coordinates =
        one_of<graph::ResizeCoordinates>({graph::ResizeCoordinates::HalfPixel, graph::ResizeCoordinates::Asymmetric});
    op.nearest = one_of<graph::ResizeNearest>({graph::ResizeNearest::Floor, graph::ResizeNearest::RoundPreferFloor});
    keep(node("resize", op, {x.id}, x.range));
  }

  Live relu(const Live& x) {
    return node("relu", graph::Relu{}, {x.id}, {std::max<int64_t>(x.range.low, 0), std::max<int64_t>(x.range.high, 0)});
  }

  Live clip(const Live& x) {
    const int64_t low = between(x.range.low, x.range.high), high = between(low, x.range.high);
    return node("clip", graph::Clip{static_cast<double>(low), static_cast<double>(high)}, {x.id}, {low, high});
  }

  Live threshold(const Live& x) {
    const Interval to = levels(between(1, 4));
    const int64_t rows = shape(x).size() >= 2 && chance(2) ? shape(x)[1] : 1, steps = to.high - to.low;
    Tensor thresholds(ElementType::Int64, {rows, steps});
    const auto values = thresholds.as<int64_t>();
    for (int64_t& value : values) value = between(x.range.low, x.range.high);
    for (int64_t row = 0; row < rows; ++row)
      std::sort(values.begin() + row * steps, values.begin() + (row + 1) * steps);
    graph::Threshold op{to.low, {}};
    if (chance(2))
      for (int64_t row = 0; row < rows; ++row) op.falling.push_back(between(0, 1));
    return node("threshold", op, {x.id, graph.add_constant("steps", thresholds)}, to);
  }

  Live table(const Live& x) {
    const Interval to = chance(4) ? Interval{-30000, 30000} : levels(between(1, 8));
    return node("table", graph::Table{x.range.low}, {x.id, constant("table", {x.range.high - x.range.low + 1}, to)},
                to);
  }

  /// A product with constant weights, or with itself transposed.
  Live product(const Live& x) {
    const Interval weights = levels(between(1, 8));
    const int64_t outputs = between(1, 4), zero = zero_point(x);
    if (shape(x).size() == 2 && chance(2)) return gemm(x, outputs, weights, chance(2), zero, chance(2));
    const int64_t terms = shape(x).back();
    if (shape(x).size() == 3 && chance(2)) {
      const Live turned = node("transpose", graph::Transpose{{0, 2, 1}}, {x.id}, x.range);
      const int64_t other = zero_point(x);
      const int64_t most = std::max(std::abs(x.range.low - other), std::abs(x.range.high - other));
      return node("matmul", graph::MatMul{zero, other}, {x.id, turned.id}, sum_of(x.range, zero, terms, most));
    }
    return node("matmul", graph::MatMul{zero, 0}, {x.id, constant("w", {terms, outputs}, weights)},
                sum_of(x.range, zero, terms, largest(weights)));
  }

  Live any_conv_transpose(const Live& x) {
    graph::ConvTranspose op;
    const int64_t kernel = between(2, 3), channels = shape(x)[1], outputs = between(1, 2);
    op.group = chance(3) ? channels : 1;
    op.zero_point = zero_point(x);
    for (size_t i = 0; i < spatial(x); ++i) {
      op.strides.push_back(between(1, 2)), op.dilations.push_back(1);
      op.output_pads.push_back(op.strides.back() == 2 ? between(0, 1) : 0);
    }
    for (size_t i = 0; i < 2 * spatial(x); ++i) op.pads.push_back(between(0, 1));
    Shape extents{channels, outputs};
    extents.resize(shape(x).size(), kernel);
    const Interval weights = levels(between(1, 8));
    return node("convtranspose", op, {x.id, constant("w", extents, weights)},
                sum_of(x.range, op.zero_point, element_count(extents) / outputs, largest(weights)));
  }

  /// The smaller, the larger, or where a condition holds the one and else the other.
  Live choice(const Live& x) {
    const Live y = partner(x, false).value_or(x);
    const Interval both = united(x.range, y.range);
    const auto condition = partner(x, false);
    switch (random.below(3)) {
      case 0: return node("min", graph::Min{}, {x.id, y.id}, both);
      case 1: return node("max", graph::Max{}, {x.id, y.id}, both);
      default: return node("where", graph::Where{}, {condition->id, x.id, y.id}, both);
    }
  }

  Live argmax(const Live& x) {
    const int64_t axis = between(1, static_cast<int64_t>(shape(x).size()) - 1);
    const bool keeps = shape(x).size() < 3 || chance(2);
    return node("argmax", graph::ArgMax{axis, keeps, chance(2)}, {x.id}, {0, shape(x)[static_cast<size_t>(axis)] - 1});
  }

  /// By a number that is no power of two, one or one a channel: downwards, or toward zero.
  Live divided(const Live& x) {
    if (chance(4)) {
      const graph::ValueId by = constant("by", {1}, {2, 9});
      return node("div", graph::Div{}, {x.id, by}, {-largest(x.range), largest(x.range)});
    }
    const Interval to = levels(between(1, 8));
    graph::FloorDivide op;
    op.low = to.low, op.high = to.high;
    const int64_t count = shape(x).size() >= 2 && chance(2) ? shape(x)[1] : 1;
    for (int64_t c = 0; c < count; ++c) {
      op.multiplier.push_back(between(-99, 99)), op.addend.push_back(between(-999, 999));
      op.divisor.push_back(between(1, 1 + 99 * largest(x.range) / std::max<int64_t>(largest(to), 1)));
    }
    return node("floordivide", op, {x.id}, to);
  }

  void reduce(const Live& x) {
    if (shape(x).size() < 3) return;
    if (chance(3)) {
      keep(node("most", graph::ReduceMax{{static_cast<int64_t>(shape(x).size()) - 1}, chance(2)}, {x.id}, x.range));
      return;
    }
    graph::ReduceSum op{{}, chance(2), zero_point(x)};
    int64_t count = 1;
    for (size_t axis = 2; axis < shape(x).size(); ++axis) {
      op.axes.push_back(static_cast<int64_t>(axis));
      count *= shape(x)[axis];
    }
    keep(node("sum", op, {x.id}, sum_of(x.range, op.zero_point, count, 1)));
  }
};

/// Networks as microcontrollers run them: convolutions (dense or depthwise) with a requantisation a channel, residual
/// adds, pools, a last layer in raw sums; 2, 4 or 8 bits; no zero points.
class DeployableNetwork : public IntegerNetwork {
 public:
  using IntegerNetwork::IntegerNetwork;

  graph::Graph make() {
    const int64_t side = between(4, 8);
    Live x = input({chance(2) ? any : 1, between(1, 3), side, side}, activation(chance(4)));
    x = layer(x, 4, 3, 1);
    const int64_t blocks = between(1, 4);
    for (int64_t i = 0; i < blocks; ++i) x = block(x);
    return head(x);
  }

 private:
  Interval activation(bool sign) {
    const int64_t n = int64_t{1} << one_of<int64_t>({8, 8, 4, 2});
    return sign ? Interval{-n / 2, n / 2 - 1} : Interval{0, n - 1};
  }
  Interval weights() {
    const int64_t n = int64_t{1} << one_of<int64_t>({8, 8, 4, 2});
    return {-n / 2, n / 2 - 1};
  }

  Live layer(const Live& x, int64_t outputs, int64_t kernel, int64_t group) {
    graph::Conv op;
    const int64_t stride = shape(x)[2] >= 4 && chance(4) ? 2 : 1;
    op.strides = {stride, stride}, op.dilations = {1, 1}, op.pads = graph::Ints(4, kernel / 2);
    const Live sum = conv(x, outputs, group, weights(), op, kernel, chance(3));
    return requantise(sum, activation(false), !chance(4), between(8, 15), false);
  }

  /// x + layers of x, each branch requantised to the sum's grid.
  Live residual(const Live& x) {
    const int64_t channels = shape(x)[1];
    graph::Conv op;
    op.strides = {1, 1}, op.dilations = {1, 1}, op.pads = {1, 1, 1, 1};
    const Live sum = conv(x, channels, 1, weights(), op, 3, false);
    const Live y = requantise(sum, activation(false), true, between(8, 15), false);
    const Interval to = activation(false);
    const Live a = requantise(x, to, false, between(4, 12), false), b = requantise(y, to, false, between(4, 12), false);
    return requantise(add(a, b), to, false, between(2, 12), false);
  }

  Live pooled(const Live& x) {
    if (chance(2)) return max_pool(x, {{2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}, false});
    const Live sum = sum_pool(x, {{2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}, false, 0});
    graph::Requantise mean;
    mean.multiplier = {1}, mean.addend = {0}, mean.shift = {2};
    mean.low = x.range.low, mean.high = x.range.high;
    return node("mean", mean, {sum.id}, x.range);
  }

  Live block(const Live& x) {
    const int64_t channels = shape(x)[1];
    switch (random.below(4)) {
      case 0: return layer(layer(x, channels, 3, channels), between(2, 5), 1, 1);
      case 1: return residual(x);
      case 2: return shape(x)[2] >= 4 ? pooled(x) : residual(x);
      default: return layer(x, between(2, 5), one_of<int64_t>({1, 3}), 1);
    }
  }

  graph::Graph head(Live x) {
    x = node("flatten", graph::Flatten{1}, {x.id}, x.range);
    if (chance(3))
      x = requantise(gemm(x, between(3, 6), weights(), true, 0, chance(2)), activation(false), true, 12, false);
    gemm(x, between(2, 4), weights(), true, 0, chance(2));
    return finish(1);
  }
};

/// Transformer blocks as Deeploy runs them: attention and a feed-forward layer between normalisations, 8 bits.
class AttentionNetwork : public FunctionNetwork {
 public:
  using FunctionNetwork::FunctionNetwork;

  graph::Graph make() {
    width_ = 2 * between(1, 3);
    Live x = input({1, between(2, 5), width_}, signed_bytes);
    const int64_t blocks = between(1, 2);
    for (int64_t i = 0; i < blocks; ++i) {
      x = residual(x, attention(normalised(x)));
      x = residual(x, forward(normalised(x)));
    }
    if (chance(2)) x = node("mean", graph::ReduceSum{{1}, false, 0}, {x.id}, sum_of(x.range, 0, shape(x)[1], 1));
    linear(x, between(2, 4));
    return finish(1);
  }

 private:
  static constexpr Interval signed_bytes{-128, 127};
  int64_t width_ = 2;

  Live normalised(const Live& x) { return chance(4) ? inonorm(x) : ilayernorm(x); }
  Live bytes(const Live& x) { return requantise(x, signed_bytes, false, between(8, 16), false); }

  Live linear(const Live& x, int64_t outputs) {
    const int64_t terms = shape(x).back();
    return node("matmul", graph::MatMul{}, {x.id, constant("w", {terms, outputs}, signed_bytes)},
                sum_of(x.range, 0, terms, 128));
  }

  Live attention(const Live& x) {
    const Live q = bytes(linear(x, width_)), k = bytes(linear(x, width_)), v = bytes(linear(x, width_));
    const Live turned = node("transpose", graph::Transpose{{0, 2, 1}}, {k.id}, k.range);
    const Live scores = node("matmul", graph::MatMul{}, {q.id, turned.id}, sum_of(q.range, 0, width_, 128));
    const Live weights = chance(2) ? isoftmax(bytes(scores)) : itamax(bytes(scores));
    const Live mixed =
        node("matmul", graph::MatMul{}, {weights.id, v.id}, sum_of(weights.range, 0, shape(weights).back(), 128));
    return linear(bytes(mixed), width_);
  }

  Live forward(const Live& x) {
    const Live hidden = bytes(linear(x, 2 * width_));
    return linear(bytes(chance(3) ? ihardswish(hidden) : igelu(hidden)), width_);
  }

  Live residual(const Live& x, const Live& y) { return bytes(add(bytes(x), bytes(y))); }
};

enum class Style { Any, Deployable, Attention, Standard };

struct Batch {
  Style style;
  const char* name;
  uint64_t count;
};

/// A thousand networks, and four hundred of the standard's requantisations.
constexpr Batch batches[] = {{Style::Any, "any", 500},
                             {Style::Deployable, "deployable", 350},
                             {Style::Attention, "attention", 150},
                             {Style::Standard, "standard", 400}};

inline graph::Graph random_integer_network(uint64_t seed, Style style) {
  if (style == Style::Any) return AnyNetwork(seed).make();
  if (style == Style::Standard) return StandardNetwork(seed).make();
  if (style == Style::Attention) return AttentionNetwork(seed).make();
  return DeployableNetwork(seed).make();
}

/// Inputs over the whole range that the network's inputs have.
inline std::vector<Tensor> random_integers(const graph::Graph& graph, uint64_t seed, int64_t batch = 2) {
  Random random(seed);
  std::vector<Tensor> inputs;
  for (graph::ValueId id : graph.inputs) {
    Shape shape = graph[id].shape;
    if (!shape.empty() && shape.front() == any) shape.front() = batch;
    const Interval range = graph[id].bounds.front();
    Tensor tensor(ElementType::Int64, shape);
    for (int64_t& value : tensor.as<int64_t>())
      value = range.low + static_cast<int64_t>(random.below(static_cast<uint64_t>(range.high - range.low + 1)));
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

}  // namespace nibble::tests
