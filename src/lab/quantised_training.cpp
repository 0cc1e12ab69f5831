#include "lab/quantised_training.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.hpp"

namespace nibble::lab {
namespace {

using quant::Learning;

/// Calls `named` with the text at a key; its refusal gets the place.
template <class Named>
void choose(const Section& from, std::string_view key, Named&& named) {
  if (!from.has(key)) return;
  try {
    named(from.text(key));
  } catch (const UserError& error) {
    // "quant: algorithm: 'x' (expected ...)" without its own place
    const std::string_view said = error.what();
    throw UserError("lab: " + from.at(key) + ": " + std::string(said.substr(said.find('\''))));
  }
}

/// Reads an algorithm's options (StraightThrough::options).
struct OptionReader {
  const Section& from;

  void operator()(std::string_view key, bool& field, const quant::Beside& beside = {}) const {
    from.flag(key, field);
    if (field) check(key, beside);
  }
  void operator()(std::string_view key, double& field, const quant::Limits& limits,
                  const quant::Beside& beside = {}) const {
    from.real(key, field, limits.least, limits.most, limits.expected);
    if (from.has(key)) check(key, beside);
  }
  template <class Choice>
  void operator()(std::string_view key, Choice& field, Choice (*named)(std::string_view)) const {
    choose(from, key, [&](const std::string& name) { field = named(name); });
  }

  void check(std::string_view key, const quant::Beside& beside) const {
    if (!beside.set) from.refuse(key, "it beside \"" + std::string(beside.option) + "\": true");
  }
};

struct OptionWriter {
  Json& json;

