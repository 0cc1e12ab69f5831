#pragma once
#include "train/api.hpp"

namespace nibble::train {

/// What a checkpoint of a run must have been made for: all but how many threads and ranks.
Json description_of(const graph::Graph& graph, const TrainRun& run);

}  // namespace nibble::train
