#include "processing/landmarks.h"
#include "app/tasks/task.hpp"
#include "base/error.hpp"

namespace nibble::app {
namespace {

/// The arrays of a face's model, in the layout of `processing`.
class Landmarks : public Task {
 public:
  Landmarks(const Description& app, const Parts& parts, const Ports& outputs, const std::string& place) {
    const std::string where = place + ": output: model";
    const Section section(app.output, "app", place + ": output", {"output", "model"});
    output_ = output_named(outputs, app.output.value("output", Json()), place + ": output");
    const std::string part = section.text("model");
    const char* names[] = {"mean", "std", "u", "w_shape", "w_expression"};
    for (size_t i = 0; i < std::size(names); ++i) arrays_[i] = array_of(parts, part, names[i], where);
    const auto& [mean, deviation, centre, shape, expression] = arrays_;
    const size_t coordinates = centre.size();
    if (coordinates == 0 || coordinates % 3 != 0 || shape.rank() != 2 || expression.rank() != 2 ||
        shape.shape()[0] * shape.shape()[1] == 0 || static_cast<size_t>(shape.shape()[0]) != coordinates ||
        static_cast<size_t>(expression.shape()[0]) != coordinates)
      fail("app", where,
           "u " + to_string(centre.shape()) + ", w_shape " + to_string(shape.shape()) + ", w_expression " +
               to_string(expression.shape()),
           "x, y, z of each point, and a row each of them");
    const int64_t parameters = 12 + shape.shape()[1] + expression.shape()[1];
    int64_t count = 1;
    for (const int64_t extent : outputs[output_].value.extents) count *= extent;
    for (const Tensor* array : {&mean, &deviation})
      if (static_cast<int64_t>(array->size()) != parameters || count != parameters)
        fail("app", where,
             std::to_string(parameters) + " parameters, mean and std of " + std::to_string(array->size()) +
                 ", and the network gives " + std::to_string(count),
             "as many of each");
    model_ = {mean.as<float>().data(),
              deviation.as<float>().data(),
              centre.as<float>().data(),
              shape.as<float>().data(),
              expression.as<float>().data(),
              static_cast<int32_t>(coordinates / 3),
              static_cast<int32_t>(shape.shape()[1]),
              static_cast<int32_t>(expression.shape()[1]),
              0};
  }

  Json answer(const Seen& seen) const override {
    nibble_face_model model = model_;
    // Of the network's input; padding does not move the foot.
    model.side = static_cast<double>(seen.side);
    std::vector<double> points(static_cast<size_t>(model.points) * 3);
    double pose[3];
    const float* y = seen.outputs[output_].reals.data();
    nibble_face_points(&model, y, points.data());
    nibble_face_pose(&model, y, pose);
    Json list = Json::array();
    for (size_t i = 0; i < points.size(); i += 3)
      list.push_back({seen.picture_x(points[i]), seen.picture_y(points[i + 1])});
    return {{"points", std::move(list)}, {"pose", {{"yaw", pose[0]}, {"pitch", pose[1]}, {"roll", pose[2]}}}};
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

 private:
  size_t output_ = 0;
  Tensor arrays_[5];
  nibble_face_model model_{};
};

}  // namespace

std::unique_ptr<Task> open_landmarks(const Description& app, const Parts& parts, const Ports& outputs,
                                     const std::string& place) {
  return std::make_unique<Landmarks>(app, parts, outputs, place);
}

}  // namespace nibble::app
