#include "train/network/levels_gradient.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "train/network/windows.hpp"

/// Linear ops on levels have the gradients of the reals.
namespace nibble::train {
namespace {

at::Tensor drawn(std::vector<int64_t> shape, uint64_t seed) {
  Random random(seed);
  at::Tensor x = at::empty(shape, at::kFloat);
  for (int64_t i = 0; i < x.numel(); ++i) x.data_ptr<float>()[i] = static_cast<float>(random.normal());
  return x;
}

at::Tensor levels(std::vector<int64_t> shape, uint64_t seed) {
  return at::clamp(at::round(drawn(shape, seed) * 4), -8, 7);
}

at::Tensor leaf(const at::Tensor& x) {
  return x.detach().clone().set_requires_grad(true);
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>() / (1 + b.abs().max().item<double>());
}

graph::Conv conv_of(graph::Ints strides, graph::Ints pads, int64_t group) {
  graph::Conv op;
  op.strides = std::move(strides), op.pads = std::move(pads), op.group = group;
  return op;
}

TEST(LevelsGradient, OfAConvolutionIsTheOneOfItsReals) {
  for (const graph::Conv& op : {conv_of({1, 1}, {1, 1, 1, 1}, 1), conv_of({2, 1}, {0, 1, 2, 0}, 1),
                                conv_of({1, 2}, {}, 3), conv_of({1, 1}, {-1, 0, 2, 1}, 1)})
    for (const std::vector<double>& scale : {std::vector<double>{0.5}, {0.5, 0.25, 0.125, 1, 2, 0.75}}) {
      const double step = 0.3;
      const at::Tensor q = levels({2, 6, 7, 8}, 1), k = levels({6, 6 / op.group, 3, 3}, 2);
      const at::Tensor along = at::tensor(at::ArrayRef<double>(scale), at::kFloat).reshape({-1, 1, 1, 1});
      const at::Tensor x = leaf(q * step), w = leaf(k * along), bias = leaf(drawn({6}, 3));
      const at::Tensor expected = convolve(op, x, w, bias);
      const at::Tensor g = drawn(expected.sizes().vec(), 4);
      expected.backward(g);
      const at::Tensor x2 = leaf(x), w2 = leaf(w), bias2 = leaf(bias);
      AccumulatorReals how{scale, {}, scale, 1};
      for (double& each : how.scale) each *= step;
      for (int64_t c = 0; c < 6; ++c) how.shift.push_back(static_cast<double>(bias.data_ptr<float>()[c]));
      const at::Tensor z = reals_of_convolution(convolve(op, q, k, {}), how, {op, x2, w2, q, k, scale}, bias2);
      z.backward(g);
      EXPECT_LT(distance(z.detach(), expected.detach()), 1e-6);
      EXPECT_LT(distance(x2.grad(), x.grad()), 1e-5);
      EXPECT_LT(distance(w2.grad(), w.grad()), 1e-5);
      EXPECT_LT(distance(bias2.grad(), bias.grad()), 1e-5);
    }
}

TEST(LevelsGradient, OfAConvolutionIsMadeOnlyWhereItIsAskedFor) {
  const graph::Conv op = conv_of({1, 1}, {1, 1, 1, 1}, 1);
  const at::Tensor q = levels({1, 2, 5, 5}, 1), k = levels({4, 2, 3, 3}, 2), w = leaf(k);
  const at::Tensor a = convolve(op, q, k, {});
  const AccumulatorReals how{{1.0}, {0.0}, {1.0}, 1};
  EXPECT_FALSE(reals_of_convolution(a, how, {op, q, k, q, k, {1.0}}, {}).requires_grad());
  reals_of_convolution(a, how, {op, q, w, q, k, {1.0}}, {}).sum().backward();
  EXPECT_TRUE(w.grad().defined());
}

TEST(LevelsGradient, OfASumReachesEachTermThatAsksForIt) {
  const at::Tensor a = leaf(levels({2, 3}, 1)), b = levels({2, 3}, 2), g = drawn({2, 3}, 3);
  const at::Tensor y = as_sum_of((a + b).detach(), {a, b, a});
  y.backward(g);
  EXPECT_TRUE(at::equal(a.grad(), g * 2));
  EXPECT_FALSE(as_sum_of(b + b, {b, b}).requires_grad());
}

}  // namespace
}  // namespace nibble::train
