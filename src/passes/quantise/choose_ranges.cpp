#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>

#include "graph/op_traits.hpp"
#include "passes/canonicalise/passes.hpp"
#include "passes/quantise/observe.hpp"
#include "passes/quantise/output_noise.hpp"
#include "passes/quantise/passes.hpp"
#include "quant/search.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;
using quant::RangeMethod;
using quant::RealRange;

/// What a measured range may be. The last is quant::least_error behind the function that reads the value; where a Softmax
/// does, what it can tell apart.
struct Candidate {
  std::string_view name;
  std::optional<quant::RangeRule> rule;
};
constexpr std::array<Candidate, 5> candidates{{{"min_max", quant::RangeRule{RangeMethod::MinMax, 0}},
                                               {"percentile=99.99", quant::RangeRule{RangeMethod::Percentile, 99.99}},
                                               {"percentile=99.9", quant::RangeRule{RangeMethod::Percentile, 99.9}},
                                               {"mse", quant::RangeRule{RangeMethod::MeanSquareError, 0}},
                                               {"least_error", std::nullopt}}};

/// With more levels than these nothing that a range cuts off is worth a level.
constexpr int64_t most_levels = 1 << 12;

bool is_measured(const Point& point) {
  return !point.fixed && point.policy.activation_range.method == RangeMethod::Measured &&
         point.policy.activation_levels <= most_levels;
}

/// What reads the point's integers, once a slot.
std::vector<const Node*> readers_of(const Graph& graph, const QuantiserPlan& plan, size_t point) {
  std::vector<const Node*> readers;
  for (const Reading& reading : plan.readings)
    if (reading.point == static_cast<int>(point)) readers.push_back(&graph.nodes[reading.node]);
  return readers;
}

/// The function of one real that reads the point's integers, if nothing else does.
std::function<double(double)> function_behind(const Graph& graph, const QuantiserPlan& plan, size_t point) {
  const std::vector<const Node*> readers = readers_of(graph, plan, point);
  const Node* reader =
      readers.size() == 1 && class_of(readers[0]->op) == graph::OpClass::Function ? readers[0] : nullptr;
  if (!reader || reader->inputs.size() != 1) return nullptr;
  return [node = *reader](double x) {
    const Tensor one({1}, std::vector<double>{x});
    return graph::evaluate(node, {&one}).at(0).as<double>()[0];
  };
}

/// Whether a Softmax reads the point's integers, and nothing else.
bool feeds_softmax(const Graph& graph, const QuantiserPlan& plan, size_t point) {
  const std::vector<const Node*> readers = readers_of(graph, plan, point);
  return !readers.empty() && std::all_of(readers.begin(), readers.end(), [](const Node* reader) {
    return holds_alternative<graph::Softmax>(reader->op);
  });
}

/// Whether sums alone read the point's integers that a Softmax alone reads: scores, and the masks that are added to them.
bool feeds_scores(const Graph& graph, const graph::Uses& uses, const QuantiserPlan& plan, size_t point) {
  const std::vector<const Node*> readers = readers_of(graph, plan, point);
  return !readers.empty() && std::all_of(readers.begin(), readers.end(), [&](const Node* reader) {
    const int next = holds_alternative<graph::Add>(reader->op) ? uses.only_reader(reader->outputs[0]) : -1;
    return next >= 0 && holds_alternative<graph::Softmax>(graph.nodes[static_cast<size_t>(next)].op);
  });
}

/// Neighbouring bins joined until at most so many are left.
std::vector<quant::Weighted> thinned(std::vector<quant::Weighted> values) {
  constexpr size_t most = 1024;
  const size_t step = (values.size() + most - 1) / most;
  if (step <= 1) return values;
  std::vector<quant::Weighted> thin;
  for (size_t i = 0; i < values.size(); i += step) {
    quant::Weighted sum{0, 0};
    for (size_t k = i; k < std::min(i + step, values.size()); ++k)
      sum = {sum.value + values[k].value * values[k].weight, sum.weight + values[k].weight};
    thin.push_back({sum.value / sum.weight, sum.weight});
  }
  return thin;
}

/// A function of many arguments asked often: piecewise linear between its values at the ends and 2,047 places.
std::function<double(double)> sampled(const std::function<double(double)>& f, RealRange range) {
  if (!f) return nullptr;
  constexpr int places = 2048;
  std::vector<double> values;
  const double low = std::min(range.low, 0.0), step = (std::max(range.high, 0.0) - low) / places;
  if (!(step > 0)) return f;
  for (int i = 0; i <= places + 1; ++i) values.push_back(f(low + i * step));
  return [=](double x) {
    const double at = std::clamp((x - low) / step, 0.0, static_cast<double>(places));
    const auto i = static_cast<size_t>(at);
    return values[i] + (at - static_cast<double>(i)) * (values[i + 1] - values[i]);
  };
}

