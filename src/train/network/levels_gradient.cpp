#include "train/network/levels_gradient.hpp"

#include <torch/csrc/autograd/functions/utils.h>

#include "passes/integerise/propagation.hpp"
#include "train/network/parts.hpp"

namespace nibble::train {
namespace {

using passes::element;
using torch::autograd::variable_list;

/// y = x * gain[c] + shift[c], Float32.
at::Tensor affine(const at::Tensor& x, const std::vector<double>& gain, const std::vector<double>& shift,
                  int64_t axis) {
  const size_t count = std::max(gain.size(), shift.size());
  const Parts parts(x, count, count == 1 ? -1 : axis);
  at::Tensor y = at::empty(x.sizes(), x.options().requires_grad(false));
  parts.each([&](int64_t part, size_t begin, size_t size) {
    const auto c = static_cast<size_t>(parts.channel(part));
    const auto factor = static_cast<float>(element(gain, c)), offset = static_cast<float>(element(shift, c));
    const float* __restrict from = x.data_ptr<float>() + begin;
    float* __restrict to = y.data_ptr<float>() + begin;
    for (size_t i = 0; i < size; ++i) to[i] = from[i] * factor + offset;
  });
  return y;
}

struct LevelsBackward : torch::autograd::Node {
  std::vector<double> factor;
  int64_t axis = -1;

  variable_list apply(variable_list&& gradients) override {
    if (!gradients[0].defined()) return {at::Tensor()};
    const bool none = factor.size() == 1 && factor[0] == 1;
    return {none ? gradients[0] : affine(gradients[0].contiguous(), factor, {0.0}, axis)};
  }
};

struct AccumulatorBackward : torch::autograd::Node {
  AccumulatorReals reals;
  std::vector<int64_t> bias_sizes;

  variable_list apply(variable_list&& gradients) override {
    if (!gradients[0].defined()) return {at::Tensor(), at::Tensor()};
    const at::Tensor g = gradients[0].contiguous();
    at::Tensor da, db;
    if (task_should_compute_output(0)) da = affine(g, reals.gain, {0.0}, 1);
    if (task_should_compute_output(1)) db = bias_gradient(g);
    return {da, db};
  }

  at::Tensor bias_gradient(const at::Tensor& g) const {
    int64_t count = 1;
    for (int64_t extent : bias_sizes) count *= extent;
    std::vector<int64_t> axes;
    for (int64_t i = 0; i < g.dim(); ++i)
      if (count == 1 || i != 1) axes.push_back(i);
    const at::Tensor sum = at::sum(g, axes).reshape(bias_sizes);
    return reals.beta == 1 ? sum : sum * reals.beta;
  }
};

}  // namespace

at::Tensor as_levels_of(const at::Tensor& x, const at::Tensor& levels, const std::vector<double>& factor,
                        int64_t axis) {
  at::Tensor y = levels.detach();
  if (!x.requires_grad()) return y;
  const auto node = backward_node<LevelsBackward>();
  node->set_next_edges(torch::autograd::collect_next_edges(x));
  node->factor = factor;
  node->axis = axis;
  torch::autograd::set_history(y, node);
  return y;
}

at::Tensor reals_of_accumulator(const at::Tensor& a, const AccumulatorReals& reals, const at::Tensor& bias) {
  at::Tensor z = affine(a.detach().contiguous(), reals.scale, reals.shift, 1);
  const bool learns = bias.defined() && bias.requires_grad();
  if (!a.requires_grad() && !learns) return z;
  const auto node = backward_node<AccumulatorBackward>();
  node->set_next_edges(torch::autograd::collect_next_edges(a, bias));
  node->reals = reals;
  if (bias.defined()) node->bias_sizes = bias.sizes().vec();
  torch::autograd::set_history(z, node);
  return z;
}

}  // namespace nibble::train
