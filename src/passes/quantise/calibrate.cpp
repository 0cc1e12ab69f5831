#include <algorithm>
#include <cmath>

#include "passes/quantise/passes.hpp"
#include "quant/scale.hpp"

namespace nibble::passes {
namespace {
using graph::ValueId;

/// The grid that a group shares: it covers every member's range, with the most levels and the widest sign of them.
Grid shared_grid(const graph::Graph& graph, const QuantiserPlan& plan, const std::vector<quant::RealRange>& ranges,
                 int group) {
  quant::GridSpec spec;
  quant::RealRange range;
  std::string place;
  bool first = true;
  for (size_t p = 0; p < plan.points.size(); ++p) {
    const Point& point = plan.points[p];
    if (point.group != group) continue;
    const quant::GridSpec own = spec_of(point);
    range.low = std::min(range.low, ranges[p].low);
    range.high = std::max(range.high, ranges[p].high);
    const bool signed_one = own.symmetry != quant::Symmetry::Unsigned;
    if (first || (signed_one && spec.symmetry == quant::Symmetry::Unsigned)) spec.symmetry = own.symmetry;
    spec.levels = first ? own.levels : std::max(spec.levels, own.levels);
    if (first) place = place_of(graph, point);
    first = false;
  }
  return quant::grid_over(range, spec, place);
}

/// How often the grid that a group shares may be halved for one of its pieces.
int halvings(const QuantiserPlan& plan, const std::vector<quant::RealRange>& ranges, const Point& point,
             const Grid& shared) {
  constexpr int most = 12;
  double high = 0, low = 0;
  for (size_t p = 0; p < plan.points.size(); ++p)
    if (plan.points[p].group == point.group && plan.points[p].piece == point.piece)
      high = std::max(high, ranges[p].high), low = std::min(low, ranges[p].low);
  double room = std::ldexp(1.0, most);
  if (high > 0) room = std::min(room, shared.real(shared.high, 0) / high);
  if (low < 0) room = std::min(room, shared.real(shared.low, 0) / low);
  return room > 1 && (high > 0 || low < 0) ? std::ilogb(room) : 0;
}

/// What quantising adds to each sample.
std::vector<double> noise_of(const std::vector<double>& samples, const Grid& grid, Rounding rounding) {
  std::vector<double> noise;
  for (double x : samples) noise.push_back(grid.real(grid.quantise(x, 0, rounding), 0) - x);
  return noise;
}

double power_of(const std::vector<double>& values) {
  double power = 0;
  for (double value : values) power += value * value;
  return power;
}

/// Noise of each branch: of an Add or Sub whose branches are of one shape, that of the result.
std::vector<double> noise_powers(const graph::Op& op, const std::vector<std::vector<double>>& branches) {
  const bool joined = holds_alternative<graph::Concat>(op);
  const bool alike = std::all_of(branches.begin(), branches.end(),
                                 [&](const auto& branch) { return branch.size() == branches[0].size(); });
  std::vector<double> powers;
  if (joined || !alike) {
    for (const auto& branch : branches) powers.push_back(power_of(branch));
    return powers;
  }
  std::vector<double> total = branches[0];
  for (size_t i = 1; i < branches.size(); ++i)
    for (size_t k = 0; k < total.size(); ++k)
      total[k] += holds_alternative<graph::Sub>(op) ? -branches[i][k] : branches[i][k];
  return {power_of(total)};
}

/// By how many dB the common grid of a harmonised node is noisier than a grid for each branch, at the worst.
double cost_of(const graph::Graph& graph, const Harmonised& node, const QuantiserPlan& plan, const Observed& seen,
               const std::vector<quant::RealRange>& ranges, const std::vector<Grid>& grids) {
  const graph::Op& op = graph.nodes[node.node].op;
  std::vector<std::vector<double>> shared, own;
  for (int index : node.points) {
    const auto p = static_cast<size_t>(index);
    const quant::GridSpec spec = spec_of(plan.points[p]);
    const std::vector<double>& samples = seen.samples.at(plan.points[p].source);
    shared.push_back(noise_of(samples, grids[p], spec.rounding));
    own.push_back(noise_of(samples, quant::grid_over(ranges[p], spec, plan.points[p].layer), spec.rounding));
  }
  const auto noise = noise_powers(op, shared), least = noise_powers(op, own);
  double cost = 0;
  for (size_t i = 0; i < noise.size(); ++i)
    if (least[i] > 0 && noise[i] > 0) cost = std::max(cost, 10 * std::log10(noise[i] / least[i]));
  return cost;
}

}  // namespace

std::vector<quant::RealRange> ranges_by_rule(const graph::Graph& graph, const QuantiserPlan& plan,
                                             const Observed& seen) {
  std::vector<quant::RealRange> ranges;
  for (const Point& point : plan.points) {
    ranges.emplace_back();
    if (point.fixed) continue;
    const quant::RangeObserver& observer = seen.of(point);
    if (observer.count() == 0)
      fail("passes", place_of(graph, point), "no values were seen", "at least one batch of calibration data");
    ranges.back() = observer.range(spec_of(point), place_of(graph, point));
  }
  return ranges;
}

std::vector<Grid> grids_over(const graph::Graph& graph, const QuantiserPlan& plan,
                             const std::vector<quant::RealRange>& ranges) {
  std::vector<Grid> grids;
  for (size_t p = 0; p < plan.points.size(); ++p) {
    const Point& point = plan.points[p];
    if (point.fixed)
      grids.push_back(*point.fixed);
    else if (point.group >= 0)
      grids.push_back(shared_grid(graph, plan, ranges, point.group));
    else
      grids.push_back(quant::grid_over(ranges[p], spec_of(point), place_of(graph, point)));
  }
  for (size_t p = 0; p < plan.points.size(); ++p)
    if (const Point& point = plan.points[p]; point.piece >= 0 && point.group >= 0 && !point.fixed)
      grids[p].scale[0] = std::ldexp(grids[p].scale[0], -halvings(plan, ranges, point, grids[p]));
  for (size_t p = 0; p < plan.points.size(); ++p) {
    if (!plan.points[p].feeds_output_layer || plan.points[p].fixed) continue;
    for (size_t q = 0; q < plan.points.size(); ++q)
      if (q == p || (plan.points[p].group >= 0 && plan.points[q].group == plan.points[p].group))
        for (double& scale : grids[q].scale) scale = quant::shortened(scale);
  }
  return grids;
}

std::vector<HarmonisationCost> harmonisation_costs(const graph::Graph& graph, const QuantiserPlan& plan,
                                                   const Observed& seen, double least) {
  const std::vector<quant::RealRange> ranges = ranges_by_rule(graph, plan, seen);
  const std::vector<Grid> grids = grids_over(graph, plan, ranges);
  std::vector<HarmonisationCost> costs;
  for (const Harmonised& node : plan.harmonised) {
    const double cost = cost_of(graph, node, plan, seen, ranges, grids);
    if (cost > least) costs.push_back({graph.nodes[node.node].name, cost});
  }
  return costs;
}

}  // namespace nibble::passes
