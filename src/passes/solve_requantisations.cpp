#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "passes/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;

/// Beyond this many levels a list of thresholds is longer than it is worth.
constexpr int64_t most_thresholds = 1023;

/// Channels that ask for the same function on the same interval have one solution.
class Solver {
 public:
  explicit Solver(const IntegeriseOptions& options) : options_(options) {}

  quant::Requantisation solve(const quant::RealStep& step, Interval accumulator) {
    const Key key{step.kappa,      step.lambda,      step.rounding,   step.zero_point,
                  step.levels.low, step.levels.high, accumulator.low, accumulator.high};
    const auto found = solved_.find(key);
    if (found != solved_.end()) return found->second;
    return solved_[key] = options_.requantisation == RequantisationRule::Nemo
                              ? quant::nemo_requantisation(step, accumulator)
                              : quant::solve_requantisation(step, accumulator, options_.widths);
  }

 private:
  using Key = std::tuple<double, double, Rounding, int64_t, int64_t, int64_t, int64_t, int64_t>;
  const IntegeriseOptions& options_;
  std::map<Key, quant::Requantisation> solved_;
};

Interval bound_of(const graph::Value& value, size_t channel, size_t channels) {
  ensure(!value.bounds.empty(), "an accumulator is bounded before it is requantised");
  if (value.bounds.size() == channels) return value.bounds[channel];
  Interval all = value.bounds[0];
  for (const Interval& bound : value.bounds) all = {std::min(all.low, bound.low), std::max(all.high, bound.high)};
  return all;
}

quant::RealStep step_of(const graph::Rescale& rescale, size_t channel) {
  return {rescale.kappa[rescale.kappa.size() == 1 ? 0 : channel],
          rescale.lambda[rescale.lambda.size() == 1 ? 0 : channel],
          rescale.rounding,
          rescale.zero_point,
          {rescale.low, rescale.high}};
}

CertifiedNode solve(const Graph& graph, const Node& node, const graph::Rescale& rescale, Solver& solver) {
  CertifiedNode certified;
  certified.node = node.name;
  const graph::Value& x = graph[node.inputs[0]];
  const size_t channels = std::max(rescale.kappa.size(), rescale.lambda.size());
  for (size_t c = 0; c < channels; ++c) {
    certified.accumulators.push_back(bound_of(x, c, channels));
    certified.channels.push_back(solver.solve(step_of(rescale, c), certified.accumulators.back()));
  }
  return certified;
}

graph::Requantise requantise_of(const graph::Rescale& rescale, const CertifiedNode& certified) {
  graph::Requantise requantise;
  for (const quant::Requantisation& channel : certified.channels) {
    requantise.multiplier.push_back(channel.multiplier);
    requantise.addend.push_back(channel.addend);
    requantise.shift.push_back(channel.shift);
  }
  requantise.low = rescale.low;
  requantise.high = rescale.high;
  return requantise;
}

/// Ties to even on a ratio like 1/2 make steps of unlike length, which no multiplication has.
bool wants_thresholds(const graph::Rescale& rescale, const CertifiedNode& certified, const IntegeriseOptions& options) {
  if (certified.exact() || options.requantisation == RequantisationRule::Nemo) return false;
  for (size_t c = 0; c < certified.channels.size(); ++c)
    if (certified.channels[c].differing != 0 &&
        quant::solve_requantisation(step_of(rescale, c), certified.accumulators[c]).differing == 0)
      return false;  // wider arithmetic would do: what the user asked for is counted, not replaced
  return rescale.high - rescale.low <= most_thresholds;
}

/// The accumulators at which one channel reaches low + 1, ..., high; those it never reaches lie beyond the interval.
/// A falling function is the mirror image of a rising one.
void append_thresholds(const quant::RealStep& step, Interval accumulator, std::vector<int64_t>& rows) {
  const bool falling = step.kappa < 0;
  const auto reached = quant::thresholds(step, accumulator);
  const int64_t first = quant::apply(step, falling ? accumulator.high : accumulator.low);
  const int64_t start = falling ? -accumulator.high : accumulator.low;
  const int64_t beyond = (falling ? -accumulator.low : accumulator.high) + 1;
  for (int64_t level = step.levels.low + 1; level <= step.levels.high; ++level) {
    const int64_t index = level - first - 1;
    const int64_t at = index < 0                                     ? start
                       : static_cast<size_t>(index) < reached.size() ? reached[static_cast<size_t>(index)]
                                                                     : beyond;
    rows.push_back(falling ? -at : at);
  }
}

void place_thresholds(Graph& graph, size_t index, const graph::Rescale& rescale, CertifiedNode& certified) {
  std::vector<int64_t> rows;
  graph::Threshold threshold{rescale.low, {}};
  for (size_t c = 0; c < certified.channels.size(); ++c) {
    const quant::RealStep step = step_of(rescale, c);
    append_thresholds(step, certified.accumulators[c], rows);
    threshold.falling.push_back(step.kappa < 0);
    certified.channels[c] = {0, 0, 0, 0, 0};
  }
  certified.by_thresholds = true;
  const auto channels = static_cast<int64_t>(certified.channels.size());
  const graph::ValueId constant =
      graph.add_constant(graph.nodes[index].name + "_thresholds", Tensor({channels, rescale.high - rescale.low}, rows));
  graph.nodes[index].op = std::move(threshold);
  graph.nodes[index].inputs.push_back(constant);
}

}  // namespace

int solve_requantisations(Graph& graph, const IntegeriseOptions& options, IntegeriseReport& report) {
  Solver solver(options);
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* op = std::get_if<graph::Rescale>(&graph.nodes[i].op);
    if (!op) continue;
    const graph::Rescale rescale = *op;
    CertifiedNode certified = solve(graph, graph.nodes[i], rescale, solver);
    if (wants_thresholds(rescale, certified, options))
      place_thresholds(graph, i, rescale, certified);
    else
      graph.nodes[i].op = requantise_of(rescale, certified);
    report.nodes.push_back(std::move(certified));
    ++changed;
  }
  graph.stage = graph::Stage::ID;
  return changed;
}

}  // namespace nibble::passes
