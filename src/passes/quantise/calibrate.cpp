#include <algorithm>
#include <cmath>

#include "passes/quantise/passes.hpp"
#include "quant/scale.hpp"

namespace nibble::passes {
namespace {
using graph::ValueId;

quant::GridSpec spec_of(const Point& point) {
  quant::GridSpec spec;
  spec.levels = point.policy.activation_levels;
  spec.rounding = point.policy.rounding;
  spec.symmetry = point.non_negative                   ? quant::Symmetry::Unsigned
                  : point.policy.symmetric_activations ? quant::Symmetry::Symmetric
                                                       : quant::Symmetry::Asymmetric;
  return spec;
}

std::string place_of(const graph::Graph& graph, const Point& point) {
  return "value '" + graph[point.source].name + "'";
}

/// What calibration sees of a point: its range, and its first elements where it shares a grid.
struct Seen {
  std::vector<quant::RangeObserver> observers;
  std::vector<std::vector<double>> samples;
};
constexpr size_t most_samples = size_t{1} << 16;

/// One observer a value; several points may look at one value by different rules.
Seen observe(const graph::Graph& graph, const QuantiserPlan& plan, const graph::EngineMaker& maker,
             const Batches& batches) {
  std::vector<quant::RangeObserver> observers;
  std::vector<std::vector<double>> samples(plan.points.size());
  std::vector<std::vector<size_t>> points_at(graph.values.size());
  for (size_t p = 0; p < plan.points.size(); ++p) {
    observers.emplace_back(plan.points[p].policy.activation_range);
    if (!plan.points[p].fixed) points_at[static_cast<size_t>(plan.points[p].source)].push_back(p);
  }
  for (size_t p = 0; p < plan.points.size(); ++p)
    if (const Tensor* constant = graph.constant(plan.points[p].source))
      observers[p].observe(constant->cast(ElementType::Float32).as<float>(), place_of(graph, plan.points[p]));
  const auto engine = maker(graph);
  int64_t examples = 0;
  batches([&](const std::vector<Tensor>& inputs) {
    examples += inputs.empty() || inputs[0].rank() == 0 ? 1 : inputs[0].shape()[0];
    engine->run(inputs, [&](ValueId id, const Tensor& tensor) {
      for (size_t p : points_at[static_cast<size_t>(id)]) {
        const std::string place = place_of(graph, plan.points[p]);
        if (plan.points[p].group >= 0 && samples[p].empty()) {
          samples[p] = tensor.to_reals();
          samples[p].resize(std::min(samples[p].size(), most_samples));
        }
        if (tensor.type() == ElementType::Float32)
          observers[p].observe(tensor.as<float>(), place);
        else
          observers[p].observe(tensor.as<double>(), place);
      }
    });
  });
  if (examples == 0) fail("passes", "calibration", "the data set is empty", "at least one example");
  return {std::move(observers), std::move(samples)};
}

/// The grid that a group shares: it covers every member's range, with the most levels and the widest sign of them.
Grid shared_grid(const graph::Graph& graph, const QuantiserPlan& plan,
                 const std::vector<quant::RangeObserver>& observers, int group) {
  quant::GridSpec spec;
  quant::RealRange range;
  std::string place;
  bool first = true;
  for (size_t p = 0; p < plan.points.size(); ++p) {
    const Point& point = plan.points[p];
    if (point.group != group) continue;
    const quant::GridSpec own = spec_of(point);
    const quant::RealRange seen = observers[p].range(own);
    range.low = std::min(range.low, seen.low);
    range.high = std::max(range.high, seen.high);
    const bool signed_one = own.symmetry != quant::Symmetry::Unsigned;
    if (first || (signed_one && spec.symmetry == quant::Symmetry::Unsigned)) spec.symmetry = own.symmetry;
    spec.levels = first ? own.levels : std::max(spec.levels, own.levels);
    if (first) place = place_of(graph, point);
    first = false;
  }
  return quant::grid_over(range, spec, place);
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
double cost_of(const graph::Op& op, const QuantiserPlan& plan, const std::vector<int>& points,
               const std::vector<std::vector<double>>& samples, const std::vector<quant::RangeObserver>& observers,
               const std::vector<Grid>& grids) {
  std::vector<std::vector<double>> shared, own;
  for (int index : points) {
    const auto p = static_cast<size_t>(index);
    const quant::GridSpec spec = spec_of(plan.points[p]);
    shared.push_back(noise_of(samples[p], grids[p], spec.rounding));
    own.push_back(noise_of(samples[p], observers[p].grid(spec, plan.points[p].layer), spec.rounding));
  }
  const auto noise = noise_powers(op, shared), least = noise_powers(op, own);
  double cost = 0;
  for (size_t i = 0; i < noise.size(); ++i)
    if (least[i] > 0 && noise[i] > 0) cost = std::max(cost, 10 * std::log10(noise[i] / least[i]));
  return cost;
}

}  // namespace

Calibration calibrate(const graph::Graph& graph, const QuantiserPlan& plan, const graph::EngineMaker& engine,
                      const Batches& batches) {
  const auto [observers, samples] = observe(graph, plan, engine, batches);
  std::vector<Grid> grids;
  for (size_t p = 0; p < plan.points.size(); ++p) {
    const Point& point = plan.points[p];
    if (point.fixed)
      grids.push_back(*point.fixed);
    else if (point.group >= 0)
      grids.push_back(shared_grid(graph, plan, observers, point.group));
    else
      grids.push_back(observers[p].grid(spec_of(point), place_of(graph, point)));
  }
  for (size_t p = 0; p < plan.points.size(); ++p) {
    if (!plan.points[p].feeds_output_layer || plan.points[p].fixed) continue;
    for (size_t q = 0; q < plan.points.size(); ++q)
      if (q == p || (plan.points[p].group >= 0 && plan.points[q].group == plan.points[p].group))
        for (double& scale : grids[q].scale) scale = quant::shortened(scale);
  }
  constexpr double worth_saying = 3;
  std::vector<HarmonisationCost> costs;
  for (const Harmonised& node : plan.harmonised) {
    const double cost = cost_of(graph.nodes[node.node].op, plan, node.points, samples, observers, grids);
    if (cost > worth_saying) costs.push_back({graph.nodes[node.node].name, cost});
  }
  return {std::move(grids), std::move(costs)};
}

}  // namespace nibble::passes
