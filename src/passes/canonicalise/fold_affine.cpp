#include "passes/canonicalise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {

int fold_affine(graph::Graph& graph) {
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto found = affine_of_arithmetic(graph, graph.nodes[i]);
    if (!found) continue;
    const int linear = foldable_linear(graph, graph::Uses(graph), found->x, i);
    if (linear < 0) continue;
    scale_linear(graph, static_cast<size_t>(linear), found->affine.gain, found->affine.shift);
    graph.nodes[static_cast<size_t>(linear)].outputs = graph.nodes[i].outputs;
    graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i--));
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
