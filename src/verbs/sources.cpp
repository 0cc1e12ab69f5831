#include "verbs/sources.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "base/error.hpp"
#include "lab/runtime_engine.hpp"
#include "passes/integerise/meaning.hpp"
#include "verbs/arrays.hpp"
#include "verbs/programs.hpp"
#include "verbs/torch_module.hpp"

namespace nibble::verbs {
namespace {

data::Preprocess preprocess_in(const std::string& text, const std::string& place) {
  return data::preprocess_from_json(parse_json(text, "verbs", place), place);
}

/// Shapes of an example's inputs as the network sees them, the batch first.
std::vector<Shape> example_shapes(const data::Dataset& set, const data::Preprocess& preprocess) {
  const data::Sample sample = set.sample(0);
  std::vector<Shape> shapes{data::apply(preprocess, sample.x, sample.rate).shape()};
  for (const Tensor& other : sample.others) shapes.push_back(data::apply(preprocess, other).shape());
  for (Shape& shape : shapes) shape.insert(shape.begin(), any);
  return shapes;
}

void check_fit(const graph::Graph& graph, const data::Dataset& set, const data::Preprocess& preprocess) {
  if (graph.inputs.size() != set.inputs())
    fail("verbs", "network '" + graph.name + "'", std::to_string(graph.inputs.size()) + " inputs",
         std::to_string(set.inputs()) + ", as the data have; an npz has an array for each input");
  const std::vector<Shape> shapes = example_shapes(set, preprocess);
  for (size_t k = 0; k < shapes.size(); ++k) {
    const graph::Value& input = graph[graph.inputs[k]];
    bool fits = shapes[k].size() == input.shape.size();
    for (size_t i = 1; fits && i < shapes[k].size(); ++i)
      fits = input.shape[i] == any || shapes[k][i] == input.shape[i];
    if (!fits)
      fail("verbs", "input '" + input.name + "'", "examples of shape " + to_string(shapes[k]),
           to_string(input.shape) + "; --preprocess resizes and crops");
  }
}

/// More than an extent of a network that fits a memory.
constexpr int64_t largest_extent = INT32_MAX;

/// The words of "A=1,B=2"; one word where a part of it is no NAME=N.
std::vector<std::string> parts_of(const std::string& word) {
  std::vector<std::string> parts(1);
  for (char c : word)
    if (c == ',')
      parts.emplace_back();
    else
      parts.back().push_back(c);
  const auto binds = [](const std::string& part) {
    const size_t equals = part.rfind('=');
    return equals != part.npos && equals > 0 && equals + 1 < part.size() &&
           std::all_of(part.begin() + static_cast<std::ptrdiff_t>(equals) + 1, part.end(),
                       [](char digit) { return digit >= '0' && digit <= '9'; });
  };
  return std::all_of(parts.begin(), parts.end(), binds) ? parts : std::vector<std::string>{word};
}

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
  for (const std::string& words : call.texts("shape"))
    for (const std::string& word : parts_of(words)) {
      auto [name, number] = extent_from(word, call.place("shape"));
      if (!options.extents.emplace(name, number).second)
        fail("verbs", call.place("shape"), "'" + name + "' twice", "each name once");
    }
  if (call.takes("from")) options.dialect = call.text("from", "");
  return options;
}

namespace {

NamedEngine engine_named(const Call& call, const graph::Graph& graph, const std::string& name) {
  if (name == "reference") return {name, passes::exact(graph::reference_engine)(graph)};
  if (name == "runtime") {
    if (graph.stage != graph::Stage::ID)
      fail("verbs", call.place("engine"), "runtime, for a network of stage " + std::string(to_string(graph.stage)),
           "reference or torch, or a network of stage ID");
    return {name, lab::runtime_engine(graph, runtime_options(call))};
  }
  return {name, torch_api(call.place("engine")).engine(graph, {.threads = call.threads()})};
}

/// For a graph of integers the runtime; the other engine where it cannot be lowered.
NamedEngine engine_or(const Call& call, const graph::Graph& graph, const std::string& other) {
  if (call.takes("backend") && call.has("backend")) {
    if (call.text("engine", "runtime") != "runtime")
      fail("verbs", call.place("backend"), "with the engine " + call.text("engine"),
           "the runtime, which has back ends");
    if (graph.stage != graph::Stage::ID)
      fail("verbs", call.place("backend"), "for a network of stage " + std::string(to_string(graph.stage)),
           "a network of stage ID");
    return engine_named(call, graph, "runtime");
  }
  if (call.has("engine")) return engine_named(call, graph, call.text("engine"));
  if (graph.stage == graph::Stage::ID) {
    lab::require_kernels({});
    try {
      return engine_named(call, graph, "runtime");
    } catch (const UserError&) {
    }
  }
  return engine_named(call, graph, other);
}

}  // namespace

NamedEngine engine_of(const Call& call, const graph::Graph& graph) {
  return engine_or(call, graph, torch_module().api != nullptr ? "torch" : "reference");
}

NamedEngine engine_or_reference(const Call& call, const graph::Graph& graph) {
  return engine_or(call, graph, "reference");
}

namespace {

std::optional<data::Preprocess> preprocess_among(const std::map<std::string, std::string>& metadata,
                                                 const std::string& network) {
  const auto found = metadata.find("preprocess");
  if (found == metadata.end()) return {};
  return preprocess_in(found->second, network + ": metadata 'preprocess'");
}

data::Preprocess given_preprocess(const Call& call) {
  return data::preprocess_from_json(read_json(call.path("preprocess"), "verbs"), call.text("preprocess"));
}

/// Shapes of what a verb is to run the network on, by the names of its inputs: `--data`, `--golden` or the arrays of
/// `--input`.
std::map<std::string, Shape, std::less<>> data_shapes(const Call& call, const onnx::Header& header) {
  std::vector<Shape> shapes;
  for (const char* option : {"data", "golden"}) {
    if (!call.takes(option) || !call.has(option)) continue;
    const auto carried = preprocess_among(header.metadata, "network");
    const data::Preprocess preprocess = call.takes("preprocess") && call.has("preprocess")
                                            ? given_preprocess(call)
                                            : carried.value_or(data::Preprocess{});
    shapes = example_shapes(*data::open_dataset(call.text(option), header.inputs), preprocess);
  }
  if (call.takes("input") && call.has("input")) {
    const std::filesystem::path file = call.path("input");
    if (file.extension() != ".npz" && file.extension() != ".npy") return {};
    const data::Arrays arrays = read_arrays(file);
    for (size_t index : data::arrays_of_inputs(arrays, header.inputs, "verbs", file.string()))
      shapes.push_back(arrays[index].second.shape());
  }
  std::map<std::string, Shape, std::less<>> named;
  for (size_t i = 0; i < shapes.size(); ++i) named.emplace(header.inputs[i], shapes[i]);
  return named;
}

}  // namespace

graph::Graph model_of(const Call& call, std::string_view argument) {
  if (is_program(call.path(argument)))
    fail("verbs", call.text(argument), "a program", "an ONNX file, as 'nibble compile' was given");
  onnx::ReadOptions options = read_options_of(call);
  const onnx::Header header = onnx::read_header(call.path(argument));
  if (header.open) options.data = data_shapes(call, header);
  return onnx::read(call.path(argument), options);
}

std::optional<data::Preprocess> carried_preprocess(const graph::Graph& graph) {
  return preprocess_among(graph.metadata, "network '" + graph.name + "'");
}

namespace {

/// Whether the one input is of pictures whose channels stand last, and not first.
bool takes_channels_last(const graph::Graph& graph) {
  if (graph.inputs.size() != 1 || graph[graph.inputs[0]].shape.size() != 4) return false;
  const Shape& shape = graph[graph.inputs[0]].shape;
  const auto counts = [](int64_t channels) { return channels == 1 || channels == 3; };
  return counts(shape[3]) && !counts(shape[1]);
}

/// Without what the network's layout says.
data::Preprocess said_preprocess(const Call& call, const graph::Graph& graph) {
  const auto carried = carried_preprocess(graph);
  if (call.has("preprocess")) {
    data::Preprocess given = given_preprocess(call);
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
  if (image && graph[graph.inputs.front()].shape[takes_channels_last(graph) ? 3 : 1] == 1) plain.channels = "gray";
  return plain;
}

}  // namespace

data::Preprocess preprocess_of(const Call& call, const graph::Graph& graph) {
  data::Preprocess preprocess = said_preprocess(call, graph);
  if (!preprocess.sound && takes_channels_last(graph)) preprocess.channels_last = true;
  return preprocess;
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
  std::vector<std::string> names;
  for (graph::ValueId id : graph.inputs) names.push_back(graph[id].name);
  feed.set = data::open_dataset(data, names);
  feed.preprocess = preprocess_of(call, graph);
  feed.threads = call.threads();
  check_fit(graph, *feed.set, feed.preprocess);
  for (graph::ValueId id : graph.inputs) {
    const Shape& shape = graph[id].shape;
    const int64_t most = largest_batch / std::max<int64_t>(1, element_count(shape, 1));
    feed.batch_size = std::clamp<int64_t>(most, 1, feed.batch_size);
  }
  for (graph::ValueId id : graph.inputs)
    if (const Shape& shape = graph[id].shape; !shape.empty() && shape.front() != any)
      feed.batch_size = feed.whole = std::max<int64_t>(shape.front(), 1);
  feed.warn = [&progress, said = std::make_shared<bool>(false)](const std::string& line) {
    if (!std::exchange(*said, true)) progress.warn(line);
  };
  feed.progress = [&progress, what](int64_t done, int64_t of) { progress.update(what, done, of); };
  return feed;
}

}  // namespace nibble::verbs
