#pragma once
#include "graph/graph.hpp"

namespace nibble::onnx {

/// The network for a file of at most that opset: ops that the standard has later (Gelu, HardSwish, LayerNormalization,
/// Mish, RMSNormalization, Swish) become the ones that compute them, where their numbers survive in float32. What these
/// give has the fused op's name and value.
graph::Graph in_pieces(graph::Graph graph, int64_t opset);

}  // namespace nibble::onnx
