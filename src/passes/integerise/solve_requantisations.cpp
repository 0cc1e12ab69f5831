#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/interval.hpp"
#include "passes/integerise/passes.hpp"
#include "passes/quantise/batch_norm_ways.hpp"
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
    const Key key{step.kappa,      step.lambda,      step.divisor,    step.rounding,   step.zero_point,
                  step.levels.low, step.levels.high, accumulator.low, accumulator.high};
    const auto found = solved_.find(key);
    if (found != solved_.end()) return found->second;
    return solved_[key] = options_.requantisation == RequantisationRule::Nemo
                              ? quant::nemo_requantisation(step, accumulator)
                              : quant::solve_requantisation(step, accumulator, options_.widths);
  }

 private:
  using Key = std::tuple<double, double, int64_t, Rounding, int64_t, int64_t, int64_t, int64_t, int64_t>;
  const IntegeriseOptions& options_;
  std::map<Key, quant::Requantisation> solved_;
};

Interval bound_of(const graph::Value& value, size_t channel, size_t channels) {
  ensure(!value.bounds.empty(), "an accumulator is bounded before it is requantised");
  if (value.bounds.size() == channels) return value.bounds[channel];
  return hull(value.bounds);
}

quant::RealStep step_of(const graph::Rescale& rescale, size_t channel) {
  return {rescale.kappa_of(channel), rescale.lambda_of(channel),  rescale.rounding,
          rescale.zero_point,        {rescale.low, rescale.high}, rescale.divisor_of(channel)};
}

std::vector<Interval> accumulators_of(const Graph& graph, const Node& node, const graph::Rescale& rescale) {
  const size_t channels = rescale.channels();
  std::vector<Interval> accumulators;
  for (size_t c = 0; c < channels; ++c) accumulators.push_back(bound_of(graph[node.inputs[0]], c, channels));
  return accumulators;
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

/// A comparison and the addition of what it says, twice, cost no more than multiply, add, shift and two ends of a clip,
/// and their two constants less memory than multiplier, addend and shift.
constexpr int64_t cheap_thresholds = 2;

/// Ties to even on a ratio like 1/2 make steps of unlike length, which no multiplication has at any width. (Where wider
/// arithmetic would do, what the user asked for is counted, not replaced.)
bool needs_thresholds(const graph::Rescale& rescale, const std::vector<Interval>& accumulators,
                      const IntegeriseOptions& options) {
  if (rescale.high - rescale.low > most_thresholds) return false;
  bool needed = false;
  for (size_t c = 0; c < accumulators.size(); ++c) {
    const quant::RealStep step = step_of(rescale, c);
    if (quant::solve_exactly(step, accumulators[c], options.widths)) continue;
    if (quant::solve_exactly(step, accumulators[c])) return false;
    needed = true;
  }
  return needed;
}

bool wants_thresholds(const Node& node, const graph::Rescale& rescale, BatchNorm way,
                      const std::vector<Interval>& accumulators, const IntegeriseOptions& options) {
  const int64_t count = rescale.high - rescale.low;
  if (way == BatchNorm::Threshold || options.thresholds == Thresholds::Always) {
    if (count > most_thresholds)
      fail("passes", place_of(node), fmt::format("would need {} thresholds a channel", count),
           fmt::format("at most {}: fewer levels, or multiply, add and shift", most_thresholds));
    return true;
  }
  if (options.thresholds == Thresholds::Never || options.requantisation == RequantisationRule::Nemo) return false;
  const bool cheap = count <= cheap_thresholds && options.requantisation == RequantisationRule::Exact;
  return cheap || needs_thresholds(rescale, accumulators, options);
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
  for (size_t c = 0; c < certified.accumulators.size(); ++c) {
    const quant::RealStep step = step_of(rescale, c);
    append_thresholds(step, certified.accumulators[c], rows);
    threshold.falling.push_back(step.kappa < 0);
  }
  certified.by_thresholds = true;
  certified.channels.assign(certified.accumulators.size(), {0, 0, 0});
  const auto channels = static_cast<int64_t>(certified.accumulators.size());
  const graph::ValueId constant =
      graph.add_constant(graph.nodes[index].name + "_thresholds", Tensor({channels, rescale.high - rescale.low}, rows));
  graph.nodes[index].op = std::move(threshold);
  graph.nodes[index].inputs.push_back(constant);
}

}  // namespace

int solve_requantisations(Graph& graph, const IntegeriseOptions& options, IntegeriseReport& report) {
  Solver solver(options);
  const BatchNormWays ways = read_ways(graph);
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* op = get_if<graph::Rescale>(&graph.nodes[i].op);
    if (!op) continue;
    const graph::Rescale rescale = *op;
    const Node& node = graph.nodes[i];
    CertifiedNode certified{.node = node.name, .accumulators = accumulators_of(graph, node, rescale)};
    const BatchNorm way = way_of(graph, node, ways, options.batch_norm);
    if (wants_thresholds(node, rescale, way, certified.accumulators, options)) {
      place_thresholds(graph, i, rescale, certified);
    } else {
      for (size_t c = 0; c < certified.accumulators.size(); ++c)
        certified.channels.push_back(solver.solve(step_of(rescale, c), certified.accumulators[c]));
      graph.nodes[i].op = requantise_of(rescale, certified);
    }
    report.nodes.push_back(std::move(certified));
    ++changed;
  }
  write_ways(graph, {});
  graph.stage = graph::Stage::ID;
  return changed;
}

}  // namespace nibble::passes
