#include "app/tasks/fixed_face.hpp"

#include <algorithm>
#include <cmath>

#include "app/tasks/fixed_output.hpp"
#include "base/error.hpp"

namespace nibble::app {
namespace {

/// A parameter over all integers: real = level * step + mean, |real| <= most.
struct Range {
  double step = 0, mean = 0, most = 0;
};

Range range_of(const data::LandmarkModel& model, const program::Port& port, double scale, size_t k) {
  const double step = scale * model.deviation[k], mean = model.mean[k];
  const auto at = [&](int64_t level) { return std::abs(static_cast<double>(level - port.zero_point) * step + mean); };
  return {step, mean, std::max(at(port.low), at(port.high))};
}

/// The least power of two that is not below any of them; 1 where all are 0.
double power_above(double most) {
  int exponent = 0;
  std::frexp(most, &exponent);
  return most > 0 ? std::ldexp(1.0, exponent) : 1.0;
}

nibble_fixed_parameter parameter_of(const Range& range, double unit, int64_t reach, const std::string& place) {
  return {factor_of(range.step / unit, reach, "a parameter's step", place), std::llround(range.mean / unit)};
}

int32_t rounded(double value) {
  return static_cast<int32_t>(std::lround(value));
}

}  // namespace

nibble_fixed_face FixedFace::whole() const {
  return {parameters.data(), average.data(), basis.data(), points, shapes, shift, height};
}

FixedFace fixed_face(const data::LandmarkModel& model, const program::Port& port, const std::string& place) {
  integers_of(port, place);
  const double scale = scale_of(port, place);
  const size_t pose = data::LandmarkModel::pose_parameters, shapes = model.shapes(), rows = model.average.size();
  std::vector<Range> ranges;
  for (size_t k = 0; k < model.parameters(); ++k) ranges.push_back(range_of(model, port, scale, k));
  std::vector<double> most;
  for (size_t k = 0; k < shapes; ++k) most.push_back(power_above(ranges[pose + k].most));
  double turn = 0, reach = 0, row = 0, move = 0;
  for (size_t k = 0; k < 8; ++k) (k % 4 == 3 ? move : turn) = std::max(k % 4 == 3 ? move : turn, ranges[k].most);
  for (size_t k = 0; k < 8; k += 4) row = std::max(row, ranges[k].most + ranges[k + 1].most + ranges[k + 2].most);
  for (size_t i = 0; i < rows; ++i) {
    double sum = std::abs(model.average[i]);
    for (size_t k = 0; k < shapes; ++k) sum += std::abs(model.basis[i * shapes + k]) * most[k];
    reach = std::max(reach, sum);
  }
  const double r = power_above(turn), v = power_above(reach);

  FixedFace face;
  face.points = static_cast<int32_t>(model.points());
  face.shapes = static_cast<int32_t>(shapes);
  face.height = std::llround(model.height * 0x1p16);
  face.shift = static_cast<int32_t>(std::lround(60 - std::log2(r * v))) - 16;
  for (size_t k = 0; k < model.parameters(); ++k) {
    const double unit = k >= pose ? most[k - pose] * 0x1p-30 : k % 4 == 3 ? 0x1p-16 : r * 0x1p-30;
    face.parameters.push_back(parameter_of(k >= 8 && k < pose ? Range{} : ranges[k], unit, reach_of(port), place));
  }
  for (const double u : model.average) face.average.push_back(rounded(u / v * 0x1p30));
  for (size_t i = 0; i < rows * shapes; ++i)
    face.basis.push_back(rounded(model.basis[i] * most[i % shapes] / v * 0x1p30));
  // A parameter is off by 3 units: half a unit of the product, half of the mean, and 2^-30 of the product, which is at
  // most twice the largest parameter. A coordinate by that, since a row of the basis adds up to at most one, and by half
  // a unit for each of its numbers, the average and the sum.
  const double coordinate = (static_cast<double>(shapes) / 2 + 4) * v * 0x1p-30;
  face.error = row * coordinate + 9 * r * 0x1p-30 * reach + move * 0x1p-29 + 0x1p-15;
  if (face.shift < 1 || face.shift > 62 || !(face.error <= 1.0 / 64))
    fail("app", place, "a face model whose landmarks integers give within " + std::to_string(face.error) + " pixel",
         "1/64");
  return face;
}

}  // namespace nibble::app
