#pragma once
#include <string>

#include "lab/experiment.hpp"

/// What ranks of one experiment tell each other of its trainings (train::Ranks).
namespace nibble::lab {

/// All that another rank needs of a training that rank 0 begins: the sets by name, the recipe, how its quantisers train
/// (`training`: QuantisedTraining's `resolved`, null where none does), the network, and the run's teacher.
/// `experiment` is normalised.
std::string text_of_training(const Experiment& experiment, const train::TrainRun& run, const Json& training,
                             const graph::Graph& network);

/// The whole of what another rank than 0 does: its part in every training, until rank 0 ends. It writes nothing, and says
/// nothing: rank 0 does. `interrupted` as TrainRun's.
void help_trainings(const train::Api& api, const train::RankPlace& place, const volatile int* interrupted);

}  // namespace nibble::lab
