#include "train/loop/landmarks.hpp"

#include "base/error.hpp"

namespace nibble::train {
namespace {

constexpr auto pose = static_cast<int64_t>(data::LandmarkModel::pose_parameters);

at::Tensor floats(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble).to(at::kFloat);
}

}  // namespace

Landmarks::Landmarks(const data::LandmarkModel& model) : height_(model.height), identity_(model.is_identity()) {
  if (identity_) return;
  mean_ = floats(model.mean), deviation_ = floats(model.deviation), average_ = floats(model.average);
  const auto shapes = static_cast<int64_t>(model.shapes());
  basis_ = floats(model.basis).view({average_.size(0), shapes}).t().contiguous();
}

at::Tensor Landmarks::points(const at::Tensor& outputs) const {
  const int64_t examples = outputs.size(0), values = outputs.numel() / examples;
  if (identity_) {
    if (values % 2 != 0) fail("train", "loss landmarks", std::to_string(values) + " outputs", "x and y of each point");
    return outputs.reshape({examples, values / 2, 2});
  }
  if (values != mean_.size(0))
    fail("train", "loss landmarks", std::to_string(values) + " outputs",
         std::to_string(mean_.size(0)) + ", the face model's parameters");
  const at::Tensor p = outputs.reshape({examples, values}) * deviation_ + mean_;
  const at::Tensor v = (average_ + at::matmul(p.slice(1, pose), basis_)).view({examples, -1, 3});
  const at::Tensor moved = p.slice(1, 0, pose).view({examples, 3, 4});
  const at::Tensor q = at::bmm(v, moved.slice(2, 0, 3).transpose(1, 2)) + moved.select(2, 3).unsqueeze(1);
  return at::stack({q.select(2, 0) - 1, height_ - q.select(2, 1)}, 2);
}

at::Tensor landmark_loss(const at::Tensor& points, const at::Tensor& truth) {
  if (points.sizes() != truth.sizes())
    fail("train", "loss landmarks", std::to_string(points.size(1)) + " points",
         std::to_string(truth.size(1)) + ", as the data have");
  const at::Tensor distances = (points - truth).square().sum(2).add(1e-6).sqrt().mean(1);
  const at::Tensor box = truth.amax({1}) - truth.amin({1});
  return (distances / box.prod(1).sqrt()).mean();
}

}  // namespace nibble::train
