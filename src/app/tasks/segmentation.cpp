#include <fmt/format.h>

#include <map>

#include "app/tasks/task.hpp"
#include "base/error.hpp"
#include "processing/classify.h"

namespace nibble::app {
namespace {

/// A map of classes: an output [classes, H, W] of scores, or [H, W] of their indices.
class Segmentation : public Task {
 public:
  Segmentation(const Description& app, const Ports& outputs, const std::string& place) : classes_(app.classes) {
    const Section section(app.output, "app", place + ": output", {"output", "background"});
    output_ = output_named(outputs, app.output.value("output", Json()), place + ": output");
    Shape extents = outputs[output_].value.extents;
    while (extents.size() > 2 && extents[0] == 1) extents.erase(extents.begin());
    if (extents.size() != 2 && extents.size() != 3)
      fail("app", place + ": output", to_string(outputs[output_].value.extents),
           "[classes, height, width] or [height, width]");
    planes_ = extents.size() == 3 ? extents[0] : 1;
    height_ = extents[extents.size() - 2];
    width_ = extents.back();
    if (planes_ > 256) fail("app", place + ": output", std::to_string(planes_) + " classes", "at most 256");
    if (planes_ > 1) check_classes(app, planes_, place);
    section.whole("background", background_, -1, 255);
  }

  Json answer(const std::vector<Seen>& windows) const override {
    const Seen& seen = windows.front();
    const std::vector<uint8_t> map = classes_at(seen);
    std::map<int64_t, int64_t> counts;
    Json runs = Json::array();
    for (size_t i = 0; i < map.size();) {
      size_t end = i;
      while (end < map.size() && map[end] == map[i]) ++end;
      runs.push_back(map[i]);
      runs.push_back(end - i);
      counts[map[i]] += static_cast<int64_t>(end - i);
      i = end;
    }
    Json classes = Json::array();
    for (const auto& [index, pixels] : counts)
      classes.push_back({{"index", index}, {"name", class_name(classes_, index)}, {"pixels", pixels}});
    return {{"size", {height_, width_}}, {"classes", std::move(classes)}, {"runs", std::move(runs)}};
  }

  void draw(Canvas& canvas, const Seen& seen, const Json& answer) const override {
    const std::vector<uint8_t> map = classes_at(seen);
    const nibble_rectangle &from = seen.placement.from, &to = seen.placement.to;
    for (int64_t y = 0; y < canvas.height(); ++y)
      for (int64_t x = 0; x < canvas.width(); ++x) {
        // The place of the pixel's centre in the input, whose height is `side`.
        const double input_y = to.top + (static_cast<double>(y - from.top) + 0.5) * to.height / from.height;
        const double input_x = to.left + (static_cast<double>(x - from.left) + 0.5) * to.width / from.width;
        const double scale = static_cast<double>(height_) / static_cast<double>(seen.side);
        if (input_y < 0 || input_x < 0) continue;
        const auto row = static_cast<int64_t>(input_y * scale), column = static_cast<int64_t>(input_x * scale);
        if (row >= height_ || column >= width_) continue;
        const uint8_t index = map[static_cast<size_t>(row * width_ + column)];
        if (index != background_) canvas.blend(x, y, class_colour(index == 0 ? 255 : index), 0.5);
      }
    double y = 0;
    for (const Json& line : answer["classes"]) {
      const int64_t index = line["index"];
      if (index == background_) continue;
      canvas.label(0, y, line["name"].get<std::string>(), class_colour(static_cast<size_t>(index == 0 ? 255 : index)));
      y += canvas.line_height();
    }
  }

  TaskCode code() const override {
    TaskCode code;
    code.includes = "#include \"processing/classify.h\"\n";
    code.declaration = R"(/// A class for each place of the map, row by row.
struct Answer {
  int64_t height, width;
  std::vector<uint8_t> map;
};
)";
    code.constants = names_of(classes_);
    code.body = fmt::format("  answer.height = {0};\n  answer.width = {1};\n  answer.map.resize({0} * {1});\n", height_,
                            width_);
    code.body += planes_ > 1 ? fmt::format("  nibble_largest_plane(reals[{}].data(), {}, {}, answer.map.data());\n",
                                           output_, planes_, height_ * width_)
                             : fmt::format(R"(  for (size_t i = 0; i < answer.map.size(); ++i) {{
    const float index = reals[{}][i];
    answer.map[i] = index > 0 ? static_cast<uint8_t>(index < 255 ? index : 255) : uint8_t{{0}};
  }}
)",
                                           output_);
    code.json = R"(  int64_t counts[256] = {};
  std::string runs;
  for (size_t i = 0; i < answer.map.size();) {
    size_t end = i;
    while (end < answer.map.size() && answer.map[end] == answer.map[i]) ++end;
    runs += (runs.empty() ? "" : ", ") + std::to_string(answer.map[i]) + ", " + std::to_string(end - i);
    counts[answer.map[i]] += static_cast<int64_t>(end - i);
    i = end;
  }
  text += "{\"size\": [" + std::to_string(answer.height) + ", " + std::to_string(answer.width) + "], \"classes\": [";
  for (int64_t i = 0; i < 256; ++i) {
    if (counts[i] == 0) continue;
    text += text.back() == '[' ? "" : ", ";
    text += "{\"index\": " + std::to_string(i) + ", \"name\": " + quoted(class_name(i)) +
            ", \"pixels\": " + std::to_string(counts[i]) + "}";
  }
  text += "], \"runs\": [" + runs + "]}";
)";
    return code;
  }

 private:
  std::vector<uint8_t> classes_at(const Seen& seen) const {
    const std::vector<float>& reals = seen.outputs[output_].reals;
    std::vector<uint8_t> map(static_cast<size_t>(height_ * width_));
    if (planes_ > 1)
      nibble_largest_plane(reals.data(), static_cast<int32_t>(planes_), height_ * width_, map.data());
    else
      for (size_t i = 0; i < map.size(); ++i)
        map[i] = reals[i] > 0 ? static_cast<uint8_t>(std::min(reals[i], 255.0f)) : uint8_t{0};
    return map;
  }

  std::vector<std::string> classes_;
  size_t output_ = 0;
  int64_t planes_ = 1, height_ = 0, width_ = 0, background_ = 0;
};

}  // namespace

std::unique_ptr<Task> open_segmentation(const Description& app, const Parts&, const Ports& outputs,
                                        const std::string& place) {
  return std::make_unique<Segmentation>(app, outputs, place);
}

}  // namespace nibble::app
