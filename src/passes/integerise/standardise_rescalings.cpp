#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/channels.hpp"
#include "base/rescale.hpp"
#include "passes/integerise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::absent;
using graph::Graph;
using graph::Node;
using graph::ValueId;

/// The linear op whose sums a rescaling alone reads.
struct Layer {
  size_t linear, rescale;
  size_t axis;  ///< of the weights' output channels
};

bool has_channels_on_axis_1(const Graph& graph, const Node& node) {
  return !holds_alternative<graph::MatMul>(node.op) ||
         (graph[node.outputs[0]].shape.size() == 2 && graph[node.inputs[1]].shape.size() == 2);
}

std::optional<Layer> layer_at(const Graph& graph, const graph::Uses& uses, size_t index) {
  const ValueId sum = graph.nodes[index].inputs[0];
  const int writer = uses.writer[static_cast<size_t>(sum)];
  if (writer < 0 || uses.only_reader(sum) != static_cast<int>(index)) return {};
  const Node& node = graph.nodes[static_cast<size_t>(writer)];
  const bool conv = holds_alternative<graph::Conv>(node.op);
  const auto* gemm = get_if<graph::Gemm>(&node.op);
  if (!conv && !gemm && !holds_alternative<graph::MatMul>(node.op)) return {};
  if (!graph.constant(node.inputs[1]) || !has_channels_on_axis_1(graph, node)) return {};
  if (!graph[node.inputs[0]].grid || !graph[graph.nodes[index].outputs[0]].grid) return {};
  const size_t axis = conv || (gemm && gemm->transpose_b) ? 0 : 1;
  return Layer{static_cast<size_t>(writer), index, axis};
}

/// Of what a linear op reads: an input's channels are brought to the largest of their scales (input_factors.hpp).
double scale_of_input(const Grid& grid) {
  return *std::max_element(grid.scale.begin(), grid.scale.end());
}

double float_of(double x) {
  return static_cast<double>(static_cast<float>(x));
}

/// One channel in the standard's terms: y = round_half_even(kappa * (sign * a + bias)).
struct Channel {
  double weight_scale, kappa;
  int64_t sign, bias;
};

/// The level that a channel has for every sum within `reach` of zero, if it is one.
std::optional<int64_t> only_level(const graph::Rescale& rescale, double kappa, double lambda, int64_t reach) {
  const auto level = [&](int64_t a) {
    return std::clamp(rescaled(kappa, lambda, a, rescale.rounding) + rescale.zero_point, rescale.low, rescale.high);
  };
  if (level(-reach) != level(reach)) return {};
  return level(reach);
}

Channel channel_of(double kappa, double lambda, double x_scale, double y_scale, const Node& node) {
  const double scale = float_of(std::abs(kappa) * y_scale / x_scale);
  if (!(scale > 0) || !std::isfinite(scale))
    fail("passes", place_of(node), fmt::format("a weight scale of {}", std::abs(kappa) * y_scale / x_scale),
         "one that float32 holds");
  Channel channel{scale, x_scale * scale / y_scale, kappa > 0 ? 1 : -1, 0};
  const double bias = std::nearbyint(lambda / channel.kappa);
  if (!(std::abs(bias) < 0x1p31))
    fail("passes", place_of(node), fmt::format("a bias of {} accumulator units", bias), "32 bits");
  channel.bias = static_cast<int64_t>(bias);
  return channel;
}

/// The largest sum a channel's weights make, either sign.
std::vector<int64_t> reaches(const Tensor& weights, size_t axis, const Grid& x) {
  const ChannelOf channel(weights.shape(), static_cast<int64_t>(axis));
  const int64_t largest = std::max(std::abs(x.low - x.zero_point), std::abs(x.high - x.zero_point));
  std::vector<int64_t> all(channel.count());
  const std::vector<int64_t> w = weights.to_integers();
  for (size_t i = 0; i < w.size(); ++i) all[channel(i)] += std::abs(w[i]) * largest;
  return all;
}

/// Whether the rescaling is kappa alone, and kappa what the scales of input, weights and output say.
bool is_standard(const Graph& graph, const Layer& layer) {
  const Node& node = graph.nodes[layer.linear];
  const auto& rescale = get<graph::Rescale>(graph.nodes[layer.rescale].op);
  const auto& weights = graph[node.inputs[1]].grid;
  const bool shifted = std::any_of(rescale.lambda.begin(), rescale.lambda.end(), [](double x) { return x != 0; });
  if (!weights || shifted || !rescale.divisor.empty() || holds_alternative<graph::MatMul>(node.op)) return false;
  const double x_scale = scale_of_input(*graph[node.inputs[0]].grid);
  const double y_scale = graph[graph.nodes[layer.rescale].outputs[0]].grid->scale[0];
  for (size_t c = 0; c < std::max(rescale.kappa.size(), weights->scale.size()); ++c)
    if (rescale.kappa_of(c) != x_scale * weights->scale_of(c) / y_scale) return false;
  return true;
}

