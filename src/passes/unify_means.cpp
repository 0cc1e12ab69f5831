#include <algorithm>
#include <numeric>

#include "passes/passes.hpp"

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

}  // namespace

int unify_means(Graph& graph) {
  int changed = 0;
  for (Node& node : graph.nodes) {
    const size_t rank = node.inputs.empty() ? 0 : graph[node.inputs[0]].shape.size();
    if (std::holds_alternative<graph::GlobalAveragePool>(node.op)) {
      node.op = graph::ReduceMean{axes_between(2, rank), true};
      ++changed;
    } else if (auto* mean = std::get_if<graph::ReduceMean>(&node.op)) {
      Ints axes = normalised(mean->axes, rank);
      changed += axes != mean->axes;
      mean->axes = std::move(axes);
    }
  }
  return changed;
}

}  // namespace nibble::passes
