#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/npz.hpp"

namespace nibble::data {

/// What a network's outputs y say of a face: a linear morphable model (3DMM). With p = y * deviation + mean,
///
///     R|t = the first 12 of p as 3x4      v = average + basis * (the rest of p), L points (x, y, z)
///     q = R v + t                         a landmark, in pixels of the crop: (q_x - 1, height - q_y)
///
/// Without any of it (no mean) the outputs are the landmarks themselves, x and y of each.
/// Sources: Blanz and Vetter 1999; the conventions are 3DDFA_V2's (Guo et al. 2020).
struct LandmarkModel {
  std::vector<double> mean, deviation;  ///< P = 12 + K
  std::vector<double> average;          ///< 3 L: x, y, z of each point
  std::vector<double> basis;            ///< [3 L, K] row-major: K shapes and expressions
  double height = 120;                  ///< of the crop, pixels

  bool is_identity() const { return mean.empty(); }
  size_t parameters() const { return mean.size(); }
  size_t points() const { return average.size() / 3; }
  size_t shapes() const { return mean.size() - pose_parameters; }

  static constexpr size_t pose_parameters = 12;
};

/// Arrays mean, std [P], u [3 L], w_shape [3 L, S], w_expression [3 L, E] with P = 12 + S + E and, where the crop is
/// not 120 pixels high, height (one number). Throws UserError "data: <place>: ...".
LandmarkModel landmark_model_of(const Arrays& arrays, const std::string& place);
LandmarkModel read_landmark_model(const std::filesystem::path& npz);

/// Of one example: outputs [P] to landmarks [L, 2], x and y in pixels (processing/landmarks.h).
std::vector<double> landmarks_of(const LandmarkModel& model, std::span<const double> outputs);

/// How a head is turned, in degrees, and its size. R's first two rows are made of length 1, the third is their product:
/// R = Rz(roll) Ry(-yaw) Rx(pitch), yaw in [-90, 90]; where it is turned by a full 90 roll is 0. Source: Slabaugh 1999.
struct HeadPose {
  double yaw = 0, pitch = 0, roll = 0;
  double scale = 0;  ///< mean length of R's first two rows, pixels a unit of the model
};
/// Not of an identity model.
HeadPose head_pose_of(const LandmarkModel& model, std::span<const double> outputs);

/// Mean distance of the points over sqrt(width * height) of the true ones' bounding box. Both [L, 2] and of one L, at
/// least 1; a box without an area throws UserError.
double normalised_mean_error(std::span<const double> points, std::span<const double> truth);

}  // namespace nibble::data
