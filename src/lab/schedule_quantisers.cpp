#include <algorithm>

#include "base/error.hpp"
#include "lab/quantised_training.hpp"
#include "passes/quantise/batch_norm_ways.hpp"
#include "passes/quantise/layers.hpp"

namespace nibble::lab {
namespace {

using quant::Learning;

const Learning& rule_for(const std::vector<QuantisedTraining::Rule>& rules, const Learning& otherwise,
                         const std::string& layer) {
  const Learning* found = &otherwise;
  for (const auto& [pattern, learning] : rules)
    if (passes::matches(pattern, layer)) found = &learning;
  return *found;
}

/// The layer that a description calls a quantiser by: of weights the one that reads them, else the one whose output
/// this is.
std::string layer_of(const graph::Graph& fake, const graph::Uses& uses, const graph::Node& quantiser, bool weights) {
  const std::vector<int>& readers = uses.readers[static_cast<size_t>(quantiser.outputs[0])];
  if (weights && !readers.empty()) return fake.nodes[static_cast<size_t>(readers.front())].name;
  return passes::quantised_layer(fake, uses, quantiser);
}

/// A rule that no quantiser goes by would be forgotten without a word.
void check_layers(const std::vector<QuantisedTraining::Rule>& rules, const std::vector<std::string>& layers,
                  const char* kind) {
  for (const QuantisedTraining::Rule& rule : rules)
    passes::check_pattern(rule.first, layers, "lab", std::string("train: layers with ") + kind + " that train");
}

/// Where a quantiser stands, of those that the schedule moves.
struct Place {
  bool weights = false;
  int64_t depth = 0;  ///< quantisers of activations before it
  std::string layer;
};

/// What the policy wants of a batch-norm has no meaning once it is folded.
void check_ways(const QuantisedTraining& training, const graph::Graph& fake) {
  if (!training.batch_norm.fold) return;
  for (const auto& [node, way] : passes::read_ways(fake))
    if (way != passes::BatchNorm::Keep)
      fail("lab", "train: batch_norm: fold", "the policy wants '" + node + "' " + std::string(to_string(way)),
           "\"batch_norm\": \"keep\" in the policy, or no fold");
}

}  // namespace

void schedule_quantisers(train::TrainRun& run, const QuantisedTraining& training, const graph::Graph& fake) {
  check_ways(training, fake);
  const graph::Uses uses(fake);
  std::map<std::string, Place> places;
  int64_t depth = 0;
  std::vector<std::string> with_weights, with_activations;
  for (const graph::Node& node : fake.nodes) {
    if (!holds_alternative<graph::Quantise>(node.op)) continue;
    const bool weights = fake.constant(node.inputs[0]) != nullptr;
    const std::string layer = layer_of(fake, uses, node, weights);
    const bool reads_input = std::find(fake.inputs.begin(), fake.inputs.end(), node.inputs[0]) != fake.inputs.end();
    if (!reads_input) (weights ? with_weights : with_activations).push_back(layer);
    // The weights' quantiser stands before its layer, the activation's behind it.
    places[node.name] = {weights, depth, layer};
    depth += !weights;
  }
  check_layers(training.weight_rules, with_weights, "weights");
  check_layers(training.activation_rules, with_activations, "activations");
  run.quantisers = [training, places](const train::QuantiserPlace& place) {
    train::QuantiserRecipe recipe;
    if (place.reads_input) return recipe;  // the data's own grid
    const std::string& layer = places.at(place.node.name).layer;
    recipe.learning = place.weights ? rule_for(training.weight_rules, training.weights, layer)
                                    : rule_for(training.activation_rules, training.activations, layer);
    recipe.without_zero = place.weights && get<graph::Quantise>(place.node.op).grid.levels() == 2;
    return recipe;
  };
  run.schedule = [training, places, depth](const std::string& name, double epochs) {
    const auto found = places.find(name);
    const Place place = found == places.end() ? Place{} : found->second;
    train::QuantiserSettings settings;
    settings.on = epochs >= (place.weights ? training.weights_start : training.activations_start);
    settings.frozen = training.freeze && epochs >= *training.freeze;
    settings.annealing = quant::annealing_factor(training.annealing, epochs, std::min(place.depth, depth), depth + 1);
    settings.fraction = quant::fraction_at(training.partitions, epochs);
    return settings;
  };
  run.rules = training.rates;
  run.batch_norm = training.batch_norm;
}

}  // namespace nibble::lab