  template <class Number>
  void operator()(std::string_view key, const Number& field) const {
    json[std::string(key)] = field;
  }
  void operator()(std::string_view key, bool field, const quant::Beside& beside) const {
    if (beside.set) json[std::string(key)] = field;
  }
  void operator()(std::string_view key, double field, const quant::Limits&, const quant::Beside& beside = {}) const {
    if (beside.set) json[std::string(key)] = field;
  }
  template <class Choice>
  void operator()(std::string_view key, const Choice& field, Choice (*)(std::string_view)) const {
    json[std::string(key)] = quant::to_string(field);
  }
};

bool has_option(const quant::Algorithm& algorithm, std::string_view key) {
  return std::ranges::find(algorithm.options, key) != algorithm.options.end();
}

/// Every algorithm's options, behind "algorithm". Throws UserError of a key that is none.
std::vector<std::string_view> checked_keys(const Json& json, const std::string& place) {
  std::vector<std::string_view> keys{"algorithm"};
  for (const quant::Algorithm& algorithm : quant::algorithms())
    for (std::string_view option : algorithm.options)
      if (std::ranges::find(keys, option) == keys.end()) keys.push_back(option);
  for (const auto& [key, value] : json.items())
    if (std::ranges::find(keys, key) == keys.end())
      fail("lab", place, "no key '" + key + "'" + did_you_mean(key, keys), fmt::format("{}", fmt::join(keys, ", ")));
  return keys;
}

Learning learning_from(const Json& given, const std::string& place) {
  const Json json = given.is_string() ? Json{{"algorithm", given}} : given;
  if (!json.is_object()) fail("lab", place, given.dump(), "an algorithm's name, or an object with its options");
  const std::vector<std::string_view> keys = checked_keys(json, place);
  const Section from(json, "lab", place);
  if (!from.has("algorithm"))
    fail("lab", place, "no key 'algorithm'", quant::names_of_algorithms([](const auto&) { return true; }));
  Learning learning;
  choose(from, "algorithm", [&](const std::string& name) { learning = quant::learning_named(name); });
  // With another algorithm an option would be forgotten without a word.
  for (std::string_view key : keys)
    if (key != "algorithm" && from.has(key) && !has_option(quant::algorithm_of(learning), key))
      from.refuse(key, "it with " + quant::names_of_algorithms([&](const auto& one) { return has_option(one, key); }));
  std::visit([&](auto& how) { how.options(how, OptionReader{from}); }, learning);
  return learning;
}

Json to_json(const Learning& learning) {
  Json json = {{"algorithm", quant::to_string(learning)}};
  std::visit([&](const auto& how) { how.options(how, OptionWriter{json}); }, learning);
  return json;
}

void read_algorithms(const Section& from, QuantisedTraining& training) {
  const auto read = [](const Section& section, const char* key, auto&& use) {
    if (section.has(key)) use(learning_from(section.part(key), section.at(key)));
  };
  training.weights = training.activations = quant::learning_by_default();
  read(from, "weights", [&](const Learning& learning) { training.weights = learning; });
  read(from, "activations", [&](const Learning& learning) { training.activations = learning; });
  if (!from.has("layers")) return;
  if (!from.part("layers").is_object()) from.refuse("layers", "an object by layer name or pattern");
  for (const auto& layer : from.part("layers").items()) {
    const std::string& pattern = layer.key();
    const Section rule(layer.value(), "lab", from.at("layers") + ": " + pattern, {"weights", "activations"});
    read(rule, "weights", [&](const Learning& l) { training.weight_rules.emplace_back(pattern, l); });
    read(rule, "activations", [&](const Learning& l) { training.activation_rules.emplace_back(pattern, l); });
  }
}

/// Whether any quantiser trains by an algorithm of which it holds.
bool any_algorithm(const QuantisedTraining& training, const auto& holds) {
  const auto holds_rule = [&](const QuantisedTraining::Rule& rule) { return holds(quant::algorithm_of(rule.second)); };
  return holds(quant::algorithm_of(training.weights)) || holds(quant::algorithm_of(training.activations)) ||
         std::ranges::any_of(training.weight_rules, holds_rule) ||
         std::ranges::any_of(training.activation_rules, holds_rule);
}

/// Refuses a key that means something with some algorithms alone, none of which is here.
void check_algorithm(const Section& from, std::string_view key, const QuantisedTraining& training, const auto& holds) {
  if (from.has(key) && !any_algorithm(training, holds))
    from.refuse(key, "it with " + quant::names_of_algorithms(holds));
}

/// Of noise that is annealed, and of weights that are set one part after another.
constexpr auto has_noise = [](const quant::Algorithm& one) { return has_option(one, "noise"); };
constexpr auto sets_weights = [](const quant::Algorithm& one) { return one.sets_weights; };

/// The last moment at which something can begin.
double last_of(const QuantisedTraining& training) {
  return std::nextafter(static_cast<double>(training.recipe.epochs), 0);
}

void read_epoch(const Section& from, std::string_view key, const QuantisedTraining& training,
                std::optional<double>& field) {
  if (from.has(key))
    from.real(key, field.emplace(), 0, last_of(training),
              fmt::format("an epoch from 0 to below the last one's end, {}", training.recipe.epochs));
}

void read_times(const Section& from, QuantisedTraining& training) {
  // What is on for less than the last step would leave a network that is still float.
  const double last = last_of(training);
  if (from.has("start")) {
    const Section start = from.section("start", {"weights", "activations"});
    start.real("weights", training.weights_start, 0, last);
    start.real("activations", training.activations_start, 0, last);
  }
  read_epoch(from, "freeze", training, training.freeze);
  if (!from.has("rates")) return;
  from.section("rates", {quant::learned_groups[0], quant::learned_groups[1], quant::learned_groups[2]});
  for (const auto& [group, rule] : from.part("rates").items()) {
    check_algorithm(Section(from.part("rates"), "lab", from.at("rates")), group, training,
                    [&group = group](const quant::Algorithm& one) { return one.learns == group; });
    const Json whole = rule.is_object() ? rule : Json{{"rate", rule}};
    const Section rate(whole, "lab", from.at("rates") + ": " + group, {"rate", "decay"});
    auto& of_group = training.rates[group];
    rate.real("rate", of_group.rate, 0, 1e6);
    rate.real("decay", of_group.decay, 0, 1e6);
  }
}

constexpr std::array<std::string_view, 3> decays{"static", "power", "hyperbolic"};  ///< in quant::Decay's order

void read_annealing(const Section& from, QuantisedTraining& training) {
  const auto epochs = static_cast<double>(training.recipe.epochs);
  quant::AnnealingSchedule& annealing = training.annealing;
  // The last fifth runs as the graph will compute, for the batch-norms' statistics.
  annealing.end = 0.8 * epochs;
  annealing.layer_after_layer = true;
  check_algorithm(from, "annealing", training, has_noise);
  if (!from.has("annealing")) return;
  const Section given = from.section("annealing", {"decay", "power", "start", "end", "least", "layers"});
  std::string decay = "power", layers = "one_by_one";
  given.name("decay", decay, {decays[0], decays[1], decays[2]});
  given.name("layers", layers, {"jointly", "one_by_one"});
  annealing.decay = static_cast<quant::Decay>(std::find(decays.begin(), decays.end(), decay) - decays.begin());
  annealing.layer_after_layer = layers == "one_by_one";
  given.real("power", annealing.power, 1e-3, 1e3);
  given.real("start", annealing.start, 0, epochs);
  given.real("end", annealing.end, annealing.start, std::nextafter(epochs, 0));
  given.real("least", annealing.least, 0, 1);
}

void read_partitions(const Section& from, QuantisedTraining& training) {
  const auto epochs = static_cast<double>(training.recipe.epochs);
  // Source of the fractions: Zhou et al. 2017, section 4.1.
  check_algorithm(from, "partitions", training, sets_weights);
  if (!from.has("partitions")) {
    for (double fraction : {0.5, 0.75, 0.875, 1.0})
      training.partitions.push_back({0.2 * epochs * static_cast<double>(training.partitions.size()), fraction});
    return;
  }
  const auto refuse = [&] {
    from.refuse("partitions", "pairs [epoch, fraction], both rising, the last fraction 1 before the last epoch ends");
  };
  const Json& given = from.part("partitions");
  if (!given.is_array() || given.empty()) refuse();
  for (const Json& pair : given) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number() || !pair[1].is_number()) refuse();
    const quant::Milestone milestone{pair[0].get<double>(), pair[1].get<double>()};
    const bool rises = training.partitions.empty() || (milestone.time > training.partitions.back().time &&
                                                       milestone.fraction >= training.partitions.back().fraction);
    if (!rises || !(milestone.time >= 0) || !(milestone.fraction >= 0)) refuse();
    training.partitions.push_back(milestone);
  }
  if (training.partitions.back().fraction != 1 || training.partitions.back().time >= epochs) refuse();
}

