#pragma once
#include <set>

#include "passes/quantise/quantise.hpp"

namespace nibble::passes {

/// Nodes: the Concats of channels that nothing but movement separates from an output. Their branches may have scales of
/// their own, powers of two apart, which the output then has for each channel: boxes in pixels beside scores in 0..1.
/// Only where all Concats of one output join alike, and where the policy leaves branches to measurement or the network
/// came with quantisers on all of them, of one zero point.
std::set<size_t> output_pieces(const graph::Graph& graph, const QuantiseOptions& options);

}  // namespace nibble::passes
