#include "graph/ranges.hpp"

#include <cmath>
#include <span>
#include <type_traits>

#include "base/channels.hpp"
#include "base/error.hpp"
#include "graph/intervals.hpp"
#include "graph/op_table.hpp"
#include "graph/ranges_functions.hpp"

namespace nibble::graph {
namespace {

/// use(elements) of an integer tensor as they are; of reals that are integers, as 64 bits.
template <class Use>
auto with_integers(const Tensor& tensor, Use use) {
  return with_element_type(tensor.type(), [&](auto element) {
    using Element = decltype(element);
    if constexpr (std::is_integral_v<Element>) {
      return use(tensor.as<Element>());
    } else {
      const Ints values = tensor.to_integers();
      return use(std::span<const int64_t>(values));
    }
  });
}

/// Of count terms within x, some of which may be missing (padding). A negative count is not known.
Interval of_terms(Interval x, int64_t count) {
  if (x == Interval{0, 0}) return x;
  return count < 0 ? any_integer() : product(hull(x, {0, 0}), {count, count});
}

/// Product of the extents; -1 where one is not known.
int64_t count_of(const Ints& extents) {
  int128 count = 1;
  for (int64_t extent : extents) {
    if (extent < 0) return -1;
    count = saturated(count * extent);
  }
  return static_cast<int64_t>(count);
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

/// The rules of one node, one an op.
class Rules {
 public:
  Rules(const Graph& graph, const Node& node, const RangesOf& ranges) : graph_(graph), node_(node), ranges_(ranges) {}

  Ranges operator()(const Conv& op) const {
    const Ints& w = shape(1);
    if (!weights()) return {any_weights(op.zero_point, 0, Ints(w.begin() + 1, w.end()))};
    return biased(linear_bounds(*weights(), x(), op.zero_point));
  }
  Ranges operator()(const ConvTranspose& op) const {
    Ints terms = shape(1);
    terms.erase(terms.begin() + 1), terms[0] /= op.group;
    if (!weights()) return {any_weights(op.zero_point, 0, terms)};
    return biased(linear_bounds(outputs_first(*weights(), op.group), x(), op.zero_point));
  }
  Ranges operator()(const Gemm& op) const {
    if (!weights()) return {any_weights(op.zero_point, 0, {shape(1).at(op.transpose_b ? 1 : 0)})};
    return biased(linear_bounds(*weights(), x(), op.zero_point, op.transpose_b ? 0 : 1));
  }
  Ranges operator()(const MatMul& op) const {
    const Tensor* first = graph_.constant(node_.inputs[0]);
    // A constant matrix times an activation: one of a linear Resize.
    if (first && first->rank() >= 2 && op.zero_point_a == 0)
      return {hull(linear_bounds(*first, x(1), op.zero_point_b))};
    if (first || !weights() || weights()->rank() != 2 || op.zero_point_b != 0)
      return {any_weights(op.zero_point_a, op.zero_point_b, {shape(0).back()})};
    Ranges bounds = linear_bounds(*weights(), x(), op.zero_point_a, 1);
    if (graph_[node_.outputs[0]].shape.size() != 2) bounds = {hull(bounds)};
    return bounds;
  }
  Ranges operator()(const SumPool& op) const {
    return {of_terms(shifted_down(x(), op.zero_point), count_of(op.kernel))};
  }
  Ranges operator()(const ReduceSum& op) const {
    Ints taken;
    for (size_t axis = 0; axis < shape(0).size(); ++axis) {
      const auto is_axis = [&](int64_t a) { return normalise_axis(a, shape(0).size()) == static_cast<int64_t>(axis); };
      if (op.axes.empty() || std::any_of(op.axes.begin(), op.axes.end(), is_axis)) taken.push_back(shape(0)[axis]);
    }
    return {of_terms(shifted_down(x(), op.zero_point), count_of(taken))};
  }

  Ranges operator()(const Add&) const {
    if (Ranges bounds = with_constant(sum); !bounds.empty()) return bounds;
    Interval all = x(0);
    for (size_t slot = 1; slot < node_.inputs.size(); ++slot) all = sum(all, x(slot));
    return {all};
  }
  Ranges operator()(const Sub&) const { return {sum(x(0), negated(x(1)))}; }
  Ranges operator()(const Mul&) const {
    if (Ranges bounds = with_constant(product); !bounds.empty()) return bounds;
    return {product(x(0), x(1))};
  }
  /// Truncated toward zero: never larger than the dividend.
  Ranges operator()(const Div&) const { return {from_zero(-largest_magnitude(x()), largest_magnitude(x()))}; }
  Ranges operator()(const Neg&) const { return {negated(x())}; }
  Ranges operator()(const Abs&) const {
    const Interval of = x();
    const int64_t least =
        of.contains(0) ? 0 : std::min(largest_magnitude({of.low, of.low}), largest_magnitude({of.high, of.high}));
    return {{least, largest_magnitude(of)}};
  }
  Ranges operator()(const Relu&) const { return {{std::max<int64_t>(x().low, 0), std::max<int64_t>(x().high, 0)}}; }
  /// Where a side is open, the input's end.
  Ranges operator()(const Clip& op) const {
    const Interval to = integers_within(op.low, op.high);
    return {{std::isinf(op.low) ? std::min(x().low, to.high) : to.low,
             std::isinf(op.high) ? std::max(x().high, to.low) : to.high}};
  }
  Ranges operator()(const Where&) const { return {hull(x(1), x(2))}; }
  /// Of several, on one grid.
  template <class Op>
  requires(row<Op>.kind == OpClass::Concat || row<Op>.kind == OpClass::Choice) Ranges operator()(const Op&) const {
    Interval all = x(0);
    for (size_t slot = 1; slot < node_.inputs.size(); ++slot) all = hull(all, x(slot));
    return {all};
  }
  Ranges operator()(const Pad& op) const {
    return {hull(x(), {static_cast<int64_t>(op.value), static_cast<int64_t>(op.value)})};
  }
  Ranges operator()(const ArgMax& op) const {
    const int64_t extent = shape(0).at(static_cast<size_t>(normalise_axis(op.axis, shape(0).size())));
    return {{0, extent < 0 ? any_integer().high : extent - 1}};
  }

  /// What moves one input, but for a Pad and a Resize.
  template <class Op>
  requires(row<Op>.kind == OpClass::Movement) Ranges operator()(const Op&) const { return {x()}; }
  Ranges operator()(const Resize& op) const { return {op.mode == ResizeMode::Nearest ? x() : any_integer()}; }

  Ranges operator()(const Quantise& op) const { return {{op.grid.low, op.grid.high}}; }
  /// What ends in a clip.
  template <OnIntegers Op>
  requires requires(const Op& op) { Interval{op.low, op.high}; }
  Ranges operator()(const Op& op) const { return {{op.low, op.high}}; }
  Ranges operator()(const Threshold& op) const {
    const int64_t steps = shape(1).at(1);
    return {{op.low, steps < 0 ? any_integer().high : op.low + steps}};
  }
  Ranges operator()(const Table&) const { return {x(1)}; }
  Ranges operator()(const IntegerFunction auto& op) const {
    return {function_range(op, [&](size_t slot) { return slot < node_.inputs.size() ? x(slot) : field_y(op); })};
  }

  // Of reals: no integers to bound.
  Ranges operator()(const OnReals auto&) const { return {any_integer()}; }
  Ranges operator()(const Dequantise&) const { return {any_integer()}; }

 private:
  /// What an absent input is: the field of an op that has the number as either.
  template <class Op>
  Interval field_y(const Op& op) const {
    if constexpr (requires { op.y; }) return {op.y, op.y};
    throw InternalError("node '" + node_.name + "' (" + std::string(Op::name) + ") has its inputs");
  }
  Interval x(size_t slot = 0) const {
    const ValueId id = node_.inputs.at(slot);
    const Tensor* constant = graph_.constant(id);
    return constant ? range_of_constant(*constant) : hull(ranges_(id));
  }
  const Shape& shape(size_t slot) const { return graph_[node_.inputs.at(slot)].shape; }
  const Tensor* weights() const { return graph_.constant(node_.inputs[1]); }
  bool has_bias() const { return node_.inputs.size() > 2 && node_.inputs[2] != absent; }

  static Interval from_zero(int64_t low, int64_t high) { return hull({0, 0}, {low, high}); }
  /// Sums of products of which only the operands' ranges are known, `terms` extents of them.
  Interval any_weights(int64_t zero_a, int64_t zero_b, const Ints& terms) const {
    const Interval one = product(shifted_down(x(0), zero_a), shifted_down(x(1), zero_b));
    const Interval sums = of_terms(one, count_of(terms));
    return has_bias() ? sum(sums, x(2)) : sums;
  }

  /// The bias of each channel where it is constant and one a channel, else what it can be.
  Ranges biased(Ranges bounds) const {
    if (!has_bias()) return bounds;
    const Tensor* constant = graph_.constant(node_.inputs[2]);
    const bool each = constant && constant->size() == bounds.size() && constant->rank() > 0 &&
                      constant->shape().back() == static_cast<int64_t>(bounds.size());
    if (each) return with_bias(std::move(bounds), constant->to_integers());
    for (Interval& bound : bounds) bound = sum(bound, x(2));
    return bounds;
  }

  /// x * c or x + c where c is constant, one number a channel: a range a channel. Empty for anything else.
  Ranges with_constant(Interval (*combine)(Interval, Interval)) const {
    if (node_.inputs.size() != 2) return {};
    const Tensor* constant = weights();
    const size_t rank = graph_[node_.outputs[0]].shape.size();
    if (!constant || graph_.constant(node_.inputs[0]) || shape(0).size() != rank) return {};
    if (!is_per_channel(constant->shape(), rank)) return {};
    const Ints values = constant->to_integers();
    if (values.empty()) return {};
    const Ranges each = ranges_(node_.inputs[0]);
    Ranges bounds(std::max(each.size(), values.size()));
    for (size_t c = 0; c < bounds.size(); ++c) {
      const int64_t value = values[values.size() == 1 ? 0 : c];
      bounds[c] = combine(each[each.size() == 1 ? 0 : c], {value, value});
    }
    return bounds;
  }

  const Graph& graph_;
  const Node& node_;
  const RangesOf& ranges_;
};

}  // namespace

Interval range_of_constant(const Tensor& constant) {
  return with_integers(constant, [](auto values) -> Interval {
    if (values.empty()) return {};
    auto low = values[0], high = values[0];
    for (auto value : values) low = std::min(low, value), high = std::max(high, value);
    return {low, high};
  });
}

Interval any_integer() {
  return {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
}

Ranges integer_range(const Graph& graph, const Node& node, const RangesOf& ranges) {
  return visit(Rules(graph, node, ranges), node.op);
}

Ranges linear_bounds(const Tensor& weights, Interval inputs, int64_t zero_point, int64_t axis) {
  const ChannelOf channel(weights.shape(), axis);
  // A padded element adds 0. So low only falls and high only rises, and both may stop at the ends of 64 bits.
  const Interval x = hull(shifted_down(inputs, zero_point), {0, 0});
  // Never empty: of no channel, 0.
  Ranges bounds(std::max<size_t>(channel.count(), 1));
  with_integers(weights, [&](auto values) {
    using Weight = typename decltype(values)::element_type;
    // Sums of so many cannot leave 64 bits but where a weight has as many.
    constexpr size_t summed = sizeof(Weight) == 8 ? 1 : size_t{1} << 31;
    channel.each_run(0, values.size(), [&](size_t begin, size_t end, size_t c) {
      for (size_t next; begin < end; begin = next) {
        next = std::min(end, begin + summed);
        int64_t negative = 0, positive = 0;
        for (size_t i = begin; i < next; ++i) {
          const int64_t w = int64_t{0} + values[i];
          negative += std::min<int64_t>(w, 0), positive += std::max<int64_t>(w, 0);
        }
        bounds[c] = sum(bounds[c], sum(product(x, {negative, negative}), product(x, {positive, positive})));
      }
    });
  });
  return bounds;
}

Ranges with_bias(Ranges sums, const Ints& bias) {
  ensure(bias.size() == 1 || bias.size() == sums.size(), "a bias is one number, or one a channel");
  for (size_t c = 0; c < sums.size(); ++c) {
    const int64_t value = bias[bias.size() == 1 ? 0 : c];
    sums[c] = sum(sums[c], {value, value});
  }
  return sums;
}

}  // namespace nibble::graph
