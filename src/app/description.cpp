#include "app/description.hpp"

#include <charconv>
#include <cmath>
#include <set>

#include "app/tasks.hpp"
#include "base/error.hpp"

namespace nibble::app {
namespace {

std::vector<std::string> classes_of(const Json& json, const Parts& parts, const std::string& place) {
  std::vector<std::string> names;
  if (json.is_null()) return names;
  if (json.is_string()) {
    std::string_view rest = part_named(parts, json.get<std::string>(), place + ": classes");
    while (!rest.empty()) {
      const size_t end = rest.find('\n');
      std::string_view line = rest.substr(0, end);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!line.empty()) names.emplace_back(line);
      rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    }
    return names;
  }
  if (!json.is_array()) fail("app", place + ": classes", json.dump(), "names, or a file of one a line");
  for (const Json& name : json) {
    if (!name.is_string()) fail("app", place + ": classes", name.dump(), "a name");
    names.push_back(name.get<std::string>());
  }
  return names;
}

ImageInput image_of(const Json& json, const std::string& place) {
  const Section section(json, "app", place,
                        {"size", "fit", "percent", "filter", "pad", "channels", "scale", "mean", "std"});
  ImageInput input;
  if (section.has("size")) {
    const Json& size = section.part("size");
    const auto fine = [](const Json& side) { return whole_number(side) && side >= Json(1) && side <= Json(4096); };
    if (!size.is_array() || size.size() != 2 || !fine(size[0]) || !fine(size[1]))
      section.refuse("size", "[height, width] of 1 to 4096");
    input.place.height = size[0].get<int32_t>();
    input.place.width = size[1].get<int32_t>();
  }
  std::string fit = "stretch", filter = "bilinear";
  section.name("fit", fit, {"stretch", "letterbox", "cover"});
  section.name("filter", filter, {"bilinear", "area"});
  input.place.fit = fit == "letterbox" ? NIBBLE_LETTERBOX : fit == "cover" ? NIBBLE_COVER : NIBBLE_STRETCH;
  input.place.filter = filter == "area" ? NIBBLE_AREA : NIBBLE_BILINEAR;
  int64_t percent = 100;
  section.whole("percent", percent, 1, 100);
  input.place.percent = static_cast<int32_t>(percent);
  if (section.has("pad")) {
    const Json& pad = section.part("pad");
    bool fine = pad.is_array() && pad.size() == 3;
    for (size_t c = 0; fine && c < 3; ++c) {
      fine = whole_number(pad[c]) && pad[c] >= Json(0) && pad[c] <= Json(255);
      if (fine) input.place.pad[c] = pad[c].get<uint8_t>();
    }
    if (!fine) section.refuse("pad", "[red, green, blue] of 0 to 255");
  }
  Json values = Json::object();
  for (const char* key : {"channels", "scale", "mean", "std"})
    if (section.has(key)) values[key] = section.part(key);
  if (!values.empty()) input.values = data::preprocess_from_json(values, place);
  return input;
}

std::vector<SampleInput> samples_of(const Json& json, const Parts& parts, const std::string& place) {
  std::vector<SampleInput> samples;
  if (json.is_null()) return samples;
  if (!json.is_array()) fail("app", place + ": samples", json.dump(), "a list of files");
  for (size_t i = 0; i < json.size(); ++i) {
    const std::string where = place + ": samples[" + std::to_string(i) + "]";
    SampleInput sample;
    if (json[i].is_string()) {
      sample.file = json[i].get<std::string>();
    } else {
      const Section section(json[i], "app", where, {"input", "box", "golden"});
      sample.file = section.text("input");
      if (section.has("box")) sample.box = box_of(section.part("box"), where + ": box");
      if (section.has("golden")) sample.golden = section.part("golden");
    }
    part_named(parts, sample.file, where);
    samples.push_back(std::move(sample));
  }
  return samples;
}

Kind kind_of(const Section& app, Description& into, const std::string& place) {
  if (!app.has("input")) return Kind::Numbers;
  into.input = app.part("input");
  const Section input(into.input, "app", place + ": input", {"image", "sound", "numbers"});
  if (into.input.size() != 1) app.refuse("input", "one of image, sound, numbers");
  if (input.has("sound")) {
    into.sound = data::sound_input_from_json(input.part("sound"), place + ": input: sound");
    const Json output = app.has("output") ? app.part("output") : Json::object();
    double seconds = static_cast<double>(into.sound.samples) / into.sound.features.rate;
    Section(output, "app", place + ": output").real("hop", seconds, Section::above_zero, 3600);
    into.hop = std::max<int64_t>(1, std::llround(seconds * into.sound.features.rate));
    return Kind::Sound;
  }
  if (input.has("numbers")) return Kind::Numbers;
  into.image = image_of(input.part("image"), place + ": input: image");
  return Kind::Image;
}

}  // namespace

nibble_rectangle box_of(const Json& json, const std::string& place) {
  constexpr int64_t most_side = 65536, farthest = 1 << 20;
  bool fine = json.is_array() && json.size() == 4;
  int64_t numbers[4] = {};
  for (size_t i = 0; fine && i < 4; ++i) {
    const auto number = whole_number(json[i]);
    fine = number && *number >= (i < 2 ? -farthest : 1) && *number <= (i < 2 ? farthest : most_side);
    if (fine) numbers[i] = *number;
  }
  if (!fine) fail("app", place, json.dump(), "[x, y, width, height] in whole pixels, sides of 1 to 65536");
  return {static_cast<int32_t>(numbers[0]), static_cast<int32_t>(numbers[1]), static_cast<int32_t>(numbers[2]),
          static_cast<int32_t>(numbers[3])};
}

nibble_rectangle parse_box(std::string_view text, const std::string& place) {
  Json numbers = Json::array();
  const char *at = text.data(), *end = at + text.size();
  while (at != end) {
    int64_t number = 0;
    const auto [next, fault] = std::from_chars(at, end, number);
    if (fault != std::errc() || (next != end && *next != ',')) break;
    numbers.push_back(number);
    at = next == end ? next : next + 1;
  }
  if (at != end || numbers.size() != 4 || text.ends_with(','))
    fail("app", place, json_string(text), "x,y,width,height in whole pixels");
  return box_of(numbers, place);
}

Description describe(const Parts& parts, const std::string& place) {
  Description result;
  const std::string where = place.ends_with("app.json") ? place : place + ": app.json";
  result.whole = parse_json(part_named(parts, "app.json", place), "app", where);
  const Section app(result.whole, "app", where,
                    {"nibble_app", "name", "task", "network", "input", "output", "classes", "samples", "licence",
                     "provenance", "report", "targets", "files"});
  result.name = app.text("name");
  result.network = app.text("network");
  result.task = app.text("task");
  task_named(result.task, where + ": task");
  result.classes = classes_of(result.whole.value("classes", Json()), parts, where);
  result.kind = kind_of(app, result, where);
  result.output = app.has("output") ? app.part("output") : Json::object();
  result.samples = samples_of(result.whole.value("samples", Json()), parts, where);
  return result;
}

}  // namespace nibble::app
