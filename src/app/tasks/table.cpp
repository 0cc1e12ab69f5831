#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/tasks/task.hpp"
#include "base/error.hpp"
#include "data/npy.hpp"
#include "data/npz.hpp"

namespace nibble::app {
namespace {

Json class_schema() {
  return object_of({{"index", number_schema("of the class, from 0")},
                    {"name", {{"type", "string"}}},
                    {"probability", number_schema("0 to 1")}});
}

Json classification_result() {
  return object_of({{"classes", list_of(class_schema())}});
}
Json classification_output() {
  return object_of({{"top", number_schema("how many classes an answer names: 5")},
                    {"scores", {{"enum", {"logits", "probabilities"}}}}});
}

Json detection_result() {
  return object_of({{"objects", list_of(object_of({{"index", number_schema("of the class, from 0")},
                                                   {"name", {{"type", "string"}}},
                                                   {"score", number_schema("0 to 1")},
                                                   {"box", list_of(number_schema("left, top, width, height in the "
                                                                                 "picture's pixels"))}}))}});
}
Json detection_output() {
  return object_of({{"head", {{"enum", {"ssd", "yolo_v3", "yolo_v5", "yolo_x", "yolo_v8"}}}},
                    {"outputs", list_of({{"type", "string"}})},
                    {"strides", list_of(number_schema("pixels a cell, an output of a YOLO head"))},
                    {"anchors",
                     {{"description",
                       "ssd: a part [N, 4] (centre x, y, width, height in pixels); yolo: "
                       "[width, height] pairs an output"}}},
                    {"variance", list_of(number_schema("of an SSD's offsets: 0.1, 0.2"))},
                    {"background", number_schema("index of the class that is none")},
                    {"scores", {{"enum", {"scores", "logistic", "softmax"}}}},
                    {"y_first", {{"type", "boolean"}}},
                    {"bins", number_schema("of a side's distance, V8")},
                    {"threshold", number_schema("least score: 0.5")},
                    {"overlap", number_schema("most intersection over union of two of a class: 0.45")},
                    {"across", {{"type", "boolean"}, {"description", "boxes of any class suppress each other"}}},
                    {"most", number_schema("objects: 100")}});
}

Json segmentation_result() {
  return object_of({{"size", list_of(number_schema("height, width of the map"))},
                    {"classes", list_of(object_of({{"index", number_schema("of the class")},
                                                   {"name", {{"type", "string"}}},
                                                   {"pixels", number_schema("of the map")}}))},
                    {"runs", list_of(number_schema("the map row by row: class, length, class, length, ..."))}});
}
Json segmentation_output() {
  return object_of({{"background", number_schema("a class that is not drawn: 0")}});
}

Json landmarks_result() {
  return object_of({{"points", list_of(list_of(number_schema("x, y in the picture's pixels")))},
                    {"pose", object_of({{"yaw", number_schema("degrees")},
                                        {"pitch", number_schema("degrees")},
                                        {"roll", number_schema("degrees")}})}});
}
Json landmarks_output() {
  return object_of(
      {{"model",
        {{"type", "string"},
         {"description",
          "a part: arrays mean, std, u, w_shape, w_expression; without one the outputs are the points"}}}});
}

Json heard_schema() {
  return list_of(object_of({{"index", number_schema("of the class")},
                            {"name", {{"type", "string"}}},
                            {"begin", number_schema("seconds")},
                            {"end", number_schema("seconds")},
                            {"probability", number_schema("0 to 1, the mean of the last windows")}}));
}
Json keywords_result() {
  return object_of({{"keywords", heard_schema()}, {"windows", heard_schema()}});
}
Json keywords_output() {
  return object_of({{"hop", number_schema("seconds from one window to the next: a window's length")},
                    {"smooth", number_schema("windows whose mean counts: 1")},
                    {"threshold", number_schema("least probability of a word: 0.5")},
                    {"background", list_of({{"type", "string"}, {"description", "a class that is no word"}})},
                    {"scores", {{"enum", {"logits", "probabilities"}}}}});
}

Json anomaly_result() {
  return object_of({{"error", number_schema("mean square of what is not reconstructed")},
                    {"threshold", number_schema("above it the input is called anomalous")},
                    {"anomalous", {{"type", "boolean"}}}});
}
Json anomaly_output() {
  return object_of({{"threshold", number_schema("of the mean square error")},
                    {"hop", number_schema("of a sound, seconds from one window to the next: a window's length")}});
}

}  // namespace

const std::vector<TaskRow>& tasks() {
  static const std::vector<TaskRow> rows = {
      {"classification", "which class, the likeliest first", "image, sound, numbers", false, open_classification,
       classification_result, classification_output},
      {"detection", "objects and their boxes", "image", false, open_detection, detection_result, detection_output},
      {"segmentation", "a class for every pixel", "image", false, open_segmentation, segmentation_result,
       segmentation_output},
      {"landmarks", "points of a face, and how it is turned", "image", false, open_landmarks, landmarks_result,
       landmarks_output},
      {"keywords", "words in a sound, window by window", "sound", false, open_keywords, keywords_result,
       keywords_output},
      {"anomaly", "whether an input is one that the network cannot reconstruct", "image, sound, numbers", true,
       open_anomaly, anomaly_result, anomaly_output},
  };
  return rows;
}

const TaskRow& task_named(std::string_view name, const std::string& place) {
  std::vector<std::string_view> names;
  for (const TaskRow& row : tasks()) {
    if (row.name == name) return row;
    names.push_back(row.name);
  }
  fail("app", place, "no task '" + std::string(name) + "'" + did_you_mean(name, names));
}

double Seen::picture_x(double x) const {
  return placement.from.left + (x - placement.to.left) * placement.from.width / placement.to.width;
}
double Seen::picture_y(double y) const {
  return placement.from.top + (y - placement.to.top) * placement.from.height / placement.to.height;
}

size_t output_named(const Ports& outputs, const Json& name, const std::string& place) {
  std::vector<std::string> names;
  for (size_t i = 0; i < outputs.size(); ++i) {
    names.push_back(outputs[i].value.name);
    if (name.is_string() && name.get<std::string>() == names.back()) return i;
  }
  if (name.is_null() && outputs.size() == 1) return 0;
  fail("app", place,
       name.is_null()
           ? "the network has " + std::to_string(outputs.size()) + " outputs"
           : "no output " + name.dump() + did_you_mean(name.is_string() ? name.get<std::string>() : "", names),
       name.is_null() ? "one, or 'outputs' that names them" : "a name of one");
}

void check_classes(const Description& app, int64_t count, const std::string& place) {
  if (!app.classes.empty() && static_cast<int64_t>(app.classes.size()) != count)
    fail("app", place + ": classes", std::to_string(app.classes.size()) + " names",
         std::to_string(count) + ", as the network has classes");
}

std::string class_name(const std::vector<std::string>& classes, int64_t index) {
  return index >= 0 && index < static_cast<int64_t>(classes.size()) ? classes[static_cast<size_t>(index)]
                                                                    : std::to_string(index);
}

Tensor array_of(const Parts& parts, const std::string& part, const std::string& array, const std::string& place) {
  const std::string& bytes = part_named(parts, part, place);
  if (part.ends_with(".npy")) return data::parse_npy(bytes, part).cast(ElementType::Float32);
  std::vector<std::string> names;
  for (auto& [name, tensor] : data::parse_npz(bytes, part)) {
    if (name == array) return tensor.cast(ElementType::Float32);
    names.push_back(name);
  }
  fail("app", place, "'" + part + "' has no array '" + array + "'" + did_you_mean(array, names));
}

std::string label_of(const std::string& name, double share) {
  return fmt::format("{} {} %", name, std::lround(100 * share));
}

std::string literal(double value) {
  return fmt::format("{:a}", value);
}
std::string literals(const double* values, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += (i == 0 ? "" : i % 8 == 0 ? ",\n    " : ", ") + literal(values[i]);
  return text;
}
std::string literals(const float* values, size_t count) {
  const std::vector<double> wide(values, values + count);
  std::string text = literals(wide.data(), count);
  for (size_t at = 0; (at = text.find(',', at)) != text.npos; at += 2) text.insert(at, "f");
  return text + (count > 0 ? "f" : "");
}
std::string literals(const std::vector<std::string>& texts) {
  std::string text;
  for (const std::string& one : texts) {
    text += text.empty() ? "\"" : ", \"";
    for (const char c : one) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\' || byte < ' ' || byte > 126 || c == '?')
        text += fmt::format("\\{:03o}", byte);
      else
        text += c;
    }
    text += '"';
  }
  return text;
}

std::string names_of(const std::vector<std::string>& classes) {
  return "const char* const class_names[] = {" + (classes.empty() ? "nullptr" : literals(classes)) + "};\n" +
         "const int64_t named = " + std::to_string(classes.size()) + ";\n";
}

Json number_schema(std::string_view about) {
  return {{"type", "number"}, {"description", about}};
}
Json list_of(Json items) {
  return {{"type", "array"}, {"items", std::move(items)}};
}
Json object_of(Json properties) {
  return {{"type", "object"}, {"properties", std::move(properties)}};
}

}  // namespace nibble::app
