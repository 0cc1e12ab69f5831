#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/interval.hpp"
#include "base/rescale.hpp"
#include "passes/integerise/passes.hpp"
#include "passes/quantise/batch_norm_ways.hpp"
#include "passes/rewrite.hpp"
#include "quant/bounds.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

std::string norm_name(const Node& requantisation) {
  return requantisation.name + "_norm";
}

/// gain[c] * a + shift[c], in units of `unit` output levels.
struct IntegerNorm {
  double unit = 1;
  std::vector<int64_t> gain, shift;
};

/// kappa such that the unit is a float32 number of reals: unit = kappa * scale.
double unit_over(double kappa, double scale) {
  const double real = kappa * scale;
  auto rounded = static_cast<float>(real);
  if (static_cast<double>(rounded) < real) rounded = std::nextafter(rounded, std::numeric_limits<float>::max());
  return static_cast<double>(rounded) / scale;
}

/// The level that a channel has for each of its sums, where it is one: such a channel takes no part in the unit.
std::optional<int64_t> only_level(const graph::Rescale& rescale, size_t channel, Interval sums) {
  const auto level = [&](int64_t sum) {
    const int64_t rounded = rescaled(rescale.kappa_of(channel), rescale.lambda_of(channel), sum, rescale.rounding,
                                     rescale.divisor_of(channel));
    return std::clamp(rounded + rescale.zero_point, rescale.low, rescale.high);
  };
  const int64_t found = level(sums.low);
  return found == level(sums.high) ? std::optional(found) : std::nullopt;
}

using Levels = std::vector<std::optional<int64_t>>;

Levels only_levels(const graph::Rescale& rescale, const std::vector<Interval>& bounds) {
  Levels levels;
  for (size_t c = 0; c < rescale.channels(); ++c)
    levels.push_back(only_level(rescale, c, bounds[bounds.size() == 1 ? 0 : c]));
  return levels;
}

/// Of a rescaling with a channel that has more than its one level.
IntegerNorm norm_of(const graph::Rescale& rescale, const Levels& levels, double scale, int bits) {
  double largest = 0;
  const auto divided = [&](double value, size_t c) { return value / static_cast<double>(rescale.divisor_of(c)); };
  for (size_t c = 0; c < rescale.channels(); ++c)
    if (!levels[c]) largest = std::max(largest, std::abs(divided(rescale.kappa_of(c), c)));
  IntegerNorm norm;
  norm.unit = unit_over(largest / static_cast<double>((int64_t{1} << (bits - 1)) - 1), scale);
  for (size_t c = 0; c < rescale.channels(); ++c) {
    norm.gain.push_back(levels[c] ? 0 : std::llround(divided(rescale.kappa_of(c), c) / norm.unit));
    // A channel of one level has it wherever its shift is rounded to: the middle of what rounds to the level.
    double shift = divided(rescale.lambda_of(c), c);
    if (levels[c])
      shift = static_cast<double>(*levels[c] - rescale.zero_point) + (rescale.rounding == Rounding::Floor ? 0.5 : 0);
    shift /= norm.unit;
    norm.shift.push_back(std::llround(std::clamp(shift, -0x1p52, 0x1p52)));
  }
  return norm;
}

struct Reach {
  size_t channel = 0;  ///< whose sums reach farthest
  Interval sums;       ///< of that channel
  Interval all;
};

Reach reach_of(const IntegerNorm& norm, const std::vector<Interval>& bounds) {
  Reach reach;
  for (size_t c = 0; c < norm.gain.size(); ++c) {
    const Interval a = bounds[bounds.size() == norm.gain.size() ? c : 0];
    const auto [low, high] = std::minmax({a.low * norm.gain[c], a.high * norm.gain[c]});
    const int64_t shift = norm.shift[c];
    const Interval sums{std::min({low, low + shift, shift}), std::max({high, high + shift, shift})};
    if (quant::signed_bits(sums) >= quant::signed_bits(reach.sums)) reach.channel = c, reach.sums = sums;
    reach.all = hull(reach.all, sums);
  }
  return reach;
}

/// Whether one multiplier for all channels steps exactly as the real function of the norm's sums does.
bool requantises_exactly(const graph::Rescale& rescale, const IntegerNorm& norm, Interval sums,
                         const IntegeriseOptions& options) {
  const quant::RealStep step{norm.unit, 0, rescale.rounding, rescale.zero_point, {rescale.low, rescale.high}};
  return quant::solve_exactly(step, sums, options.widths).has_value();
}

