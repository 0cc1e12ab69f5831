#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/count.hpp"

namespace nibble::verbs {

/// What `show` says of one node.
struct Layer {
  std::string name;
  std::string op;
  std::vector<Shape> inputs;  ///< of activations
  std::vector<Shape> outputs;
  graph::Counts counts;
  std::optional<int64_t> weight_bits;   ///< of the largest parameter, where it is on a grid
  std::optional<Grid> grid;             ///< of the first output
  std::optional<Interval> accumulator;  ///< proven range of the first output, over all channels

  int64_t bytes() const { return (counts.bits + 7) / 8; }
};

/// The nodes of a graph in order, without quantisers of constants: these are their reader's parameters.
std::vector<Layer> layers_of(const graph::Graph& graph);

}  // namespace nibble::verbs
