#pragma once
#include "base/json.hpp"
#include "graph/graph.hpp"

namespace nibble::onnx {

/// What a fake-quantised graph of any tool has in common once its nodes are read:
///
///     before   f(w), constants alone                          after   a constant
///     before   quantise(w) -> Transpose, Reshape, ...        after   quantise(transposed w), the scales' axis moved
///     before   quantise(w) -> Clip at levels                  after   quantise(clipped w)
///     before   quantise(b), 32 bits, not a bias              after   b, in reals
///     before   quantise(clip(x, the grid's own ends))         after   quantise(x)
///     before   values without grids                          after   each quantiser's on its value; sums of our own
///                                                                     files on those that `metadata` (or null) gives
void normalise_quantisers(graph::Graph& graph, const Json& metadata, const std::string& file);

}  // namespace nibble::onnx
