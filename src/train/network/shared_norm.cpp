#include "train/network/shared_norm.hpp"

#include <torch/csrc/autograd/functions/utils.h>

#include "train/network/parts.hpp"
#include "train/network/tensors.hpp"

namespace nibble::train {
namespace {

using torch::autograd::variable_list;

/// Of every channel, Float64 [C], and of how many values.
struct Moments {
  double count;
  at::Tensor mean, variance;
};

Moments moments_of_all(const at::Tensor& x, const Share& share) {
  const auto [mean, variance] = at::batch_norm_update_stats(x, {}, {}, 0);
  const int64_t channels = x.size(1);
  const double count = share.counts ? static_cast<double>(x.numel() / channels) : 0;
  // count, then count * mean, then the squares of what lies beside the mean: two sums over the ranks.
  const at::Tensor own = mean.to(at::kDouble);
  const at::Tensor sums = at::cat({at::full({1}, count, at::kDouble), own * count});
  share.ranks->add(sums);
  const auto all = sums[0].item<double>();
  const at::Tensor of_all = sums.slice(0, 1) / all;
  const at::Tensor squares = ((own - of_all).square() + variance.to(at::kDouble)) * count;
  share.ranks->add(squares);
  return {all, of_all, squares / all};
}

struct SharedNormBackward : torch::autograd::Node {
  at::Tensor x, gamma, mean, variance, inverse;
  double epsilon, count;
  Share share;

  variable_list apply(variable_list&& gradients) override {
    if (!gradients[0].defined()) return {at::Tensor(), at::Tensor(), at::Tensor()};
    const at::Tensor g = gradients[0].contiguous();
    auto [dx, dgamma, dbeta] = at::native_batch_norm_backward(g, x, gamma, mean, variance, mean, inverse, false,
                                                              epsilon, {task_should_compute_output(0), true, true});
    // As if mean and variance were constants; now less what goes through them, of which all ranks have their part.
    const at::Tensor sums = at::cat({dgamma, dbeta});
    share.ranks->add(sums);
    // What is not counted is no part of them.
    if (dx.defined() && share.counts) {
      const int64_t channels = x.size(1);
      const at::Tensor through_variance = gamma * inverse * inverse * sums.slice(0, 0, channels) / count;
      const at::Tensor through_mean = gamma * inverse * sums.slice(0, channels) / count - through_variance * mean;
      dx.addcmul_(x, along(through_variance, x.dim(), 1), -1).sub_(along(through_mean, x.dim(), 1));
    }
    return {dx, dgamma, dbeta};
  }

  void release_variables() override { x.reset(); }
};

void move(at::Tensor running, const at::Tensor& value, double momentum) {
  running.mul_(1 - momentum).add_(value.to(at::kFloat), momentum);
}

}  // namespace

Normalised normalise_by_shared_batch(double epsilon, const std::vector<at::Tensor>& in, const Share& share,
                                     double momentum) {
  const at::Tensor x = in[0].detach().contiguous(), gamma = in[1].detach(), beta = in[2].detach();
  const Moments all = moments_of_all(x, share);
  const at::Tensor mean = all.mean.to(at::kFloat), variance = all.variance.to(at::kFloat);
  const at::Tensor inverse = (all.variance + epsilon).rsqrt().to(at::kFloat);
  move(in[3], all.mean, momentum);
  move(in[4], all.variance * (all.count / (all.count - 1)), momentum);
  at::Tensor y = std::get<0>(at::native_batch_norm(x, gamma, beta, mean, variance, false, momentum, epsilon));
  if (!in[0].requires_grad() && !in[1].requires_grad() && !in[2].requires_grad()) return {y, mean, inverse};
  const auto node = backward_node<SharedNormBackward>();
  node->set_next_edges(torch::autograd::collect_next_edges(in[0], in[1], in[2]));
  node->x = x, node->gamma = gamma, node->mean = mean, node->variance = variance, node->inverse = inverse;
  node->epsilon = epsilon, node->count = all.count, node->share = share;
  torch::autograd::set_history(y, node);
  return {y, mean, inverse};
}

}  // namespace nibble::train
