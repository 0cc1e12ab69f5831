#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "data/folds/folds.hpp"
#include "graph/graph.hpp"
#include "lab/metrics.hpp"
#include "lab/quantised_training.hpp"
#include "lab/topology.hpp"
#include "passes/policy.hpp"
#include "train/api.hpp"

namespace nibble::lab {

/// An experiment's description:
/// {"name": "mnist", "seed": 1,
///  "data": {"train": "mnist:${NIBBLE_DATA}/mnist:train", "test": "...", "preprocess": {...},
///           "normalise": true: mean and deviation of each channel are the training set's own},
///  "network": {"topology": "mobilenet_v1", "width": 0.5, ...Topology...} or {"model": "file.onnx"},
///  "train": {...Recipe...},
///  "quantize": [{"name": "8/8", "samples": 1000, "bias_correction": true, "weights": 8, "activations": 8, ...policy...,
///                "train": true or {...QuantisedTraining...}}, ...]
///             or one such object, which trains unless it says "train": false}
/// Training takes no epochs ("train": {"epochs": 0}) where the network is taken as it is. Variants that train keep
/// their batch-norms ("batch_norm": "keep") unless the policy says otherwise.
/// ${NAME} is taken from the environment. Throws UserError naming file and key.
struct Experiment {
  std::string name;
  uint64_t seed = 1;
  std::string train_data, test_data;
  data::Preprocess preprocess;
  bool normalise = false;  ///< `preprocess` is still to be given the training set's mean and deviation (examples.hpp)
  std::shared_ptr<const data::Fold> fold;  ///< null: the whole sets
  Topology topology;                       ///< where `model` is empty
  std::filesystem::path model;
  train::Recipe recipe;
  struct Variant {
    std::string name;
    int64_t samples = 1000;
    bool bias_correction = true;  ///< passes::QuantiseOptions::bias_correction
    passes::Policy policy;
    std::optional<QuantisedTraining> training;
    Json resolved;
  };
  std::vector<Variant> variants;
  Json resolved;  ///< with every default written out
};
Experiment read_experiment(const std::filesystem::path& file);
/// `file` is where the document stood: its name and folder.
Experiment experiment_from_json(const Json& json, const std::filesystem::path& file);
/// ${NAME} replaced by what the environment has; throws UserError naming the place where it is not set.
std::string expanded(const std::string& text, const std::string& place);
/// The seed of everything random, trainings of variants included, as if the description had no other.
void set_seed(Experiment& experiment, uint64_t seed);
/// The threads of every training and measurement, likewise.
void set_threads(Experiment& experiment, int threads);
/// The ranks of every training, likewise.
void set_ranks(Experiment& experiment, int ranks);

struct RunOptions {
  std::filesystem::path out;
  bool resume = false;
  std::function<void(const std::string&)> say;   ///< a line for the person who waits
  std::function<void(const std::string&)> warn;  ///< what goes wrong in a training without ending it
  std::function<void(std::string_view what, int64_t done, int64_t of)> progress;
  const volatile int* interrupted = nullptr;
  train::Ranks* ranks = nullptr;  ///< that train together, this process being rank 0; null: it trains alone
};

/// The variant's fake-quantised network: calibrated, and trained where the variant says so (or taken from the finished
/// training of `out`, same description); written to out/<variant>/fq.onnx.
graph::Graph quantise_variant(const Experiment& experiment, const Experiment::Variant& variant,
                              const graph::Graph& network, const train::Api& api, const RunOptions& options);

/// Builds or reads the network, trains it (or takes the finished training of `out`, same description), writes
/// out/float.onnx with its preprocessing in the metadata. Returns it.
graph::Graph train_experiment(const Experiment& experiment, const train::Api& api, const RunOptions& options);

/// One line of the table and of results.json (COMMANDS.md).
struct Row {
  std::string variant;  ///< empty: float
  std::string representation;
  int64_t weight_bits = 32, activation_bits = 32;
  std::string metric = "top1";            ///< Evaluation::metric
  double value = 0, low = 0, high = 0;    ///< accuracy, or an error
  int64_t flips = 0;                      ///< of decisions, against float
  std::optional<RelativeError> to_float;  ///< of errors
  int64_t compared_integers = 0, differing_integers = 0;
  int64_t weight_bytes = 0;
  int64_t requantisations = 0, exact = 0;
  std::filesystem::path model;
  std::vector<bool> right;         ///< on each example of the test set that has a label
  std::vector<int64_t> decisions;  ///< the class of each example of the test set
  std::vector<int64_t> labels;     ///< of the examples that have one
  std::vector<double> errors;      ///< of each example with a target
  std::vector<int64_t> groups;     ///< of each example, or empty
  double latency = 0;              ///< median seconds of one inference here, by one thread; of an integer network

  bool is_error() const { return metric != "top1"; }
};

/// The whole experiment: train, then for every variant FQ, QD and ID; evaluates all on the test set, compares QD and FQ
/// with ID integer by integer, writes models, results.json and table.txt into `out`.
std::vector<Row> run_experiment(const Experiment& experiment, const train::Api& api, const RunOptions& options);

std::string table(const std::vector<Row>& rows);

}  // namespace nibble::lab
