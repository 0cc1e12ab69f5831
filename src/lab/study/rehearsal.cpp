#include "lab/study/rehearsal.hpp"

#include "base/error.hpp"
#include "lab/examples.hpp"
#include "onnx/onnx.hpp"
#include "passes/quantise/check_policy.hpp"

namespace nibble::lab {
namespace {

/// The first example as the network is given it.
void check_shape(const Tensor& x, int64_t rate, const Experiment& experiment, const graph::Value& input,
                 const std::string& place) {
  const Shape shape = data::apply(experiment.preprocess, x, rate).shape();
  if (input.shape.empty() || Shape(input.shape.begin() + 1, input.shape.end()) != shape)
    fail("lab", place, "examples of shape " + to_string(shape),
         to_string(input.shape) + ", as the network's input '" + input.name + "' is");
}

void check_examples(const data::Dataset& set, const Experiment& experiment, const graph::Graph& network,
                    const char* part) {
  const std::string place = std::string("data: ") + part;
  if (network.inputs.size() != set.inputs())
    fail("lab", place, std::to_string(set.inputs()) + " arrays of inputs",
         std::to_string(network.inputs.size()) + ", one an input of the network");
  const data::Sample sample = set.sample(0);
  check_shape(sample.x, sample.rate, experiment, network[network.inputs[0]], place);
  for (size_t i = 0; i < sample.others.size(); ++i)
    check_shape(sample.others[i], 0, experiment, network[network.inputs[i + 1]], place);
}

/// What of a batch a rank computes.
void check_ranks(const train::Recipe& recipe, const std::string& place) {
  if (recipe.ranks > recipe.batch_size)
    fail("lab", place, std::to_string(recipe.ranks) + " ranks for batches of " + std::to_string(recipe.batch_size),
         "at most one an example of a batch");
}

void check_rules(const std::vector<QuantisedTraining::Rule>& rules, const std::vector<std::string>& names,
                 const std::string& variant) {
  for (const QuantisedTraining::Rule& rule : rules)
    passes::check_pattern(rule.first, names, "lab", "quantize '" + variant + "': train: layers");
}

}  // namespace

void rehearse(const Experiment& experiment) {
  const graph::Graph network =
      experiment.model.empty() ? build(experiment.topology, experiment.seed) : onnx::read(experiment.model);
  check_examples(*training_set(experiment), experiment, network, "train");
  check_examples(*test_set(experiment), experiment, network, "test");
  check_ranks(experiment.recipe, "train");
  for (const Experiment::Variant& variant : experiment.variants) {
    if (variant.training) check_ranks(variant.training->recipe, "quantize '" + variant.name + "': train");
    const std::vector<std::string> names = passes::check_policy(variant.policy, network);
    if (!variant.training) continue;
    check_rules(variant.training->weight_rules, names, variant.name);
    check_rules(variant.training->activation_rules, names, variant.name);
  }
}

}  // namespace nibble::lab
