#pragma once
#include "lab/experiment.hpp"
#include "lab/metrics.hpp"
#include "passes/quantise.hpp"

namespace nibble::lab {

/// A line of results.json.
Json to_json(const Row& row);

/// Bytes of a network's linear weights, packed at their bit width (32 bits where they are real). Biases not counted.
int64_t weight_bytes(const graph::Graph& graph);

/// The grid that 8-bit pixels have after a preprocessing that only scales them: no calibration needed, nothing lost.
/// Empty where the preprocessing does more, and for data that are not pixels.
std::vector<passes::InputGrid> input_grids(const graph::Graph& network, const Feed& feed);

}  // namespace nibble::lab
