#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "graph/graph.hpp"
#include "quant/learning/annealing.hpp"
#include "train/api.hpp"

namespace nibble::lab {

/// How a variant's network trains with its quantisers in it. As JSON, all keys optional:
/// {...Recipe...: what is not given is the float training's, but half its epochs and a tenth of its learning_rate,
///  "from": "trained"|"scratch",            the float network as trained, or as it was drawn
///  "weights": "ALGORITHM" | {"algorithm": "ALGORITHM", OPTION: ...},     those of quant::algorithms()
///  "activations": ...,
///  "layers": {"conv1": {"weights": ..., "activations": ...}, "block*": ...},   its weights; what it gives, as in a policy
///  "start": {"weights": 0, "activations": 1},     epochs from which on their quantisers are on
///  "freeze": 4,                                   the epoch from which on what quantisers learn stays
///  "rates": {"scale": 0.1, "bound": {"rate": 1, "decay": 1e-4}, "threshold": ...},   times the learning rate
///  "distillation": 0.5 | {"weight": 0.5, "temperature": 4},   from the float network
///  "annealing": {"decay": "power"|"hyperbolic"|"static", "power": 1, "start": 0, "end": 4,
///                "layers": "one_by_one"|"jointly"},         of noise
///  "partitions": [[1, 0.5], [2, 1]],              [epoch, fraction of the weights that are set from then on]
///  "batch_norm": {"freeze": 3,                    the epoch from which on running statistics are used and stay
///                 "fold": false,                  in the weights while it trains
///                 "reestimate": 0}}               training examples over which statistics are computed anew at the end
struct QuantisedTraining {
  using Rule = std::pair<std::string, quant::Learning>;  ///< layer name or pattern; the last that matches

  train::Recipe recipe;
  bool from_scratch = false;
  quant::Learning weights, activations;
  std::vector<Rule> weight_rules, activation_rules;
  double weights_start = 0, activations_start = 0;
  std::optional<double> freeze;
  train::GroupRules rates;
  std::optional<train::Distillation> distillation;  ///< without its teacher
  quant::AnnealingSchedule annealing;
  std::vector<quant::Milestone> partitions;
  train::BatchNormTraining batch_norm;
  Json resolved;  ///< as read, with the defaults written out
};
/// Throws UserError naming place and key, also of an option that the algorithm beside it does not have, of an annealing,
/// partitions or a rate that no algorithm here goes by, and of an epoch that never comes.
QuantisedTraining quantised_training_from_json(const Json& json, const train::Recipe& of_float,
                                               const std::string& place);

/// What the run's `quantisers`, `schedule`, `rules` and `batch_norm` are, for that fake-quantised network. Throws
/// UserError on a rule that no quantiser goes by, and on a batch-norm to be folded that its policy wants
/// integer or in thresholds.
void schedule_quantisers(train::TrainRun& run, const QuantisedTraining& training, const graph::Graph& fake);

}  // namespace nibble::lab
