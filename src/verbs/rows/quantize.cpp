#include "passes/quantise/quantise.hpp"

#include <fmt/format.h>

#include "base/file.hpp"
#include "lab/run.hpp"
#include "onnx/onnx.hpp"
#include "verbs/quantisation_loss.hpp"
#include "verbs/rows.hpp"
#include "verbs/sources.hpp"
#include "verbs/tables/memory.hpp"

namespace nibble::verbs {
namespace {

/// The keys of a policy that the options give.
Json options_of_policy(const Call& call) {
  Json json = Json::object();
  for (const char* bits : {"weights", "activations"})
    if (call.has(bits)) json[bits] = call.integer(bits, 8, 1, 16);
  for (const char* name : {"range", "granularity", "rounding"})
    if (call.has(name)) json[name] = call.text(name);
  if (call.has("weight-rounding")) json["weight_rounding"] = call.text("weight-rounding");
  if (call.has("batch-norm")) json["batch_norm"] = call.text("batch-norm");
  if (call.has("symmetric-activations")) json["symmetric_activations"] = true;
  return json;
}

/// A policy as its file says it, and what was read of it.
struct AskedPolicy {
  Json json;
  passes::Policy read;
};

/// The policy file's defaults under the options given; layers are the file's.
AskedPolicy policy_of(const Call& call) {
  AskedPolicy asked{call.has("policy") ? read_json(call.path("policy"), "verbs") : Json::object(), {}};
  asked.read = passes::policy_from_json(asked.json, call.text("policy", "policy"));
  const Json options = options_of_policy(call);
  asked.read.override_defaults(options, "options");
  asked.json.update(options);
  return asked;
}

/// `overrides` behind the policy's own layers. A layer that has an entry keeps one, which says what it and the patterns
/// behind it say.
void append(Json& policy, const std::vector<std::pair<std::string, Json>>& overrides) {
  for (const auto& [layer, keys] : overrides) {
    Json& layers = policy["layers"];
    if (layers.is_null()) layers = Json::object();
    Json merged = Json::object();
    bool behind = false;
    for (const auto& [pattern, own] : layers.items()) {
      behind = behind || pattern == layer;
      if (behind && passes::matches(pattern, layer)) merged.update(own);
    }
    merged.update(keys);
    layers.erase(layer);
    layers[layer] = std::move(merged);
  }
}

/// `--fit`: makes the policy one that fits; its table.
std::optional<passes::Fit> fit(const Call& call, const graph::Graph& graph, passes::QuantiseOptions& options,
                               Json& policy) {
  if (!call.has("fit")) return std::nullopt;
  passes::Fit fitted =
      passes::fit_policy(graph, options, passes::budgets_from_text(call.text("fit"), call.place("fit")));
  for (const auto& [layer, keys] : fitted.overrides) options.policy.override_layers(layer, keys);
  append(policy, fitted.overrides);
  return fitted;
}

int64_t count_quantisers(const graph::Graph& graph) {
  int64_t count = 0;
  for (const graph::Node& node : graph.nodes) count += holds_alternative<graph::Quantise>(node.op);
  return count;
}

/// Nodes that one scale for all branches costs more than 3 dB, and what to write instead.
void warn(const std::vector<passes::HarmonisationCost>& costs) {
  for (const passes::HarmonisationCost& cost : costs)
    fmt::print(stderr,
               "warning: node '{0}': one scale for all its branches costs {1:.1f} dB against one for each "
               "(to avoid it, in the policy: \"layers\": {{\"{0}\": {{\"add\": \"branches\"}}}})\n",
               cost.node, cost.decibels);
}

Json to_json(const std::vector<passes::HarmonisationCost>& costs) {
  Json json = Json::array();
  for (const passes::HarmonisationCost& cost : costs)
    json.push_back(
        {{"node", cost.node}, {"db", cost.decibels}, {"policy", {{"layers", {{cost.node, {{"add", "branches"}}}}}}}});
  return json;
}

Json to_json(const std::vector<passes::RangeChoice>& ranges) {
  Json json = Json::array();
  for (const passes::RangeChoice& range : ranges)
    json.push_back({{"layers", range.layers}, {"range", range.rule}, {"gain_db", range.gain}});
  return json;
}

Json to_json(const passes::RoundedWeights& weights) {
  Json json = {{"layers", weights.layers}};
  if (weights.nearest_db) json["nearest_db"] = *weights.nearest_db;
  if (weights.rounded_db) json["rounded_db"] = *weights.rounded_db;
  return json;
}

Json to_json(const std::vector<passes::Narrowed>& layers) {
  Json json = Json::array();
  for (const passes::Narrowed& each : layers)
    json.push_back(
        {{"layer", each.layer}, {each.what, {{"levels", each.levels}}}, {"reason", each.reason}, {"bits", each.bits}});
  return json;
}

std::string describe(const std::vector<passes::Narrowed>& layers) {
  std::string text;
  for (const passes::Narrowed& each : layers)
    text += fmt::format("{} of '{}' have {} levels: more, and sums of '{}' would not fit 32 bits (they asked for {})\n",
                        each.what, each.layer, each.levels, each.reason, each.bits);
  return text;
}

/// `--report`: the choices and what they gain.
std::string describe(const passes::QuantiseReport& report) {
  std::string text;
  for (const passes::RangeChoice& range : report.ranges)
    text += fmt::format("range of {}: {}, {:.1f} dB\n", range.layers, range.rule, range.gain);
  for (const passes::HarmonisationCost& node : report.separated)
    text += fmt::format("node '{}': a scale for each of its branches, {:.1f} dB\n", node.node, node.decibels);
  if (const passes::RoundedWeights& weights = report.weights; weights.nearest_db && weights.rounded_db)
    text += fmt::format("weights: {}, {:.1f} dB at the outputs; {:.1f} {}\n",
                        weights.layers > 0 ? fmt::format("rounded for what they do in {} layer{}", weights.layers,
                                                         weights.layers == 1 ? "" : "s")
                                           : "at their nearest levels",
                        weights.layers > 0 ? *weights.rounded_db : *weights.nearest_db,
                        weights.layers > 0 ? *weights.nearest_db : *weights.rounded_db,
                        weights.layers > 0 ? "at their nearest levels" : "rounded for what they do");
  if (!report.corrects_biases) text += "biases stay as they are: correcting them would cost more than it gains\n";
  if (report.min_max_db && report.chosen_db)
    text += fmt::format("outputs: {:.1f} dB signal to quantisation noise, {:.1f} with min_max\n", *report.chosen_db,
                        *report.min_max_db);
  return text;
}

Json to_json(const std::vector<passes::TakenInput>& inputs) {
  Json json = Json::array();
  for (const passes::TakenInput& input : inputs)
    json.push_back({{"input", input.input},
                    {"form", input.exact ? "folded" : "requantised"},
                    {"into", input.where},
                    {"zero", input.zero}});
  return json;
}

std::string describe(const std::vector<passes::TakenInput>& inputs) {
  std::string text;
  for (const passes::TakenInput& input : inputs)
    text +=
        input.exact
            ? fmt::format("input '{}' takes pixels: mean and std folded into {}, exactly\n", input.input, input.where)
            : fmt::format("input '{}' takes pixels: mean and std in the requantisation '{}', to its nearest level\n",
                          input.input, input.where);
  return text;
}

/// What is left to do to an image for a network that takes pixels itself.
data::Preprocess of_pixels(data::Preprocess preprocess, const std::vector<passes::TakenInput>& inputs) {
  for (const passes::TakenInput& input : inputs) {
    preprocess.scale = 1;
    preprocess.mean = {static_cast<double>(input.zero)};
    preprocess.standard_deviation = {};
  }
  return preprocess;
}

}  // namespace

Result quantize(const Call& call) {
  AskedPolicy asked = policy_of(call);
  graph::Graph graph = model_of(call, "MODEL");
  Progress progress(call.quiet());
  lab::Feed feed = feed_of(call, graph, progress, "calibrating");
  feed.limit = call.integer("samples", 1000, 1, int64_t{1} << 40);
  const bool pixels = feed.set->sample(0).x.type() == ElementType::UInt8;
  passes::QuantiseOptions options =
      lab::quantise_options(graph, feed, asked.read, call.has("real-input") ? lab::Input::Reals : lab::Input::Pixels);
  options.bias_correction = !call.has("no-bias-correction");
  if (call.has("dump")) options.dump = call.path("dump");
  const auto fitted = fit(call, graph, options, asked.json);
  const auto make = [&](const graph::Graph& g) { return engine_of(call, g).engine; };
  const std::string engine = engine_of(call, graph).name;
  const passes::QuantiseReport report = passes::quantise(graph, options, make, [&](const auto& use) {
    feed.each([&](const data::Batch& batch) { use(batch.inputs()); });
  });
  warn(report.costs);
  if (pixels || call.has("preprocess"))
    graph.metadata["preprocess"] = data::to_json(of_pixels(feed.preprocess, report.inputs)).dump();
  if (!report.inputs.empty()) graph.metadata["takes_pixels"] = report.inputs.front().exact ? "folded" : "requantised";
  graph.metadata[std::string(calibration_key)] = call.text("data");
  onnx::write_native(graph, call.path("output"));
  if (call.has("policy-out")) write_file(call.path("policy-out"), asked.json.dump(1) + "\n", "verbs");
  const int64_t quantisers = count_quantisers(graph);
  Json json = {{"output", call.text("output")},
               {"stage", graph::to_string(graph.stage)},
               {"quantisers", quantisers},
               {"samples", feed.count()},
               {"engine", engine},
               {"harmonised", to_json(report.costs)},
               {"inputs", to_json(report.inputs)}};
  json["ranges"] = to_json(report.ranges);
  json["narrowed"] = to_json(report.narrowed);
  json["separated"] = to_json(report.separated);
  json["rounded_weights"] = to_json(report.weights);
  if (report.chosen_db) json["output_db"] = {{"min_max", *report.min_max_db}, {"chosen", *report.chosen_db}};
  if (fitted) json["fit"] = passes::to_json(*fitted);
  const std::string table =
      (fitted ? describe(*fitted) : std::string()) + (call.has("report") ? describe(report) : std::string());
  return {json, table + fmt::format("{} quantisers from {} examples (engine {})\n{}wrote {} ({})\n", quantisers,
                                    feed.count(), engine, describe(report.narrowed) + describe(report.inputs),
                                    call.text("output"), to_string(graph.stage))};
}

std::string quantize_pipeline() {
  passes::QuantiseReport report;
  return "The passes, in order\n" + passes::describe(passes::float_to_fake({}, {}, {}, {}, report));
}

}  // namespace nibble::verbs
