#include "lab/experiment.hpp"

#include <cstdlib>

#include "base/error.hpp"

namespace nibble::lab {
namespace {

void read_data(const Section& section, Experiment& experiment) {
  experiment.train_data = expanded(section.text("train"), section.at("train"));
  experiment.test_data = expanded(section.text("test"), section.at("test"));
  experiment.preprocess = data::preprocess_from_json(
      section.has("preprocess") ? section.part("preprocess") : Json::object(), section.at("preprocess"));
  section.flag("normalise", experiment.normalise);
  const data::Preprocess& given = experiment.preprocess;
  if (experiment.normalise && !(given.mean.empty() && given.standard_deviation.empty()))
    fail("lab", section.at("normalise"), "it beside a mean or a std in 'preprocess'", "one of them");
  if (experiment.normalise && given.sound)
    fail("lab", section.at("normalise"), "it beside 'sound' in 'preprocess'", "it with images");
}

void read_network(const Json& json, const std::string& place, const std::filesystem::path& folder,
                  Experiment& experiment) {
  if (json.is_object() && json.contains("topology") == json.contains("model"))
    fail("lab", place + ": topology", "both or neither of 'topology' and 'model'", "one of them");
  if (json.is_object() && json.contains("topology")) {
    experiment.topology = topology_from_json(json, place);
    return;
  }
  const Section section(json, "lab", place, {"topology", "model"});
  const std::string text = section.text("model");
  const std::filesystem::path file = expanded(text, section.at("model"));
  // A name stands beside the description; what the environment gives is the caller's, like the data's path.
  experiment.model = file.is_absolute() || text.starts_with("${") ? file : folder / file;
}

/// What a run writes into its folder itself.
constexpr std::string_view own_files[] = {"experiment.json", "float.onnx",     "checkpoint.pt",
                                          "metrics.csv",     "quantisers.csv", "tensorboard",
                                          "results.json",    "table.txt",      "measured.json"};

Experiment::Variant read_variant(const Json& json, const train::Recipe& of_float, const std::string& place) {
  const Section section(json, "lab", place);
  Experiment::Variant variant;
  Json policy = json;
  for (const char* own : {"name", "samples", "bias_correction", "train"}) policy.erase(own);
  const bool trains = json.contains("train") && json["train"] != false;
  // What training normalises by stays a batch-norm until the integers.
  if (trains && !policy.contains("batch_norm")) policy["batch_norm"] = "keep";
  // Training finds ranges itself, from ends that cut nothing off.
  if (trains && !policy.contains("range")) policy["range"] = "min_max";
  // And starts from the weights as they are: what rounding takes, no training knows any more.
  if (trains && !policy.contains("weight_rounding")) policy["weight_rounding"] = "nearest";
  variant.policy = passes::policy_from_json(policy, place);
  variant.resolved = variant.policy.resolved;
  const auto bits = [&](const char* key) { return variant.resolved[key].dump(); };
  variant.name = section.has("name") ? section.text("name") : "w" + bits("weights") + "a" + bits("activations");
  if (variant.name.empty() || variant.name.front() == '.' || variant.name.find('/') != std::string::npos ||
      std::find(std::begin(own_files), std::end(own_files), variant.name) != std::end(own_files))
    fail("lab", place + ": name", "'" + variant.name + "'",
         "a name that can be a folder in the run's, beside its own files");
  section.whole("samples", variant.samples, 1);
  section.flag("bias_correction", variant.bias_correction);
  variant.resolved["name"] = variant.name;
  variant.resolved["samples"] = variant.samples;
  // Written where it says something: run folders and studies know a variant by this.
  if (!variant.bias_correction) variant.resolved["bias_correction"] = false;
  if (!trains) return variant;
  const Json training = json["train"] == true ? Json::object() : json["train"];
  variant.training = quantised_training_from_json(training, of_float, place + ": train");
  variant.resolved["train"] = variant.training->resolved;
  return variant;
}

void read_variants(const Json& json, const std::string& place, Experiment& experiment) {
  if (json.is_object()) {
    Json one = json;
    if (!one.contains("train")) one["train"] = true;
    experiment.variants.push_back(read_variant(one, experiment.recipe, place));
    return;
  }
  if (!json.is_array()) fail("lab", place, json.type_name(), "an object, or a list of objects");
  for (size_t i = 0; i < json.size(); ++i) {
    const std::string at = place + "[" + std::to_string(i) + "]";
    experiment.variants.push_back(read_variant(json[i], experiment.recipe, at));
    for (size_t before = 0; before < i; ++before)
      if (experiment.variants[before].name == experiment.variants.back().name)
        fail("lab", at + ": name",
             "'" + experiment.variants.back().name + "' is quantize[" + std::to_string(before) + "]'s",
             "a name of its own");
  }
}

/// A key of the network's training and of every variant's.
template <typename Value>
void set_in_trainings(Experiment& experiment, const char* key, Value train::Recipe::*member, Value value) {
  experiment.recipe.*member = value;
  experiment.resolved["train"][key] = value;
  for (Experiment::Variant& variant : experiment.variants) {
    if (!variant.training) continue;
    variant.training->recipe.*member = value;
    variant.resolved["train"][key] = variant.training->resolved[key] = value;
  }
}

}  // namespace

std::string expanded(const std::string& text, const std::string& place) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = text.find("${", at);
    if (begin == std::string::npos) return result + text.substr(at);
    const size_t end = text.find('}', begin);
    if (end == std::string::npos) fail("lab", place, "'" + text + "'", "a '}' after every '${'");
    const std::string name = text.substr(begin + 2, end - begin - 2);
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) fail("lab", place, "environment variable " + name + " is not set", "a path");
    result.append(text, at, begin - at).append(value);
    at = end + 1;
  }
  return result;
}

