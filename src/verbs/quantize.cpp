#include "passes/quantise.hpp"

#include <fmt/format.h>

#include "base/file.hpp"
#include "lab/run.hpp"
#include "onnx/onnx.hpp"
#include "verbs/memory.hpp"
#include "verbs/rows.hpp"
#include "verbs/sources.hpp"

namespace nibble::verbs {
namespace {

/// The policy file's defaults under the options given; layers are the file's.
Json policy_of(const Call& call) {
  Json json = call.has("policy") ? read_json(call.path("policy"), "verbs") : Json::object();
  passes::policy_from_json(json, call.text("policy", "policy"));
  for (const char* bits : {"weights", "activations"})
    if (call.has(bits)) json[bits] = call.integer(bits, 8, 1, 16);
  for (const char* name : {"range", "granularity", "rounding"})
    if (call.has(name)) json[name] = call.text(name);
  if (call.has("batch-norm")) json["batch_norm"] = call.text("batch-norm");
  if (call.has("symmetric-activations")) json["symmetric_activations"] = true;
  return json;
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

/// `--fit`: the policy that fits, with its table.
std::optional<passes::Fit> fit(const Call& call, const graph::Graph& graph, const passes::QuantiseOptions& options,
                               Json& policy) {
  if (!call.has("fit")) return std::nullopt;
  passes::Fit fitted =
      passes::fit_policy(graph, options, passes::budgets_from_text(call.text("fit"), call.place("fit")));
  append(policy, fitted.overrides);
  return fitted;
}

int64_t count_quantisers(const graph::Graph& graph) {
  int64_t count = 0;
  for (const graph::Node& node : graph.nodes) count += std::holds_alternative<graph::Quantise>(node.op);
  return count;
}

}  // namespace

Result quantize(const Call& call) {
  passes::QuantiseOptions options;
  Json policy = policy_of(call);
  options.policy = passes::policy_from_json(policy, "options");
  options.bias_correction = !call.has("no-bias-correction");
  if (call.has("dump")) options.dump = call.path("dump");
  graph::Graph graph = onnx::read(call.path("MODEL"));
  Progress progress(call.quiet());
  lab::Feed feed = feed_of(call, graph, progress, "calibrating");
  feed.limit = call.integer("samples", 1000, 1, int64_t{1} << 40);
  const bool pixels = feed.set->sample(0).x.type() == ElementType::UInt8;
  options.inputs = lab::input_grids(graph, feed);
  const auto fitted = fit(call, graph, options, policy);
  options.policy = passes::policy_from_json(policy, "options");
  const NamedEngine engine = engine_of(call);
  passes::quantise(graph, options, engine.make,
                   [&](const auto& use) { feed.each([&](const data::Batch& batch) { use({batch.x}); }); });
  if (pixels || call.has("preprocess")) graph.metadata["preprocess"] = data::to_json(feed.preprocess).dump();
  onnx::write_native(graph, call.path("output"));
  if (call.has("policy-out")) write_file(call.path("policy-out"), policy.dump(1) + "\n", "verbs");
  const int64_t quantisers = count_quantisers(graph);
  Json json = {{"output", call.text("output")},
               {"stage", graph::to_string(graph.stage)},
               {"quantisers", quantisers},
               {"samples", feed.count()},
               {"engine", engine.name}};
  if (fitted) json["fit"] = passes::to_json(*fitted);
  const std::string table = fitted ? describe(*fitted) : std::string();
  return {json, table + fmt::format("{} quantisers from {} examples (engine {})\nwrote {} ({})\n", quantisers,
                                    feed.count(), engine.name, call.text("output"), to_string(graph.stage))};
}

std::string quantize_pipeline() {
  return "The passes before calibration, in order\n" + passes::describe(passes::canonicalise()) +
         "Then quantisers are planned, ranges taken from the data, biases corrected for what quantised layers\n"
         "lose in the mean, and quantisers placed.\n";
}

}  // namespace nibble::verbs
