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

CertifiedNode solve(const Graph& graph, const Node& node, const graph::Rescale& rescale, Solver& solver) {
  CertifiedNode certified{node.name, {}, {}};
  const graph::Value& x = graph[node.inputs[0]];
  const size_t channels = std::max(rescale.kappa.size(), rescale.lambda.size());
  for (size_t c = 0; c < channels; ++c) {
    const quant::RealStep step{rescale.kappa[rescale.kappa.size() == 1 ? 0 : c],
                               rescale.lambda[rescale.lambda.size() == 1 ? 0 : c],
                               rescale.rounding,
                               rescale.zero_point,
                               {rescale.low, rescale.high}};
    certified.accumulators.push_back(bound_of(x, c, channels));
    certified.channels.push_back(solver.solve(step, certified.accumulators.back()));
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

}  // namespace

int solve_requantisations(Graph& graph, const IntegeriseOptions& options, IntegeriseReport& report) {
  Solver solver(options);
  int changed = 0;
  for (Node& node : graph.nodes) {
    const auto* rescale = std::get_if<graph::Rescale>(&node.op);
    if (!rescale) continue;
    report.nodes.push_back(solve(graph, node, *rescale, solver));
    node.op = requantise_of(*rescale, report.nodes.back());
    ++changed;
  }
  graph.stage = graph::Stage::ID;
  return changed;
}

}  // namespace nibble::passes
