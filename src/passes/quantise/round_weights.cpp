#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "base/channels.hpp"
#include "base/random.hpp"
#include "passes/quantise/output_noise.hpp"
#include "passes/quantise/passes.hpp"
#include "passes/quantise/weight_rows.hpp"
#include "passes/rewrite.hpp"
#include "quant/rounding/quadratic_rounding.hpp"
#include "quant/rounding/second_moments.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::ValueId;

/// Inputs of a sum whose errors know of each other.
constexpr size_t most_inputs = 1152;
/// Sums that a layer is seen at, as far as there are so many.
constexpr double enough_sums = 4096;
/// Weights of more have their rounding far below anything else.
constexpr int64_t most_levels = 1 << 10;
/// Of the moments' mean: what keeps weights near where a few thousand sums say nothing.
constexpr double damping = 0.01;

/// A linear op, and what its weights meet.
struct Layer {
  size_t linear;
  WeightRows rows;
  Grid grid;
  Random drawn;                                    ///< positions
  std::vector<quant::SecondMoments> moments = {};  ///< of a group, of a block

  size_t blocks() const { return (rows.inputs + most_inputs - 1) / most_inputs; }
  size_t first(size_t block) const { return rows.inputs * block / blocks(); }
};

std::vector<Layer> layers_to_round(const Graph& graph, const QuantiserPlan& plan) {
  std::vector<Layer> layers;
  const graph::Uses uses(graph);
  for (size_t l = 0; l < plan.linears.size(); ++l) {
    const LinearPoint& linear = plan.linears[l];
    const graph::Node& node = graph.nodes[linear.node];
    const ValueId weights = node.inputs[linear.slot];
    if (linear.kept || !linear.gain.empty() || linear.policy.weight_rounding == WeightRounding::Nearest ||
        linear.policy.weight_levels > most_levels || uses.only_reader(weights) < 0)
      continue;
    const auto rows = weight_rows(node, graph[weights].shape);
    if (!rows) continue;
    Layer& layer = layers.emplace_back(Layer{l, *rows, weight_grid(graph, linear), Random(l)});
    for (size_t g = 0; g < rows->groups; ++g)
      for (size_t b = 0; b < layer.blocks(); ++b) layer.moments.emplace_back(layer.first(b + 1) - layer.first(b));
  }
  return layers;
}

/// What the point's quantiser makes of a row; points have one scale for all channels.
void quantise_row(std::vector<float>& row, const Grid& grid, Rounding rounding) {
  for (float& x : row) x = static_cast<float>(grid.real(grid.quantise(static_cast<double>(x), 0, rounding), 0));
}

/// What a layer sees of the float network's `input`, a batch of examples whose first is number `first` of the data: `each`
/// sums of an example, one drawn from each of as many even parts.
class Seen {
 public:
  Seen(const Graph& graph, const QuantiserPlan& plan, const std::vector<Grid>& grids, const Observed& observed)
      : graph_(graph), plan_(plan), grids_(grids), observed_(observed) {}

  void see(Layer& layer, const Tensor& input, int64_t batch, int64_t first) const {
    const LinearPoint& linear = plan_.linears[layer.linear];
    const Tensor x = input.cast(ElementType::Float32);
    const Patches patches(graph_, graph_.nodes[linear.node], x.shape(), layer.rows);
    const auto each = static_cast<int64_t>(std::ceil(enough_sums / static_cast<double>(observed_.count)));
    const int64_t sums = patches.count() / batch, taken = std::min(sums, each);
    for (int64_t n = 0; n < batch; ++n)
      for (int64_t i = 0; i < taken && !observed_.is_judge(first + n); ++i) {
        const int64_t from = sums * i / taken, to = sums * (i + 1) / taken;
        add(layer, linear, patches, x.as<float>(),
            n * sums + from + static_cast<int64_t>(layer.drawn.below(static_cast<uint64_t>(to - from))));
      }
  }

 private:
  void add(Layer& layer, const LinearPoint& linear, const Patches& patches, std::span<const float> x,
           int64_t sum) const {
    std::vector<float> row(layer.rows.inputs);
    for (size_t g = 0; g < layer.rows.groups; ++g) {
      patches.take(x, sum, g, row.data());
      if (linear.point >= 0) {
        const auto p = static_cast<size_t>(linear.point);
        quantise_row(row, grids_[p], rounding_of(plan_.points[p]));
      }
      for (size_t b = 0; b < layer.blocks(); ++b)
        layer.moments[g * layer.blocks() + b].add(row.data() + layer.first(b));
    }
  }

