#include <algorithm>

#include "passes/passes.hpp"
#include "passes/scales.hpp"

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

/// One observer a value; several points may look at one value by different rules.
std::vector<quant::RangeObserver> observe(const graph::Graph& graph, const QuantiserPlan& plan,
                                          const graph::EngineMaker& maker, const Batches& batches) {
  std::vector<quant::RangeObserver> observers;
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
        if (tensor.type() == ElementType::Float32)
          observers[p].observe(tensor.as<float>(), place);
        else
          observers[p].observe(tensor.as<double>(), place);
      }
    });
  });
  if (examples == 0) fail("passes", "calibration", "the data set is empty", "at least one example");
  return observers;
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

}  // namespace

std::vector<Grid> calibrate(const graph::Graph& graph, const QuantiserPlan& plan, const graph::EngineMaker& engine,
                            const Batches& batches) {
  const auto observers = observe(graph, plan, engine, batches);
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
        for (double& scale : grids[q].scale) scale = shortened(scale);
  }
  return grids;
}

}  // namespace nibble::passes
