#pragma once
#include "base/int128.hpp"
#include "equal/onnx/wired_network.hpp"
#include "graph/evaluate/evaluate.hpp"

namespace nibble::tests {

/// above / below, both positive.
struct Fraction {
  int128 above = 1, below = 1;

  /// The quotient of products of numbers that float32 holds, exactly; powers of two taken out of one of the sides.
  static Fraction of(std::initializer_list<double> above, std::initializer_list<double> below) {
    Fraction f;
    int twos = 0;
    const auto multiply = [&](int128& product, double x, int sign) {
      int exponent = 0;
      auto mantissa = static_cast<int64_t>(std::ldexp(std::frexp(x, &exponent), 24));
      for (exponent -= 24; mantissa % 2 == 0; ++exponent) mantissa /= 2;
      product *= mantissa, twos += sign * exponent;
    };
    for (double x : above) multiply(f.above, x, 1);
    for (double x : below) multiply(f.below, x, -1);
    (twos > 0 ? f.above : f.below) <<= std::abs(twos);
    return f;
  }

  /// round_half_even(a * above / below)
  int64_t times(int64_t a) const {
    const int128 doubled = 2 * a * above + below, divisor = 2 * below;
    int128 q = doubled / divisor;
    if (doubled % divisor < 0) --q;
    const bool tie = q * divisor == doubled;
    return static_cast<int64_t>(tie && q % 2 != 0 ? q - 1 : q);
  }
};

/// Integer networks whose every requantisation is y = clip(round_half_even(real number) + zero point) for scales that
/// float32 holds: what the standard's scales can say. 1 to 8 bits, zero points, scales a channel.
class StandardNetwork : public WiredNetwork {
 public:
  using WiredNetwork::WiredNetwork;

  graph::Graph make() {
    const size_t axes = chance(3) ? 1 : 2;
    Shape extents{chance(2) ? any : 1, between(1, 4)};
    for (size_t i = 0; i < axes; ++i) extents.push_back(between(3, 6));
    keep(scaled_input(extents));
    if (chance(6)) keep(scaled_input(extents));
    const int64_t count = between(3, 9);
    for (int64_t i = 0; i < count; ++i) {
      const size_t first = graph.nodes.size();
      step();
      carry_grids(first);
    }
    if (graph.nodes.empty() || chance(2)) raw_sum(pick());
    return finish(between(1, 3));
  }

 private:
  // ---- grids

  const Grid& grid(const Live& x) const { return *graph[x.id].grid; }
  double scale(const Live& x) const { return grid(x).scale[0]; }

  /// A grid of 1 to 8 bits whose scale is near `about`: a power of two, or some multiple of one.
  Grid grid_near(double about) {
    const Interval range = levels(between(1, 8));
    const int64_t mantissa = chance(2) ? 1 : between(1, 15);
    const double exponent = std::floor(std::log2(about / static_cast<double>(mantissa)));
    Grid grid;
    grid.scale = {std::ldexp(static_cast<double>(mantissa), static_cast<int>(exponent))};
    grid.low = range.low, grid.high = range.high;
    grid.zero_point = chance(2) ? std::clamp<int64_t>(0, range.low, range.high) : between(range.low, range.high);
    return grid;
  }

  Live scaled_input(const Shape& extents) {
    const Grid grid = grid_near(std::ldexp(1.0, static_cast<int>(-between(0, 8))));
    const Live x = input(extents, {grid.low, grid.high});
    graph[x.id].grid = grid;
    return x;
  }

  /// What moves a value's integers leaves its grid.
  void carry_grids(size_t first) {
    for (size_t i = first; i < graph.nodes.size(); ++i)
      for (graph::ValueId id : graph.nodes[i].outputs)
        if (!graph[id].grid && moves(graph.nodes[i].op)) graph[id].grid = graph[graph.nodes[i].inputs[0]].grid;
  }
  static bool moves(const graph::Op& op) {
    const auto name = graph::name_of(op);
    for (const char* each : {"MaxPool", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Split",
                             "Gather", "Concat", "Pad"})
      if (name == each) return true;
    return false;
  }

  // ---- requantisations

  /// A grid for sums of up to `largest` whose unit is `unit`.
  Grid grid_for(double unit, int64_t largest) {
    Grid grid = grid_near(1);
    const double about = unit * static_cast<double>(std::max<int64_t>(largest, 1)) / static_cast<double>(grid.levels());
    grid.scale = grid_near(std::ldexp(about, static_cast<int>(-between(0, 3)))).scale;
    return grid;
  }