/// The ranges of the sums, one a channel of the rescaling, or one.
std::vector<Interval> bounds_of(const graph::Value& sums, const graph::Rescale& rescale) {
  return sums.bounds.size() == rescale.channels() ? sums.bounds : std::vector{hull(sums.bounds)};
}

/// As asked; or the most bits whose sums fit and are requantised exactly, or else the most whose sums fit.
IntegerNorm fitting_norm(const Graph& graph, const Node& node, const graph::Rescale& rescale, const Levels& levels,
                         const std::vector<Interval>& bounds, const IntegeriseOptions& options) {
  const std::string name = norm_name(node);
  const int allowed = std::min(options.accumulator_bits.of(name), options.accumulator_bits.of(name + "_product"));
  const int most = options.batch_norm_bits ? options.batch_norm_bits : 16;
  const int least = options.batch_norm_bits ? options.batch_norm_bits : 8;
  std::optional<IntegerNorm> fitting;
  for (int bits = most;; --bits) {
    IntegerNorm norm = norm_of(rescale, levels, graph[node.outputs[0]].grid.value().scale[0], bits);
    const auto [channel, sums, all] = reach_of(norm, bounds);
    const bool fits = quant::signed_bits(sums) <= allowed;
    if (fits && !fitting) fitting = norm;
    if (fits && requantises_exactly(rescale, norm, all, options)) return norm;
    if (fitting && bits == least) return *fitting;
    if (bits == least)
      fail("passes", place_of(node),
           fmt::format("with {}-bit gains its integer batch-norm reaches {} to {} in channel {}, {} bits", bits,
                       sums.low, sums.high, channel, quant::signed_bits(sums)),
           fmt::format("at most {}: fewer bits for the layer's weights or its inputs, --batch-norm-bits below {}, or "
                       "another --batch-norm",
                       allowed, bits));
  }
}

Tensor per_channel_tensor(const std::vector<int64_t>& values, size_t rank) {
  if (values.size() == 1) return Tensor({}, values).cast(ElementType::Int32);
  Shape shape{static_cast<int64_t>(values.size())};
  for (size_t axis = 2; axis < rank; ++axis) shape.push_back(1);
  return Tensor(std::move(shape), values).cast(ElementType::Int32);
}

void split(Graph& graph, size_t index, const IntegerNorm& norm) {
  const Node node = graph.nodes[index];
  const size_t rank = graph[node.inputs[0]].shape.size();
  const std::string name = norm_name(node);
  const Grid output = graph[node.outputs[0]].grid.value();
  const ValueId gain = graph.add_constant(name + "_gain", per_channel_tensor(norm.gain, rank));
  const ValueId shift = graph.add_constant(name + "_shift", per_channel_tensor(norm.shift, rank));
  const ValueId product = graph.add_node(name + "_product", graph::Mul{}, {node.inputs[0], gain});
  const ValueId sum = graph.add_node(name, graph::Add{}, {product, shift});
  Grid grid;
  grid.scale = {static_cast<double>(static_cast<float>(norm.unit * output.scale[0]))};
  grid.low = INT32_MIN;
  grid.high = INT32_MAX;
  graph[sum].grid = grid;
  graph::Rescale rescale = get<graph::Rescale>(node.op);
  rescale.kappa = {norm.unit};
  rescale.lambda = {0};
  rescale.divisor.clear();
  graph.nodes[index].op = std::move(rescale);
  graph.nodes[index].inputs = {sum};
}

}  // namespace

int integer_batch_norm(Graph& graph, const IntegeriseOptions& options) {
  BatchNormWays ways = read_ways(graph);
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* rescale = get_if<graph::Rescale>(&graph.nodes[i].op);
    if (!rescale || way_of(graph, graph.nodes[i], ways, options.batch_norm) != BatchNorm::Integer) continue;
    if (graph.nodes[i].inputs.size() != 1)
      fail("passes", place_of(graph.nodes[i]), "has a batch-norm over branches on several grids",
           "one grid for the branches, or another way for this batch-norm");
    ways.erase(graph.nodes[i].name);
    const std::vector<Interval> bounds = bounds_of(graph[graph.nodes[i].inputs[0]], *rescale);
    const Levels levels = only_levels(*rescale, bounds);
    if (std::all_of(levels.begin(), levels.end(), [](const auto& level) { return level.has_value(); })) continue;
    split(graph, i, fitting_norm(graph, graph.nodes[i], *rescale, levels, bounds, options));
    ++changed;
  }
  if (changed == 0) return 0;
  write_ways(graph, ways);
  graph::tidy(graph);
  bound_accumulators(graph, options.accumulator_bits);
  return changed;
}

}  // namespace nibble::passes
