#include "train/exact_types.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/interval.hpp"

namespace nibble::train {
namespace {

using namespace graph;

constexpr double float32_limit = 0x1p24;
constexpr double float64_limit = 0x1p52;  // below 2^53: the bounds themselves are rounded doubles
constexpr double unbounded = std::numeric_limits<double>::infinity();

Carrier carrier_of(double magnitude) {
  if (magnitude <= float32_limit) return Carrier::Float32;
  return magnitude <= float64_limit ? Carrier::Float64 : Carrier::Int64;
}

Reach reach_of(const Tensor& tensor) {
  const auto values = tensor.to_integers();
  if (values.empty()) return {};
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {static_cast<double>(*low), static_cast<double>(*high)};
}

Reach hull(Reach a, Reach b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

double times(double a, double b) {
  return a == 0 || b == 0 ? 0 : a * b;
}

Reach product(Reach a, Reach b) {
  const double all[] = {times(a.low, b.low), times(a.low, b.high), times(a.high, b.low), times(a.high, b.high)};
  return {*std::min_element(all, all + 4), *std::max_element(all, all + 4)};
}

Reach shifted(Reach a, int64_t by) {
  return {a.low + static_cast<double>(by), a.high + static_cast<double>(by)};
}

/// Indices, thresholds and tables are read as they are, whatever their size.
bool computes_on_first_only(const Op& op) {
  return holds_alternative<Gather>(op) || holds_alternative<Threshold>(op) || holds_alternative<Table>(op);
}

/// What an integer op gives, and the largest magnitude on the way: its operands, sums and partial sums.
struct Step {
  std::vector<Reach> outputs;
  double magnitude = 0;
};

/// Ranges through one graph.
class Planner {
 public:
  explicit Planner(const Graph& graph) : graph_(graph), exact_(graph.stage == Stage::QD || graph.stage == Stage::ID) {
    plan_.values.resize(graph.values.size(), exact_ ? Carrier::Float64 : Carrier::Float32);
    plan_.reaches.resize(graph.values.size());
  }

  Plan run() {
    for (size_t id = 0; id < graph_.values.size(); ++id)
      if (graph_.values[id].constant && integer(static_cast<ValueId>(id)))
        set(static_cast<ValueId>(id), reach_of(*graph_.values[id].constant));
    for (ValueId id : graph_.inputs) {
      const Value& value = graph_[id];
      if (!integer(id)) continue;
      const bool gridded = value.grid.has_value();
      set(id, gridded ? Reach{static_cast<double>(value.grid->low), static_cast<double>(value.grid->high)}
                      : nibble::train::reach_of(value.type));
    }
    for (const Node& node : graph_.nodes) plan_.nodes.push_back(node_carrier(node));
    return std::move(plan_);
  }

 private:
  bool integer(ValueId id) const { return !is_real(graph_[id].type); }
  Reach in(const Node& node, size_t i) const { return plan_.reaches[static_cast<size_t>(node.inputs[i])]; }
  bool has(const Node& node, size_t i) const { return i < node.inputs.size() && node.inputs[i] != absent; }
  void set(ValueId id, Reach reach) {
    plan_.reaches[static_cast<size_t>(id)] = reach;
    plan_.values[static_cast<size_t>(id)] = carrier_of(reach.magnitude());
  }

  Carrier node_carrier(const Node& node) {
    const Carrier reals = exact_ ? Carrier::Float64 : Carrier::Float32;
    if (!integer(node.outputs[0])) return reals;
    Step step = integer_step(node);
    for (size_t i = 0; i < node.outputs.size(); ++i)
      set(node.outputs[i], step.outputs[std::min(i, step.outputs.size() - 1)]);
    for (const Reach& reach : step.outputs) step.magnitude = std::max(step.magnitude, reach.magnitude());
    const size_t operands = computes_on_first_only(node.op) ? 1 : node.inputs.size();
    for (size_t i = 0; i < operands; ++i)
      if (has(node, i) && integer(node.inputs[i])) step.magnitude = std::max(step.magnitude, in(node, i).magnitude());
    return carrier_of(step.magnitude);
  }

  /// Products per output of a linear op whose weights have their outputs on `axis`, and the outputs' range.
  Step linear(const Node& node, Reach x, size_t weights, int64_t axis, int64_t terms, bool padded,
              int64_t zero_w) const {
    x = padded ? hull(x, {0, 0}) : x;
    Step step{{Reach{}}, 0};
    const Reach bias = has(node, 2) && weights == 1 ? in(node, 2) : Reach{};
    const auto add = [&](double up, double down) {
      const Reach sum{times(up, x.low) - times(down, x.high) + bias.low,
                      times(up, x.high) - times(down, x.low) + bias.high};
      step.outputs[0] = hull(step.outputs[0], sum);
      step.magnitude = std::max(step.magnitude, times(up + down, x.magnitude()) + bias.magnitude());
    };
    const Tensor* constant = graph_.constant(node.inputs[weights]);
    if (constant == nullptr || constant->rank() == 0) {
      const double most = times(static_cast<double>(terms), shifted(in(node, weights), -zero_w).magnitude());
      step.magnitude = times(most, x.magnitude()) + bias.magnitude();
      step.outputs[0] = {-step.magnitude, step.magnitude};
      return step;
    }
    const auto values = constant->to_integers();
    const Shape strides = strides_of(constant->shape());
    const auto stride = static_cast<size_t>(strides[static_cast<size_t>(axis)]);
    const auto channels = static_cast<size_t>(constant->shape()[static_cast<size_t>(axis)]);
    std::vector<double> up(channels), down(channels);
    for (size_t i = 0; i < values.size(); ++i) {
      const double w = static_cast<double>(values[i] - zero_w);
      (w > 0 ? up : down)[i / stride % channels] += std::abs(w);
    }
    for (size_t c = 0; c < channels; ++c) add(up[c], down[c]);
    return step;
  }

  Step conv(const Node& node, const Conv& op) const {
    const Shape& shape = graph_[node.inputs[1]].shape;
    int64_t terms = 1;
    for (size_t i = 1; i < shape.size(); ++i) terms *= shape[i];
    return linear(node, shifted(in(node, 0), -op.zero_point), 1, 0, terms, true, 0);
  }
  Step gemm(const Node& node, const Gemm& op) const {
    const int64_t terms = graph_[node.inputs[1]].shape.at(op.transpose_b ? 1 : 0);
    return linear(node, shifted(in(node, 0), -op.zero_point), 1, op.transpose_b ? 0 : 1, terms, false, 0);
  }
  Step conv_transpose(const Node& node, const ConvTranspose& op) const {
    const Shape& shape = graph_[node.inputs[1]].shape;
    int64_t terms = shape[0];
    for (size_t i = 2; i < shape.size(); ++i) terms *= shape[i];
    const double most = times(static_cast<double>(terms),
                              times(shifted(in(node, 0), -op.zero_point).magnitude(), in(node, 1).magnitude())) +
                        (has(node, 2) ? in(node, 2).magnitude() : 0);
    return {{{-most, most}}, most};
  }
  Step matmul(const Node& node, const MatMul& op) const {
    const Shape &a = graph_[node.inputs[0]].shape, &b = graph_[node.inputs[1]].shape;
    const int64_t terms = std::max(a.back(), b.size() == 1 ? b[0] : b[b.size() - 2]);
    const double most = times(
        times(shifted(in(node, 0), -op.zero_point_a).magnitude(), shifted(in(node, 1), -op.zero_point_b).magnitude()),
        terms < 0 ? unbounded : static_cast<double>(terms));
    return {{{-most, most}}, most};
  }
  Step sums(Reach x, double terms) const {
    x = hull(x, {0, 0});
    return {{{times(x.low, terms), times(x.high, terms)}}, times(x.magnitude(), terms)};
  }
  Step reduce(const Node& node, const ReduceSum& op) const {
    const Shape& shape = graph_[node.inputs[0]].shape;
    double terms = 1;
    for (size_t i = 0; i < shape.size(); ++i) {
      const bool named = std::any_of(op.axes.begin(), op.axes.end(), [&](int64_t axis) {
        return (axis < 0 ? axis + static_cast<int64_t>(shape.size()) : axis) == static_cast<int64_t>(i);
      });
      if (named || op.axes.empty()) terms *= shape[i] < 0 ? unbounded : static_cast<double>(shape[i]);
    }
    return sums(shifted(in(node, 0), -op.zero_point), terms);
  }
  Step requantise(const Node& node, const Requantise& op) const {
    double m = 0, b = 0;
    for (int64_t value : op.multiplier) m = std::max(m, std::abs(static_cast<double>(value)));
    for (int64_t value : op.addend) b = std::max(b, std::abs(static_cast<double>(value)));
    const bool safe = times(in(node, 0).magnitude(), m) + b < 0x1p62;
    return {{interval(op.low, op.high)}, safe ? 0 : unbounded};
  }
  Step table(const Node& node, const Table& op) const {
    const Tensor* entries = graph_.constant(node.inputs[1]);
    if (entries == nullptr) return beyond();
    const auto first = static_cast<double>(op.first), last = first + static_cast<double>(entries->size()) - 1;
    const bool inside = in(node, 0).low >= first && in(node, 0).high <= last;
    return {{in(node, 1)}, inside ? 0 : unbounded};
  }
  Step threshold(const Node& node, const Threshold& op) const {
    const Tensor* rows = graph_.constant(node.inputs[1]);
    if (rows == nullptr) return beyond();
    return {{interval(op.low, op.low + rows->shape().at(1))}, 0};
  }
  static Reach interval(int64_t low, int64_t high) { return {static_cast<double>(low), static_cast<double>(high)}; }
  static Step beyond() { return {{{-unbounded, unbounded}}, unbounded}; }

  Step joined(const Node& node) const {
    Reach all = in(node, 0);
    for (size_t i = 1; i < node.inputs.size(); ++i) all = hull(all, in(node, i));
    return {{all}, 0};
  }

  Step integer_step(const Node& node) const;

  const Graph& graph_;
  bool exact_;
  Plan plan_;
};

double count(const Ints& kernel) {
  double all = 1;
  for (int64_t extent : kernel) all *= static_cast<double>(extent);
  return all;
}

Step Planner::integer_step(const Node& node) const {
  const auto same = [&] { return Step{{in(node, 0)}, 0}; };
  return match(
      node.op,                                             //
      [&](const Conv& op) { return conv(node, op); },      //
      [&](const Gemm& op) { return gemm(node, op); },      //
      [&](const MatMul& op) { return matmul(node, op); },  //
      [&](const Identity&) { return same(); },             //
      [&](const Relu&) {
        const Reach x = in(node, 0);
        return Step{{{std::max(x.low, 0.0), std::max(x.high, 0.0)}}, 0};
      },
      [&](const Neg&) {
        return Step{{{-in(node, 0).high, -in(node, 0).low}}, 0};
      },
      [&](const Abs&) {
        return Step{{{0, in(node, 0).magnitude()}}, 0};
      },
      [&](const Dropout&) { return same(); },
      [&](const Add&) {
        double low = 0, high = 0;
        for (size_t i = 0; i < node.inputs.size(); ++i) low += in(node, i).low, high += in(node, i).high;
        return Step{{{low, high}}, 0};
      },
      [&](const Sub&) {
        return Step{{{in(node, 0).low - in(node, 1).high, in(node, 0).high - in(node, 1).low}}, 0};
      },
      [&](const Mul&) {
        return Step{{product(in(node, 0), in(node, 1))}, 0};
      },
      // Truncated toward zero, and an error on zero: the evaluator's.
      [&](const Div&) {
        const double most = in(node, 0).magnitude();
        return Step{{{-most, most}}, unbounded};
      },
      [&](const Clip& op) {
        const bool whole = std::floor(op.low) == op.low && std::floor(op.high) == op.high;
        const Reach x = in(node, 0);
        return Step{{{std::clamp(x.low, op.low, op.high), std::clamp(x.high, op.low, op.high)}}, whole ? 0 : unbounded};
      },
      [&](const MaxPool&) { return same(); },  //
      [&](const SumPool& op) { return sums(shifted(in(node, 0), -op.zero_point), count(op.kernel)); },
      [&](const ReduceSum& op) { return reduce(node, op); }, [&](const Concat&) { return joined(node); },  //
      [&](const Split&) { return same(); },                                                                //
      [&](const Slice&) { return same(); },
      [&](const Pad& op) {
        return op.mode == PadMode::Constant ? Step{{hull(in(node, 0), {op.value, op.value})}, 0} : same();
      },
      [&](const Flatten&) { return same(); }, [&](const Reshape&) { return same(); },
      [&](const Transpose&) { return same(); }, [&](const Squeeze&) { return same(); },
      [&](const Unsqueeze&) { return same(); }, [&](const Gather&) { return same(); },
      [&](const Resize& op) { return op.mode == ResizeMode::Nearest ? same() : beyond(); },
      [&](const Quantise& op) {
        return Step{{interval(op.grid.low, op.grid.high)}, 0};
      },
      [&](const Dequantise&) { return beyond(); },
      [&](const Rescale& op) {
        // Several inputs are the reference's, exactly.
        return Step{{interval(op.low, op.high)}, node.inputs.size() == 1 ? 0 : unbounded};
      },
      [&](const Requantise& op) { return requantise(node, op); },
      [&](const Threshold& op) { return threshold(node, op); },  //
      [&](const Table& op) { return table(node, op); },
      [&](const ConvTranspose& op) { return conv_transpose(node, op); },
      [&](const Min&) {
        return Step{{{std::min(in(node, 0).low, in(node, 1).low), std::min(in(node, 0).high, in(node, 1).high)}}, 0};
      },
      [&](const Max&) {
        return Step{{{std::max(in(node, 0).low, in(node, 1).low), std::max(in(node, 0).high, in(node, 1).high)}}, 0};
      },
      [&](const Where&) {
        return Step{{hull(in(node, 1), in(node, 2))}, 0};
      },
      [&](const ReduceMax&) { return same(); },
      // Which of equals libtorch names is not said: the evaluator's.
      [&](const ArgMax& op) {
        const Shape& x = graph_[node.inputs[0]].shape;
        const int64_t extent = x.at(static_cast<size_t>(normalise_axis(op.axis, x.size())));
        return Step{{{0, extent < 0 ? unbounded : static_cast<double>(extent)}}, unbounded};
      },
      [&](const OnReals auto&) { return beyond(); },
      // As the evaluator computes them, exact at any width.
      [&]<OnIntegers T>(const T& op) {
        if constexpr (requires { op.low, op.high; }) return Step{{interval(op.low, op.high)}, unbounded};
        return beyond();
      });
}

}  // namespace

Reach reach_of(ElementType type) {
  if (is_real(type) || type == ElementType::Int64) return {-unbounded, unbounded};
  const Interval range = range_of(type);
  return {static_cast<double>(range.low), static_cast<double>(range.high)};
}

Plan plan_exact_types(const graph::Graph& graph) {
  return Planner(graph).run();
}

}  // namespace nibble::train