RealRange range_of(const Graph& graph, const QuantiserPlan& plan, size_t p, const Observed& seen,
                   const Candidate& candidate) {
  const Point& point = plan.points[p];
  const quant::RangeObserver& observer = seen.of(point);
  if (candidate.rule) return observer.range_by(*candidate.rule, spec_of(point), place_of(graph, point));
  const RealRange whole{observer.least(), observer.greatest()};
  if (!(whole.low < whole.high)) return whole;
  // Far below its greatest argument lies what a mask took away: exp(-24) is 4e-11.
  constexpr double tells_apart = 24;
  if (feeds_softmax(graph, plan, p)) return {std::max(whole.low, whole.high - tells_apart), whole.high};
  return quant::least_error(thinned(observer.values()), whole, spec_of(point),
                            sampled(function_behind(graph, plan, p), whole));
}

/// The points that choose together: those of a group, or one.
std::vector<std::vector<size_t>> choosers(const QuantiserPlan& plan) {
  std::map<int, std::vector<size_t>> groups;
  for (size_t p = 0; p < plan.points.size(); ++p)
    if (!plan.points[p].fixed)
      groups[plan.points[p].group >= 0 ? plan.points[p].group : -1 - static_cast<int>(p)].push_back(p);
  std::vector<std::vector<size_t>> together;
  for (auto& [key, points] : groups)
    if (std::all_of(points.begin(), points.end(), [&](size_t p) { return is_measured(plan.points[p]); }))
      together.push_back(std::move(points));
  std::sort(together.begin(), together.end());
  return together;
}

/// The network as it is, with a copy of what lies between each quantiser and the next ones for every grid that the
/// quantiser may have; its outputs are what the copies add: mean squares of the difference from the network's own values
/// where the next quantisers stand, and mean squares of these.
class Trials {
 public:
  struct Trial {
    size_t point, candidate;
    size_t error, power;  ///< outputs
  };

