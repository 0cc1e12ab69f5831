#include "passes/quantise/quantise.hpp"
#include "base/channels.hpp"
#include "passes/canonicalise/canonicalise.hpp"

#include <algorithm>
#include <cmath>

#include "passes/quantise/batch_norm_ways.hpp"
#include "passes/quantise/passes.hpp"

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
  for (const auto& [pattern, keys] : policy.overrides) check_pattern(pattern, names, "passes", "policy");
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
    if (holds_alternative<graph::BatchNormalization>(node.op) && way != BatchNorm::Fold) ways[node.name] = way;
  }
  write_ways(graph, ways);
}

/// The pixels minus zero of reals that a format made; a pixel that is whole but for a float's last bit is whole.
Tensor pixels_of(const Tensor& reals, const InputFormat& format, int64_t zero) {
  std::vector<double> values = reals.to_reals();
  const bool channels = format.gain.size() > 1 || format.shift.size() > 1;
  const ChannelOf channel(reals.shape(), channels ? 1 : -1);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t c = channel(i);
    const double pixel =
        (values[i] - format.shift[format.shift.size() == 1 ? 0 : c]) / format.gain[format.gain.size() == 1 ? 0 : c];
    const double whole = std::nearbyint(pixel);
    values[i] = (std::abs(pixel - whole) < 1e-3 ? whole : pixel) - static_cast<double>(zero);
  }
  return Tensor(reals.shape(), std::vector<float>(values.begin(), values.end()));
}

/// The batches as the network takes them once it takes pixels.
Batches in_pixels(const graph::Graph& graph, const Batches& batches, const QuantiseOptions& options,
                  const std::vector<TakenInput>& taken) {
  return [&](const std::function<void(const std::vector<Tensor>&)>& use) {
    batches([&](const std::vector<Tensor>& given) {
      std::vector<Tensor> inputs = given;
      for (size_t i = 0; i < taken.size(); ++i)
        for (size_t k = 0; k < inputs.size() && k < graph.inputs.size(); ++k)
          if (graph[graph.inputs[k]].name == taken[i].input)
            inputs[k] = pixels_of(inputs[k], options.formats[i], taken[i].zero);
      use(inputs);
    });
  };
}

std::vector<InputGrid> grids_of(const std::vector<TakenInput>& taken) {
  std::vector<InputGrid> grids;
  for (const TakenInput& input : taken) grids.push_back({input.input, {{1.0}, -1, input.zero, 0, 255}});
  return grids;
}

/// Quantisers of a canonical network, and what they cost.
int place_calibrated(graph::Graph& canonical, const QuantiseOptions& given, const graph::EngineMaker& engine,
                     const Batches& batches, QuantiseReport& report) {
  QuantiseOptions options = given;
  report.inputs = fold_input_format(canonical, options.formats);
  if (!report.inputs.empty()) graph::tidy(canonical);
  for (InputGrid& grid : grids_of(report.inputs)) options.inputs.push_back(std::move(grid));
  const QuantiserPlan plan = plan_quantisers(canonical, options);
  const Batches taken = in_pixels(canonical, batches, options, report.inputs);
  Calibration calibration = calibrate(canonical, plan, engine, taken);
  if (options.bias_correction) correct_biases(canonical, plan, calibration.grids, engine, taken);
  report.costs = std::move(calibration.costs);
  return place_quantisers(canonical, plan, calibration.grids);
}

}  // namespace

QuantiseReport quantise(graph::Graph& graph, const QuantiseOptions& options, const graph::EngineMaker& engine,
                        const Batches& batches) {
  if (graph.stage != graph::Stage::FP)
    fail("passes", "quantise", "the network is " + std::string(to_string(graph.stage)) + " already",
         "a network in full precision");
  const std::vector<std::string> names = layers_of(graph);
  check_inputs(graph, options.inputs);
  QuantiseReport report;
  Pipeline pipeline = canonicalise(options.policy);
  pipeline.push_back({"place_quantisers", "Puts calibrated quantisers on inputs, weights and activations",
                      [&](graph::Graph& canonical) {
                        if (canonical.stage != graph::Stage::FP) return 0;
                        check_layers(options.policy, names, canonical);
                        return place_calibrated(canonical, options, engine, batches, report);
                      }});
  run(pipeline, graph, options.dump);
  note_batch_norms(graph, options.policy);
  return report;
}

}  // namespace nibble::passes
