#include <algorithm>
#include <map>
#include <tuple>

#include "base/interval.hpp"
#include "passes/integerise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

Interval range_of(const Graph& graph, ValueId id) {
  const Tensor* constant = graph.constant(id);
  if (!constant) {
    ensure(!graph[id].bounds.empty(), "an operand is bounded before it is added");
    return hull(graph[id].bounds);
  }
  const std::vector<int64_t> values = constant->to_integers();
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {*low, *high};
}

/// The Rescale's channels, solved; channels that ask the same have one solution.
CertifiedNode solve(const Graph& graph, const Node& node, const graph::Rescale& rescale, const quant::Widths& widths) {
  CertifiedNode certified;
  certified.node = node.name;
  for (ValueId id : node.inputs) certified.operands.push_back(range_of(graph, id));
  const size_t terms = node.inputs.size(), each = rescale.kappa.size() / terms;
  std::map<std::pair<std::vector<double>, double>, quant::SumRequantisation> solved;
  for (size_t c = 0; c < std::max(each, rescale.lambda.size()); ++c) {
    quant::SumStep step{{},
                        rescale.lambda[rescale.lambda.size() == 1 ? 0 : c],
                        rescale.rounding,
                        rescale.zero_point,
                        {rescale.low, rescale.high}};
    for (size_t i = 0; i < terms; ++i) step.kappa.push_back(rescale.kappa[i * each + (each == 1 ? 0 : c)]);
    const auto key = std::make_pair(step.kappa, step.lambda);
    if (!solved.contains(key)) solved[key] = quant::solve_sum(step, certified.operands, widths, place_of(node));
    certified.sums.push_back(solved[key]);
  }
  return certified;
}

Interval product(Interval range, int64_t by) {
  return {std::min(range.low * by, range.high * by), std::max(range.low * by, range.high * by)};
}

/// Operand i times its multipliers: a requantisation that loses nothing.
graph::Requantise multiplied(const CertifiedNode& certified, size_t i) {
  graph::Requantise requantise;
  std::vector<Interval> products;
  for (const quant::SumRequantisation& sum : certified.sums) {
    requantise.multiplier.push_back(sum.multiplier[i]);
    requantise.addend.push_back(0);
    requantise.shift.push_back(0);
    products.push_back(product(certified.operands[i], sum.multiplier[i]));
  }
  const Interval all = hull(products);
  requantise.low = all.low;
  requantise.high = all.high;
  return requantise;
}

graph::Requantise shifted(const graph::Rescale& rescale, const CertifiedNode& certified) {
  graph::Requantise requantise;
  for (const quant::SumRequantisation& sum : certified.sums) {
    requantise.multiplier.push_back(1);
    requantise.addend.push_back(sum.addend);
    requantise.shift.push_back(sum.shift);
  }
  requantise.low = rescale.low;
  requantise.high = rescale.high;
  return requantise;
}

class Placer {
 public:
  explicit Placer(Graph& graph) : graph_(graph) {}

  /// Requantise of each branch, Adds of two at a time, Requantise of the sum into the output that the Rescale had.
  void place(const Node& node, const graph::Rescale& rescale, const CertifiedNode& certified) {
    std::vector<graph::Requantise> branches;
    Interval all;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      branches.push_back(multiplied(certified, i));
      all = {all.low + branches[i].low, all.high + branches[i].high};
    }
    const Interval sum = all;
    ValueId result = graph::absent;
    Interval partial;
    for (size_t i = 0; i < branches.size(); ++i) {
      const std::string name = node.name + "_in" + std::to_string(i + 1);
      const Interval own{branches[i].low, branches[i].high};
      // A sum takes the type of its terms, so those of a wide one are declared as wide.
      branches[i].low = std::min(own.low, sum.low);
      branches[i].high = std::max(own.high, sum.high);
      const ValueId branch = write(name, branches[i], {node.inputs[i]}, own);
      partial = {partial.low + own.low, partial.high + own.high};
      result = i == 0 ? branch
                      : write(node.name + (i + 1 == branches.size() ? "_sum" : "_sum" + std::to_string(i)),
                              graph::Add{}, {result, branch}, partial);
    }
    nodes.push_back({node.name, shifted(rescale, certified), {result}, node.outputs});
  }

  std::vector<Node> nodes;

 private:
  ValueId write(const std::string& name, graph::Op op, std::vector<ValueId> inputs, Interval bounds) {
    const ValueId id = graph_.add_value(name);
    graph_[id].bounds = {bounds};
    nodes.push_back({free_name(name), std::move(op), std::move(inputs), {id}});
    return id;
  }
  std::string free_name(const std::string& name) const {
    std::string free = name;
    const auto taken = [&](const Node& node) { return node.name == free; };
    for (int number = 1;
         std::any_of(graph_.nodes.begin(), graph_.nodes.end(), taken) || std::any_of(nodes.begin(), nodes.end(), taken);
         ++number)
      free = name + "_" + std::to_string(number);
    return free;
  }

  Graph& graph_;
};

}  // namespace

int solve_sums(Graph& graph, const IntegeriseOptions& options, IntegeriseReport& report) {
  Placer placer(graph);
  int changed = 0;
  for (const Node& node : graph.nodes) {
    const auto* rescale = get_if<graph::Rescale>(&node.op);
    if (!rescale || node.inputs.size() < 2) {
      placer.nodes.push_back(node);
      continue;
    }
    CertifiedNode certified = solve(graph, node, *rescale, options.widths);
    placer.place(node, *rescale, certified);
    report.nodes.push_back(std::move(certified));
    ++changed;
  }
  graph.nodes = std::move(placer.nodes);
  return changed;
}

}  // namespace nibble::passes