  Trials(const Graph& graph, const QuantiserPlan& plan, const std::vector<std::vector<Grid>>& grids,
         const std::vector<std::vector<size_t>>& together)
      : graph_(graph),
        plan_(plan),
        grids_(grids),
        trials_(graph),
        boundary_(graph.values.size()),
        powers_(graph.values.size(), none) {
    trials_.nodes.clear();
    trials_.outputs.clear();
    for (const Point& point : plan.points) boundary_[static_cast<size_t>(point.source)] = true;
    for (ValueId id : graph.outputs) boundary_[static_cast<size_t>(id)] = true;
    std::vector<std::vector<size_t>> copied(graph.nodes.size());
    for (const std::vector<size_t>& points : together)
      for (size_t p : points)
        for (size_t n : behind(p)) copied[n].push_back(p);
    copies_.resize(plan.points.size());
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      trials_.nodes.push_back(graph.nodes[n]);
      for (size_t p : copied[n])
        for (size_t k = 0; k < grids[p].size(); ++k)
          if (is_new(p, k)) copy(n, p, k);
    }
    for (const std::vector<size_t>& points : together)
      for (size_t p : points)
        for (const auto& [output, point] : plan.outputs)
          if (point == static_cast<int>(p))
            for (size_t k = 0; k < grids[p].size(); ++k)
              if (is_new(p, k)) compare(plan.points[p].source, quantised(p, k), p, k);
    graph::tidy(trials_);
  }

  const Graph& graph() const { return trials_; }
  const std::vector<Trial>& list() const { return list_; }
  /// Whether no candidate before it has the same grid.
  bool is_new(size_t p, size_t k) const {
    return std::find(grids_[p].begin(), grids_[p].begin() + static_cast<std::ptrdiff_t>(k), grids_[p][k]) ==
           grids_[p].begin() + static_cast<std::ptrdiff_t>(k);
  }

 private:
  static constexpr size_t none = std::numeric_limits<size_t>::max();

  /// The nodes that see the point's quantiser before another one, in order.
  std::vector<size_t> behind(size_t p) const {
    std::vector<bool> reached(graph_.values.size());
    std::vector<size_t> nodes;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      const bool reads = std::any_of(plan_.readings.begin(), plan_.readings.end(), [&](const Reading& reading) {
        return reading.node == n && reading.point == static_cast<int>(p);
      });
      const bool behind = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
        return id != graph::absent && reached[static_cast<size_t>(id)];
      });
      if ((!reads && !behind) || class_of(node.op) == graph::OpClass::Index) continue;
      nodes.push_back(n);
      for (ValueId id : node.outputs) reached[static_cast<size_t>(id)] = !boundary_[static_cast<size_t>(id)];
    }
    return nodes;
  }

  ValueId quantised(size_t p, size_t k) {
    const auto [found, fresh] = copies_[p][k].try_emplace(plan_.points[p].source, graph::absent);
    if (fresh)
      found->second = trials_.add_node(fresh_name(), graph::Quantise{grids_[p][k], rounding_of(plan_.points[p])},
                                       {plan_.points[p].source});
    return found->second;
  }

  void copy(size_t n, size_t p, size_t k) {
    const Node& node = graph_.nodes[n];
    Node twin{{}, node.op, node.inputs, {}};
    for (size_t slot = 0; slot < twin.inputs.size(); ++slot) {
      const bool reads = std::any_of(plan_.readings.begin(), plan_.readings.end(), [&](const Reading& reading) {
        return reading.node == n && reading.slot == slot && reading.point == static_cast<int>(p);
      });
      const auto found = copies_[p][k].find(twin.inputs[slot]);
      if (reads)
        twin.inputs[slot] = quantised(p, k);
      else if (found != copies_[p][k].end() && twin.inputs[slot] != plan_.points[p].source)
        twin.inputs[slot] = found->second;
    }
    twin.name = fresh_name();
    for (ValueId id : node.outputs) {
      const ValueId made = trials_.add_value(fresh_name());
      twin.outputs.push_back(made);
      copies_[p][k][id] = made;
    }
    trials_.nodes.push_back(twin);
    for (size_t i = 0; i < node.outputs.size(); ++i)
      if (boundary_[static_cast<size_t>(node.outputs[i])]) compare(node.outputs[i], twin.outputs[i], p, k);
  }

  void compare(ValueId reference, ValueId copied, size_t p, size_t k) {
    size_t& power = powers_[static_cast<size_t>(reference)];
    const size_t rank = graph_[reference].shape.size();
    if (power == none) power = add_square(reference, rank);
    const ValueId difference = trials_.add_node(fresh_name(), graph::Sub{}, {reference, copied});
    list_.push_back({p, k, add_square(difference, rank), power});
  }

  /// The mean square over all but the first axis.
  size_t add_square(ValueId x, size_t rank) {
    ValueId square = trials_.add_node(fresh_name(), graph::Mul{}, {x, x});
    graph::Ints axes(rank > 1 ? rank - 1 : 0);
    std::iota(axes.begin(), axes.end(), 1);
    if (!axes.empty()) square = trials_.add_node(fresh_name(), graph::ReduceMean{axes, true}, {square});
    trials_.outputs.push_back(square);
    return trials_.outputs.size() - 1;
  }

  std::string fresh_name() { return "trial " + std::to_string(++named_); }

  const Graph& graph_;
  const QuantiserPlan& plan_;
  const std::vector<std::vector<Grid>>& grids_;  ///< of a point, one a candidate
  Graph trials_;
  std::vector<bool> boundary_;
  std::vector<size_t> powers_;
  std::vector<std::map<size_t, std::map<ValueId, ValueId>>> copies_;  ///< of a point, of a candidate
  std::vector<Trial> list_;
  int named_ = 0;
};

/// Mean over the elements and examples of each output.
std::vector<double> means_of(const Graph& graph, const graph::EngineMaker& maker,
                             const std::vector<std::vector<Tensor>>& batches) {
  const auto engine = maker(graph);
  std::vector<double> means(graph.outputs.size()), counts(means.size());
  for (const std::vector<Tensor>& batch : batches) {
    const std::vector<Tensor> outputs = engine->run(batch);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const std::vector<double> values = outputs[i].to_reals();
      means[i] += std::accumulate(values.begin(), values.end(), 0.0);
      counts[i] += static_cast<double>(values.size());
    }
  }
  for (size_t i = 0; i < means.size(); ++i) means[i] /= counts[i];
  return means;
}

/// What the error of each candidate of each point is, as a part of what it is added to, all readers together.
std::vector<std::vector<double>> errors_of(const Trials& trials, const std::vector<double>& means,
                                           const std::vector<std::vector<Grid>>& grids) {
  std::vector<std::vector<double>> errors;
  for (const auto& own : grids) errors.emplace_back(own.size());
  for (const Trials::Trial& trial : trials.list())
    if (means[trial.power] > 0) errors[trial.point][trial.candidate] += means[trial.error] / means[trial.power];
  for (size_t p = 0; p < grids.size(); ++p)
    for (size_t k = 0; k < grids[p].size(); ++k)
      if (!trials.is_new(p, k)) {
        const auto first = std::find(grids[p].begin(), grids[p].end(), grids[p][k]);
        errors[p][k] = errors[p][static_cast<size_t>(first - grids[p].begin())];
      }
  return errors;
}

