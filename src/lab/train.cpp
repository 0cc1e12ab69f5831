#include <fmt/format.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "lab/experiment.hpp"
#include "onnx/onnx.hpp"

namespace nibble::lab {
namespace {

std::string epoch_line(const train::EpochReport& epoch) {
  return fmt::format("epoch {}/{}  loss {:.4f}  train {:.2f} %  test {:.2f} %  quantisers on {}  {:.1f} s", epoch.epoch,
                     epoch.epochs, epoch.train_loss, 100 * epoch.train_accuracy, 100 * epoch.test_accuracy,
                     epoch.quantisers, epoch.seconds);
}

/// The trained network of an earlier run of the same description, where `resume` finds one.
bool finished(const Experiment& experiment, const std::filesystem::path& out) {
  const auto description = out / "experiment.json";
  if (!std::filesystem::exists(out / "float.onnx") || !std::filesystem::exists(description)) return false;
  const Json before = read_json(description, "lab");
  for (const char* part : {"seed", "data", "network", "train"})
    if (before.value(part, Json()) != experiment.resolved.value(part, Json()))
      fail("lab", description.string(), fmt::format("another description: '{}' differs", part),
           "the run folder's own description with --resume");
  return true;
}

}  // namespace

graph::Graph train_experiment(const Experiment& experiment, const train::Api& api, const RunOptions& options) {
  std::filesystem::create_directories(options.out);
  const auto file = options.out / "float.onnx";
  if (options.resume && finished(experiment, options.out)) return onnx::read(file);
  std::filesystem::remove(file);
  Json description = experiment.resolved;
  description["versions"] = {{"libtorch", api.torch_version()}};
  write_file(options.out / "experiment.json", description.dump(2) + "\n", "lab");
  graph::Graph network =
      experiment.model.empty() ? build(experiment.topology, experiment.seed) : onnx::read(experiment.model);
  train::TrainRun run;
  run.recipe = experiment.recipe;
  run.recipe.threads = options.threads;
  run.train_set = data::open_dataset(experiment.train_data);
  run.test_set = data::open_dataset(experiment.test_data);
  run.preprocess = experiment.preprocess;
  run.folder = options.out;
  run.resume = options.resume;
  run.interrupted = options.interrupted;
  if (options.say) run.on_epoch = [&](const train::EpochReport& epoch) { options.say(epoch_line(epoch)); };
  if (options.progress) run.on_step = [&](int64_t done, int64_t of) { options.progress("training", done, of); };
  api.train(network, run);
  network.metadata["preprocess"] = data::to_json(experiment.preprocess).dump();
  onnx::write_native(network, file);
  return network;
}

}  // namespace nibble::lab
