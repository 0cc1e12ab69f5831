#include <cmath>

#include "data/dataset.hpp"

namespace nibble::data {
namespace {

constexpr int64_t largest_side = 1 << 16;

std::optional<std::pair<int64_t, int64_t>> sides(const Json& json, const char* key, const std::string& place) {
  if (!json.contains(key) || json[key].is_null()) return {};
  const Json& value = json[key];
  const auto fine = [](const Json& side) {
    return side.is_number_integer() && side >= Json(1) && side <= Json(largest_side);
  };
  if (!value.is_array() || value.size() != 2 || !fine(value[0]) || !fine(value[1]))
    fail("data", place + ": " + key, value.dump(), "[height, width] of 1 to 65536, or null");
  return std::pair{value[0].get<int64_t>(), value[1].get<int64_t>()};
}

std::vector<double> per_channel(const Json& json, const char* key, size_t channels, const std::string& place) {
  if (!json.contains(key)) return {};
  const bool divides = std::string_view(key) == "std";
  std::vector<double> values;
  bool fine = json[key].is_array();
  if (fine)
    for (const Json& item : json[key]) {
      fine = fine && item.is_number() && std::isfinite(item.get<double>()) && (!divides || item.get<double>() > 0);
      if (fine) values.push_back(item.get<double>());
    }
  if (!fine || (!values.empty() && values.size() != 1 && values.size() != channels))
    fail("data", place + ": " + key, json[key].dump(),
         "1 or " + std::to_string(channels) + (divides ? " positive" : " finite") + " numbers");
  return values;
}

}  // namespace

Preprocess preprocess_from_json(const Json& json, std::string_view place) {
  const std::string where(place);
  const Section section(json, "data", where,
                        {"resize", "crop", "channels", "scale", "mean", "std", "layout", "sound", "target"});
  Preprocess result;
  std::string target;
  section.name("target", target, {"input"});
  result.target_is_input = target == "input";
  if (section.has("sound")) {
    for (const char* key : {"resize", "crop", "channels", "scale", "mean", "std", "layout"})
      if (section.has(key)) fail("data", section.at(key), "it is of images, beside 'sound'", "one of them");
    result.sound = sound_input_from_json(section.part("sound"), section.at("sound"));
    return result;
  }
  result.resize = sides(json, "resize", where);
  result.crop = sides(json, "crop", where);
  section.name("channels", result.channels, {"RGB", "BGR", "gray"});
  std::string layout = "NCHW";
  section.name("layout", layout, {"NCHW", "NHWC"});
  result.channels_last = layout == "NHWC";
  section.real("scale", result.scale, Section::above_zero, Section::largest, "a positive number");
  const size_t channels = result.channels == "gray" ? 1 : 3;
  result.mean = per_channel(json, "mean", channels, where);
  result.standard_deviation = per_channel(json, "std", channels, where);
  return result;
}

Json to_json(const Preprocess& preprocess) {
  const auto pair = [](const std::optional<std::pair<int64_t, int64_t>>& value) {
    return value ? Json::array({value->first, value->second}) : Json(nullptr);
  };
  Json json;
  if (preprocess.sound)
    json = {{"sound", to_json(*preprocess.sound)}};
  else
    json = {{"resize", pair(preprocess.resize)}, {"crop", pair(preprocess.crop)},
            {"channels", preprocess.channels},   {"scale", preprocess.scale},
            {"mean", preprocess.mean},           {"std", preprocess.standard_deviation}};
  if (preprocess.channels_last) json["layout"] = "NHWC";
  if (preprocess.target_is_input) json["target"] = "input";
  return json;
}

}  // namespace nibble::data
