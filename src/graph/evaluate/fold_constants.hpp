#pragma once
#include "graph/graph.hpp"

namespace nibble::graph {

/// Computes what depends on constants only, but quantisers and what writes a graph output; reals are rounded once to
/// float32. Returns how many nodes went.
int fold_constants(Graph& graph);

}  // namespace nibble::graph
