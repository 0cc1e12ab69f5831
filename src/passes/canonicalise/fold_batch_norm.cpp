#include "passes/canonicalise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {

int fold_batch_norm(graph::Graph& graph) {
  return fold_batch_norm(graph, {});
}

int fold_batch_norm(graph::Graph& graph, const Policy& policy) {
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto affine = affine_of_batch_norm(graph, graph.nodes[i]);
    if (!affine || policy.of(graph.nodes[i].name).batch_norm != BatchNorm::Fold) continue;
    const int linear = foldable_linear(graph, graph::Uses(graph), graph.nodes[i].inputs[0], i);
    if (linear < 0) continue;
    scale_linear(graph, static_cast<size_t>(linear), affine->gain, affine->shift);
    graph.nodes[static_cast<size_t>(linear)].outputs = graph.nodes[i].outputs;
    graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i--));
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
