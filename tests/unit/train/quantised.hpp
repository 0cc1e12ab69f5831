#pragma once
#include <algorithm>

#include "quant/range.hpp"
#include "unit/train/small.hpp"

namespace nibble::test {

inline Grid grid_of(double scale, int64_t low, int64_t high) {
  Grid grid;
  grid.scale = {static_cast<double>(static_cast<float>(scale))}, grid.low = low, grid.high = high;
  return grid;
}

/// The small network as quantisation leaves it: 4 bits, a last layer whose sum is the output.
inline graph::Graph quantised_network(Rounding rounding = Rounding::HalfUp) {
  graph::Graph graph = small_network();
  const auto quantise = [&](const char* reader, size_t slot, const std::string& name, const Grid& grid, Rounding by) {
    const auto node =
        std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const graph::Node& n) { return n.name == reader; });
    const graph::ValueId source = node->inputs[slot];
    const graph::ValueId id = graph.add_node(name, graph::Quantise{grid, by}, {source});
    graph[id].grid = grid;
    for (graph::Node& each : graph.nodes)
      if (each.name == reader) each.inputs[slot] = id;
  };
  Grid rows =
      quant::grid_of_weights(*graph[graph.find("conv.weight")].constant, 0, {16, quant::Symmetry::Symmetric}, {}, "w");
  quantise("conv", 0, "input_q", grid_of(0.5, -8, 7), Rounding::HalfUp);
  quantise("conv", 1, "conv.weight_q", rows, Rounding::HalfUp);
  quantise("pool", 0, "conv_q", grid_of(0.25, 0, 15), rounding);
  quantise("fc", 1, "fc.weight_q", grid_of(0.03125, -8, 7), Rounding::HalfUp);
  const Grid accumulator = grid_of(0.25 * 0.03125, INT32_MIN, INT32_MAX);
  quantise("fc", 2, "fc.bias_q", accumulator, Rounding::HalfUp);
  graph[graph.outputs[0]].grid = accumulator;
  graph.stage = graph::Stage::FQ;
  graph::tidy(graph);
  return graph;
}

}  // namespace nibble::test
