#include "data/landmarks.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "data/dataset.hpp"
#include "unit/data/landmark_files.hpp"

using namespace nibble;
using namespace nibble::data;
using nibble::testing::basis_of_two_points;
using nibble::testing::Folder;

namespace {

using Matrix = std::array<std::array<double, 3>, 3>;

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix result{};
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j)
      for (size_t k = 0; k < 3; ++k) result[i][j] += a[i][k] * b[k][j];
  return result;
}

/// Outputs of the model of two points whose head is turned so.
std::vector<double> turned(double yaw, double pitch, double roll, double scale) {
  constexpr double degrees = std::numbers::pi / 180;
  const auto c = [](double angle) { return std::cos(degrees * angle); };
  const auto s = [](double angle) { return std::sin(degrees * angle); };
  const Matrix z{{{c(roll), -s(roll), 0}, {s(roll), c(roll), 0}, {0, 0, 1}}};
  const Matrix y{{{c(yaw), 0, -s(yaw)}, {0, 1, 0}, {s(yaw), 0, c(yaw)}}};
  const Matrix x{{{1, 0, 0}, {0, c(pitch), -s(pitch)}, {0, s(pitch), c(pitch)}}};
  const Matrix r = product(product(z, y), x);
  std::vector<double> outputs(14);
  for (size_t i = 0; i < 2; ++i)
    for (size_t j = 0; j < 3; ++j) outputs[4 * i + j] = scale * r[i][j];
  return outputs;
}

}  // namespace

TEST(Landmarks, FollowFromParametersByTheFormula) {
  LandmarkModel model = landmark_model_of(basis_of_two_points(), "basis");
  EXPECT_EQ(model.points(), 2U);
  EXPECT_EQ(model.shapes(), 2U);
  // R|t = (2 0 0 5; 0 3 0 7; ...); the shape moves the first point by 10 along x, the expression the second by 20.
  std::vector<double> outputs(14);
  outputs[0] = 2, outputs[3] = 5, outputs[5] = 3, outputs[7] = 7, outputs[12] = 10, outputs[13] = 20;
  EXPECT_EQ(landmarks_of(model, outputs), (std::vector<double>{26, 107, 12, 38}));
  model.height = 64;
  EXPECT_EQ(landmarks_of(model, outputs)[1], 51);
  model.deviation[12] = 0.5, model.mean[12] = 1;
  EXPECT_EQ(landmarks_of(model, outputs)[0], 2 * (1 + 6) + 5 - 1);
}

TEST(Landmarks, AreTheOutputsThemselvesWithoutAModel) {
  const std::vector<double> outputs{1, 2, 3, 4};
  EXPECT_EQ(landmarks_of({}, outputs), outputs);
}

TEST(HeadPose, IsReadOffTheRotation) {
  const LandmarkModel model = landmark_model_of(basis_of_two_points(), "basis");
  for (const auto& [yaw, pitch, roll] :
       {std::array{0.0, 0.0, 0.0}, std::array{30.0, -20.0, 10.0}, std::array{-75.0, 40.0, -170.0}}) {
    const HeadPose pose = head_pose_of(model, turned(yaw, pitch, roll, 0.25));
    EXPECT_NEAR(pose.yaw, yaw, 1e-9);
    EXPECT_NEAR(pose.pitch, pitch, 1e-9);
    EXPECT_NEAR(pose.roll, roll, 1e-9);
    EXPECT_NEAR(pose.scale, 0.25, 1e-12);
  }
}

TEST(HeadPose, HasNoRollWhereTheHeadIsTurnedByNinetyDegrees) {
  const LandmarkModel model = landmark_model_of(basis_of_two_points(), "basis");
  for (double side : {1.0, -1.0}) {
    // Rows of Ry(-side 90) Rx(35), exactly orthogonal to z.
    std::vector<double> outputs(14);
    const double sine = std::sin(35 * std::numbers::pi / 180), cosine = std::cos(35 * std::numbers::pi / 180);
    outputs[1] = -side * sine, outputs[2] = -side * cosine, outputs[5] = cosine, outputs[6] = -sine;
    const HeadPose pose = head_pose_of(model, outputs);
    EXPECT_NEAR(pose.yaw, 90 * side, 1e-5);
    EXPECT_NEAR(pose.pitch + pose.roll, 35, 1e-5);
  }
  EXPECT_EQ(head_pose_of(model, std::vector<double>(14)).scale, 0);
}

TEST(NormalisedMeanError, IsTheMeanDistanceOverTheRootOfTheBox) {
  const std::vector<double> truth{0, 0, 4, 9}, points{3, 4, 4, 10};
  EXPECT_DOUBLE_EQ(normalised_mean_error(points, truth), (5 + 1) / 2.0 / 6);
  EXPECT_EQ(normalised_mean_error(truth, truth), 0);
}

TEST(LandmarkSet, GivesPointsAndGroupsOfImagesInTheOrderOfTheirNames) {
  const Folder folder;
  nibble::testing::put_faces(folder, 3);
  const std::string description = "landmarks:" + folder.path.string();
  EXPECT_EQ(open_dataset(description)->sample(2).group, -1);
  write_npy(folder.path / "groups.npy", Tensor({3}, std::vector<int32_t>{7, 7, 4}));
  write_npz(folder.path / "basis.npz", basis_of_two_points());
  const std::shared_ptr<const Dataset> set = open_dataset(description + ":" + (folder.path / "basis.npz").string());
  ASSERT_EQ(set->size(), 3);
  EXPECT_EQ(set->landmarks()->parameters(), 14U);
  EXPECT_EQ(subset(set, {1})->landmarks(), set->landmarks());
  EXPECT_EQ(set->sample(2).x.to_integers(), std::vector<int64_t>{2});
  EXPECT_EQ(*set->sample(2).target, Tensor({2, 2}, std::vector<float>{10, 20, 13, 22}));
  Loader loader(set, {}, in_order(3), 3);
  const Batch batch = *loader.next();
  EXPECT_EQ(batch.groups, (std::vector<int64_t>{7, 7, 4}));
  EXPECT_EQ(batch.target->shape(), (Shape{3, 2, 2}));
}

TEST(LandmarkSet, MayStandInAFolderWithAColon) {
  const Folder folder;
  std::filesystem::create_directories(folder.path / "a:b");
  for (const char* file : {"0.png", "landmarks.npy"}) {
    nibble::testing::put_faces(folder, 1);
    std::filesystem::copy(folder.path / file, folder.path / "a:b" / file);
  }
  EXPECT_TRUE(open_dataset("landmarks:" + (folder.path / "a:b").string())->landmarks()->is_identity());
}
