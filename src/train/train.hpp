#pragma once
#include "train/api.hpp"

namespace nibble::train {

/// Api::train.
void train(graph::Graph& graph, const TrainRun& run);

}  // namespace nibble::train
