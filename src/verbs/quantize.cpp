#include "passes/quantise.hpp"

#include <fmt/format.h>

#include "lab/run.hpp"
#include "onnx/onnx.hpp"
#include "verbs/rows.hpp"
#include "verbs/sources.hpp"

namespace nibble::verbs {
namespace {

/// The policy file's defaults under the options given; layers are the file's.
passes::Policy policy_of(const Call& call) {
  Json json = call.has("policy") ? read_json(call.path("policy"), "verbs") : Json::object();
  passes::policy_from_json(json, call.text("policy", "policy"));
  for (const char* bits : {"weights", "activations"})
    if (call.has(bits)) json[bits] = call.integer(bits, 8, 1, 16);
  for (const char* name : {"range", "granularity", "rounding"})
    if (call.has(name)) json[name] = call.text(name);
  if (call.has("symmetric-activations")) json["symmetric_activations"] = true;
  return passes::policy_from_json(json, "options");
}

int64_t count_quantisers(const graph::Graph& graph) {
  int64_t count = 0;
  for (const graph::Node& node : graph.nodes) count += std::holds_alternative<graph::Quantise>(node.op);
  return count;
}

}  // namespace

Result quantize(const Call& call) {
  passes::QuantiseOptions options;
  options.policy = policy_of(call);
  if (call.has("dump")) options.dump = call.path("dump");
  graph::Graph graph = onnx::read(call.path("MODEL"));
  Progress progress(call.quiet());
  lab::Feed feed = feed_of(call, graph, progress, "calibrating");
  feed.limit = call.integer("samples", 1000, 1, int64_t{1} << 40);
  const bool pixels = feed.set->sample(0).x.type() == ElementType::UInt8;
  options.inputs = lab::input_grids(graph, feed);
  const NamedEngine engine = engine_of(call);
  passes::quantise(graph, options, engine.make,
                   [&](const auto& use) { feed.each([&](const data::Batch& batch) { use({batch.x}); }); });
  if (pixels || call.has("preprocess")) graph.metadata["preprocess"] = data::to_json(feed.preprocess).dump();
  onnx::write_native(graph, call.path("output"));
  const int64_t quantisers = count_quantisers(graph);
  const Json json = {{"output", call.text("output")},
                     {"stage", graph::to_string(graph.stage)},
                     {"quantisers", quantisers},
                     {"samples", feed.count()},
                     {"engine", engine.name}};
  return {json, fmt::format("{} quantisers from {} examples (engine {})\nwrote {} ({})\n", quantisers, feed.count(),
                            engine.name, call.text("output"), to_string(graph.stage))};
}

std::string quantize_pipeline() {
  return "The passes before calibration, in order\n" + passes::describe(passes::canonicalise()) +
         "Then quantisers are planned, ranges taken from the data, and quantisers placed.\n";
}

}  // namespace nibble::verbs
