#pragma once
#include <string>

#include "graph/graph.hpp"
#include "onnx/onnx.hpp"
#include "verbs/goldens/golden_folder.hpp"

namespace nibble::verbs {

/// The network of a golden folder, in the options' dialect where they name one; else recognised. A file that moves and multiplies
/// integers in tensors of reals with ops of the standard alone does not say so, but its goldens do: where all of them
/// hold integers and the network can be one of integers, it is read as the dialect deeploy has it.
graph::Graph read_golden_network(const GoldenFolder& golden, onnx::ReadOptions options = {});

}  // namespace nibble::verbs
