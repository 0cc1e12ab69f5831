#include "base/error.hpp"
#include "lab/quantised_training.hpp"
#include "passes/batch_norm_ways.hpp"

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

/// A rule that names no layer would be forgotten without a word.
void check_layers(const std::vector<QuantisedTraining::Rule>& rules, const graph::Graph& fake) {
  std::vector<std::string> names;
  for (const graph::Node& node : fake.nodes) names.push_back(node.name);
  for (const QuantisedTraining::Rule& rule : rules) passes::check_pattern(rule.first, names, "lab", "train: layers");
}

/// Where a quantiser stands, of those that the schedule moves.
struct Place {
  bool weights = false;
  int64_t layer = 0;
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
  check_layers(training.weight_rules, fake);
  check_layers(training.activation_rules, fake);
  check_ways(training, fake);
  run.quantisers = [training](const train::QuantiserPlace& place) {
    train::QuantiserRecipe recipe;
    if (place.reads_input) return recipe;  // the data's own grid
    recipe.learning = place.weights ? rule_for(training.weight_rules, training.weights, place.layer)
                                    : rule_for(training.activation_rules, training.activations, place.layer);
    recipe.without_zero = place.weights && std::get<graph::Quantise>(place.node.op).grid.levels() == 2;
    return recipe;
  };
  std::map<std::string, Place> places;
  int64_t layers = 0;
  for (const graph::Node& node : fake.nodes) {
    if (!std::holds_alternative<graph::Quantise>(node.op)) continue;
    const bool weights = fake.constant(node.inputs[0]) != nullptr;
    // The weights' quantiser stands before its layer, the activation's behind it.
    places[node.name] = {weights, layers};
    layers += !weights;
  }
  run.schedule = [training, places, layers](const std::string& name, double epochs) {
    const auto found = places.find(name);
    const Place place = found == places.end() ? Place{} : found->second;
    train::QuantiserSettings settings;
    settings.on = epochs >= (place.weights ? training.weights_start : training.activations_start);
    settings.frozen = training.freeze && epochs >= *training.freeze;
    settings.annealing = quant::annealing_factor(training.annealing, epochs, std::min(place.layer, layers), layers + 1);
    settings.fraction = quant::fraction_at(training.partitions, epochs);
    return settings;
  };
  run.rules = training.rates;
  run.batch_norm = training.batch_norm;
}

}  // namespace nibble::lab