std::vector<Grid> grids_of(const Graph& graph, const QuantiserPlan& plan, const std::vector<RealRange>& ranges) {
  std::vector<Grid> grids = grids_over(graph, plan, ranges);
  keep_domains(graph, plan, grids);
  return grids;
}

/// Ranges by the candidate of each point; `ranges[p]` has one for each, or one by the point's own rule.
std::vector<Grid> grids_by(const Graph& graph, const QuantiserPlan& plan,
                           const std::vector<std::vector<RealRange>>& ranges, const std::vector<size_t>& choice) {
  std::vector<RealRange> chosen;
  for (size_t p = 0; p < ranges.size(); ++p) chosen.push_back(ranges[p][std::min(choice[p], ranges[p].size() - 1)]);
  return grids_of(graph, plan, chosen);
}

}  // namespace

ChosenRanges choose_ranges(const Graph& graph, const QuantiserPlan& plan, const Observed& seen,
                           const graph::EngineMaker& engine, bool corrects) {
  const std::vector<RealRange> by_rule = ranges_by_rule(graph, plan, seen);
  ChosenRanges result{grids_of(graph, plan, by_rule), {}, corrects};
  const auto together = choosers(plan);
  if (together.empty()) return result;
  std::vector<std::vector<RealRange>> ranges;
  for (const RealRange& range : by_rule) ranges.push_back({range});
  const graph::Uses uses(graph);
  for (const auto& points : together)
    for (size_t p : points)
      if (feeds_scores(graph, uses, plan, p)) ranges[p][0].low = std::max(ranges[p][0].low, -largest_mask);
  for (const auto& points : together)
    for (size_t p : points)
      for (size_t k = 1; k < candidates.size(); ++k) ranges[p].push_back(range_of(graph, plan, p, seen, candidates[k]));
  std::vector<std::vector<Grid>> grids(plan.points.size());
  for (size_t k = 0; k < candidates.size(); ++k) {
    const auto all = grids_by(graph, plan, ranges, std::vector<size_t>(plan.points.size(), k));
    for (const auto& points : together)
      for (size_t p : points) grids[p].push_back(all[p]);
  }
  const Trials trials(graph, plan, grids, together);
  const auto errors = errors_of(trials, means_of(trials.graph(), engine, seen.examples), grids);

  std::vector<size_t> best(plan.points.size()), careful(plan.points.size());
  constexpr double sure = 1;  ///< dB
  for (const auto& points : together) {
    std::vector<double> sums(candidates.size());
    for (size_t p : points)
      for (size_t k = 0; k < sums.size(); ++k) sums[k] += errors[p][k];
    const auto k = static_cast<size_t>(std::min_element(sums.begin(), sums.end()) - sums.begin());
    const double gain = decibels(sums[0] / sums[k]);
    for (size_t p : points) {
      best[p] = k;
      careful[p] = gain > sure ? k : 0;
    }
    std::string layers;
    for (size_t p : points) layers += (layers.empty() ? "" : ", ") + plan.points[p].layer;
    result.choices.push_back({layers, std::string(candidates[k].name), gain});
  }
  const OutputNoise judge(graph, engine, seen.examples);
  const std::vector<std::vector<Tensor>> none, &biases = corrects ? judge.examples() : none;
  const auto noise_by = [&](const std::vector<size_t>& choice) {
    return noise_of(judge, graph, plan, grids_by(graph, plan, ranges, choice), engine, biases);
  };
  const std::vector<size_t> plain(plan.points.size());
  const double before = noise_by(plain);
  double least = before;
  std::vector<size_t> chosen = plain;
  for (const auto* way : {&best, &careful})
    if (const double noise = noise_by(*way); noise < least) least = noise, chosen = *way;
  for (size_t i = 0; i < together.size(); ++i)
    if (chosen[together[i][0]] == 0) result.choices[i].rule = candidates[0].name, result.choices[i].gain = 0;
  result.grids = grids_by(graph, plan, ranges, chosen);
  result.corrects = corrects;
  // Means taken over all of the data are better than these: what is to go must be clearly worse.
  constexpr double clearly = 1.12;  ///< half a dB
  if (corrects)
    if (const double noise = noise_of(judge, graph, plan, result.grids, engine, none); noise * clearly < least)
      least = noise, result.corrects = false;
  return result;
}

}  // namespace nibble::passes
