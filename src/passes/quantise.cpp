#include "passes/quantise.hpp"

#include <algorithm>

#include "passes/passes.hpp"

namespace nibble::passes {
namespace {

void check_layers(const graph::Graph& graph, const Policy& policy) {
  std::vector<std::string> names;
  for (const graph::Node& node : graph.nodes) names.push_back(node.name);
  for (graph::ValueId id : graph.inputs) names.push_back(graph[id].name);
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

}  // namespace

void quantise(graph::Graph& graph, const QuantiseOptions& options, const graph::EngineMaker& engine,
              const Batches& batches) {
  if (graph.stage != graph::Stage::FP)
    fail("passes", "quantise", "the network is " + std::string(to_string(graph.stage)) + " already",
         "a network in full precision");
  check_layers(graph, options.policy);
  check_inputs(graph, options.inputs);
  Pipeline pipeline = canonicalise();
  pipeline.push_back({"place_quantisers", "Puts calibrated quantisers on inputs, weights and activations",
                      [&](graph::Graph& canonical) {
                        if (canonical.stage != graph::Stage::FP) return 0;
                        const QuantiserPlan plan = plan_quantisers(canonical, options);
                        return place_quantisers(canonical, plan, calibrate(canonical, plan, engine, batches));
                      }});
  run(pipeline, graph, options.dump);
}

}  // namespace nibble::passes
