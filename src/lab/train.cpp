#include <fmt/format.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "lab/examples.hpp"
#include "lab/experiment.hpp"
#include "lab/metrics.hpp"
#include "lab/ranks/training.hpp"
#include "lab/run.hpp"
#include "lab/study/rehearsal.hpp"
#include "onnx/onnx.hpp"
#include "passes/quantise/batch_norm_ways.hpp"
#include "passes/quantise/quantise.hpp"

namespace nibble::lab {
namespace {

/// `decides`: the loss is over classes, of which shares are right.
std::string epoch_line(const train::EpochReport& epoch, bool decides) {
  const std::string anew =
      epoch.reestimated > 0 ? fmt::format("  statistics anew over {} examples", epoch.reestimated) : "";
  const std::string measured =
      decides ? fmt::format("loss {:.4f}  train {:.2f} %  test {:.2f} %", epoch.train_loss, 100 * epoch.train_accuracy,
                            100 * epoch.test_accuracy)
              : fmt::format("loss of train {:.5f}, of test {:.5f}", epoch.train_loss, epoch.test_loss);
  return fmt::format("epoch {}/{}  {}  quantisers on {}{}  {:.1f} s", epoch.epoch, epoch.epochs, measured,
                     epoch.quantisers, anew, epoch.seconds);
}

/// Whether two trainings are the same but for their threads and ranks, which a resume may change (docs/design/train.md).
bool same_training(Json a, Json b) {
  for (Json* training : {&a, &b})
    if (training->is_object()) training->erase("threads"), training->erase("ranks");
  return a == b;
}

/// Whether two descriptions of a variant are the same, likewise.
bool same_variant(Json a, Json b) {
  const bool same = same_training(a.value("train", Json()), b.value("train", Json()));
  for (Json* variant : {&a, &b}) variant->erase("train");
  return same && a == b;
}

/// Whether an earlier run of the same description, which `resume` goes on with, has trained its network to the end.
bool finished(const Experiment& experiment, const std::filesystem::path& out) {
  const auto description = out / "experiment.json";
  if (!std::filesystem::exists(description)) return false;
  const Json before = read_json(description, "lab");
  for (const char* part : {"seed", "data", "network", "train"})
    if (!same_training(before.value(part, Json()), experiment.resolved.value(part, Json())))
      fail("lab", description.string(), fmt::format("another description: '{}' differs", part),
           "the run folder's own description with --resume");
  return std::filesystem::exists(out / "float.onnx");
}

/// FP to FQ on the training examples.
void calibrate(const Experiment& experiment, const Experiment::Variant& variant, graph::Graph& network,
               const train::Api& api) {
  Feed feed;
  feed.set = training_set(experiment);
  feed.preprocess = experiment.preprocess;
  feed.threads = experiment.recipe.threads;
  feed.limit = variant.samples;
  // Training, its teacher and the comparison with the float network share one preprocessing.
  passes::QuantiseOptions quantise = quantise_options(network, feed, variant.policy, Input::Reals);
  quantise.bias_correction = variant.bias_correction;
  quantise.trains_folded = variant.training && variant.training->batch_norm.fold;
  passes::quantise(
      network, quantise, [&](const graph::Graph& g) { return api.engine(g, {.threads = experiment.recipe.threads}); },
      [&](const auto& use) { feed.each([&](const data::Batch& batch) { use(batch.inputs()); }); });
}

/// What all trainings of an experiment share.
train::TrainRun run_of(const Experiment& experiment, const train::Recipe& recipe, const RunOptions& options) {
  train::TrainRun run;
  run.recipe = recipe;
  run.train_set = training_set(experiment);
  run.test_set = test_set(experiment);
  run.preprocess = experiment.preprocess;
  run.resume = options.resume;
  run.interrupted = options.interrupted;
  run.warn = options.warn;
  const bool decides = recipe.loss == "cross_entropy";
  if (options.say)
    run.on_epoch = [&options, decides](const train::EpochReport& epoch) { options.say(epoch_line(epoch, decides)); };
  if (options.progress) run.on_step = [&](int64_t done, int64_t of) { options.progress("training", done, of); };
  return run;
}

/// `training`: QuantisedTraining's `resolved`, or null.
void train_network(graph::Graph& network, train::TrainRun& run, const Experiment& experiment, const Json& training,
                   const train::Api& api, const RunOptions& options) {
  run.ranks = options.ranks;
  if (run.ranks) run.ranks->begin(text_of_training(experiment, run, training, network));
  api.train(network, run);
}

}  // namespace

graph::Graph train_experiment(const Experiment& given, const train::Api& api, const RunOptions& options) {
  std::filesystem::create_directories(options.out);
  const auto file = options.out / "float.onnx";
  if (options.resume && finished(given, options.out)) return onnx::read(file);
  rehearse(given);
  const Experiment experiment = normalised(given);
  std::filesystem::remove(file);
  Json description = experiment.resolved;
  description["versions"] = {{"libtorch", api.torch_version()}};
  write_file(options.out / "experiment.json", description.dump(2) + "\n", "lab");
  graph::Graph network =
      experiment.model.empty() ? build(experiment.topology, experiment.seed) : onnx::read(experiment.model);
  if (experiment.recipe.epochs > 0) {
    train::TrainRun run = run_of(experiment, experiment.recipe, options);
    run.folder = options.out;
    train_network(network, run, experiment, {}, api, options);
  }
  network.metadata["preprocess"] = data::to_json(experiment.preprocess).dump();
  onnx::write_native(network, file);
  return network;
}

graph::Graph quantise_variant(const Experiment& given, const Experiment::Variant& variant, const graph::Graph& network,
                              const train::Api& api, const RunOptions& options) {
  const auto folder = options.out / variant.name, file = folder / "fq.onnx", description = folder / "variant.json";
  std::filesystem::create_directories(folder);
  const bool same =
      std::filesystem::exists(description) && same_variant(read_json(description, "lab"), variant.resolved);
  if (variant.training && options.resume && same && std::filesystem::exists(file)) return onnx::read(file);
  if (options.resume && !same && std::filesystem::exists(folder / "checkpoint.pt"))
    fail("lab", description.string(), "another description", "the run folder's own description with --resume");
  std::filesystem::remove(file);
  write_file(description, variant.resolved.dump(2) + "\n", "lab");
  const Experiment experiment = normalised(given);
  const bool scratch = variant.training && variant.training->from_scratch;
  const bool drawn = scratch && experiment.model.empty();
  graph::Graph fake = drawn     ? build(experiment.topology, experiment.seed)
                      : scratch ? onnx::read(experiment.model)
                                : network;
  fake.metadata["preprocess"] = data::to_json(experiment.preprocess).dump();
  calibrate(experiment, variant, fake, api);
  if (variant.training) {
    train::TrainRun run = run_of(experiment, variant.training->recipe, options);
    run.folder = folder;
    run.quantisation = variant.resolved;
    schedule_quantisers(run, *variant.training, fake);
    if (variant.training->distillation) {
      run.distillation = *variant.training->distillation;
      run.distillation.teacher = std::make_shared<const graph::Graph>(network);
    }
    if (options.say) options.say("training '" + variant.name + "' with its quantisers");
    train_network(fake, run, experiment, variant.training->resolved, api, options);
    passes::forget_ways_of_gone(fake);
  }
  onnx::write_native(fake, file);
  return fake;
}

}  // namespace nibble::lab