void read_distillation(const Section& from, QuantisedTraining& training) {
  if (!from.has("distillation")) return;
  const Json& given = from.part("distillation");
  if (!given.is_number() && !given.is_object())
    from.refuse("distillation", "a weight from 0 to 1, or an object with weight and temperature");
  const Json whole = given.is_number() ? Json{{"weight", given}} : given;
  const Section section(whole, "lab", from.at("distillation"), {"weight", "temperature"});
  train::Distillation& distillation = training.distillation.emplace();
  section.real("weight", distillation.weight, 0, 1);
  section.real("temperature", distillation.temperature, 0.01, 1000);
}

void read_batch_norm(const Section& from, QuantisedTraining& training) {
  if (!from.has("batch_norm")) return;
  if (!from.part("batch_norm").is_object()) from.refuse("batch_norm", "an object with freeze, fold or reestimate");
  const Section given = from.section("batch_norm", {"freeze", "fold", "reestimate"});
  read_epoch(given, "freeze", training, training.batch_norm.freeze);
  given.flag("fold", training.batch_norm.fold);
  given.whole("reestimate", training.batch_norm.reestimate, 1);
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

Json to_json(const quant::AnnealingSchedule& annealing) {
  return {{"decay", decays[static_cast<size_t>(annealing.decay)]},
          {"power", annealing.power},
          {"start", annealing.start},
          {"end", annealing.end},
          {"least", annealing.least},
          {"layers", annealing.layer_after_layer ? "one_by_one" : "jointly"}};
}

Json to_json(const std::vector<quant::Milestone>& partitions) {
  Json json = Json::array();
  for (const quant::Milestone& milestone : partitions) json.push_back({milestone.time, milestone.fraction});
  return json;
}

/// What was read, all defaults written out but for the algorithms of single layers: a description itself.
Json to_json(const QuantisedTraining& training, const Json& given) {
  Json json = given;
  json.update(train::to_json(training.recipe));
  json["from"] = training.from_scratch ? "scratch" : "trained";
  json["weights"] = to_json(training.weights), json["activations"] = to_json(training.activations);
  json["start"] = {{"weights", training.weights_start}, {"activations", training.activations_start}};
  if (training.distillation)
    json["distillation"] = {{"weight", training.distillation->weight},
                            {"temperature", training.distillation->temperature}};
  if (any_algorithm(training, has_noise)) json["annealing"] = to_json(training.annealing);
  if (any_algorithm(training, sets_weights)) json["partitions"] = to_json(training.partitions);
  json["batch_norm"]["fold"] = training.batch_norm.fold;
  return json;
}

}  // namespace

QuantisedTraining quantised_training_from_json(const Json& json, const train::Recipe& of_float,
                                               const std::string& place) {
  if (!json.is_object()) fail("lab", place, json.dump(), "true, false or an object");
  const Section from(json, "lab", place);
  QuantisedTraining training;
  training.recipe = recipe_from(json, of_float, place);
  std::string start = "trained";
  from.name("from", start, {"trained", "scratch"});
  training.from_scratch = start == "scratch";
  read_algorithms(from, training);
  read_times(from, training);
  read_distillation(from, training);
  read_annealing(from, training);
  read_partitions(from, training);
  read_batch_norm(from, training);
  training.resolved = to_json(training, json);
  return training;
}

}  // namespace nibble::lab
