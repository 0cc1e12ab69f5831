#include "base/transposed.hpp"
#include "passes/canonicalise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {

int turn_matmul_into_gemm(graph::Graph& graph) {
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!holds_alternative<graph::MatMul>(graph.nodes[i].op)) continue;
    const graph::ValueId x = graph.nodes[i].inputs[0], w = graph.nodes[i].inputs[1];
    const Tensor* weights = graph.constant(w);
    if (!weights || !is_real(weights->type()) || weights->rank() != 2 || graph[x].shape.size() != 2 ||
        graph.constant(x))
      continue;
    const graph::ValueId moved = rewrite_constant(graph, w, transposed(*weights));
    graph.nodes[i].inputs = {x, moved};
    graph.nodes[i].op = graph::Gemm{1, 1, false, true, 0};
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
