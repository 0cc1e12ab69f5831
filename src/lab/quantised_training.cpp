#include "lab/quantised_training.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace nibble::lab {
namespace {

using quant::Learning;

[[noreturn]] void refuse(const std::string& place, const Json& found, std::string_view expected) {
  fail("lab", place, found.dump(), expected);
}

double number(const Json& json, const char* key, double otherwise, double least, double most,
              const std::string& place) {
  if (!json.contains(key)) return otherwise;
  const Json& value = json[key];
  const bool fits = value.is_number() && value.get<double>() >= least && value.get<double>() <= most;
  if (!fits) refuse(place + ": " + key, value, "a number from " + Json(least).dump() + " to " + Json(most).dump());
  return value.get<double>();
}

bool flag(const Json& json, const char* key, bool otherwise, const std::string& place) {
  if (!json.contains(key)) return otherwise;
  if (!json[key].is_boolean()) refuse(place + ": " + key, json[key], "true or false");
  return json[key].get<bool>();
}

/// Calls `named` with the text at a key; its refusal gets the place.
template <class Named>
void choose(const Json& json, const char* key, const std::string& place, Named&& named) {
  if (!json.contains(key)) return;
  const std::string at = place + ": " + key;
  if (!json[key].is_string()) refuse(at, json[key], "a string");
  try {
    named(json[key].get<std::string>());
  } catch (const UserError& error) {
    // "quant: algorithm: 'x' (expected ...)" without its own place
    const std::string_view said = error.what();
    throw UserError("lab: " + at + ": " + std::string(said.substr(said.find('\''))));
  }
}

Learning learning_from(const Json& given, const std::string& place) {
  const Json json = given.is_string() ? Json{{"algorithm", given}} : given;
  if (!json.is_object()) refuse(place, given, "an algorithm's name, or an object with its options");
  check_keys(json,
             {"algorithm", "power_of_two", "normalised", "saturated", "momentum", "noise", "forward", "mean",
              "deviation", "partition"},
             "lab", place);
  Learning learning;
  if (!json.contains("algorithm")) fail("lab", place, "no key 'algorithm'", "ste, pact, tqt, lsq, ana or inq");
  choose(json, "algorithm", place, [&](const std::string& name) { learning.algorithm = quant::algorithm_named(name); });
  choose(json, "noise", place, [&](const std::string& name) { learning.noise = quant::noise_named(name); });
  choose(json, "forward", place, [&](const std::string& name) { learning.draw = quant::draw_named(name); });
  choose(json, "partition", place, [&](const std::string& name) { learning.partition = quant::partition_named(name); });
  learning.power_of_two = flag(json, "power_of_two", learning.power_of_two, place);
  learning.normalised = flag(json, "normalised", learning.normalised, place);
  learning.saturated = flag(json, "saturated", learning.saturated, place);
  learning.momentum = number(json, "momentum", learning.momentum, 0, 1, place);
  learning.mean = number(json, "mean", learning.mean, -16, 16, place);
  learning.deviation = number(json, "deviation", learning.deviation, 0, 16, place);
  return learning;
}

Learning default_learning() {
  Learning learning;
  learning.algorithm = quant::Algorithm::Lsq;
  return learning;
}

void read_algorithms(const Json& json, QuantisedTraining& training, const std::string& place) {
  const auto read = [&](const Json& from, const char* key, const std::string& at, auto&& use) {
    if (from.contains(key)) use(learning_from(from[key], at + ": " + key));
  };
  training.weights = training.activations = default_learning();
  read(json, "weights", place, [&](const Learning& learning) { training.weights = learning; });
  read(json, "activations", place, [&](const Learning& learning) { training.activations = learning; });
  if (!json.contains("layers")) return;
  const std::string layers = place + ": layers";
  if (!json["layers"].is_object()) refuse(layers, json["layers"], "an object by layer name or pattern");
  for (const auto& layer : json["layers"].items()) {
    const std::string& pattern = layer.key();
    const std::string at = layers + ": " + pattern;
    check_keys(layer.value(), {"weights", "activations"}, "lab", at);
    read(layer.value(), "weights", at, [&](const Learning& l) { training.weight_rules.emplace_back(pattern, l); });
    read(layer.value(), "activations", at,
         [&](const Learning& l) { training.activation_rules.emplace_back(pattern, l); });
  }
}

void read_times(const Json& json, QuantisedTraining& training, const std::string& place) {
  // What is on for less than the last step would leave a network that is still float.
  const auto epochs = static_cast<double>(training.recipe.epochs);
  const double last = std::nextafter(epochs, 0);
  if (json.contains("start")) {
    const std::string at = place + ": start";
    check_keys(json["start"], {"weights", "activations"}, "lab", at);
    training.weights_start = number(json["start"], "weights", 0, 0, last, at);
    training.activations_start = number(json["start"], "activations", 0, 0, last, at);
  }
  if (json.contains("freeze")) training.freeze = number(json, "freeze", 0, 0, 1e6, place);
  if (json.contains("rates")) {
    const std::string at = place + ": rates";
    check_keys(json["rates"], {"scale", "threshold", "bound"}, "lab", at);
    for (const auto& [group, rule] : json["rates"].items()) {
      const Json whole = rule.is_object() ? rule : Json{{"rate", rule}};
      check_keys(whole, {"rate", "decay"}, "lab", at + ": " + group);
      training.rates[group] = {number(whole, "rate", 1, 0, 1e6, at + ": " + group),
                               number(whole, "decay", 0, 0, 1e6, at + ": " + group)};
    }
  }
}

void read_annealing(const Json& json, QuantisedTraining& training, const std::string& place) {
  const auto epochs = static_cast<double>(training.recipe.epochs);
  // The last fifth is trained as the graph will compute.
  training.annealing.end = 0.8 * epochs;
  if (!json.contains("annealing")) return;
  const std::string at = place + ": annealing";
  const Json& given = json["annealing"];
  check_keys(given, {"decay", "power", "start", "end", "least", "layers"}, "lab", at);
  quant::AnnealingSchedule& annealing = training.annealing;
  choose(given, "decay", at, [&](const std::string& name) {
    if (name == "power")
      annealing.decay = quant::Decay::Power;
    else if (name == "hyperbolic")
      annealing.decay = quant::Decay::Hyperbolic;
    else if (name == "static")
      annealing.decay = quant::Decay::Static;
    else
      fail("lab", "decay", "'" + name + "'", "power, hyperbolic or static");
  });
  choose(given, "layers", at, [&](const std::string& name) {
    if (name != "jointly" && name != "one_by_one") fail("lab", "layers", "'" + name + "'", "jointly or one_by_one");
    annealing.layer_after_layer = name == "one_by_one";
  });
  annealing.power = number(given, "power", 1, 1e-3, 1e3, at);
  annealing.start = number(given, "start", 0, 0, epochs, at);
  annealing.end = number(given, "end", annealing.end, annealing.start, std::nextafter(epochs, 0), at);
  annealing.least = number(given, "least", 0, 0, 1, at);
}

void read_partitions(const Json& json, QuantisedTraining& training, const std::string& place) {
  const auto epochs = static_cast<double>(training.recipe.epochs);
  // Source of the fractions: Zhou et al. 2017, section 4.1.
  if (!json.contains("partitions")) {
    for (double fraction : {0.5, 0.75, 0.875, 1.0})
      training.partitions.push_back({0.2 * epochs * static_cast<double>(training.partitions.size()), fraction});
    return;
  }
  const std::string at = place + ": partitions";
  constexpr auto expected = "pairs [epoch, fraction], both rising, the last fraction 1 before the last epoch ends";
  const Json& given = json["partitions"];
  if (!given.is_array() || given.empty()) refuse(at, given, expected);
  for (const Json& pair : given) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number() || !pair[1].is_number())
      refuse(at, given, expected);
    const quant::Milestone milestone{pair[0].get<double>(), pair[1].get<double>()};
    const bool rises = training.partitions.empty() || (milestone.time > training.partitions.back().time &&
                                                       milestone.fraction >= training.partitions.back().fraction);
    if (!rises || !(milestone.time >= 0) || !(milestone.fraction >= 0)) refuse(at, given, expected);
    training.partitions.push_back(milestone);
  }
  if (training.partitions.back().fraction != 1 || training.partitions.back().time >= epochs)
    refuse(at, given, expected);
}

