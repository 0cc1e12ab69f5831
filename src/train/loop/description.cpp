#include "train/loop/description.hpp"

#include "base/hash.hpp"
#include "graph/text.hpp"

namespace nibble::train {
namespace {

/// The structure of a network as one number: its text with every constant zero.
std::string structure_of(graph::Graph graph) {
  for (graph::Value& value : graph.values)
    if (value.constant) value.constant = Tensor(value.constant->type(), value.constant->shape());
  return std::to_string(fnv1a(graph::to_text(graph, graph::Constants::Short)));
}

/// All constants as one number.
std::string weights_of(const graph::Graph& graph) {
  uint64_t hash = fnv1a("");
  for (const graph::Value& value : graph.values) {
    if (!value.constant) continue;
    const std::span<const std::byte> bytes = value.constant->bytes();
    hash = fnv1a({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, hash);
  }
  return std::to_string(hash);
}

}  // namespace

Json description_of(const graph::Graph& graph, const TrainRun& run) {
  Json recipe = to_json(run.recipe), quantisation = run.quantisation;
  for (const char* key : {"threads", "ranks"}) {
    recipe.erase(key);
    if (quantisation.contains("train") && quantisation["train"].is_object()) quantisation["train"].erase(key);
  }
  return {{"recipe", recipe},
          {"preprocess", data::to_json(run.preprocess)},
          {"quantisation", quantisation},
          {"examples", run.train_set->size()},
          {"network", structure_of(graph)},
          {"weights", weights_of(graph)}};
}

}  // namespace nibble::train
