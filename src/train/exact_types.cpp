#include "train/exact_types.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/interval.hpp"
#include "graph/op_traits.hpp"
#include "graph/ranges.hpp"

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

Reach reach_of(Interval range) {
  return {static_cast<double>(range.low), static_cast<double>(range.high)};
}

double times(double a, double b) {
  return a == 0 || b == 0 ? 0 : a * b;
}

Reach shifted(Reach a, int64_t by) {
  return {a.low + static_cast<double>(by), a.high + static_cast<double>(by)};
}

/// Indices, thresholds and tables are read as they are, whatever their size.
bool computes_on_first_only(const Op& op) {
  return holds_alternative<Gather>(op) || holds_alternative<Threshold>(op) || holds_alternative<Table>(op);
}

double count(const Ints& kernel) {
  double all = 1;
  for (int64_t extent : kernel) all *= static_cast<double>(extent);
  return all;
}

}  // namespace

/// Ranges through one graph.
class ExactTypes::Planner {
 public:
  explicit Planner(const Graph& graph) : graph_(graph), exact_(graph.stage == Stage::QD || graph.stage == Stage::ID) {}

  void add_input(ValueId id) {
    const Value& value = graph_[id];
    grow();
    if (integer(id)) set(id, {value.grid ? Interval{value.grid->low, value.grid->high} : range_of(value.type)});
  }
  Carrier add(const Node& node) {
    grow();
    return node_carrier(node);
  }
  Carrier of(ValueId id) {
    grow();
    return carriers_[static_cast<size_t>(id)];
  }
  const Reach& reach(ValueId id) const { return reaches_[static_cast<size_t>(id)]; }

 private:
  /// For values that have come, constants as they are.
  void grow() {
    const size_t known = carriers_.size();
    carriers_.resize(graph_.values.size(), exact_ ? Carrier::Float64 : Carrier::Float32);
    reaches_.resize(graph_.values.size());
    ranges_.resize(graph_.values.size(), {any_integer()});
    for (size_t id = known; id < graph_.values.size(); ++id)
      if (graph_.values[id].constant && integer(static_cast<ValueId>(id)))
        set(static_cast<ValueId>(id), {range_of_constant(*graph_.values[id].constant)});
  }
  bool integer(ValueId id) const { return !is_real(graph_[id].type); }
  Reach in(const Node& node, size_t i) const { return reaches_[static_cast<size_t>(node.inputs[i])]; }
  bool has(const Node& node, size_t i) const { return i < node.inputs.size() && node.inputs[i] != absent; }
  void set(ValueId id, Ranges ranges) {
    const auto at = static_cast<size_t>(id);
    reaches_[at] = reach_of(hull(ranges));
    carriers_[at] = carrier_of(reaches_[at].magnitude());
    ranges_[at] = std::move(ranges);
  }

  Carrier node_carrier(const Node& node) {
    const Carrier reals = exact_ ? Carrier::Float64 : Carrier::Float32;
    if (!integer(node.outputs[0])) return reals;
    const Ranges ranges = integer_range(graph_, node, [&](ValueId id) { return ranges_[static_cast<size_t>(id)]; });
    for (ValueId id : node.outputs) set(id, ranges);
    const Reach bounds = reach_of(hull(ranges));
    double magnitude = std::max(on_the_way(node, bounds), bounds.magnitude());
    const size_t operands = computes_on_first_only(node.op) ? 1 : node.inputs.size();
    for (size_t i = 0; i < operands; ++i)
      if (has(node, i) && integer(node.inputs[i])) magnitude = std::max(magnitude, in(node, i).magnitude());
    return carrier_of(magnitude);
  }

  double bias(const Node& node) const { return has(node, 2) ? in(node, 2).magnitude() : 0; }
  /// Sums of products, in any order: of constant weights, without the bias, they lie within the bounds of the whole.
  double linear(const Node& node, Reach x, int64_t terms, Reach bounds) const {
    const bool known = graph_.constant(node.inputs[1]) != nullptr;
    return known ? bounds.magnitude() + 2 * bias(node) : products(terms, in(node, 1), x) + bias(node);
  }
  static double products(int64_t terms, Reach a, Reach b) {
    return times(terms < 0 ? unbounded : static_cast<double>(terms), times(a.magnitude(), b.magnitude()));
  }

