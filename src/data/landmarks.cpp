#include "data/landmarks.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.hpp"
#include "processing/landmarks.h"

namespace nibble::data {
namespace {

constexpr size_t pose_parameters = LandmarkModel::pose_parameters;

/// The array of that name, of finite reals and the extents asked for; an extent of 0 is any.
const Tensor& array_of(const Arrays& arrays, const std::string& name, const Shape& extents, const std::string& place) {
  const auto found = std::find_if(arrays.begin(), arrays.end(), [&](const auto& one) { return one.first == name; });
  if (found == arrays.end())
    fail("data", place, "no array '" + name + "'", "mean, std, u, w_shape and w_expression of a face model");
  const Tensor& array = found->second;
  std::string expected;
  bool fits = array.rank() == extents.size();
  for (size_t i = 0; i < extents.size(); ++i) {
    expected += (i == 0 ? "[" : ", ") + (extents[i] == 0 ? std::string("any") : std::to_string(extents[i]));
    fits = fits && (extents[i] == 0 || array.shape()[i] == extents[i]);
  }
  if (!fits) fail("data", place, name + " of shape " + to_string(array.shape()), expected + "]");
  const std::vector<double> values = array.to_reals();
  if (!std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); }))
    fail("data", place, name + " with a value that is not finite", "finite numbers");
  return array;
}

double height_of(const Arrays& arrays, const std::string& place) {
  for (const auto& [name, array] : arrays) {
    if (name != "height") continue;
    const std::vector<double> value = array.to_reals();
    if (value.size() != 1 || !(value[0] >= 1 && value[0] <= 65536))
      fail("data", place, "height of shape " + to_string(array.shape()), "one number of pixels, 1 to 65536");
    return value[0];
  }
  return LandmarkModel().height;
}

/// As `processing` reads it.
nibble_face_model face_of(const LandmarkModel& model, std::span<const double> outputs) {
  ensure(outputs.size() == model.parameters(), "a face model reads as many outputs as it has parameters");
  return {model.mean.data(),
          model.deviation.data(),
          model.average.data(),
          model.basis.data(),
          static_cast<int32_t>(model.points()),
          static_cast<int32_t>(model.shapes()),
          model.height};
}

}  // namespace

LandmarkModel landmark_model_of(const Arrays& arrays, const std::string& place) {
  LandmarkModel model;
  model.mean = array_of(arrays, "mean", {0}, place).to_reals();
  const auto parameters = static_cast<int64_t>(model.mean.size());
  model.deviation = array_of(arrays, "std", {parameters}, place).to_reals();
  model.average = array_of(arrays, "u", {0}, place).to_reals();
  const auto coordinates = static_cast<int64_t>(model.average.size());
  if (coordinates == 0 || coordinates % 3 != 0)
    fail("data", place, "u of " + std::to_string(coordinates) + " numbers", "x, y and z of each point");
  const Tensor& shape = array_of(arrays, "w_shape", {coordinates, 0}, place);
  const Tensor& expression = array_of(arrays, "w_expression", {coordinates, 0}, place);
  const int64_t s = shape.shape()[1], e = expression.shape()[1];
  if (parameters != static_cast<int64_t>(pose_parameters) + s + e)
    fail("data", place, "mean of " + std::to_string(parameters) + " numbers",
         "12 and the columns of w_shape (" + std::to_string(s) + ") and w_expression (" + std::to_string(e) + ")");
  const std::vector<double> shapes = shape.to_reals(), expressions = expression.to_reals();
  for (int64_t row = 0; row < coordinates; ++row) {
    model.basis.insert(model.basis.end(), shapes.begin() + row * s, shapes.begin() + (row + 1) * s);
    model.basis.insert(model.basis.end(), expressions.begin() + row * e, expressions.begin() + (row + 1) * e);
  }
  model.height = height_of(arrays, place);
  return model;
}

LandmarkModel read_landmark_model(const std::filesystem::path& npz) {
  return landmark_model_of(read_npz(npz), npz.string());
}

std::vector<double> landmarks_of(const LandmarkModel& model, std::span<const double> outputs) {
  if (model.is_identity()) return {outputs.begin(), outputs.end()};
  const nibble_face_model face = face_of(model, outputs);
  std::vector<double> landmarks(2 * model.points());
  nibble_face_landmarks(&face, outputs.data(), landmarks.data());
  return landmarks;
}

HeadPose head_pose_of(const LandmarkModel& model, std::span<const double> outputs) {
  ensure(!model.is_identity(), "a pose follows from a face model's parameters");
  const nibble_face_model face = face_of(model, outputs);
  const nibble_head_pose pose = nibble_face_pose(&face, outputs.data());
  return {pose.yaw, pose.pitch, pose.roll, pose.scale};
}

double normalised_mean_error(std::span<const double> points, std::span<const double> truth) {
  ensure(points.size() == truth.size() && !truth.empty() && truth.size() % 2 == 0, "points have partners");
  std::array<double, 2> low{truth[0], truth[1]}, high = low;
  double sum = 0;
  for (size_t i = 0; i < truth.size(); i += 2) {
    for (size_t axis = 0; axis < 2; ++axis) {
      low[axis] = std::min(low[axis], truth[i + axis]);
      high[axis] = std::max(high[axis], truth[i + axis]);
    }
    const double dx = points[i] - truth[i], dy = points[i + 1] - truth[i + 1];
    sum += std::sqrt(dx * dx + dy * dy);
  }
  const double area = (high[0] - low[0]) * (high[1] - low[1]);
  if (!(area > 0)) fail("data", "landmarks", "true points in one line", "points around a face, which span a box");
  return sum / (static_cast<double>(truth.size()) / 2) / std::sqrt(area);
}

}  // namespace nibble::data
