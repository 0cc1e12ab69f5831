#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace nibble::verbs {

/// What `show` says of one node. A symbolic batch counts as 1. Parameters are the constants that the node reads,
/// directly or through a quantiser of its own; their bytes are those of the packed bits.
struct Layer {
  std::string name;
  std::string op;
  std::vector<Shape> inputs;  ///< of activations
  std::vector<Shape> outputs;
  int64_t parameters = 0;
  int64_t macs = 0;  ///< multiply-accumulates of Conv, Gemm, MatMul
  int64_t parameter_bits = 0;
  std::optional<int> weight_bits;       ///< bits of the widest-shaped constant, where it has a grid
  std::optional<Grid> grid;             ///< of the first output
  std::optional<Interval> accumulator;  ///< proven range of the first output, over all channels

  int64_t bytes() const { return (parameter_bits + 7) / 8; }
};

/// The nodes of a graph in order, without quantisers of constants: these are their reader's parameters.
std::vector<Layer> layers_of(const graph::Graph& graph);

}  // namespace nibble::verbs
