#pragma once
#include "graph/graph.hpp"

namespace nibble::graph {

/// An output behind ops that only move elements (as `moves` says) of a value on a grid is on that grid.
///
///     before   y = reshape(x), x on a grid, y on none          y an output
///     after    y on the grid of x
///
/// Leaves an output whose x has a scale a channel: the axis may have moved.
void spread_output_grids(Graph& graph, bool (*moves)(const Op&));

}  // namespace nibble::graph
