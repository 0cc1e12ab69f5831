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

/// 0.25 dB: what few examples say of less, others may not.
constexpr double worth_it = 1.06;

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

/// The levels that the point's quantiser makes of a row, from real zero's on: no scale, so that no product of two leaves
/// float32. Points have one scale for all channels.
void to_levels(std::vector<float>& row, const Grid& grid, Rounding rounding) {
  for (float& x : row) x = static_cast<float>(grid.quantise(static_cast<double>(x), 0, rounding) - grid.zero_point);
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
        to_levels(row, grids_[p], rounding_of(plan_.points[p]));
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

/// Of a block of inputs. Reals whose products left float32 say nothing.
std::vector<double> moments_of(quant::SecondMoments& seen) {
  std::vector<double> moments = seen.about_zero();
  const auto finite = [](double x) { return std::isfinite(x); };
  if (!std::all_of(moments.begin(), moments.end(), finite)) std::fill(moments.begin(), moments.end(), 0.0);
  return moments;
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
      quant::round_by_moments(moments_of(layer.moments[group * layer.blocks() + block]), rows, size, range, damping);
  for (size_t o = 0; o < layer.rows.outputs; ++o)
    for (size_t i = 0; i < size; ++i) levels[layer.rows.place(group, o, first + i)] = rounded[o * size + i];
}

/// Rows whose sums, of inputs up to `largest` levels from real zero, might leave 32 bits take their nearest levels again,
/// by which the plan was made.
void keep_sums(const Layer& layer, double largest, const std::vector<double>& weights, const ChannelOf& channel,
               std::vector<double>& levels) {
  for (size_t g = 0; g < layer.rows.groups; ++g)
    for (size_t o = 0; o < layer.rows.outputs; ++o) {
      double sum = 0;
      for (size_t i = 0; i < layer.rows.inputs; ++i) sum += std::abs(levels[layer.rows.place(g, o, i)]);
      if (sum * largest <= most_of_a_sum) continue;
      for (size_t i = 0; i < layer.rows.inputs; ++i) {
        const size_t at = layer.rows.place(g, o, i);
        const int64_t nearest = layer.grid.quantise(weights[at], channel(at), Rounding::HalfUp);
        levels[at] = static_cast<double>(nearest - layer.grid.zero_point);
      }
    }
}

/// A layer's weights, on their grid.
struct RoundedLayer {
  size_t linear;
  Tensor weights;
  Grid grid;
  bool in_groups;
  bool moved;  ///< one of them is at another level than its nearest
};

/// `largest`: of the levels of its inputs.
RoundedLayer round_layer(const Graph& graph, const LinearPoint& linear, Layer& layer, double largest) {
  const Tensor& weights = *graph.constant(graph.nodes[linear.node].inputs[linear.slot]);
  const ChannelOf channel(weights.shape(), layer.grid.axis);
  const std::vector<double> given = weights.to_reals();
  std::vector<double> levels = given;
  for (size_t g = 0; g < layer.rows.groups; ++g)
    for (size_t b = 0; b < layer.blocks(); ++b) round_block(layer, g, b, channel, levels);
  keep_sums(layer, largest, given, channel, levels);
  std::vector<double>& reals = levels;
  for (size_t i = 0; i < levels.size(); ++i) reals[i] = levels[i] * layer.grid.scale_of(channel(i));
  RoundedLayer rounded{layer.linear, float_tensor(weights.shape(), reals), layer.grid, layer.rows.groups > 1, false};
  rounded.moved = quant::quantise(rounded.weights, layer.grid, Rounding::HalfUp) !=
                  quant::quantise(weights, layer.grid, Rounding::HalfUp);
  return rounded;
}

/// The network with weights at such levels.
struct Candidate {
  Graph graph;
  QuantiserPlan plan;
  int layers = 0;  ///< that are not all at their nearest

  void take(const RoundedLayer& layer) {
    LinearPoint& linear = plan.linears[layer.linear];
    rewrite_constant(graph, graph.nodes[linear.node].inputs[linear.slot], layer.weights);
    linear.rounded = layer.grid;
    layers += layer.moved ? 1 : 0;
  }
};

/// All layers, and all but those in groups: sums of few inputs have little to take back, and may cost the network more.
std::vector<Candidate> candidates(const Graph& graph, const QuantiserPlan& plan,
                                  const std::vector<RoundedLayer>& layers) {
  Candidate all{graph, plan}, ungrouped{graph, plan};
  for (const RoundedLayer& layer : layers) {
    all.take(layer);
    if (!layer.in_groups) ungrouped.take(layer);
  }
  std::vector<Candidate> made;
  if (ungrouped.layers > 0 && ungrouped.layers < all.layers) made.push_back(std::move(ungrouped));
  if (all.layers > 0) made.push_back(std::move(all));
  return made;
}

}  // namespace

RoundedWeights round_weights(Graph& graph, QuantiserPlan& plan, const std::vector<Grid>& grids, const Observed& seen,
                             const graph::EngineMaker& maker, const Batches& batches, bool corrects) {
  std::vector<Layer> layers = layers_to_round(graph, plan);
  if (layers.empty() || seen.judges().empty()) return {};
  see_all(graph, plan, Seen(graph, plan, grids, seen), maker, batches, layers);
  std::vector<RoundedLayer> rounded;
  for (Layer& layer : layers) {
    const LinearPoint& linear = plan.linears[layer.linear];
    const int p = linear.point;
    const double largest = p < 0 ? 0 : static_cast<double>(grids[static_cast<size_t>(p)].levels() - 1);
    rounded.push_back(round_layer(graph, linear, layer, largest));
    layer.moments.clear();
  }
  std::vector<Candidate> tried = candidates(graph, plan, rounded);
  if (tried.empty()) return {};
  const OutputNoise judge(graph, maker, seen.judges());
  const std::vector<std::vector<Tensor>> none, &biases = corrects ? seen.examples : none;
  const double before = noise_of(judge, graph, plan, grids, maker, biases);
  Candidate* best = nullptr;
  double least = 0;
  for (Candidate& each : tried) {
    const double noise = noise_of(judge, each.graph, each.plan, grids, maker, biases);
    if (!best || noise < least) best = &each, least = noise;
  }
  RoundedWeights result{0, -decibels(before), -decibels(least)};
  if (!(least * worth_it < before)) return result;
  result.layers = best->layers;
  graph = std::move(best->graph);
  plan = std::move(best->plan);
  return result;
}

}  // namespace nibble::passes
