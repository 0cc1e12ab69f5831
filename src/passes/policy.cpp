#include "passes/policy.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace nibble::passes {
namespace {

constexpr int64_t most_levels = int64_t{1} << 16;

int64_t levels_from(const Json& json, const std::string& place) {
  if (json.is_number_integer()) {
    const auto bits = json.get<int64_t>();
    if (bits < 1 || bits > 16) fail("passes", place, fmt::format("{} bits", bits), "1 to 16, or {\"levels\": n}");
    return int64_t{1} << bits;
  }
  if (json.is_object() && json.contains("levels") && json["levels"].is_number_integer()) {
    check_keys(json, {"levels"}, "passes", place);
    const auto levels = json["levels"].get<int64_t>();
    if (levels < 2 || levels > most_levels) fail("passes", place, fmt::format("{} levels", levels), "2 to 65536");
    return levels;
  }
  fail("passes", place, json.dump(), "bits from 1 to 16, or {\"levels\": n}");
}

std::string text_from(const Json& json, const std::string& place) {
  if (!json.is_string()) fail("passes", place, json.dump(), "a string");
  return json.get<std::string>();
}

bool truth_from(const Json& json, const std::string& place) {
  if (!json.is_boolean()) fail("passes", place, json.dump(), "true or false");
  return json.get<bool>();
}

/// Whether the text is `yes`; else it must be `no`.
bool is_first_of(const Json& json, const std::string& place, const std::string& yes, const std::string& no) {
  const std::string text = text_from(json, place);
  if (text != yes && text != no) fail("passes", place, "'" + text + "'", yes + " or " + no);
  return text == yes;
}

/// How an Add, Sub or Concat takes its branches.
Branches branches_from(const Json& json, const std::string& place) {
  const std::string text = text_from(json, place);
  if (text == "measured") return Branches::Measured;
  if (text != "common" && text != "branches") fail("passes", place, "'" + text + "'", "measured, common or branches");
  return text == "common" ? Branches::Common : Branches::Own;
}

WeightRounding weight_rounding_from(const Json& json, const std::string& place) {
  return is_first_of(json, place, "nearest", "measured") ? WeightRounding::Nearest : WeightRounding::Measured;
}

bool per_channel_from(const Json& json, const std::string& place) {
  return is_first_of(json, place, "channel", "tensor");
}

quant::RangeRule range_from(const Json& json, const std::string& place) {
  return quant::range_rule_named(text_from(json, place));
}

quant::RangeRule weight_range_from(const Json& json, const std::string& place) {
  const quant::RangeRule rule = range_from(json, place);
  if (rule.method == quant::RangeMethod::Measured) fail("passes", place, "'measured'", "a rule for weights");
  return rule;
}

Rounding rounding_from(const Json& json, const std::string& place) {
  return rounding_named(text_from(json, place));
}

BatchNorm batch_norm_from(const Json& json, const std::string& place) {
  return batch_norm_named(text_from(json, place), place);
}

/// Sets a member to what `from` reads; throws UserError naming the place.
template <auto member, auto from>
LayerPolicy::Setting setting(const Json& json, const std::string& place) {
  return [value = from(json, place)](LayerPolicy& policy) { policy.*member = value; };
}

struct Key {
  std::string_view name;
  std::string_view otherwise;  ///< its default, as JSON
  std::string_view values;
  LayerPolicy::Setting (*read)(const Json&, const std::string& place);
};

using P = LayerPolicy;
// clang-format off
constexpr Key table[] = {
    {"weights", "8", "bits from 1 to 16, or {\"levels\": n}", setting<&P::weight_levels, levels_from>},
    {"activations", "8", "likewise", setting<&P::activation_levels, levels_from>},
    {"granularity", R"("channel")", "of weights: channel or tensor", setting<&P::per_channel, per_channel_from>},
    {"range", R"("measured")", "of activations: measured, min_max, percentile=P, sigma=K, mse, kl, sawb",
     setting<&P::activation_range, range_from>},
    {"weight_range", R"("min_max")", "of weights, likewise, but for measured", setting<&P::weight_range, weight_range_from>},
    {"weight_rounding", R"("measured")", "measured: what adds least to sums, if outputs gain; or nearest",
     setting<&P::weight_rounding, weight_rounding_from>},
    {"rounding", R"("half_up")", "half_up, floor or half_even", setting<&P::rounding, rounding_from>},
    {"symmetric_activations", "false", "zero point 0 for activations of both signs", setting<&P::symmetric_activations, truth_from>},
    {"enabled", "true", "false leaves the layer in reals", setting<&P::enabled, truth_from>},
    {"batch_norm", R"("fold")", "what becomes of a batch-norm: fold, integer, threshold or keep", setting<&P::batch_norm, batch_norm_from>},
    {"add", R"("measured")", "of Add, Sub, Concat: common, one scale for all; branches, one each; or measured",
     setting<&P::branches, branches_from>},
};
// clang-format on

/// What holds for layers by name or pattern, beside the keys of the table.
constexpr std::string_view layers_key = "layers";

const Key* find_key(std::string_view name) {
  const auto found = std::find_if(std::begin(table), std::end(table), [&](const Key& key) { return key.name == name; });
  return found == std::end(table) ? nullptr : found;
}

void check_known(const Json& json, bool with_layers, const std::string& place) {
  std::vector<std::string_view> known;
  for (const Key& key : table) known.push_back(key.name);
  if (with_layers) known.push_back(layers_key);
  for (const auto& [name, value] : json.items())
    if (std::find(known.begin(), known.end(), name) == known.end())
      fail("passes", place, "no key '" + name + "'" + did_you_mean(name, known),
           fmt::format("{}", fmt::join(known, ", ")));
}

/// Every key but the layers.
std::vector<LayerPolicy::Setting> settings_from(const Json& json, const std::string& place) {
  std::vector<LayerPolicy::Setting> settings;
  for (const auto& [name, value] : json.items())
    if (const Key* key = find_key(name)) settings.push_back(key->read(value, place + ": " + name));
  return settings;
}

constexpr std::array<std::string_view, 4> batch_norms{"fold", "integer", "threshold", "keep"};

}  // namespace