void standardise(Graph& graph, const Layer& layer) {
  Node& node = graph.nodes[layer.linear];
  auto& rescale = get<graph::Rescale>(graph.nodes[layer.rescale].op);
  const double x_scale = scale_of_input(*graph[node.inputs[0]].grid);
  const double y_scale = graph[graph.nodes[layer.rescale].outputs[0]].grid->scale[0];
  const Tensor& weights = *graph.constant(node.inputs[1]);
  const auto channels = static_cast<size_t>(weights.shape()[layer.axis]);
  std::vector<int64_t> bias(channels);
  const bool biased = node.inputs.size() > 2 && node.inputs[2] != absent;
  const std::vector<int64_t> held = biased ? graph.constant(node.inputs[2])->to_integers() : std::vector<int64_t>{0};
  const std::vector<int64_t> reach = reaches(weights, layer.axis, *graph[node.inputs[0]].grid);
  std::vector<Channel> all;
  std::vector<double> scales, kappas;
  for (size_t c = 0; c < channels; ++c) {
    const auto divisor = static_cast<double>(rescale.divisor_of(c));
    const double kappa = rescale.kappa_of(c) / divisor;
    const double lambda = rescale.lambda_of(c) / divisor;
    const int64_t own = held[held.size() == 1 ? 0 : c];
    // A channel of one level has no weights: its bias counts levels, and no bias outgrows its bits.
    if (const auto level = only_level(rescale, kappa, lambda, reach[c] + std::abs(own)))
      all.push_back({float_of(y_scale / x_scale), x_scale * float_of(y_scale / x_scale) / y_scale, 0,
                     *level - rescale.zero_point});
    else
      all.push_back(channel_of(kappa, lambda, x_scale, y_scale, graph.nodes[layer.rescale]));
    scales.push_back(all[c].weight_scale), kappas.push_back(all[c].kappa);
    bias[c] = all[c].bias + all[c].sign * own;
    if (std::abs(bias[c]) > INT32_MAX)
      fail("passes", place_of(node), fmt::format("a bias of {} accumulator units", bias[c]), "32 bits");
  }
  std::vector<int64_t> w = weights.to_integers();
  const ChannelOf channel(weights.shape(), static_cast<int64_t>(layer.axis));
  for (size_t i = 0; i < w.size(); ++i) w[i] *= all[channel(i)].sign;
  // A lowest level that changed its sign is one above the highest.
  const auto [least, most] = std::minmax_element(w.begin(), w.end());
  Grid grid{scales, static_cast<int>(layer.axis), 0, std::min<int64_t>(*least, -1), std::max<int64_t>(*most, 1)};
  const auto& declared = graph[node.inputs[1]].grid;
  if (declared) grid.low = std::min(grid.low, declared->low), grid.high = std::max(grid.high, declared->high);
  const std::string name = graph[node.inputs[1]].name;
  const ValueId changed = graph.add_constant(name + "_standard", Tensor(weights.shape(), w).cast(grid.container()));
  graph[changed].grid = grid;
  if (const auto* matmul = get_if<graph::MatMul>(&node.op))
    node.op = graph::Gemm{1, 1, false, false, matmul->zero_point_a};
  const std::vector<int32_t> narrow(bias.begin(), bias.end());
  const ValueId constant = graph.add_constant(node.name + "_bias", Tensor({static_cast<int64_t>(channels)}, narrow));
  node.inputs = {node.inputs[0], changed, constant};
  graph[node.outputs[0]].grid.reset();
  rescale.kappa = std::move(kappas);
  rescale.lambda = {0};
  rescale.divisor.clear();
}

}  // namespace

int standardise_rescalings(Graph& graph) {
  const graph::Uses uses(graph);
  int changed = 0;
  const size_t count = graph.nodes.size();
  for (size_t i = 0; i < count; ++i) {
    auto* op = get_if<graph::Rescale>(&graph.nodes[i].op);
    if (!op) continue;
    const bool rounds_otherwise = op->rounding != Rounding::HalfEven;
    op->rounding = Rounding::HalfEven;
    // A sum of branches has no linear op.
    const auto layer = graph.nodes[i].inputs.size() > 1 ? std::nullopt : layer_at(graph, uses, i);
    const bool other_form = layer && !is_standard(graph, *layer);
    if (other_form) standardise(graph, *layer);
    changed += rounds_otherwise || other_form;
  }
  return changed;
}

}  // namespace nibble::passes
