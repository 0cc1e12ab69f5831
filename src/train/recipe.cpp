#include <cmath>
#include <initializer_list>

#include "base/error.hpp"
#include "train/api.hpp"

namespace nibble::train {
namespace {

/// Reads one key after the other of a JSON object into fields that hold the defaults.
class Reader {
 public:
  Reader(const Json& json, std::string_view place) : json_(json), place_(place) {}

  void whole(const char* key, int64_t& field, int64_t least) const {
    if (!json_.contains(key)) return;
    const std::optional<int64_t> number = whole_number(json_[key]);
    if (!number || *number < least) refuse(key, "a whole number, at least " + std::to_string(least));
    field = *number;
  }
  void real(const char* key, double& field, double least, double most, const char* expected) const {
    if (!json_.contains(key)) return;
    const Json& value = json_[key];
    if (!value.is_number()) refuse(key, expected);
    const double number = value.get<double>();
    if (!std::isfinite(number) || number < least || number > most) refuse(key, expected);
    field = number;
  }
  void name(const char* key, std::string& field, std::initializer_list<std::string_view> names) const {
    if (!json_.contains(key)) return;
    std::string expected;
    for (std::string_view known : names) expected.append(expected.empty() ? "" : ", ").append(known);
    if (!json_[key].is_string()) refuse(key, expected);
    const auto found = json_[key].get<std::string>();
    for (std::string_view known : names)
      if (known == found) return void(field = found);
    fail("train", at(key), "'" + found + "'" + did_you_mean(found, names), expected);
  }
  void flag(const char* key, bool& field) const {
    if (!json_.contains(key)) return;
    if (!json_[key].is_boolean()) refuse(key, "true or false");
    field = json_[key].get<bool>();
  }
  [[noreturn]] void refuse(const char* key, std::string_view expected) const {
    fail("train", at(key), json_[key].dump(), expected);
  }

 private:
  std::string at(const char* key) const { return std::string(place_) + ": " + key; }

  const Json& json_;
  std::string_view place_;
};

constexpr double least_positive = 1e-300, largest = 1e300;

}  // namespace

Recipe recipe_from_json(const Json& json, std::string_view place) {
  check_keys(
      json,
      {"epochs", "batch_size", "optimiser", "learning_rate", "momentum", "weight_decay", "schedule", "step_epochs",
       "step_factor", "warmup_epochs", "loss", "label_smoothing", "augmentation", "histograms", "seed", "threads"},
      "train", place);
  Recipe recipe;
  const Reader read(json, place);
  read.whole("epochs", recipe.epochs, 0);
  read.whole("batch_size", recipe.batch_size, 1);
  read.name("optimiser", recipe.optimiser, {"adam", "sgd"});
  read.real("learning_rate", recipe.learning_rate, least_positive, 3.4e38, "a number above 0 that float32 holds");
  read.real("momentum", recipe.momentum, 0, std::nextafter(1.0, 0.0), "a number in [0, 1)");
  read.real("weight_decay", recipe.weight_decay, 0, largest, "a number, at least 0");
  read.name("schedule", recipe.schedule, {"constant", "step", "cosine"});
  read.whole("step_epochs", recipe.step_epochs, 1);
  read.real("step_factor", recipe.step_factor, least_positive, largest, "a number above 0");
  read.real("warmup_epochs", recipe.warmup_epochs, 0, largest, "a number, at least 0");
  read.name("loss", recipe.loss, {"cross_entropy", "mean_square"});
  read.real("label_smoothing", recipe.label_smoothing, 0, std::nextafter(1.0, 0.0), "a number in [0, 1)");
  if (json.contains("augmentation")) {
    recipe.augmentation = json["augmentation"];
    if (!recipe.augmentation.is_array()) read.refuse("augmentation", "a list of objects");
  }
  read.flag("histograms", recipe.histograms);
  int64_t seed = static_cast<int64_t>(recipe.seed), threads = recipe.threads;
  read.whole("seed", seed, 0);
  read.whole("threads", threads, 1);
  if (threads > 1024) read.refuse("threads", "at most 1024");
  recipe.seed = static_cast<uint64_t>(seed);
  recipe.threads = static_cast<int>(threads);
  return recipe;
}

Json to_json(const Recipe& recipe) {
  return {{"epochs", recipe.epochs},
          {"batch_size", recipe.batch_size},
          {"optimiser", recipe.optimiser},
          {"learning_rate", recipe.learning_rate},
          {"momentum", recipe.momentum},
          {"weight_decay", recipe.weight_decay},
          {"schedule", recipe.schedule},
          {"step_epochs", recipe.step_epochs},
          {"step_factor", recipe.step_factor},
          {"warmup_epochs", recipe.warmup_epochs},
          {"loss", recipe.loss},
          {"label_smoothing", recipe.label_smoothing},
          {"augmentation", recipe.augmentation},
          {"histograms", recipe.histograms},
          {"seed", recipe.seed},
          {"threads", recipe.threads}};
}

}  // namespace nibble::train
