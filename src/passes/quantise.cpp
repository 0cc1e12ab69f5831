#include "passes/quantise.hpp"

#include <algorithm>

#include "passes/batch_norm_ways.hpp"
#include "passes/passes.hpp"

namespace nibble::passes {
namespace {

std::vector<std::string> layers_of(const graph::Graph& graph) {
  std::vector<std::string> names;
  for (const graph::Node& node : graph.nodes) names.push_back(node.name);
  for (graph::ValueId id : graph.inputs) names.push_back(graph[id].name);
  return names;
}

/// `names`: of the layers as the file has them; those that canonicalising made count too.
void check_layers(const Policy& policy, std::vector<std::string> names, const graph::Graph& canonical) {
  const std::vector<std::string> made = layers_of(canonical);
  names.insert(names.end(), made.begin(), made.end());
  for (const auto& [pattern, keys] : policy.overrides)
    if (std::none_of(names.begin(), names.end(), [&p = pattern](const auto& name) { return matches(p, name); }))
      fail("passes", "policy", "no layer '" + pattern + "'" + did_you_mean(pattern, names),
           "a node's name or a pattern of * and ?");
}

void check_inputs(const graph::Graph& graph, const std::vector<InputGrid>& inputs) {
  std::vector<std::string> names;
  for (graph::ValueId id : graph.inputs) names.push_back(graph[id].name);
  for (const InputGrid& input : inputs) {
    if (std::find(names.begin(), names.end(), input.input) == names.end())
      fail("passes", "input grids", "no input '" + input.input + "'" + did_you_mean(input.input, names));
    check_grid(input.grid, "passes", "input '" + input.input + "'");
  }
}

/// What shall become of the batch-norms that are left travels with the network, for integerise.
void note_batch_norms(graph::Graph& graph, const Policy& policy) {
  BatchNormWays ways;
  for (const graph::Node& node : graph.nodes) {
    const BatchNorm way = policy.of(node.name).batch_norm;
    if (std::holds_alternative<graph::BatchNormalization>(node.op) && way != BatchNorm::Fold) ways[node.name] = way;
  }
  write_ways(graph, ways);
}

}  // namespace

void quantise(graph::Graph& graph, const QuantiseOptions& options, const graph::EngineMaker& engine,
              const Batches& batches) {
  if (graph.stage != graph::Stage::FP)
    fail("passes", "quantise", "the network is " + std::string(to_string(graph.stage)) + " already",
         "a network in full precision");
  const std::vector<std::string> names = layers_of(graph);
  check_inputs(graph, options.inputs);
  Pipeline pipeline = canonicalise(options.policy);
  pipeline.push_back({"place_quantisers", "Puts calibrated quantisers on inputs, weights and activations",
                      [&](graph::Graph& canonical) {
                        if (canonical.stage != graph::Stage::FP) return 0;
                        check_layers(options.policy, names, canonical);
                        const QuantiserPlan plan = plan_quantisers(canonical, options);
                        const std::vector<Grid> grids = calibrate(canonical, plan, engine, batches);
                        if (options.bias_correction) correct_biases(canonical, plan, grids, engine, batches);
                        return place_quantisers(canonical, plan, grids);
                      }});
  run(pipeline, graph, options.dump);
  note_batch_norms(graph, options.policy);
}

}  // namespace nibble::passes
