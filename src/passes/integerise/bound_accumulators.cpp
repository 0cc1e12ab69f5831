#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "graph/op_traits.hpp"
#include "passes/integerise/bound_functions.hpp"
#include "passes/integerise/passes.hpp"
#include "passes/rewrite.hpp"
#include "quant/bounds.hpp"
#include "quant/requantisation.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;
using Bounds = std::vector<Interval>;

Interval hull(const Bounds& bounds) {
  Interval all = bounds.at(0);
  for (const Interval& bound : bounds) all = {std::min(all.low, bound.low), std::max(all.high, bound.high)};
  return all;
}

Interval sum(Interval a, Interval b) {
  return {a.low + b.low, a.high + b.high};
}

/// Of count terms, each x - zero, some of which may be missing (padding).
Interval scaled(Interval x, int64_t zero, int64_t count) {
  return {std::min<int64_t>((x.low - zero) * count, 0), std::max<int64_t>((x.high - zero) * count, 0)};
}

Interval product(Interval a, Interval b) {
  const auto [low, high] = std::minmax({a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
  return {low, high};
}

/// [C, O/group, kernel] of a transposed convolution as [O, C/group, kernel]: every tap as if it met each output.
Tensor outputs_first(const Tensor& weights, int64_t group) {
  const Shape& w = weights.shape();
  const int64_t taps = element_count(Shape(w.begin() + 2, w.end())), inputs = w[0] / group;
  Tensor result(ElementType::Int64, {w[1] * group, inputs, taps});
  const auto from = weights.to_integers();
  const auto to = result.as<int64_t>();
  for (int64_t c = 0; c < w[0]; ++c)
    for (int64_t o = 0; o < w[1]; ++o)
      for (int64_t k = 0; k < taps; ++k)
        to[static_cast<size_t>((((c / inputs) * w[1] + o) * inputs + c % inputs) * taps + k)] =
            from[static_cast<size_t>((c * w[1] + o) * taps + k)];
  return result;
}

class Bounder {
 public:
  explicit Bounder(Graph& graph) : graph_(graph) {}

  Interval of(ValueId id) const {
    if (const Tensor* constant = graph_.constant(id)) {
      const auto values = constant->to_integers();
      const auto [low, high] = std::minmax_element(values.begin(), values.end());
      return {*low, *high};
    }
    return hull(graph_[id].bounds);
  }

  /// The bounds of a node's outputs; empty for reals.
  Bounds bounds_of(const Node& node) const {
    const auto x = [&](size_t slot = 0) { return of(node.inputs[slot]); };
    if (is_linear(node.op)) return linear(node);
    if (const auto* op = get_if<graph::SumPool>(&node.op)) {
      int64_t count = 1;
      for (int64_t extent : op->kernel) count *= extent;
      return {scaled(x(), op->zero_point, count)};
    }
    if (const auto* op = get_if<graph::ReduceSum>(&node.op))
      return {scaled(x(), op->zero_point, count_over(node, *op))};
    if (Bounds bounds = with_constant(node); !bounds.empty()) return bounds;
    if (holds_alternative<graph::Add>(node.op)) {
      Interval all = x(0);
      for (size_t slot = 1; slot < node.inputs.size(); ++slot) all = sum(all, x(slot));
      return {all};
    }
    if (holds_alternative<graph::Sub>(node.op)) return {sum(x(0), {-x(1).high, -x(1).low})};
    if (holds_alternative<graph::Mul>(node.op)) return {product(x(0), x(1))};
    if (holds_alternative<graph::Concat>(node.op)) {
      Bounds all;
      for (size_t slot = 0; slot < node.inputs.size(); ++slot) all.push_back(x(slot));
      return {hull(all)};
    }
    if (const auto* op = get_if<graph::Pad>(&node.op))
      return {hull({x(), {static_cast<int64_t>(op->value), static_cast<int64_t>(op->value)}})};
    if (const auto* op = get_if<graph::Clip>(&node.op))
      return {{static_cast<int64_t>(op->low), static_cast<int64_t>(op->high)}};
    if (const auto* op = get_if<graph::Rescale>(&node.op)) return {{op->low, op->high}};
    if (const auto* op = get_if<graph::TableSoftmax>(&node.op)) return {{op->low, op->high}};
    if (const auto* op = get_if<graph::IntegerNormalization>(&node.op)) return {{op->low, op->high}};
    if (const auto* op = get_if<graph::RoundedDivision>(&node.op)) return {{op->low, op->high}};
    if (const auto* op = get_if<graph::ArgMax>(&node.op))
      return {{0, graph_[node.inputs[0]].shape.at(
                      static_cast<size_t>(normalise_axis(op->axis, graph_[node.inputs[0]].shape.size()))) -
                      1}};
    if (holds_alternative<graph::Min>(node.op) || holds_alternative<graph::Max>(node.op)) return {hull({x(0), x(1)})};
    if (holds_alternative<graph::Where>(node.op)) return {hull({x(1), x(2)})};
    if (const auto* op = get_if<graph::Quantise>(&node.op)) return {{op->grid.low, op->grid.high}};
    if (const auto function = function_bounds(node, x)) return {*function};
    return {x()};
  }

 private:
  /// x * c or x + c where c is constant, one number a channel: a range a channel. Empty for anything else.
  Bounds with_constant(const Node& node) const {
    const bool adds = holds_alternative<graph::Add>(node.op);
    if (node.inputs.size() != 2 || (!adds && !holds_alternative<graph::Mul>(node.op))) return {};
    const Tensor* constant = graph_.constant(node.inputs[1]);
    const size_t rank = graph_[node.outputs[0]].shape.size();
    if (!constant || graph_.constant(node.inputs[0]) || graph_[node.inputs[0]].shape.size() != rank) return {};
    const auto values = per_channel(*constant, rank);
    if (!values) return {};
    const Bounds& x = graph_[node.inputs[0]].bounds;
    Bounds bounds(std::max(x.size(), values->size()));
    for (size_t c = 0; c < bounds.size(); ++c) {
      const auto value = static_cast<int64_t>((*values)[values->size() == 1 ? 0 : c]);
      const Interval& each = x[x.size() == 1 ? 0 : c];
      bounds[c] = adds ? sum(each, {value, value}) : product(each, {value, value});
    }
    return bounds;
  }

  Bounds linear(const Node& node) const {
    const Interval x = of(node.inputs[0]);
    const Tensor* weights = graph_.constant(node.inputs[1]);
    if (graph_.constant(node.inputs[0])) return {resized(node)};
    if (!weights) return {matmul(node, x)};
    Bounds bounds;
    if (const auto* conv = get_if<graph::Conv>(&node.op)) {
      bounds = quant::linear_bounds(*weights, x, conv->zero_point);
    } else if (const auto* transpose = get_if<graph::ConvTranspose>(&node.op)) {
      bounds = quant::linear_bounds(outputs_first(*weights, transpose->group), x, transpose->zero_point);
    } else if (const auto* gemm = get_if<graph::Gemm>(&node.op)) {
      bounds = quant::linear_bounds(gemm->transpose_b ? *weights : transposed(*weights), x, gemm->zero_point);
    } else {
      const auto& op = get<graph::MatMul>(node.op);
      if (op.zero_point_b != 0 || weights->rank() != 2) return {matmul(node, x)};
      bounds = quant::linear_bounds(transposed(*weights), x, op.zero_point_a);
      if (graph_[node.outputs[0]].shape.size() != 2) bounds = {hull(bounds)};
    }
    if (node.inputs.size() > 2 && node.inputs[2] != graph::absent) {
      const auto bias = graph_.constant(node.inputs[2])->to_integers();
      for (size_t c = 0; c < bounds.size(); ++c) {
        const int64_t b = bias[bias.size() == 1 ? 0 : c];
        bounds[c] = sum(bounds[c], {b, b});
      }
    }
    return bounds;
  }

  /// A constant matrix times an activation: one of a linear Resize.
  Interval resized(const Node& node) const {
    const auto& op = get<graph::MatMul>(node.op);
    if (op.zero_point_a != 0) return matmul(node, of(node.inputs[0]));
    return hull(quant::linear_bounds(*graph_.constant(node.inputs[0]), of(node.inputs[1]), op.zero_point_b));
  }

  Interval matmul(const Node& node, Interval x) const {
    const auto& op = get<graph::MatMul>(node.op);
    const Interval w = of(node.inputs[1]);
    const int64_t terms = graph_[node.inputs[0]].shape.back();
    const Interval one = product({x.low - op.zero_point_a, x.high - op.zero_point_a},
                                 {w.low - op.zero_point_b, w.high - op.zero_point_b});
    return scaled(one, 0, terms);
  }

  int64_t count_over(const Node& node, const graph::ReduceSum& op) const {
    const Shape& shape = graph_[node.inputs[0]].shape;
    int64_t count = 1;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const bool taken = op.axes.empty() || std::any_of(op.axes.begin(), op.axes.end(), [&](int64_t a) {
                           return normalise_axis(a, shape.size()) == static_cast<int64_t>(axis);
                         });
      if (taken) count *= shape[axis];
    }
    return count;
  }

  Graph& graph_;
};

bool is_accumulator(const graph::Op& op) {
  return terms_of(op) != graph::Terms::None || holds_alternative<graph::Mul>(op);
}

void check_bits(const Graph& graph, const AccumulatorBits& bits) {
  const auto check = [](int width) {
    if (width < 8 || width > 32) fail("passes", "accumulator bits", fmt::format("{}", width), "8 to 32");
  };
  check(bits.bits);
  for (const auto& [pattern, width] : bits.layers) {
    check(width);
    const auto named = [&p = pattern](const Node& node) { return matches(p, node.name); };
    if (std::none_of(graph.nodes.begin(), graph.nodes.end(), named))
      fail("passes", "accumulator bits", "no node '" + pattern + "'", "a node's name or a pattern of * and ?");
  }
}

/// A channel that needs more than its node's bits is named with its range.
void check_width(const Node& node, const Bounds& bounds, int bits) {
  size_t widest = 0;
  for (size_t c = 1; c < bounds.size(); ++c)
    if (quant::signed_bits(bounds[c]) > quant::signed_bits(bounds[widest])) widest = c;
  const int needed = quant::signed_bits(bounds[widest]);
  if (needed <= bits) return;
  const std::string sums = bounds.size() == 1 ? "its sums reach" : fmt::format("the sums of channel {} reach", widest);
  std::string advice = fmt::format("at most {}: fewer bits for its weights or its inputs", bits);
  if (needed <= 32) advice += fmt::format(", or --accumulator-bits {},{}={}", bits, node.name, needed);
  fail("passes", place_of(node),
       fmt::format("{} {} to {}, {} bits", sums, bounds[widest].low, bounds[widest].high, needed), advice);
}

}  // namespace