  /// Multiply, add and shift where that rounds like the standard on all sums: no sum lies in the middle of two levels.
  std::optional<graph::Requantise> shifted(const std::vector<Fraction>& ratios, int64_t offset, const Grid& y,
                                           Interval sums) {
    graph::Requantise op;
    op.low = y.low, op.high = y.high;
    for (const Fraction& ratio : ratios) {
      int shift = 0;
      while (shift < 50 && (int128{1} << shift) < ratio.below) ++shift;
      const int64_t half = shift == 0 ? 0 : int64_t{1} << (shift - 1);
      const bool ties = shift > 0 && (largest(sums) + std::abs(offset) >= half || ratio.above % 2 == 0);
      if ((int128{1} << shift) != ratio.below || ratio.above > INT32_MAX || ties) return {};
      const auto m = static_cast<int64_t>(ratio.above);
      op.multiplier.push_back(m), op.shift.push_back(shift);
      op.addend.push_back(y.zero_point * (int64_t{1} << shift) + half - offset * m);
    }
    return op;
  }

  /// The same function as thresholds, whatever the ratios.
  Live by_thresholds(const Live& sum, const std::vector<Fraction>& ratios, int64_t offset, const Grid& y) {
    const auto rows = static_cast<int64_t>(ratios.size());
    Tensor thresholds(ElementType::Int64, {rows, y.high - y.low});
    auto next = thresholds.as<int64_t>().begin();
    for (const Fraction& ratio : ratios)
      for (int64_t level = y.low + 1; level <= y.high; ++level) {
        int64_t below = sum.range.low - 1, reached = sum.range.high + 1;
        while (reached - below > 1) {
          const int64_t middle = below + (reached - below) / 2;
          (ratio.times(middle - offset) + y.zero_point >= level ? reached : below) = middle;
        }
        *next++ = reached;
      }
    return node("rq", graph::Threshold{y.low, {}}, {sum.id, graph.add_constant("steps", thresholds)}, {y.low, y.high});
  }

  /// clip(round_half_even((sum - offset) * ratio) + zero point); one ratio or one a channel.
  Live standard(const Live& sum, const std::vector<Fraction>& ratios, int64_t offset, Grid y) {
    const auto op = shifted(ratios, offset, y, sum.range);
    const Live result =
        op && !chance(4) ? node("rq", *op, {sum.id}, {y.low, y.high}) : by_thresholds(sum, ratios, offset, y);
    graph[result.id].grid = y;
    return result;
  }

  // ---- layers

  struct Layer {
    Live sum;
    std::vector<double> scales;
  };

  /// Scales of the weights that the last node's second input holds, along `axis` of them.
  Layer weighed(const Live& sum, int axis, bool per_channel) {
    graph::Value& weights = graph[graph.nodes.back().inputs[1]];
    Layer layer{sum, {}};
    const int64_t count = per_channel ? weights.shape[static_cast<size_t>(axis)] : 1;
    const bool fine = chance(2);
    for (int64_t c = 0; c < count; ++c)
      layer.scales.push_back(
          std::ldexp(static_cast<double>(fine ? between(1 << 20, 1 << 23) | 1 : between(1, 15)), fine ? -30 : -10));
    weights.grid->scale = layer.scales;
    weights.grid->axis = count > 1 ? axis : -1;
    return layer;
  }

  Layer linear(const Live& x) {
    const Interval weights = levels(between(1, 8));
    const int64_t zero = grid(x).zero_point, outputs = between(1, 4);
    if (has_space(x) && !chance(5)) {
      graph::Conv op;
      const int64_t kernel = window(op, x), channels = shape(x)[1];
      op.zero_point = zero;
      const int64_t group = chance(3) ? channels : (channels % 2 == 0 && chance(3) ? 2 : 1);
      const int64_t all = group * between(1, std::max<int64_t>(4 / group, 1));
      return weighed(conv(x, all, group, weights, op, kernel, chance(2)), 0, chance(2));
    }
    if (shape(x).size() == 2 && chance(2)) {
      const bool transposed = chance(2);
      return weighed(gemm(x, outputs, weights, transposed, zero, chance(2)), transposed ? 0 : 1, chance(2));
    }
    const int64_t terms = shape(x).back();
    const Live sum = node("matmul", graph::MatMul{zero, 0}, {x.id, constant("w", {terms, outputs}, weights)},
                          sum_of(x.range, zero, terms, largest(weights)));
    return weighed(sum, 1, shape(x).size() == 2 && chance(2));
  }

  Live layer(const Live& x) {
    const Layer made = linear(x);
    const Grid y = grid_for(scale(x) * made.scales[0], largest(made.sum.range));
    std::vector<Fraction> ratios;
    for (double w : made.scales) ratios.push_back(Fraction::of({scale(x), w}, {y.scale[0]}));
    return standard(made.sum, ratios, 0, y);
  }

  /// A layer that nothing requantises, moved or not.
  void raw_sum(const Live& x) {
    const Live sum = linear(x).sum;
    if (chance(3)) node("flatten", graph::Flatten{1}, {sum.id}, sum.range);
  }

