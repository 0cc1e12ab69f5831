#pragma once
#include "graph/graph.hpp"

namespace nibble::lower {

/// Gives every value of integers that has none the bounds that follow from its inputs': an input's from its grid, else
/// from its type.
void fill_bounds(graph::Graph& graph);

}  // namespace nibble::lower