void read_distillation(const Json& json, QuantisedTraining& training, const std::string& place) {
  if (!json.contains("distillation")) return;
  const std::string at = place + ": distillation";
  const Json given = json["distillation"].is_number() ? Json{{"weight", json["distillation"]}} : json["distillation"];
  if (!given.is_object()) refuse(at, given, "a weight from 0 to 1, or an object with weight and temperature");
  check_keys(given, {"weight", "temperature"}, "lab", at);
  train::Distillation& distillation = training.distillation.emplace();
  distillation.weight = number(given, "weight", distillation.weight, 0, 1, at);
  distillation.temperature = number(given, "temperature", distillation.temperature, 0.01, 1000, at);
}

void read_batch_norm(const Json& json, QuantisedTraining& training, const std::string& place) {
  if (!json.contains("batch_norm")) return;
  const std::string at = place + ": batch_norm";
  const Json& given = json["batch_norm"];
  if (!given.is_object()) refuse(at, given, "an object with freeze, fold or reestimate");
  check_keys(given, {"freeze", "fold", "reestimate"}, "lab", at);
  train::BatchNormTraining& batch_norm = training.batch_norm;
  if (given.contains("freeze")) batch_norm.freeze = number(given, "freeze", 0, 0, 1e6, at);
  batch_norm.fold = flag(given, "fold", false, at);
  if (!given.contains("reestimate")) return;
  const std::optional<int64_t> examples = whole_number(given["reestimate"]);
  if (!examples || *examples < 1)
    refuse(at + ": reestimate", given["reestimate"], "a whole number of training examples, at least 1");
  batch_norm.reestimate = *examples;
}

/// The float training's recipe, gentler, with what is given.
train::Recipe recipe_from(Json json, const train::Recipe& of_float, const std::string& place) {
  for (const char* own : {"from", "weights", "activations", "layers", "start", "freeze", "rates", "distillation",
                          "annealing", "partitions", "batch_norm"})
    json.erase(own);
  Json whole = train::to_json(of_float);
  whole["epochs"] = std::max<int64_t>(1, of_float.epochs / 2);
  whole["learning_rate"] = of_float.learning_rate / 10;
  whole["warmup_epochs"] = 0;
  whole.update(json);
  return train::recipe_from_json(whole, place);
}

}  // namespace

QuantisedTraining quantised_training_from_json(const Json& json, const train::Recipe& of_float,
                                               const std::string& place) {
  if (!json.is_object()) refuse(place, json, "true, false or an object");
  QuantisedTraining training;
  training.recipe = recipe_from(json, of_float, place);
  choose(json, "from", place, [&](const std::string& name) {
    if (name != "trained" && name != "scratch") fail("lab", "from", "'" + name + "'", "trained or scratch");
    training.from_scratch = name == "scratch";
  });
  read_algorithms(json, training, place);
  read_times(json, training, place);
  read_distillation(json, training, place);
  read_annealing(json, training, place);
  read_partitions(json, training, place);
  read_batch_norm(json, training, place);
  training.resolved = json;
  training.resolved.update(train::to_json(training.recipe));
  return training;
}

}  // namespace nibble::lab