  /// Both operands in one unit: multiples of them where their scales differ.
  void residual(const Live& x) {
    const Live other = partner(x, false).value_or(x);
    const Fraction ratio = Fraction::of({scale(x)}, {scale(other)});
    if (ratio.above > 1 << 12 || ratio.below > 1 << 12) return;
    const auto times = [&](const Live& a, int64_t m) {
      if (m == 1) return a;
      return node("times", graph::Requantise{{m}, {0}, {0}, INT32_MIN, INT32_MAX}, {a.id},
                  {a.range.low * m, a.range.high * m});
    };
    const auto m = static_cast<int64_t>(ratio.above), n = static_cast<int64_t>(ratio.below);
    const Live sum = add(times(x, m), times(other, n));
    const Grid y = grid_for(scale(x) / static_cast<double>(m), largest(sum.range));
    keep(standard(sum, {Fraction::of({scale(x)}, {y.scale[0], static_cast<double>(m)})},
                  m * grid(x).zero_point + n * grid(other).zero_point, y));
  }

  void mean(const Live& sum, const Live& x, int64_t count) {
    const Grid y = grid_for(scale(x) / static_cast<double>(count), largest(sum.range));
    keep(standard(sum, {Fraction::of({scale(x)}, {y.scale[0], static_cast<double>(count)})}, 0, y));
  }

  void average_pool(const Live& x) {
    graph::SumPool op;
    op.kernel.assign(spatial(x), window(op, x));
    op.zero_point = grid(x).zero_point;
    int64_t count = 1;
    for (int64_t extent : op.kernel) count *= extent;
    mean(sum_pool(x, op), x, count);
  }

  void average(const Live& x) {
    graph::ReduceSum op{{}, chance(2), grid(x).zero_point};
    int64_t count = 1;
    for (size_t axis = 2; axis < shape(x).size(); ++axis) {
      op.axes.push_back(static_cast<int64_t>(axis));
      count *= shape(x)[axis];
    }
    mean(node("sum", op, {x.id}, sum_of(x.range, op.zero_point, count, 1)), x, count);
  }

  void rescaled(const Live& x) {
    const Grid y = grid_for(scale(x), largest(x.range));
    keep(standard(x, {Fraction::of({scale(x)}, {y.scale[0]})}, grid(x).zero_point, y));
  }

  void cut(const Live& x) {
    Grid y = grid(x);
    y.low = between(y.low, y.zero_point), y.high = between(y.zero_point, y.high);
    if (y.low == y.high) return;
    const Live result =
        node("clip", graph::Clip{static_cast<double>(y.low), static_cast<double>(y.high)}, {x.id}, {y.low, y.high});
    graph[result.id].grid = y;
    keep(result);
  }

  /// x and another value of its shape, brought to its grid.
  void joined(const Live& x) {
    const Live other = partner(x, false).value_or(x);
    if (elements(x) > 200 || shape(x).size() < 2) return;
    const bool same = grid(other) == grid(x);
    const Live branch =
        same ? other : standard(other, {Fraction::of({scale(other)}, {scale(x)})}, grid(other).zero_point, grid(x));
    keep(node("concat", graph::Concat{1}, {x.id, branch.id}, x.range));
  }

  void function(const Live& x) {
    const graph::Op op = chance(4) ? graph::Op(graph::Tanh{}) : graph::Op(graph::Sigmoid{});
    const Grid from = grid(x), y = grid_near(1.0 / 128);
    std::vector<double> reals;
    for (int64_t q = x.range.low; q <= x.range.high; ++q) reals.push_back(from.real(q, 0));
    const Tensor argument({static_cast<int64_t>(reals.size())}, reals);
    std::vector<int64_t> table;
    for (double value : graph::evaluate(graph::Node{"f", op, {}, {}}, {&argument}).at(0).to_reals())
      table.push_back(y.quantise(value, 0, Rounding::HalfEven));
    const graph::ValueId entries = graph.add_constant("table", Tensor(argument.shape(), table).cast(y.container()));
    const Live result = node("table", graph::Table{x.range.low}, {x.id, entries}, {y.low, y.high});
    graph[result.id].grid = y;
    keep(result);
  }

  void step() {
    const Live x = pick();
    switch (random.below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: keep(layer(x)); break;
      case 5:
      case 6:
      case 7: residual(x); break;
      case 8:
        if (has_space(x)) average_pool(x);
        break;
      case 9:
        if (has_space(x)) average(x);
        break;
      case 10: rescaled(x); break;
      case 11: cut(x); break;
      case 12: function(x); break;
      case 13:
        if (has_space(x)) keep(any_max_pool(x));
        break;
      case 14: joined(x); break;
      case 15: split(x); break;
      case 16: slice(x); break;
      case 17: pad(x); break;
      case 18: keep(reshaped(x)); break;
      default: keep(chance(2) ? transposed(x) : gather(x)); break;
    }
  }
};

}  // namespace nibble::tests
