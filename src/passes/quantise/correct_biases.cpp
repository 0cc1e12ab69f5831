#include <map>
#include <numeric>

#include "passes/quantise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::ValueId;

bool has_bias_input(const graph::Op& op) {
  return holds_alternative<graph::Conv>(op) || holds_alternative<graph::Gemm>(op);
}

/// The network as it is, with the quantised twin of each linear op behind it; what it gives are the means over
/// positions of their differences, [N, C, 1..] or [N, C].
class Twins {
 public:
  Twins(const Graph& graph, const QuantiserPlan& plan, const std::vector<Grid>& grids)
      : plan_(plan), grids_(grids), twins_(graph) {
    twins_.nodes.clear();
    twins_.outputs.clear();
    // A twin stands behind its op, so that no activation is kept longer than the network keeps it.
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      twins_.nodes.push_back(graph.nodes[n]);
      for (const LinearPoint& linear : plan.linears)
        if (linear.node == n && is_free(graph, linear)) add(graph, linear);
    }
    graph::tidy(twins_);
  }
  const Graph& graph() const { return twins_; }
  /// The nodes that the outputs belong to.
  const std::vector<size_t>& linears() const { return linears_; }

 private:
  /// Nothing else sets its bias: training by a batch-norm, or a quantiser that the network came with.
  static bool is_free(const Graph& graph, const LinearPoint& linear) {
    const graph::Node& node = graph.nodes[linear.node];
    const ValueId bias = node.inputs.size() > 2 ? node.inputs[2] : graph::absent;
    return !linear.kept && has_bias_input(node.op) && linear.gain.empty() &&
           (bias == graph::absent || graph.constant(bias) != nullptr);
  }

  ValueId quantised(ValueId x, int point) {
    if (point < 0) return x;
    const auto [found, fresh] = quantised_.try_emplace({x, point}, graph::absent);
    const auto p = static_cast<size_t>(point);
    if (fresh) found->second = twins_.add_node({}, graph::Quantise{grids_[p], rounding_of(plan_.points[p])}, {x});
    return found->second;
  }

  void add(const Graph& graph, const LinearPoint& linear) {
    const graph::Node& node = graph.nodes[linear.node];
    const Grid grid = weight_grid(graph, linear);
    const Tensor& weights = *graph.constant(node.inputs[linear.slot]);
    std::vector<ValueId> inputs = node.inputs;
    inputs[0] = quantised(inputs[0], linear.point);
    inputs[linear.slot] =
        twins_.add_constant({}, quant::dequantise(quant::quantise(weights, grid, Rounding::HalfUp), grid));
    const ValueId twin = twins_.add_node({}, node.op, inputs);
    ValueId difference = twins_.add_node({}, graph::Sub{}, {node.outputs[0], twin});
    graph::Ints positions(graph[node.outputs[0]].shape.size() - 2);
    std::iota(positions.begin(), positions.end(), 2);
    if (!positions.empty()) difference = twins_.add_node({}, graph::ReduceMean{positions, true}, {difference});
    twins_.outputs.push_back(difference);
    linears_.push_back(linear.node);
  }

  const QuantiserPlan& plan_;
  const std::vector<Grid>& grids_;
  Graph twins_;
  std::map<std::pair<ValueId, int>, ValueId> quantised_;
  std::vector<size_t> linears_;
};

void add_to_bias(Graph& graph, graph::Node& node, const std::vector<double>& shift) {
  const auto channels = static_cast<int64_t>(shift.size());
  std::vector<double> bias(shift.size(), 0);
  const bool present = node.inputs.size() > 2 && node.inputs[2] != graph::absent;
  if (present) bias = graph.constant(node.inputs[2])->to_reals();
  for (size_t c = 0; c < bias.size(); ++c) bias[c] += shift[c];
  const Tensor tensor = float_tensor({channels}, bias);
  node.inputs.resize(3, graph::absent);
  node.inputs[2] =
      present ? rewrite_constant(graph, node.inputs[2], tensor) : graph.add_constant(node.name + "_bias", tensor);
}

}  // namespace

int correct_biases(Graph& graph, const QuantiserPlan& plan, const std::vector<Grid>& grids,
                   const graph::EngineMaker& maker, const Batches& batches) {
  const Twins twins(graph, plan, grids);
  const std::vector<size_t>& linears = twins.linears();
  if (linears.empty()) return 0;
  std::vector<std::vector<double>> sums(linears.size());
  double examples = 0;
  const auto engine = maker(twins.graph());
  batches([&](const std::vector<Tensor>& inputs) {
    const std::vector<Tensor> means = engine->run(inputs);
    examples += static_cast<double>(means[0].shape()[0]);
    for (size_t i = 0; i < means.size(); ++i) {
      const std::vector<double> values = means[i].to_reals();
      sums[i].resize(static_cast<size_t>(means[i].shape()[1]));
      for (size_t at = 0; at < values.size(); ++at) sums[i][at % sums[i].size()] += values[at];
    }
  });
  for (size_t i = 0; i < linears.size(); ++i) {
    for (double& sum : sums[i]) sum /= examples;
    add_to_bias(graph, graph.nodes[linears[i]], sums[i]);
  }
  return static_cast<int>(linears.size());
}

}  // namespace nibble::passes