BatchNorm batch_norm_named(std::string_view name, std::string_view place) {
  const auto found = std::find(batch_norms.begin(), batch_norms.end(), name);
  if (found == batch_norms.end())
    fail("passes", place, "'" + std::string(name) + "'", "fold, integer, threshold or keep");
  return static_cast<BatchNorm>(found - batch_norms.begin());
}

std::string_view to_string(BatchNorm way) {
  return batch_norms[static_cast<size_t>(way)];
}

bool matches(std::string_view pattern, std::string_view name) {
  size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*') {
      ++p, ++n;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

LayerPolicy Policy::of(std::string_view node) const {
  LayerPolicy policy = defaults;
  for (const auto& [pattern, settings] : overrides)
    if (matches(pattern, node))
      for (const LayerPolicy::Setting& set : settings) set(policy);
  return policy;
}

void Policy::override_defaults(const Json& keys, std::string_view place) {
  check_known(keys, false, std::string(place));
  for (const LayerPolicy::Setting& set : settings_from(keys, std::string(place))) set(defaults);
  resolved.update(keys);
}

void Policy::override_layers(const std::string& pattern, const Json& keys, std::string_view place) {
  const std::string where = fmt::format("{}: layer '{}'", place, pattern);
  if (!keys.is_object()) fail("passes", where, keys.dump(), "an object");
  check_known(keys, false, where);
  overrides.push_back({pattern, settings_from(keys, where)});
}

void check_pattern(const std::string& pattern, const std::vector<std::string>& names, std::string_view room,
                   std::string_view place) {
  if (std::none_of(names.begin(), names.end(), [&](const auto& name) { return matches(pattern, name); }))
    fail(room, place, "no layer '" + pattern + "'" + did_you_mean(pattern, names),
         "a node's name or a pattern of * and ?");
}

Policy policy_from_json(const Json& json, std::string_view place) {
  const std::string where(place);
  if (!json.is_object()) fail("passes", where, json.dump(), "an object");
  check_known(json, true, where);
  Policy policy;
  for (const LayerPolicy::Setting& set : settings_from(json, where)) set(policy.defaults);
  for (const Key& key : table) policy.resolved[std::string(key.name)] = Json::parse(key.otherwise);
  policy.resolved.update(json);
  const auto layers = json.find(std::string(layers_key));
  if (layers == json.end()) return policy;
  if (!layers->is_object()) fail("passes", where + ": layers", layers->dump(), "an object");
  for (const auto& [pattern, keys] : layers->items()) policy.override_layers(pattern, keys, where);
  return policy;
}

std::string describe_policy() {
  std::string text = "A policy is an object of these keys, and of \"layers\": {\"NAME or pattern\": {keys}, ...}\n";
  for (const Key& key : table) text += fmt::format("  {:<23}{} ({})\n", key.name, key.values, key.otherwise);
  return text;
}

}  // namespace nibble::passes
