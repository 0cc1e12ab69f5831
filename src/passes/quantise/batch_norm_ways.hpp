#pragma once
#include <map>
#include <optional>
#include <string>

#include "graph/graph.hpp"
#include "passes/policy.hpp"

/// What shall become of each batch-norm that quantise left a node: part of the network's metadata, by the name of the
/// batch-norm in FQ and of the requantisation that it is in afterwards in QD.
namespace nibble::passes {

using BatchNormWays = std::map<std::string, BatchNorm>;

/// Throws UserError where the metadata is not what write_ways writes.
BatchNormWays read_ways(const graph::Graph& graph);
/// None: the metadata goes.
void write_ways(graph::Graph& graph, const BatchNormWays& ways);
/// Of batch-norms that are no longer nodes: training folds them.
void forget_ways_of_gone(graph::Graph& graph);

/// By the name of each quantiser in a fake-quantised network whose requantisation holds such a batch-norm: nothing but
/// affine ops and clips stand between the two.
BatchNormWays ways_of_quantisers(const graph::Graph& fake);

/// What shall become of the batch-norm in a requantisation of QD: `asked` for every one behind a linear op, else what
/// `ways` says of it.
BatchNorm way_of(const graph::Graph& graph, const graph::Node& rescale, const BatchNormWays& ways,
                 std::optional<BatchNorm> asked);

}  // namespace nibble::passes
