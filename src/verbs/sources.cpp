#include "verbs/sources.hpp"

#include <algorithm>
#include <charconv>

#include "base/error.hpp"
#include "passes/integerise/meaning.hpp"
#include "verbs/torch_module.hpp"

namespace nibble::verbs {
namespace {

data::Preprocess preprocess_in(const std::string& text, const std::string& place) {
  return data::preprocess_from_json(parse_json(text, "verbs", place), place);
}

void check_fit(const graph::Graph& graph, const data::Dataset& set, const data::Preprocess& preprocess) {
  if (graph.inputs.size() != 1)
    fail("verbs", "network '" + graph.name + "'", std::to_string(graph.inputs.size()) + " inputs", "one");
  const graph::Value& input = graph[graph.inputs.front()];
  Shape shape = data::apply(preprocess, set.sample(0).x).shape();
  shape.insert(shape.begin(), any);
  bool fits = shape.size() == input.shape.size();
  for (size_t i = 1; fits && i < shape.size(); ++i) fits = input.shape[i] == any || shape[i] == input.shape[i];
  if (!fits)
    fail("verbs", "input '" + input.name + "'", "examples of shape " + to_string(shape),
         to_string(input.shape) + "; --preprocess resizes and crops");
}

/// More than an extent of a network that fits a memory.
constexpr int64_t largest_extent = INT32_MAX;

/// "NAME=N", where the name itself may hold a '='.
std::pair<std::string, int64_t> extent_from(const std::string& word, const std::string& place) {
  const size_t equals = std::min(word.rfind('='), word.size());
  const std::string_view digits = std::string_view(word).substr(std::min(equals + 1, word.size()));
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  if (equals == 0 || !whole || number < 1 || number > largest_extent)
    fail("verbs", place, "'" + word + "'", "NAME=N with N from 1 to " + std::to_string(largest_extent));
  return {word.substr(0, equals), number};
}

}  // namespace

onnx::ReadOptions read_options_of(const Call& call) {
  onnx::ReadOptions options;
  options.batch = call.integer("batch", any, 1, largest_extent);
  for (const std::string& word : call.texts("shape")) {
    auto [name, number] = extent_from(word, call.place("shape"));
    if (!options.extents.emplace(name, number).second)
      fail("verbs", call.place("shape"), "'" + name + "' twice", "each name once");
  }
  if (call.takes("from")) options.dialect = call.text("from", "");
  return options;
}

namespace {

NamedEngine engine_named(const Call& call, const std::string& name) {
  if (name == "reference") return {name, passes::exact(graph::reference_engine)};
  const train::Api& api = torch_api(call.place("engine"));
  return {name, [&api, threads = call.threads()](const graph::Graph& graph) {
            return api.engine(graph, {.threads = threads});
          }};
}

}  // namespace

NamedEngine engine_of(const Call& call) {
  return engine_named(call, call.text("engine", torch_module().api != nullptr ? "torch" : "reference"));
}

NamedEngine engine_or_reference(const Call& call) {
  return engine_named(call, call.text("engine", "reference"));
}

graph::Graph model_of(const Call& call, std::string_view argument) {
  return onnx::read(call.path(argument), read_options_of(call));
}

std::optional<data::Preprocess> carried_preprocess(const graph::Graph& graph) {
  const auto found = graph.metadata.find("preprocess");
  if (found == graph.metadata.end()) return {};
  return preprocess_in(found->second, "network '" + graph.name + "': metadata 'preprocess'");
}

data::Preprocess preprocess_of(const Call& call, const graph::Graph& graph) {
  const auto carried = carried_preprocess(graph);
  if (call.has("preprocess")) {
    auto given = data::preprocess_from_json(read_json(call.path("preprocess"), "verbs"), call.text("preprocess"));
    if (carried && graph.metadata.contains("takes_pixels")) {
      given.scale = carried->scale;
      given.mean = carried->mean;
      given.standard_deviation = carried->standard_deviation;
    }
    return given;
  }
  if (carried) return *carried;
  data::Preprocess plain;
  const bool image = graph.inputs.size() == 1 && graph[graph.inputs.front()].shape.size() == 4;
  if (image && graph[graph.inputs.front()].shape[1] == 1) plain.channels = "gray";
  return plain;
}

/// Numbers in a batch of inputs: activations of a few dozen times that stay within a gigabyte.
constexpr int64_t largest_batch = int64_t{1} << 22;

lab::Feed feed_of(const Call& call, const graph::Graph& graph, Progress& progress, const std::string& what,
                  std::string_view option) {
  return feed_on(call, graph, progress, what, call.text(option));
}

lab::Feed feed_on(const Call& call, const graph::Graph& graph, Progress& progress, const std::string& what,
                  const std::string& data) {
  lab::Feed feed;
  feed.set = data::open_dataset(data);
  feed.preprocess = preprocess_of(call, graph);
  feed.threads = call.threads();
  check_fit(graph, *feed.set, feed.preprocess);
  const graph::Value& input = graph[graph.inputs.front()];
  if (!input.shape.empty() && input.shape.front() != any)
    feed.batch_size = input.shape.front();
  else
    feed.batch_size =
        std::clamp<int64_t>(largest_batch / std::max<int64_t>(1, element_count(input.shape, 1)), 1, feed.batch_size);
  feed.progress = [&progress, what](int64_t done, int64_t of) { progress.update(what, done, of); };
  return feed;
}

}  // namespace nibble::verbs
