#pragma once
#include "graph/graph.hpp"

namespace nibble::onnx {

/// The fake-quantised graph that means an integer network (QD or ID) by the standard: half-even quantisers, float32
/// scales, 32-bit biases on the grid of their sums, so that round_half_even over the exact scales gives every integer
/// that the network gives, for every accumulator that can occur. Value names and grids are the network's; where an
/// accumulator's weights have no scale with these integers, the nearest float32 scales are tried.
/// Throws UserError naming every node that the standard cannot say, with the reason. docs/design/dialects.md.
graph::Graph to_fake_quantised(const graph::Graph& graph);

}  // namespace nibble::onnx
