#include "app/tasks/fixed_face.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>

#include "base/error.hpp"

namespace nibble::app {
namespace {

/// A face of `points` points and `shapes` shapes with the sizes of the published model: thousandths of a millimetre, an
/// R that makes pixels of them.
data::LandmarkModel drawn_face(std::mt19937& random, size_t points, size_t shapes) {
  std::normal_distribution<double> normal;
  data::LandmarkModel model;
  for (size_t k = 0; k < 12 + shapes; ++k) {
    const bool moves = k < 12 && k % 4 == 3;
    model.mean.push_back(k >= 12 ? normal(random) * 1000 : moves ? 60 + normal(random) : normal(random) * 3e-4);
    model.deviation.push_back(k >= 12 ? 3000 : moves ? 20 : 3e-4);
  }
  for (size_t i = 0; i < 3 * points; ++i) model.average.push_back(5e4 * normal(random));
  for (size_t i = 0; i < 3 * points * shapes; ++i) model.basis.push_back(0.1 * normal(random));
  return model;
}

program::Port port_of(const data::LandmarkModel& model, int32_t type, int64_t low, int64_t high, double scale) {
  program::Port port;
  port.value.type = type;
  port.value.extents = {1, static_cast<int64_t>(model.parameters())};
  port.value.strides = {static_cast<int64_t>(model.parameters()), 1};
  port.value.name = "parameters";
  port.low = low;
  port.high = high;
  port.scale = {scale};
  return port;
}

/// The largest distance between landmarks by integers and by doubles, of random integers between those.
double largest_error(const data::LandmarkModel& model, const program::Port& port, int64_t low, int64_t high,
                     std::mt19937& random, int rounds) {
  const FixedFace fixed = fixed_face(model, port, "test");
  const nibble_fixed_face face = fixed.whole();
  std::vector<int32_t> integers(model.parameters()), landmarks(2 * model.points());
  std::vector<int64_t> room(model.parameters());
  std::vector<double> y(model.parameters());
  double error = 0;
  for (int round = 0; round < rounds; ++round) {
    for (size_t k = 0; k < y.size(); ++k) {
      integers[k] = static_cast<int32_t>(std::uniform_int_distribution<int64_t>(low, high)(random));
      y[k] = port.scale[0] * static_cast<double>(integers[k] - port.zero_point);
    }
    nibble_fixed_landmarks(&face, {-4, static_cast<int32_t>(port.zero_point)}, integers.data(), room.data(),
                           landmarks.data());
    const std::vector<double> right = data::landmarks_of(model, y);
    for (size_t i = 0; i < right.size(); ++i) error = std::max(error, std::abs(landmarks[i] / 65536.0 - right[i]));
  }
  EXPECT_LE(error, fixed.error) << "the error that it states";
  EXPECT_LE(fixed.error, 1.0 / 64);
  return error;
}

TEST(LandmarksByIntegers, LieWhereTheRealsPutThemWithinTheStatedError) {
  std::mt19937 random(4);
  for (int round = 0; round < 20; ++round) {
    const data::LandmarkModel model = drawn_face(random, 5 + random() % 70, random() % 60);
    const int64_t half = int64_t{1} << (6 + random() % 14);
    const program::Port port = port_of(model, 5, -half, half - 1, 5.0 / static_cast<double>(half));
    largest_error(model, port, port.low, port.high, random, 20);
  }
}

TEST(LandmarksByIntegers, HoldAtBothEndsOfWhatTheNetworkMayGive) {
  std::mt19937 random(5);
  const data::LandmarkModel model = drawn_face(random, 68, 50);
  const program::Port port = port_of(model, 5, -1757709, 1654191, 2.63727e-05);
  for (const int64_t end : {port.low, port.high, int64_t{0}}) largest_error(model, port, end, end, random, 1);
  largest_error(model, port, port.low, port.high, random, 200);
}

TEST(LandmarksByIntegers, OfAModelWhoseNumbersAreTooFarApartAreRefusedByName) {
  std::mt19937 random(6);
  data::LandmarkModel model = drawn_face(random, 68, 50);
  for (size_t k = 0; k < 12; ++k) model.deviation[k] *= 1e5;
  const program::Port port = port_of(model, 5, -1757709, 1654191, 2.63727e-05);
  try {
    fixed_face(model, port, "app.json: output");
    ADD_FAILURE() << "nothing was refused";
  } catch (const UserError& error) {
    const std::string said = error.what();
    EXPECT_EQ(said.substr(0, 72), "app: app.json: output: a face model whose landmarks integers give within");
    EXPECT_NE(said.find("pixel (expected 1/64)"), said.npos) << said;
  }
}

TEST(LandmarksByIntegers, OfThePublishedFaceModelAreWithinAThousandthOfAPixel) {
  const std::filesystem::path basis = std::filesystem::path(NIBBLE_SOURCE) / "../shared/data/faces/basis.npz";
  if (!std::filesystem::exists(basis)) GTEST_SKIP() << "no ../shared/data/faces";
  std::mt19937 random(7);
  const data::LandmarkModel model = data::read_landmark_model(basis);
  const program::Port port = port_of(model, 5, -1757709, 1654191, 2.63727e-05);
  EXPECT_LE(largest_error(model, port, port.low, port.high, random, 200), 0.001);
  EXPECT_LE(largest_error(model, port, -150000, 150000, random, 200), 0.001);
  EXPECT_LE(fixed_face(model, port, "test").error, 0.0025);
}

}  // namespace
}  // namespace nibble::app
