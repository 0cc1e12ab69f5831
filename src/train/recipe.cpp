#include <cmath>

#include "base/error.hpp"
#include "train/api.hpp"

namespace nibble::train {
namespace {

constexpr double least_positive = 1e-300, largest = 1e300;

}  // namespace

Recipe recipe_from_json(const Json& json, std::string_view place) {
  const Section read(json, "train", std::string(place),
                     {"epochs", "batch_size", "optimiser", "learning_rate", "momentum", "weight_decay", "schedule",
                      "step_epochs", "step_factor", "warmup_epochs", "loss", "label_smoothing", "augmentation",
                      "histograms", "seed", "threads", "ranks"});
  Recipe recipe;
  read.whole("epochs", recipe.epochs, 0);
  read.whole("batch_size", recipe.batch_size, 1);
  read.name("optimiser", recipe.optimiser, {"adam", "sgd"});
  read.real("learning_rate", recipe.learning_rate, least_positive, 3.4e38, "a number above 0 that float32 holds");
  read.real("momentum", recipe.momentum, 0, std::nextafter(1.0, 0.0), "a number in [0, 1)");
  read.real("weight_decay", recipe.weight_decay, 0, 1e30);
  read.name("schedule", recipe.schedule, {"constant", "step", "cosine"});
  read.whole("step_epochs", recipe.step_epochs, 1);
  read.real("step_factor", recipe.step_factor, least_positive, largest, "a number above 0");
  read.real("warmup_epochs", recipe.warmup_epochs, 0, largest, "a number, at least 0");
  read.name("loss", recipe.loss, {"cross_entropy", "mean_square", "landmarks"});
  read.real("label_smoothing", recipe.label_smoothing, 0, std::nextafter(1.0, 0.0), "a number in [0, 1)");
  if (read.has("augmentation")) {
    recipe.augmentation = read.part("augmentation");
    if (!recipe.augmentation.is_array()) read.refuse("augmentation", "a list of objects");
  }
  read.flag("histograms", recipe.histograms);
  int64_t seed = static_cast<int64_t>(recipe.seed), threads = recipe.threads, ranks = recipe.ranks;
  read.whole("seed", seed, 0);
  read.whole("threads", threads, 1, 1024);
  read.whole("ranks", ranks, 1, 1024);
  recipe.seed = static_cast<uint64_t>(seed);
  recipe.threads = static_cast<int>(threads);
  recipe.ranks = static_cast<int>(ranks);
  return recipe;
}

Json to_json(const Recipe& recipe) {
  Json json = {{"epochs", recipe.epochs},
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
  // Where it says something: run folders and studies are known by this.
  if (recipe.ranks != 1) json["ranks"] = recipe.ranks;
  return json;
}

}  // namespace nibble::train
