#include <algorithm>
#include <cmath>
#include <optional>

#include "graph/evaluate/evaluate.hpp"
#include "graph/op_traits.hpp"
#include "passes/canonicalise/passes.hpp"
#include "passes/canonicalise/subgraphs.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;

constexpr size_t most_nodes = 12;

/// What a function may be spelled in.
bool is_step(const Graph& graph, const Node& node) {
  for (graph::ValueId id : node.inputs)
    if (id == graph::absent || (graph.constant(id) && graph.constant(id)->size() != 1)) return false;
  return is_pointwise(node.op);
}

/// Where functions are compared: densely around zero, and far out.
Tensor samples() {
  std::vector<double> x{-20, -12.5, 12.5, 20};
  for (int i = -80; i <= 80; ++i) x.push_back(i / 10.0 + 0.013);
  return Tensor({static_cast<int64_t>(x.size())}, x);
}

double at(const Graph& graph, const Subgraph& region, double x) {
  return evaluate_subgraph(graph, region, Tensor({1}, std::vector<double>{x})).to_reals()[0];
}

/// The ops that a region may be, their parameters read off the function itself.
std::vector<graph::Op> candidates(const Graph& graph, const Subgraph& region) {
  std::vector<graph::Op> ops{graph::Gelu{false}, graph::Gelu{true}, graph::HardSwish{},
                             graph::Mish{},      graph::Sigmoid{},  graph::Softplus{}};
  const double one = at(graph, region, 1), zero = at(graph, region, 0), near = at(graph, region, 0x1p-6);
  if (one > 0 && one < 1) {
    const double alpha = std::log(one / (1 - one));  // 1 / (1 + exp(-alpha))
    ops.insert(ops.begin(), graph::Swish{attribute_of(alpha)});
    if (std::abs(alpha - 1) < 1e-5) ops.insert(ops.begin(), graph::Swish{1});
  }
  if (zero > 0 && zero < 1) ops.push_back(graph::HardSigmoid{attribute_of((near - zero) * 0x1p6), attribute_of(zero)});
  return ops;
}

std::optional<graph::Op> function_of(const Graph& graph, const Subgraph& region, const Tensor& x) {
  const std::vector<double> y = evaluate_subgraph(graph, region, x).to_reals();
  if (y.size() != static_cast<size_t>(x.size())) return std::nullopt;
  if (!std::all_of(y.begin(), y.end(), [](double v) { return std::isfinite(v); })) return std::nullopt;
  for (const graph::Op& op : candidates(graph, region)) {
    const std::vector<double> expected = graph::evaluate(Node{"", op, {}, {}}, {&x}).at(0).to_reals();
    bool same = true;
    for (size_t i = 0; i < y.size() && same; ++i)
      same = std::abs(y[i] - expected[i]) <= 3e-6 * (1 + std::abs(expected[i]));
    if (same) return op;
  }
  return std::nullopt;
}

}  // namespace

int fuse_functions(Graph& graph) {
  const graph::Uses uses(graph);
  const Tensor x = samples();
  int changed = 0;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    if (!is_step(graph, graph.nodes[i])) continue;
    const auto regions = subgraphs_to(
        graph, uses, i, [&](const Node& node) { return is_step(graph, node); }, most_nodes);
    for (size_t r = regions.size(); r-- > 0;) {
      if (regions[r].nodes.size() < 2) continue;
      const auto op = function_of(graph, regions[r], x);
      if (!op) continue;
      graph.nodes[i].op = *op;
      graph.nodes[i].inputs = {regions[r].source};
      ++changed;
      break;
    }
  }
  return changed;
}

}  // namespace nibble::passes
