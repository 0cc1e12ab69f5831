#pragma once
#include "lab/experiment.hpp"
#include "lab/metrics.hpp"
#include "passes/quantise/quantise.hpp"

namespace nibble::lab {

/// A line of results.json.
Json to_json(const Row& row);

/// All of a row, each example's outcome too, and back: what a resumed run takes instead of measuring again.
Json whole_json(const Row& row);
Row row_from_json(const Json& json);

/// Bytes of a network's linear weights, packed at their bit width (32 bits where they are real). Biases not counted.
int64_t weight_bytes(const graph::Graph& graph);

/// What a network is to be given once it is quantised.
enum class Input : uint8_t {
  Reals,   ///< what the float network is given: one preprocessing feeds both
  Pixels,  ///< the pixels themselves, where the examples are made of them: their format moves into the network
};

/// What passes::quantise is told of a network that the feed calibrates. Where its input is made of 8-bit pixels: the
/// grid that they have after a preprocessing which leaves real zero a whole pixel, the same in every channel (no
/// calibration needed, nothing lost); else, for Input::Pixels, the format, one gain and shift a channel. Resized pixels
/// count: they are read to the nearest whole one.
passes::QuantiseOptions quantise_options(const graph::Graph& network, const Feed& feed, const passes::Policy& policy,
                                         Input input);

}  // namespace nibble::lab
