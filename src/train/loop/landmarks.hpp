#pragma once
#include <ATen/ATen.h>

#include "data/landmarks.hpp"

namespace nibble::train {

/// data::LandmarkModel on libtorch, to be differentiated.
class Landmarks {
 public:
  explicit Landmarks(const data::LandmarkModel& model);

  /// Outputs [B, ...] of as many values as the model has parameters (of an identity: 2 L) to landmarks [B, L, 2].
  /// Throws UserError on another number of values.
  at::Tensor points(const at::Tensor& outputs) const;
  bool is_identity() const { return identity_; }

 private:
  double height_;
  bool identity_;
  at::Tensor mean_, deviation_, average_, basis_;  ///< [P], [P], [3 L], [K, 3 L]
};

/// The mean over examples of data::normalised_mean_error, points and truth [B, L, 2]. A distance d is
/// sqrt(d^2 + 1e-6) pixels, which has a gradient at 0.
at::Tensor landmark_loss(const at::Tensor& points, const at::Tensor& truth);

}  // namespace nibble::train
