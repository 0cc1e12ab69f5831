#include "app/tasks/landmarks.hpp"

#include <fmt/format.h>

#include "app/tasks/task.hpp"
#include "base/error.hpp"

namespace nibble::app {
namespace {

class Landmarks : public Task {
 public:
  explicit Landmarks(LandmarkOutput given) : output_(given.output), model_(std::move(given.model)) {}

  Json answer(const std::vector<Seen>& windows) const override {
    const Seen& seen = windows.front();
    const std::vector<float>& reals = seen.outputs[output_].reals;
    const std::vector<double> y(reals.begin(), reals.end());
    const std::vector<double> landmarks = data::landmarks_of(model_, y);
    Json points = Json::array();
    for (size_t i = 0; i < landmarks.size(); i += 2)
      points.push_back({seen.picture_x(landmarks[i]), seen.picture_y(landmarks[i + 1])});
    Json answer = {{"points", std::move(points)}};
    if (!model_.is_identity()) {
      const data::HeadPose pose = data::head_pose_of(model_, y);
      answer["pose"] = {{"yaw", pose.yaw}, {"pitch", pose.pitch}, {"roll", pose.roll}};
    }
    return answer;
  }

  void draw(Canvas& canvas, const Seen& seen, const Json& answer) const override {
    const Colour colour{40, 220, 80};
    const nibble_rectangle& box = seen.placement.from;
    if (box.width < seen.width || box.height < seen.height)
      canvas.rectangle(box.left, box.top, box.left + box.width, box.top + box.height, {60, 120, 255});
    const auto at = [&](size_t i, size_t k) { return answer["points"][i][k].get<double>(); };
    // The lines of the 68 points that faces are annotated with; other models are dots alone.
    struct Line {
      size_t first, last;
      bool closed;
    };
    static constexpr Line lines[] = {{0, 16, false}, {17, 21, false}, {22, 26, false}, {27, 30, false}, {31, 35, false},
                                     {36, 41, true}, {42, 47, true},  {48, 59, true},  {60, 67, true}};
    if (answer["points"].size() == 68)
      for (const Line& line : lines)
        for (size_t i = line.first; i <= line.last; ++i) {
          const size_t next = i < line.last ? i + 1 : line.closed ? line.first : i;
          canvas.line(at(i, 0), at(i, 1), at(next, 0), at(next, 1), colour);
        }
    for (size_t i = 0; i < answer["points"].size(); ++i) canvas.dot(at(i, 0), at(i, 1), {255, 255, 255});
  }

  TaskCode code() const override {
    TaskCode code;
    code.includes = "#include \"processing/landmarks.h\"\n";
    const bool posed = !model_.is_identity();
    code.declaration = R"(struct Point {
  double x, y; /* in the picture's pixels */
};
struct Answer {
  std::vector<Point> points;
)" + std::string(posed ? "  nibble_head_pose pose;\n" : "") +
                       "};\n";
    if (posed) code.declaration = "// The pose is in degrees (processing/landmarks.h).\n" + code.declaration;
    const auto array = [](const char* name, const std::vector<double>& values) {
      return fmt::format("const double {}[] = {{\n    {}}};\n", name, literals(values.data(), values.size()));
    };
    const std::string get =
        fmt::format("  const std::vector<double> y(reals[{}].begin(), reals[{}].end());\n", output_, output_);
    if (posed) {
      code.constants = array("mean", model_.mean) + array("deviation", model_.deviation) +
                       array("average", model_.average) + array("basis", model_.basis) +
                       fmt::format("const nibble_face_model face = {{mean, deviation, average, basis, {}, {}, {}}};\n",
                                   model_.points(), model_.shapes(), literal(model_.height));
      code.body = get + fmt::format(R"(  std::vector<double> landmarks({});
  nibble_face_landmarks(&face, y.data(), landmarks.data());
  answer.pose = nibble_face_pose(&face, y.data());
)",
                                    2 * model_.points());
    } else {
      code.body = get + "  const std::vector<double>& landmarks = y;\n";
    }
    code.body += R"(  for (size_t i = 0; i < landmarks.size(); i += 2)
    answer.points.push_back({picture_x(at, landmarks[i]), picture_y(at, landmarks[i + 1])});
)";
    code.json =
        R"(  text += "{\"points\": [";
  for (const Point& point : answer.points)
    text += (text.back() == '[' ? "[" : ", [") + number(point.x) + ", " + number(point.y) + "]";
  text += "]";
)" +
        std::string(
            posed
                ? R"(  text += ", \"pose\": {\"yaw\": " + number(answer.pose.yaw) + ", \"pitch\": " + number(answer.pose.pitch) +
          ", \"roll\": " + number(answer.pose.roll) + "}";
)"
                : "") +
        "  text += \"}\";\n";
    return code;
  }

 private:
  size_t output_ = 0;
  data::LandmarkModel model_;
};

}  // namespace

LandmarkOutput landmark_output_of(const Description& app, const Parts& parts, const Ports& outputs,
                                  const std::string& place) {
  const Section section(app.output, "app", place + ": output", {"output", "model"});
  LandmarkOutput result;
  result.output = output_named(outputs, app.output.value("output", Json()), place + ": output");
  const int64_t count = element_count(outputs[result.output].value.extents);
  data::LandmarkModel& model = result.model;
  if (section.has("model")) {
    const std::string part = section.text("model");
    model = data::landmark_model_of(data::parse_npz(part_named(parts, part, section.at("model")), part), part);
  }
  if (model.is_identity() ? count % 2 != 0 : static_cast<int64_t>(model.parameters()) != count)
    fail("app", place + ": output", "the network gives " + std::to_string(count) + " numbers",
         model.is_identity() ? "x and y of each point"
                             : std::to_string(model.parameters()) + ", the model's parameters");
  return result;
}

std::unique_ptr<Task> open_landmarks(const Description& app, const Parts& parts, const Ports& outputs,
                                     const std::string& place) {
  return std::make_unique<Landmarks>(landmark_output_of(app, parts, outputs, place));
}

}  // namespace nibble::app
