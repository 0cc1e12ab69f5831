#pragma once
#include "lab/experiment.hpp"
#include "lab/metrics.hpp"
#include "passes/quantise/quantise.hpp"

namespace nibble::lab {

/// A line of results.json.
Json to_json(const Row& row);

/// Bytes of a network's linear weights, packed at their bit width (32 bits where they are real). Biases not counted.
int64_t weight_bytes(const graph::Graph& graph);

/// What a network's input is made of, where that is 8-bit pixels: the grid that they have after a preprocessing which
/// leaves real zero a whole pixel, the same in every channel (no calibration needed, nothing lost); else the format
/// that passes::quantise moves into the network, one gain and shift a channel. Neither for data that are not pixels.
/// Resized pixels count: they are read to the nearest whole one.
std::vector<passes::InputGrid> input_grids(const graph::Graph& network, const Feed& feed);
std::vector<passes::InputFormat> input_formats(const graph::Graph& network, const Feed& feed);

}  // namespace nibble::lab