int AccumulatorBits::of(std::string_view node) const {
  int width = bits;
  for (const auto& [pattern, layer] : layers)
    if (matches(pattern, node)) width = layer;
  return width;
}

AccumulatorBits accumulator_bits_from(std::string_view text, std::string_view place) {
  AccumulatorBits result;
  for (size_t from = 0, part = 0; from <= text.size(); ++part) {
    const size_t comma = std::min(text.find(',', from), text.size());
    const std::string_view each = text.substr(from, comma - from);
    const size_t equals = each.rfind('=');
    const std::string_view number = equals == std::string_view::npos ? each : each.substr(equals + 1);
    int bits = 0;
    const auto [end, failed] = std::from_chars(number.data(), number.data() + number.size(), bits);
    const bool layer = equals != std::string_view::npos;
    if (failed != std::errc{} || end != number.data() + number.size() || bits < 8 || bits > 32 ||
        (layer ? equals == 0 : part > 0))
      fail("passes", place, "'" + std::string(each) + "'", "8 to 32, then NODE=BITS");
    if (layer)
      result.layers.emplace_back(each.substr(0, equals), bits);
    else
      result.bits = bits;
    from = comma + 1;
  }
  return result;
}

int bound_accumulators(Graph& graph, const AccumulatorBits& bits) {
  check_bits(graph, bits);
  const Bounder bounder(graph);
  int changed = 0;
  const auto settle = [&](ValueId id, Bounds bounds) {
    if (graph[id].bounds == bounds) return;
    graph[id].bounds = std::move(bounds);
    ++changed;
  };
  for (ValueId id : graph.inputs)
    if (graph[id].grid) settle(id, {{graph[id].grid.value().low, graph[id].grid.value().high}});
  for (const Node& node : graph.nodes) {
    if (is_real(graph[node.outputs[0]].type)) continue;
    const Bounds bounds = bounder.bounds_of(node);
    if (is_accumulator(node.op)) check_width(node, bounds, bits.of(node.name));
    for (ValueId id : node.outputs) settle(id, bounds);
  }
  return changed;
}

}  // namespace nibble::passes
