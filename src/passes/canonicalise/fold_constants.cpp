#include "graph/evaluate/fold_constants.hpp"

#include "passes/canonicalise/passes.hpp"

namespace nibble::passes {

int fold_constants(graph::Graph& graph) {
  return graph::fold_constants(graph);
}

}  // namespace nibble::passes
