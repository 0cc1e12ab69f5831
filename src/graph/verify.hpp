#pragma once
#include "graph/graph.hpp"

namespace nibble::graph {

/// Checks everything that a graph promises: unique names, ids in range, single writers, order (dominance), arity,
/// element types that the op takes, inferred shapes equal to the stored ones, constants that match their values, sane
/// grids (positive float32 scales, per-channel counts), no reals between integer ops at stage ID, no NaN or infinity in
/// constants. Throws UserError "graph: node '<name>' (<op>): ..." naming the first offender.
/// Run after every pass, in release too.
void verify(const Graph& graph);

}  // namespace nibble::graph
