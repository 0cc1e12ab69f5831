#include "base/json.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"

template class nlohmann::detail::serializer<nlohmann::ordered_json>;

namespace nibble {
namespace {

using Names = std::initializer_list<std::string_view>;

std::string joined(const Names& names, std::string_view last) {
  std::string text;
  for (const std::string_view& name : names)
    text.append(text.empty() ? "" : &name + 1 == names.end() ? last : ", ").append(name);
  return text;
}

}  // namespace

Json read_json(const std::filesystem::path& file, std::string_view room) {
  return parse_json(read_file(file, room, size_t{1} << 28), room, file.string());
}

Json parse_json(std::string_view text, std::string_view room, const std::string& place) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto sound = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > deepest_json)
      fail(room, place, "JSON nested deeper than " + std::to_string(deepest_json), "at most as deep");
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      fail(room, place, "key " + parsed.dump() + " twice in one object", "each once");
    return true;
  };
  try {
    return Json::parse(text, sound);
  } catch (const nlohmann::json::parse_error& error) {
    const auto end = text.begin() + static_cast<ptrdiff_t>(std::min(error.byte, text.size()));
    const auto line = std::count(text.begin(), end, '\n') + 1;
    fail(room, place + ":" + std::to_string(line), "not JSON: " + std::string(error.what()));
  } catch (const nlohmann::json::out_of_range& error) {
    fail(room, place, "not JSON: " + std::string(error.what()), "numbers that a double holds");
  }
}

std::string json_string(std::string_view text) {
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<std::string> text_of_json_string(std::string_view quoted) {
  const Json text = Json::parse(quoted, nullptr, false);
  if (!text.is_string()) return std::nullopt;
  return text.get<std::string>();
}

std::optional<int64_t> whole_number(const Json& json) {
  const bool beyond = json.is_number_unsigned() && json.get<uint64_t>() > uint64_t{INT64_MAX};
  if (!json.is_number_integer() || beyond) return std::nullopt;
  return json.get<int64_t>();
}

void check_keys(const Json& object, std::initializer_list<std::string_view> known, std::string_view room,
                std::string_view place) {
  if (!object.is_object()) fail(room, place, std::string(object.type_name()), "a JSON object");
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    fail(room, place, "no key '" + key + "'" + did_you_mean(key, known), joined(known, ", "));
  }
}

Section::Section(const Json& object, std::string_view room, std::string place)
    : object_(object), room_(room), place_(std::move(place)) {
  if (!object.is_object()) fail(room_, place_, object.dump(), "a JSON object");
}

Section::Section(const Json& object, std::string_view room, std::string place,
                 std::initializer_list<std::string_view> known)
    : object_(object), room_(room), place_(std::move(place)) {
  check_keys(object_, known, room_, place_);
}

std::string Section::at(std::string_view key) const {
  return place_ + ": " + std::string(key);
}

bool Section::has(std::string_view key) const {
  return object_.contains(key);
}

const Json& Section::part(std::string_view key) const {
  if (!has(key)) fail(room_, place_, "no key '" + std::string(key) + "'", "it to be there");
  return object_.at(std::string(key));
}

Section Section::section(std::string_view key, std::initializer_list<std::string_view> known) const {
  return {part(key), room_, at(key), known};
}

std::string Section::text(std::string_view key) const {
  if (!part(key).is_string()) refuse(key, "a string");
  return part(key).get<std::string>();
}

void Section::name(std::string_view key, std::string& field, std::initializer_list<std::string_view> names) const {
  if (!has(key)) return;
  const std::string expected = joined(names, " or ");
  if (!part(key).is_string()) refuse(key, expected);
  const std::string found = text(key);
  if (std::find(names.begin(), names.end(), found) == names.end())
    fail(room_, at(key), "'" + found + "'" + did_you_mean(found, names), expected);
  field = found;
}

void Section::whole(std::string_view key, int64_t& field, int64_t least, int64_t most) const {
  if (!has(key)) return;
  const std::optional<int64_t> number = whole_number(part(key));
  // A number beyond 64 bits is one, too.
  const bool bounded = most < INT64_MAX || (!number && part(key).is_number_unsigned());
  if (!number || *number < least || *number > most)
    refuse(key, "a whole number" + (bounded ? " from " + std::to_string(least) + " to " + std::to_string(most)
                                            : ", at least " + std::to_string(least)));
  field = *number;
}

void Section::real(std::string_view key, double& field, double least, double most, std::string_view expected) const {
  if (!has(key)) return;
  const Json& value = part(key);
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  if (!std::isfinite(number) || number < least || number > most)
    refuse(key, expected.empty() ? "a number from " + Json(least).dump() + " to " + Json(most).dump() : expected);
  field = number;
}

void Section::flag(std::string_view key, bool& field) const {
  if (!has(key)) return;
  if (!part(key).is_boolean()) refuse(key, "true or false");
  field = part(key).get<bool>();
}

void Section::refuse(std::string_view key, std::string_view expected) const {
  fail(room_, at(key), part(key).dump(), expected);
}

}  // namespace nibble