  const Graph& graph_;
  const QuantiserPlan& plan_;
  const std::vector<Grid>& grids_;
  const Observed& observed_;
};

void see_all(const Graph& graph, const QuantiserPlan& plan, const Seen& seen, const graph::EngineMaker& maker,
             const Batches& batches, std::vector<Layer>& layers) {
  const auto engine = maker(graph);
  const Shape& shape = graph[graph.inputs[0]].shape;
  const bool counts = !shape.empty() && shape[0] == any;
  int64_t first = 0;
  batches([&](const std::vector<Tensor>& inputs) {
    const int64_t batch = counts ? inputs[0].shape()[0] : 1;
    engine->run(inputs, [&](ValueId id, const Tensor& tensor) {
      for (Layer& layer : layers)
        if (graph.nodes[plan.linears[layer.linear].node].inputs[0] == id) seen.see(layer, tensor, batch, first);
    });
    first += batch;
  });
}

/// The levels of the weights of a group and block, in place.
void round_block(Layer& layer, size_t group, size_t block, const ChannelOf& channel, std::vector<double>& levels) {
  const size_t first = layer.first(block), size = layer.first(block + 1) - first;
  std::vector<double> rows;
  for (size_t o = 0; o < layer.rows.outputs; ++o)
    for (size_t i = 0; i < size; ++i) {
      const size_t at = layer.rows.place(group, o, first + i);
      rows.push_back(levels[at] / layer.grid.scale_of(channel(at)));
    }
  const Interval range{layer.grid.low - layer.grid.zero_point, layer.grid.high - layer.grid.zero_point};
  const std::vector<double> rounded =
      quant::round_by_moments(layer.moments[group * layer.blocks() + block].about_zero(), rows, size, range, damping);
  for (size_t o = 0; o < layer.rows.outputs; ++o)
    for (size_t i = 0; i < size; ++i) levels[layer.rows.place(group, o, first + i)] = rounded[o * size + i];
}

/// Whether a weight is at another level than its nearest.
bool round_layer(Graph& graph, LinearPoint& linear, Layer& layer) {
  const ValueId id = graph.nodes[linear.node].inputs[linear.slot];
  const Tensor weights = *graph.constant(id);
  const ChannelOf channel(weights.shape(), layer.grid.axis);
  std::vector<double> levels = weights.to_reals();
  for (size_t g = 0; g < layer.rows.groups; ++g)
    for (size_t b = 0; b < layer.blocks(); ++b) round_block(layer, g, b, channel, levels);
  std::vector<double>& reals = levels;
  for (size_t i = 0; i < levels.size(); ++i) reals[i] = levels[i] * layer.grid.scale_of(channel(i));
  linear.rounded = layer.grid;
  const Tensor rounded = float_tensor(weights.shape(), reals);
  const bool moved =
      quant::quantise(rounded, layer.grid, Rounding::HalfUp) != quant::quantise(weights, layer.grid, Rounding::HalfUp);
  rewrite_constant(graph, id, rounded);
  return moved;
}

}  // namespace

RoundedWeights round_weights(Graph& graph, QuantiserPlan& plan, const std::vector<Grid>& grids, const Observed& seen,
                             const graph::EngineMaker& maker, const Batches& batches, bool corrects) {
  std::vector<Layer> layers = layers_to_round(graph, plan);
  if (layers.empty() || seen.judges().empty()) return {};
  see_all(graph, plan, Seen(graph, plan, grids, seen), maker, batches, layers);
  Graph rounded = graph;
  QuantiserPlan rounded_plan = plan;
  int moved = 0;
  for (Layer& layer : layers) {
    moved += round_layer(rounded, rounded_plan.linears[layer.linear], layer) ? 1 : 0;
    layer.moments.clear();
  }
  if (moved == 0) return {};
  const OutputNoise judge(graph, maker, seen.judges());
  const std::vector<std::vector<Tensor>> none, &biases = corrects ? seen.examples : none;
  const double before = noise_of(judge, graph, plan, grids, maker, biases);
  const double after = noise_of(judge, rounded, rounded_plan, grids, maker, biases);
  RoundedWeights result{0, -decibels(before), -decibels(after)};
  if (!(after < before)) return result;
  result.layers = moved;
  graph = std::move(rounded);
  plan = std::move(rounded_plan);
  return result;
}

}  // namespace nibble::passes
