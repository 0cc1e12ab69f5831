#include "train/loop/loss.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "train/network/tensors.hpp"

namespace nibble::train {
namespace {

at::Tensor flat(const at::Tensor& output) {
  const bool ones = output.dim() >= 2 && output.numel() == output.size(0) * output.size(1);
  if (!ones) fail("train", "loss", "outputs of shape " + to_string(output.sizes().vec()), "[N, classes]");
  return output.flatten(1);
}

at::Tensor labels_of(const data::Batch& batch, int64_t classes) {
  const auto outside = std::find_if(batch.labels.begin(), batch.labels.end(),
                                    [&](int64_t label) { return label < 0 || label >= classes; });
  if (outside != batch.labels.end())
    fail("train", "data set", "label " + std::to_string(*outside),
         "0 to " + std::to_string(classes - 1) + ": the network has " + std::to_string(classes) + " outputs");
  return at::tensor(at::IntArrayRef(batch.labels), at::kLong);
}

}  // namespace

at::Tensor loss_of(const Recipe& recipe, const at::Tensor& output, const data::Batch& batch,
                   const Landmarks* landmarks) {
  if (recipe.loss == "landmarks") {
    if (landmarks == nullptr || !batch.target)
      fail("train", "data set", "no landmarks", "landmarks:DIR[:BASIS] for the loss landmarks");
    return landmark_loss(landmarks->points(output), to_torch(*batch.target));
  }
  if (recipe.loss == "mean_square") {
    if (!batch.target) fail("train", "data set", "no targets", "targets for the loss mean_square");
    if (batch.target->shape() != output.sizes().vec())
      fail("train", "data set", "targets of shape " + to_string(batch.target->shape()),
           to_string(output.sizes().vec()));
    return at::mse_loss(output, to_torch(*batch.target));
  }
  if (batch.labels.empty()) fail("train", "data set", "no labels", "labels for the loss cross_entropy");
  const at::Tensor logits = flat(output);
  return at::cross_entropy_loss(logits, labels_of(batch, logits.size(1)), {}, at::Reduction::Mean, -100,
                                recipe.label_smoothing);
}

at::Tensor distance_of(const Recipe& recipe, const at::Tensor& output, const at::Tensor& teacher, double temperature,
                       const Landmarks* landmarks) {
  if (recipe.loss == "mean_square") return at::mse_loss(output, teacher);
  if (landmarks != nullptr && recipe.loss == "landmarks") {
    const at::Tensor of_points = landmark_loss(landmarks->points(output), landmarks->points(teacher));
    return landmarks->is_identity() ? of_points : of_points + at::mse_loss(output, teacher);
  }
  const auto logarithms = [&](const at::Tensor& logits) { return at::log_softmax(flat(logits) / temperature, 1); };
  const at::Tensor sum = at::kl_div(logarithms(output), logarithms(teacher), at::Reduction::Sum, /*log_target=*/true);
  return sum * (temperature * temperature / static_cast<double>(output.size(0)));
}

void add_batch(Sums& sums, double mean_loss, const at::Tensor& output, const data::Batch& batch) {
  const int64_t count = output.size(0);
  sums.loss += mean_loss * static_cast<double>(count);
  sums.examples += count;
  if (batch.labels.empty()) return;
  const at::Tensor decided = flat(output.detach()).argmax(1);
  sums.correct += decided.eq(at::tensor(at::IntArrayRef(batch.labels), at::kLong)).sum().item<int64_t>();
}

}  // namespace nibble::train
