#include "passes/policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace nibble::passes {
namespace {

constexpr int64_t most_levels = int64_t{1} << 16;

int64_t levels_from(const Json& json, std::string_view place) {
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

std::string text_from(const Json& json, std::string_view place) {
  if (!json.is_string()) fail("passes", place, json.dump(), "a string");
  return json.get<std::string>();
}

bool truth_from(const Json& json, std::string_view place) {
  if (!json.is_boolean()) fail("passes", place, json.dump(), "true or false");
  return json.get<bool>();
}

/// How an Add, Sub or Concat takes its branches.
bool common_scale_from(const Json& json, std::string_view place) {
  const std::string text = text_from(json, place);
  if (text != "common" && text != "branches") fail("passes", place, "'" + text + "'", "common or branches");
  return text == "common";
}

bool per_channel_from(const Json& json, std::string_view place) {
  const std::string text = text_from(json, place);
  if (text != "channel" && text != "tensor") fail("passes", place, "'" + text + "'", "channel or tensor");
  return text == "channel";
}

constexpr std::array<std::string_view, 4> batch_norms{"fold", "integer", "threshold", "keep"};

void apply_key(LayerPolicy& policy, std::string_view key, const Json& value, const std::string& place) {
  if (key == "weights") policy.weight_levels = levels_from(value, place);
  if (key == "activations") policy.activation_levels = levels_from(value, place);
  if (key == "granularity") policy.per_channel = per_channel_from(value, place);
  if (key == "range") policy.activation_range = quant::range_rule_named(text_from(value, place));
  if (key == "weight_range") policy.weight_range = quant::range_rule_named(text_from(value, place));
  if (key == "rounding") policy.rounding = rounding_named(text_from(value, place));
  if (key == "symmetric_activations") policy.symmetric_activations = truth_from(value, place);
  if (key == "add") policy.common_scale = common_scale_from(value, place);
  if (key == "enabled") policy.enabled = truth_from(value, place);
  if (key == "batch_norm") policy.batch_norm = batch_norm_named(text_from(value, place), place);
}

void apply_keys(LayerPolicy& policy, const Json& json, const std::string& place) {
  if (!json.is_object()) fail("passes", place, json.dump(), "an object");
  check_keys(json,
             {"weights", "activations", "granularity", "range", "weight_range", "rounding", "symmetric_activations",
              "enabled", "batch_norm", "add"},
             "passes", place);
  for (const auto& [key, value] : json.items()) apply_key(policy, key, value, place + ": " + key);
}

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
  for (const auto& [pattern, keys] : overrides)
    if (matches(pattern, node)) apply_keys(policy, keys, "policy: layer '" + pattern + "'");
  return policy;
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
  check_keys(json,
             {"weights", "activations", "granularity", "range", "weight_range", "rounding", "symmetric_activations",
              "enabled", "batch_norm", "add", "layers"},
             "passes", where);
  Policy policy;
  for (const auto& [key, value] : json.items())
    if (key != "layers") apply_key(policy.defaults, key, value, where + ": " + key);
  if (!json.contains("layers")) return policy;
  if (!json["layers"].is_object()) fail("passes", where + ": layers", json["layers"].dump(), "an object");
  for (const auto& [pattern, keys] : json["layers"].items()) {
    LayerPolicy checked;
    apply_keys(checked, keys, where + ": layer '" + pattern + "'");
    policy.overrides.emplace_back(pattern, keys);
  }
  return policy;
}

Json with_defaults(const Json& policy) {
  Json whole = {{"weights", 8},
                {"activations", 8},
                {"granularity", "channel"},
                {"range", "min_max"},
                {"weight_range", "min_max"},
                {"rounding", "half_up"},
                {"symmetric_activations", false},
                {"enabled", true},
                {"batch_norm", "fold"},
                {"add", "common"}};
  whole.update(policy);
  return whole;
}

}  // namespace nibble::passes
