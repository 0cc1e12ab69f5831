#include <algorithm>
#include <numeric>

#include "passes/canonicalise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Ints;
using graph::Node;

Ints axes_between(size_t first, size_t rank) {
  Ints axes(rank - first);
  std::iota(axes.begin(), axes.end(), static_cast<int64_t>(first));
  return axes;
}

Ints normalised(const Ints& axes, size_t rank) {
  if (axes.empty()) return axes_between(0, rank);
  Ints result;
  for (int64_t axis : axes) result.push_back(normalise_axis(axis, rank));
  std::sort(result.begin(), result.end());
  return result;
}

/// Whether the pool has one window, which is its whole input.
bool covers(const graph::AveragePool& pool, const Shape& x) {
  const auto zero = [](int64_t value) { return value == 0; };
  return x.size() == pool.kernel.size() + 2 && std::equal(pool.kernel.begin(), pool.kernel.end(), x.begin() + 2) &&
         std::all_of(pool.pads.begin(), pool.pads.end(), zero);
}

/// A mean over all spatial axes that drops them: one that keeps them, and a reshape.
bool keep_spatial_axes(Graph& graph, size_t index) {
  const auto* mean = get_if<graph::ReduceMean>(&graph.nodes[index].op);
  const size_t rank = graph[graph.nodes[index].inputs[0]].shape.size();
  if (!mean || mean->keep_dims || rank < 3 || mean->axes != axes_between(2, rank)) return false;
  const graph::ValueId old = graph.nodes[index].outputs[0];
  const std::string name = graph.nodes[index].name;
  const graph::Op drop = graph::Reshape{graph[old].shape, true};
  graph.nodes[index].op = graph::ReduceMean{axes_between(2, rank), true};
  const graph::ValueId kept = graph.add_value(graph[old].name + "_kept", graph[old].type);
  graph.nodes[index].outputs = {kept};
  graph.add_node(name + "_reshape", drop, {kept});
  graph.nodes.back().outputs = {old};
  return true;
}

/// A sum of reals as so many times its mean, which integers have.
bool turn_sum_into_mean(Graph& graph, size_t index) {
  const auto* sum = get_if<graph::ReduceSum>(&graph.nodes[index].op);
  const graph::ValueId x = graph.nodes[index].inputs[0];
  if (!sum || !is_real(graph[x].type)) return false;
  const graph::ReduceMean mean{normalised(sum->axes, graph[x].shape.size()), sum->keep_dims};
  double count = 1;
  for (int64_t axis : mean.axes) {
    const int64_t extent = graph[x].shape[static_cast<size_t>(axis)];
    if (extent < 1) return false;
    count *= static_cast<double>(extent);
  }
  const graph::ValueId old = graph.nodes[index].outputs[0];
  const std::string name = graph.nodes[index].name;
  const graph::ValueId taken = graph.add_value(graph[old].name + "_mean", graph[old].type);
  graph[taken].shape = graph[old].shape;
  const graph::ValueId factor = graph.add_constant(name + "_count", float_tensor({}, {count}));
  graph.nodes[index].op = mean;
  graph.nodes[index].outputs = {taken};
  graph.add_node(name + "_times", graph::Mul{}, {taken, factor});
  graph.nodes.back().outputs = {old};
  return true;
}

}  // namespace

int unify_means(Graph& graph) {
  int changed = 0;
  const size_t count = graph.nodes.size();
  for (size_t i = 0; i < count; ++i) {
    changed += turn_sum_into_mean(graph, i);
    Node& node = graph.nodes[i];
    const Shape x = node.inputs.empty() ? Shape{} : graph[node.inputs[0]].shape;
    const auto* pool = get_if<graph::AveragePool>(&node.op);
    if (holds_alternative<graph::GlobalAveragePool>(node.op) || (pool && covers(*pool, x))) {
      node.op = graph::ReduceMean{axes_between(2, x.size()), true};
      ++changed;
    } else if (auto* mean = get_if<graph::ReduceMean>(&node.op)) {
      Ints axes = normalised(mean->axes, x.size());
      changed += axes != mean->axes;
      mean->axes = std::move(axes);
    }
    changed += keep_spatial_axes(graph, i);
  }
  return changed;
}

}  // namespace nibble::passes
