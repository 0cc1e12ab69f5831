#include "train/network/levels_gradient.hpp"

#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>

#include "passes/integerise/propagation.hpp"
#include "train/network/parts.hpp"
#include "train/network/reals.hpp"
#include "train/network/windows.hpp"

namespace nibble::train {
namespace {

using passes::element;
using torch::autograd::variable_list;

/// y = x * gain[c] + shift[c], Float32.
at::Tensor affine(const at::Tensor& x, const std::vector<double>& gain, const std::vector<double>& shift,
                  int64_t axis) {
  std::vector<quant::LevelReals> how(std::max(gain.size(), shift.size()));
  for (size_t c = 0; c < how.size(); ++c) how[c] = {{element(gain, c)}, {0.0}, element(shift, c)};
  return reals_of(how, {x}, axis);
}

/// For gradients.
bool asks(const at::Tensor& x) {
  return x.defined() && x.requires_grad();
}

struct LevelsBackward : torch::autograd::Node {
  std::vector<double> factor;
  int64_t axis = -1;

  variable_list apply(variable_list&& gradients) override {
    if (!gradients[0].defined()) return {at::Tensor()};
    const bool none = factor.size() == 1 && factor[0] == 1;
    return {none ? gradients[0] : affine(gradients[0], factor, {0.0}, axis)};
  }
};

/// dL/dbias, of a number or one a channel.
at::Tensor bias_gradient(const at::Tensor& g, at::IntArrayRef bias_sizes, double beta) {
  int64_t count = 1;
  for (int64_t extent : bias_sizes) count *= extent;
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < g.dim(); ++i)
    if (count == 1 || i != 1) axes.push_back(i);
  const at::Tensor sum = at::sum(g, axes).reshape(bias_sizes);
  return beta == 1 ? sum : sum * beta;
}

struct AccumulatorBackward : torch::autograd::Node {
  AccumulatorReals reals;
  std::vector<int64_t> bias_sizes;

  variable_list apply(variable_list&& gradients) override {
    if (!gradients[0].defined()) return {at::Tensor(), at::Tensor()};
    const at::Tensor& g = gradients[0];
    at::Tensor da, db;
    if (task_should_compute_output(0)) da = affine(g, reals.gain, {0.0}, 1);
    if (task_should_compute_output(1)) db = bias_gradient(g, bias_sizes, reals.beta);
    return {da, db};
  }
};

/// The gains are in the weights, a thousandth of what the activations are.
struct ConvolutionBackward : torch::autograd::Node {
  graph::Conv op;
  at::Tensor levels, weights;
  std::vector<double> factor;  ///< of dL/dw
  std::vector<int64_t> bias_sizes;

  variable_list apply(variable_list&& gradients) override {
    if (!gradients[0].defined()) return {at::Tensor(), at::Tensor(), at::Tensor()};
    const at::Tensor g = gradients[0].contiguous();
    auto [dx, dw] =
        convolve_backward(op, g, levels, weights, task_should_compute_output(0), task_should_compute_output(1));
    if (dw.defined()) dw = affine(dw, factor, {0.0}, 0);
    return {dx, dw, task_should_compute_output(2) ? bias_gradient(g, bias_sizes, 1) : at::Tensor()};
  }

  void release_variables() override { levels.reset(), weights.reset(); }
};

struct SumBackward : torch::autograd::Node {
  size_t count = 0;

  variable_list apply(variable_list&& gradients) override { return variable_list(count, gradients[0]); }
};

}  // namespace

at::Tensor as_levels_of(const at::Tensor& x, const at::Tensor& levels, const std::vector<double>& factor,
                        int64_t axis) {
  at::Tensor y = levels.detach();
  if (!asks(x)) return y;
  const auto node = backward_node<LevelsBackward>();
  node->set_next_edges(torch::autograd::collect_next_edges(x));
  node->factor = factor;
  node->axis = axis;
  torch::autograd::set_history(y, node);
  return y;
}

at::Tensor reals_of_accumulator(const at::Tensor& a, const AccumulatorReals& reals, const at::Tensor& bias) {
  at::Tensor z = affine(a.detach(), reals.scale, reals.shift, 1);
  if (!asks(a) && !asks(bias)) return z;
  const auto node = backward_node<AccumulatorBackward>();
  node->set_next_edges(torch::autograd::collect_next_edges(a, bias));
  node->reals = reals;
  if (bias.defined()) node->bias_sizes = bias.sizes().vec();
  torch::autograd::set_history(z, node);
  return z;
}

at::Tensor reals_of_convolution(const at::Tensor& a, const AccumulatorReals& reals, const ConvolvedLevels& of,
                                const at::Tensor& bias, Values values) {
  at::Tensor z =
      values == Values::Elsewhere ? at::empty(a.sizes(), at::kFloat) : affine(a.detach(), reals.scale, reals.shift, 1);
  if (!asks(of.x) && !asks(of.weights) && !asks(bias)) return z;
  const auto node = backward_node<ConvolutionBackward>();
  node->set_next_edges(torch::autograd::collect_next_edges(of.x, of.weights, bias));
  node->op = of.op;
  node->levels = of.levels;
  node->weights = affine(of.weight_levels, reals.gain, {0.0}, 0);
  for (size_t c = 0; c < std::max(reals.scale.size(), of.weight_scale.size()); ++c)
    node->factor.push_back(element(reals.scale, c) / element(of.weight_scale, c));
  if (bias.defined()) node->bias_sizes = bias.sizes().vec();
  torch::autograd::set_history(z, node);
  return z;
}

at::Tensor as_sum_of(const at::Tensor& reals, const std::vector<at::Tensor>& terms) {
  at::Tensor y = reals.detach();
  if (std::none_of(terms.begin(), terms.end(), asks)) return y;
  const auto node = backward_node<SumBackward>();
  node->set_next_edges(torch::autograd::collect_next_edges(terms));
  node->count = terms.size();
  torch::autograd::set_history(y, node);
  return y;
}

}  // namespace nibble::train