  double conv(const Node& node, const Conv& op, Reach bounds) const {
    const Shape& shape = graph_[node.inputs[1]].shape;
    int64_t terms = 1;
    for (size_t i = 1; i < shape.size(); ++i) terms *= shape[i];
    return linear(node, shifted(in(node, 0), -op.zero_point), terms, bounds);
  }
  double gemm(const Node& node, const Gemm& op, Reach bounds) const {
    const int64_t terms = graph_[node.inputs[1]].shape.at(op.transpose_b ? 1 : 0);
    return linear(node, shifted(in(node, 0), -op.zero_point), terms, bounds);
  }
  double conv_transpose(const Node& node, const ConvTranspose& op) const {
    const Shape& shape = graph_[node.inputs[1]].shape;
    int64_t terms = shape[0];
    for (size_t i = 2; i < shape.size(); ++i) terms *= shape[i];
    return products(terms, shifted(in(node, 0), -op.zero_point), in(node, 1)) + bias(node);
  }
  double matmul(const Node& node, const MatMul& op) const {
    const Shape &a = graph_[node.inputs[0]].shape, &b = graph_[node.inputs[1]].shape;
    return products(std::max(a.back(), b.size() == 1 ? b[0] : b[b.size() - 2]), shifted(in(node, 0), -op.zero_point_a),
                    shifted(in(node, 1), -op.zero_point_b));
  }
  double reduce(const Node& node, const ReduceSum& op) const {
    const Shape& shape = graph_[node.inputs[0]].shape;
    double terms = 1;
    for (size_t i = 0; i < shape.size(); ++i) {
      const bool named = std::any_of(op.axes.begin(), op.axes.end(), [&](int64_t axis) {
        return (axis < 0 ? axis + static_cast<int64_t>(shape.size()) : axis) == static_cast<int64_t>(i);
      });
      if (named || op.axes.empty()) terms *= shape[i] < 0 ? unbounded : static_cast<double>(shape[i]);
    }
    return times(shifted(in(node, 0), -op.zero_point).magnitude(), terms);
  }
  double requantise(const Node& node, const Requantise& op) const {
    double m = 0, b = 0;
    for (int64_t value : op.multiplier) m = std::max(m, std::abs(static_cast<double>(value)));
    for (int64_t value : op.addend) b = std::max(b, std::abs(static_cast<double>(value)));
    return times(in(node, 0).magnitude(), m) + b < 0x1p62 ? 0.0 : unbounded;
  }
  double table(const Node& node, const Table& op) const {
    const Tensor* entries = graph_.constant(node.inputs[1]);
    if (entries == nullptr) return unbounded;
    const auto first = static_cast<double>(op.first), last = first + static_cast<double>(entries->size()) - 1;
    return in(node, 0).low >= first && in(node, 0).high <= last ? 0.0 : unbounded;
  }

  double on_the_way(const Node& node, Reach bounds) const;

  const Graph& graph_;
  bool exact_;
  std::vector<Carrier> carriers_;  ///< by ValueId, as the next two
  std::vector<Reach> reaches_;     ///< integers only
  std::vector<Ranges> ranges_;
};

/// The largest magnitude between an integer op's inputs and its outputs: of its sums and partial sums. 0 where it
/// computes nothing wider than those; unbounded where libtorch has no exact form, so that the evaluator runs it.
/// `bounds` are the output's.
double ExactTypes::Planner::on_the_way(const Node& node, Reach bounds) const {
  return match(
      node.op,                                                 //
      [&](const Conv& op) { return conv(node, op, bounds); },  //
      [&](const ConvTranspose& op) { return conv_transpose(node, op); },
      [&](const Gemm& op) { return gemm(node, op, bounds); },  //
      [&](const MatMul& op) { return matmul(node, op); },      //
      [&](const SumPool& op) { return times(shifted(in(node, 0), -op.zero_point).magnitude(), count(op.kernel)); },
      [&](const ReduceSum& op) { return reduce(node, op); }, [&](const Requantise& op) { return requantise(node, op); },
      // Its levels are floats.
      [&](const Rescale& op) {
        return reach_of(Interval{op.low, op.high}).magnitude() > float32_limit ? unbounded : 0.0;
      },
      [&](const Threshold&) { return graph_.constant(node.inputs[1]) ? 0.0 : unbounded; },
      [&](const Table& op) { return table(node, op); },
      [&](const Clip& op) { return std::floor(op.low) == op.low && std::floor(op.high) == op.high ? 0.0 : unbounded; },
      [](const Quantise&) { return 0.0; },
      // Truncated, as floats do not, and what computes otherwise: the evaluator's, exact at any width.
      [](const Div&) { return unbounded; }, [](const OnReals auto&) { return unbounded; },
      [&](const auto&) { return moves_data(node.op) || is_pointwise(node.op) ? 0.0 : unbounded; });
}

Reach reach_of(ElementType type) {
  if (is_real(type) || type == ElementType::Int64) return {-unbounded, unbounded};
  return reach_of(range_of(type));
}

ExactTypes::ExactTypes(const Graph& graph) : planner_(std::make_unique<Planner>(graph)) {
  for (ValueId id : graph.inputs) add_input(id);
}
ExactTypes::~ExactTypes() = default;
void ExactTypes::add_input(ValueId id) {
  planner_->add_input(id);
}
Carrier ExactTypes::add(const Node& node) {
  return planner_->add(node);
}
Carrier ExactTypes::of(ValueId id) const {
  return planner_->of(id);
}
const Reach& ExactTypes::reach(ValueId id) const {
  return planner_->reach(id);
}

}  // namespace nibble::train
