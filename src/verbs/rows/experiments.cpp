#include <atomic>
#include <csignal>

#include "lab/experiment.hpp"
#include "lab/run.hpp"
#include "verbs/progress.hpp"
#include "verbs/rows.hpp"
#include "verbs/torch_module.hpp"

namespace nibble::verbs {
namespace {

volatile int interrupted = 0;
static_assert(std::atomic<int>::is_always_lock_free);

/// The first Ctrl-C asks the training to stop at a checkpoint; a second one kills.
void heed_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = SA_RESETHAND;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

lab::Experiment experiment_of(const Call& call) {
  lab::Experiment experiment = lab::read_experiment(call.path("EXPERIMENT.json"));
  if (const auto seed = call.seed()) lab::set_seed(experiment, *seed);
  if (call.has("threads")) lab::set_threads(experiment, call.threads());
  return experiment;
}

lab::RunOptions options_of(const Call& call, Progress& progress) {
  lab::RunOptions options;
  options.out = call.path("out");
  options.resume = call.has("resume");
  options.say = [&](const std::string& line) { progress.say(line); };
  options.warn = [&](const std::string& line) { progress.warn(line); };
  options.progress = [&](std::string_view what, int64_t done, int64_t of) { progress.update(what, done, of); };
  options.interrupted = &interrupted;
  return options;
}

}  // namespace

Result train(const Call& call) {
  const lab::Experiment experiment = experiment_of(call);
  const train::Api& api = torch_api("nibble train");
  Progress progress(call.quiet());
  heed_signals();
  const lab::RunOptions options = options_of(call, progress);
  const graph::Graph network = lab::train_experiment(experiment, api, options);
  const std::string model = (options.out / "float.onnx").string();
  Result result{{{"model", model}, {"metrics", (options.out / "metrics.csv").string()}}, "wrote " + model + "\n"};
  for (const lab::Experiment::Variant& variant : experiment.variants) {
    if (!variant.training) continue;
    lab::quantise_variant(experiment, variant, network, api, options);
    const std::string file = (options.out / variant.name / "fq.onnx").string();
    result.json["variants"][variant.name] = file;
    result.text += "wrote " + file + "\n";
  }
  return result;
}

Result lab(const Call& call) {
  const lab::Experiment experiment = experiment_of(call);
  const train::Api& api = torch_api("nibble lab");
  Progress progress(call.quiet());
  heed_signals();
  const lab::RunOptions options = options_of(call, progress);
  const std::vector<lab::Row> rows = lab::run_experiment(experiment, api, options);
  return {read_json(options.out / "results.json", "verbs"), lab::table(rows)};
}

}  // namespace nibble::verbs
