#include "passes/quantise/quantise.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "base/channels.hpp"
#include "passes/canonicalise/canonicalise.hpp"
#include "passes/quantise/batch_norm_ways.hpp"
#include "passes/quantise/passes.hpp"
#include "passes/quantise/steps.hpp"

namespace nibble::passes {
namespace {

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
Batches in_pixels(const Quantising& work, const graph::Graph& graph, const Batches& batches) {
  return [&](const std::function<void(const std::vector<Tensor>&)>& use) {
    batches([&](const std::vector<Tensor>& given) {
      std::vector<Tensor> inputs = given;
      for (size_t i = 0; i < work.taken.size(); ++i)
        for (size_t k = 0; k < inputs.size() && k < graph.inputs.size(); ++k)
          if (graph[graph.inputs[k]].name == work.taken[i].input)
            inputs[k] = pixels_of(inputs[k], work.options.formats[i], work.taken[i].zero);
      use(inputs);
    });
  };
}

/// Whether the branches of a node may get grids of their own: where nothing was asked for, and requantising their sum
/// can be certified (quant/sum_requantisation.hpp). A Concat's would only be requantised once more.
bool may_part(const graph::Graph& graph, const QuantiserPlan& plan, const Harmonised& node, const Policy& policy) {
  const graph::Node& joined = graph.nodes[node.node];
  const LayerPolicy own = policy.of(joined.name);
  // An integer batch-norm takes one sum.
  if (holds_alternative<graph::Concat>(joined.op) || own.branches != Branches::Measured ||
      policy.defaults.batch_norm == BatchNorm::Integer)
    return false;
  double pairs = 1;
  for (int p : node.points) {
    const LayerPolicy& of_point = plan.points[static_cast<size_t>(p)].policy;
    if (of_point.activation_range.method != quant::RangeMethod::Measured) return false;
    pairs *= static_cast<double>(of_point.activation_levels);
  }
  return pairs <= 0x1p16;
}

/// Looks at the values, and plans anew where the branches of a sum get grids of their own.
void calibrate(Quantising& work, graph::Graph& graph, const graph::EngineMaker& engine, const Batches& batches,
               QuantiseReport& report) {
  constexpr double worth_parting = 1, worth_saying = 3;
  QuantiseOptions apart = work.options;
  for (const Harmonised& node : work.plan.harmonised)
    if (may_part(graph, work.plan, node, apart.policy))
      apart.policy.override_layers(graph.nodes[node.node].name, Json{{"add", "branches"}});
  const QuantiserPlan parted = plan_quantisers(graph, apart);
  work.seen = observe(graph, {&work.plan, &parted}, engine, in_pixels(work, graph, batches));
  const Policy asked = work.options.policy;
  for (const HarmonisationCost& cost : harmonisation_costs(graph, work.plan, work.seen, worth_parting)) {
    const auto node = std::find_if(work.plan.harmonised.begin(), work.plan.harmonised.end(),
                                   [&](const Harmonised& each) { return graph.nodes[each.node].name == cost.node; });
    if (!may_part(graph, work.plan, *node, asked)) {
      if (cost.decibels > worth_saying) report.costs.push_back(cost);
      continue;
    }
    work.options.policy.override_layers(cost.node, Json{{"add", "branches"}});
    report.separated.push_back(cost);
  }
  if (!report.separated.empty()) work.plan = plan_quantisers(graph, work.options);
}

/// A network takes pixels once, and its quantisers.
int take_pixels(Quantising& work, graph::Graph& graph) {
  if (!work.taken.empty()) return 0;
  work.taken = fold_input_format(graph, work.options.formats);
  for (const TakenInput& input : work.taken)
    work.options.inputs.push_back({input.input, {{1.0}, -1, input.zero, 0, 255}});
  return static_cast<int>(work.taken.size());
}

}  // namespace

std::vector<std::string> layers_of(const graph::Graph& graph) {
  std::vector<std::string> names;
  for (const graph::Node& node : graph.nodes) names.push_back(node.name);
  for (graph::ValueId id : graph.inputs) names.push_back(graph[id].name);
  return names;
}

Pipeline steps_of_quantising(const std::shared_ptr<Quantising>& work, const std::vector<std::string>& layers,
                             const Pipeline& before, const Pipeline& grids) {
  Pipeline pipeline = canonicalise(work->options.policy);
  pipeline.push_back({"fold_input_format", "Moves what is done to pixels into the network, which then takes them",
                      [=](graph::Graph& graph) {
                        check_layers(work->options.policy, layers, graph);
                        return take_pixels(*work, graph);
                      }});
  pipeline.insert(pipeline.end(), before.begin(), before.end());
  pipeline.push_back({"plan_quantisers", "Decides where quantisers stand and which share a grid; changes nothing",
                      [=](graph::Graph& graph) {
                        work->plan = plan_quantisers(graph, work->options);
                        return 0;
                      }});
  pipeline.insert(pipeline.end(), grids.begin(), grids.end());
  pipeline.push_back({"place_quantisers", "Puts the quantisers on inputs, weights and activations",
                      [=, done = false](graph::Graph& graph) mutable {
                        if (std::exchange(done, true)) return 0;
                        return place_quantisers(graph, work->plan, work->grids);
                      }});
  return pipeline;
}

namespace {

/// As float_to_fake; biases are corrected on batches of their own.
Pipeline pipeline_of(const std::shared_ptr<Quantising>& work, const Batches& biases, const graph::EngineMaker& engine,
                     const Batches& batches, const std::vector<std::string>& layers, QuantiseReport& report) {
  const Pipeline before{{"equalise_channels",
                         "Scales channels between linear ops to one range, where that costs weights less",
                         [=, done = false](graph::Graph& graph) mutable {
                           if (std::exchange(done, true) || work->options.trains_folded) return 0;
                           return equalise_channels(graph, work->options.policy, work->options.inputs, engine,
                                                    in_pixels(*work, graph, batches));
                         }}};
  Pipeline grids{
      {"calibrate", "Sees what is quantised; parts branches that one scale costs much; changes nothing",
       [=, &report](graph::Graph& graph) {
         report.inputs = work->taken;
         calibrate(*work, graph, engine, batches, report);
         return 0;
       }},
      {"choose_ranges", "Gives each quantiser the range that costs its readers least; changes nothing",
       [=, &report](graph::Graph& graph) {
         if (work->judges)
           work->judge.emplace(graph, engine, work->seen.others.empty() ? work->seen.examples : work->seen.others);
         ChosenRanges chosen = choose_ranges(graph, work->plan, work->seen, engine, work->options.bias_correction);
         work->grids = std::move(chosen.grids);
         report.narrowed = work->plan.narrowed;
         work->corrects = report.corrects_biases = chosen.corrects;
         report.ranges = std::move(chosen.choices);
         return 0;
       }}};
  if (work->options.rounds_weights)
    grids.push_back({"round_weights",
                     "Rounds weights for what they do to the sums, where the outputs are better for it",
                     [=, &report, done = false](graph::Graph& graph) mutable {
                       if (std::exchange(done, true)) return 0;
                       report.weights = round_weights(graph, work->plan, work->grids, work->seen, engine,
                                                      in_pixels(*work, graph, batches),
                                                      work->options.bias_correction && work->corrects);
                       return report.weights.layers;
                     }});
  if (work->options.bias_correction)
    grids.push_back({"correct_biases", "Gives biases back what quantised layers lose in the mean",
                     [=, done = false](graph::Graph& graph) mutable {
                       if (std::exchange(done, true) || !work->corrects) return 0;
                       return correct_biases(graph, work->plan, work->grids, engine, in_pixels(*work, graph, biases));
                     }});
  return steps_of_quantising(work, layers, before, grids);
}

/// The same with min_max for what is left to measurement: then channels stay, and branches have one grid (may_part).
/// Weights are at their nearest levels.
QuantiseOptions unmeasured(QuantiseOptions options) {
  LayerPolicy& defaults = options.policy.defaults;
  if (defaults.activation_range.method == quant::RangeMethod::Measured)
    defaults.activation_range = {quant::RangeMethod::MinMax, 0};
  options.rounds_weights = false;
  options.dump.clear();
  return options;
}

/// Whether any layer may: else a run with and one without are the same.
bool asks_for_rounding(const Policy& policy) {
  const auto measured = [](const LayerPolicy& layer) { return layer.weight_rounding == WeightRounding::Measured; };
  return measured(policy.defaults) ||
         std::any_of(policy.overrides.begin(), policy.overrides.end(), [&](const Policy::Override& override) {
           LayerPolicy layer = policy.defaults;
           for (const LayerPolicy::Setting& set : override.settings) set(layer);
           return measured(layer);
         });
}

/// The first batches, until they have so many examples.
Batches first_of(const Batches& batches, int64_t examples) {
  return [=](const std::function<void(const std::vector<Tensor>&)>& use) {
    int64_t seen = 0;
    batches([&](const std::vector<Tensor>& inputs) {
      if (seen < examples) use(inputs);
      seen += inputs.empty() || inputs[0].rank() == 0 ? 1 : inputs[0].shape()[0];
    });
  };
}

struct Quantised {
  graph::Graph network = {};
  QuantiseReport report = {};
  std::optional<double> noise = {};  ///< on examples that chose nothing (OutputNoise)
};

Quantised quantised(const graph::Graph& given, bool judges, const Batches& biases, const QuantiseOptions& options,
                    const graph::EngineMaker& engine, const Batches& batches) {
  Quantised made{given};
  const auto work = std::make_shared<Quantising>(Quantising{options});
  work->judges = judges;
  run(pipeline_of(work, biases, engine, batches, layers_of(given), made.report), made.network, options.dump);
  if (work->judge) made.noise = work->judge->of(made.network);
  return made;
}

/// The better of what was measured and of the same unmeasured, on examples that chose nothing. The biases of what is
/// clearly worse need no more than a few.
Quantised the_better(Quantised measured, const graph::Graph& given, const QuantiseOptions& options,
                     const graph::EngineMaker& engine, const Batches& batches) {
  constexpr int64_t enough = 32;
  constexpr double clearly = 1.26;  ///< 1 dB
  Quantised plain;
  for (const Batches& biases : {first_of(batches, enough), batches}) {
    plain = quantised(given, true, biases, unmeasured(options), engine, batches);
    if (!plain.noise || !measured.noise) return measured;
    if (*plain.noise > clearly * *measured.noise) break;
  }
  for (Quantised* each : {&measured, &plain}) {
    each->report.min_max_db = -decibels(*plain.noise);
    each->report.chosen_db = -decibels(*each->noise);
  }
  if (*measured.noise <= *plain.noise) return measured;
  if (options.rounds_weights && asks_for_rounding(options.policy)) {
    QuantiseOptions rounding = unmeasured(options);
    rounding.rounds_weights = true;
    Quantised rounded = quantised(given, true, batches, rounding, engine, batches);
    if (*rounded.noise < *plain.noise) {
      rounded.report.min_max_db = plain.report.min_max_db;
      rounded.report.chosen_db = -decibels(*rounded.noise);
      plain = std::move(rounded);
    }
  }
  for (const RangeChoice& choice : measured.report.ranges) plain.report.ranges.push_back({choice.layers, "min_max", 0});
  return plain;
}

}  // namespace

Pipeline float_to_fake(const QuantiseOptions& options, const graph::EngineMaker& engine, const Batches& batches,
                       const std::vector<std::string>& layers, QuantiseReport& report) {
  return pipeline_of(std::make_shared<Quantising>(Quantising{options}), batches, engine, batches, layers, report);
}

QuantiseReport quantise(graph::Graph& graph, const QuantiseOptions& options, const graph::EngineMaker& engine,
                        const Batches& batches) {
  if (graph.stage != graph::Stage::FP && graph.stage != graph::Stage::FQ)
    fail("passes", "quantise", "the network is " + std::string(to_string(graph.stage)) + " already",
         "a network in full precision, or one with some of its quantisers");
  check_inputs(graph, options.inputs);
  const bool measures =
      !options.trains_folded && options.policy.defaults.activation_range.method == quant::RangeMethod::Measured;
  Quantised made = quantised(graph, measures, batches, options, engine, batches);
  if (measures) made = the_better(std::move(made), graph, options, engine, batches);
  graph = std::move(made.network);
  note_batch_norms(graph, options.policy);
  return made.report;
}

}  // namespace nibble::passes