Experiment read_experiment(const std::filesystem::path& file) {
  return experiment_from_json(read_json(file, "lab"), file);
}

Experiment experiment_from_json(const Json& json, const std::filesystem::path& file) {
  const std::string place = file.string();
  const Section top(json, "lab", place, {"name", "seed", "data", "network", "train", "quantize"});
  Experiment experiment;
  experiment.name = top.has("name") ? top.text("name") : file.stem().string();
  int64_t seed = 1;
  top.whole("seed", seed, 0);
  experiment.seed = static_cast<uint64_t>(seed);
  read_data(top.section("data", {"train", "test", "preprocess", "normalise"}), experiment);
  read_network(top.part("network"), top.at("network"), file.parent_path(), experiment);
  Json recipe = top.has("train") ? top.part("train") : Json::object();
  if (recipe.is_object() && !recipe.contains("seed")) recipe["seed"] = experiment.seed;
  experiment.recipe = train::recipe_from_json(recipe, top.at("train"));
  if (top.has("quantize")) {
    read_variants(top.part("quantize"), top.at("quantize"), experiment);
  }
  experiment.resolved = json;
  experiment.resolved["name"] = experiment.name;
  experiment.resolved["seed"] = experiment.seed;
  experiment.resolved["data"]["preprocess"] = data::to_json(experiment.preprocess);
  experiment.resolved["train"] = train::to_json(experiment.recipe);
  return experiment;
}

void set_seed(Experiment& experiment, uint64_t seed) {
  experiment.seed = seed;
  experiment.resolved["seed"] = seed;
  set_in_trainings(experiment, "seed", &train::Recipe::seed, seed);
}

void set_threads(Experiment& experiment, int threads) {
  set_in_trainings(experiment, "threads", &train::Recipe::threads, threads);
}

void set_ranks(Experiment& experiment, int ranks) {
  set_in_trainings(experiment, "ranks", &train::Recipe::ranks, ranks);
}

}  // namespace nibble::lab
