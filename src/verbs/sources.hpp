#pragma once
#include <functional>
#include <memory>

#include "data/dataset.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "lab/metrics.hpp"
#include "onnx/onnx.hpp"
#include "verbs/call.hpp"
#include "verbs/progress.hpp"

/// What verbs make of the options that they share: models, preprocessing, data, engines.
namespace nibble::verbs {

/// An engine for one graph, which outlives it.
struct NamedEngine {
  std::string name;  ///< reference, runtime or torch
  std::unique_ptr<graph::Engine> engine;
};

/// The engine of `--engine`; else the runtime for ID, torch for other stages where its module loads, else the reference.
/// FQ is run as what it means.
NamedEngine engine_of(const Call& call, const graph::Graph& graph);
/// The same, but without an option the reference for what is not ID.
NamedEngine engine_or_reference(const Call& call, const graph::Graph& graph);

/// How a verb reads a network: `--batch`, every `--shape`, and the dialect of `--from` where the verb has that option.
/// Throws UserError on what is no NAME=N.
onnx::ReadOptions read_options_of(const Call& call);

/// The network that an argument names, as the call's options have it read. Extents that they leave open take those of
/// the data that the call names.
graph::Graph model_of(const Call& call, std::string_view argument);

/// The preprocessing that a model carries, if it does. Throws UserError where its metadata is not one.
std::optional<data::Preprocess> carried_preprocess(const graph::Graph& graph);

/// `--preprocess`, else what the model carries, else pixels / 255 in the channels that the network's input has. A
/// network that takes pixels itself (metadata 'takes_pixels') keeps its scale, mean and std whatever the file says of
/// them.
data::Preprocess preprocess_of(const Call& call, const graph::Graph& graph);

/// `--data` (or another option that names a set) as the graph wants them, with a progress bar under the name `what`.
/// Throws UserError where the examples do not fit the network's input.
lab::Feed feed_of(const Call& call, const graph::Graph& graph, Progress& progress, const std::string& what,
                  std::string_view option = "data");

/// As feed_of, of the set that `data` names.
lab::Feed feed_on(const Call& call, const graph::Graph& graph, Progress& progress, const std::string& what,
                  const std::string& data);

}  // namespace nibble::verbs
