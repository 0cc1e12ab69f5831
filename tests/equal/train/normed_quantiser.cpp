#include "train/network/normed_quantiser.hpp"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "train/network/network.hpp"
#include "train/network/tensors.hpp"
#include "unit/train/norms.hpp"

/// A batch-norm and its quantiser in one step are the ops one by one.
namespace nibble {
namespace {

using train::Accumulated;

at::Tensor drawn(at::IntArrayRef shape, Random& random, double deviation, double mean = 0) {
  at::Tensor x = at::empty(shape, at::kFloat);
  for (int64_t i = 0; i < x.numel(); ++i)
    x.data_ptr<float>()[i] = static_cast<float>(mean + deviation * random.normal());
  return x;
}

/// What is 0 but for roundings (a bias' gradient before a batch-norm) is compared with 1e-3.
double distance(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max().clamp_min(1e-3)).item<double>();
}
/// Of sums of residues, which are kept in 252 steps.
constexpr double of_sums = 5e-3;

/// What is learned of a quantiser, and what its gradient keeps.
train::LearnedGradient learned_of(const quant::Learning& learning, float value) {
  train::LearnedGradient learned{learning, {}, {}, {}, false, nullptr};
  if (!quant::algorithm_of(learning).learns.empty())
    learned.high = at::full({1}, value, at::kFloat).requires_grad_(true);
  const std::vector<double> state = quant::state_at_start(learning);
  if (!state.empty()) learned.state = at::tensor(at::ArrayRef<double>(state), at::kDouble).repeat({1, 1});
  return learned;
}

struct Case {
  std::vector<int64_t> shape;
  bool relu, by_channel;
  Rounding rounding;
  quant::Learning learning;
};

void check(const Case& each, uint64_t seed) {
  Random random(seed);
  const int64_t channels = each.shape[1];
  const auto c = static_cast<size_t>(channels);
  Accumulated z{at::round(drawn(each.shape, random, 300, 40)), {0.01}, {0.0}};
  if (each.by_channel) {
    z.scale.clear(), z.shift.clear();
    for (size_t i = 0; i < c; ++i)
      z.scale.push_back(0.005 * static_cast<double>(1 + i)), z.shift.push_back(random.normal());
  }
  at::Tensor reals = at::empty(each.shape, at::kFloat);
  for (int64_t i = 0; i < reals.numel(); ++i) {
    const auto channel = static_cast<size_t>(i / (reals.numel() / each.shape[0] / channels) % channels);
    reals.data_ptr<float>()[i] =
        static_cast<float>(static_cast<double>(z.a.data_ptr<float>()[i]) * passes::element(z.scale, channel) +
                           passes::element(z.shift, channel));
  }
  const at::Tensor gamma = drawn({channels}, random, 0.5, 1), beta = drawn({channels}, random, 0.5);
  quant::Steps steps;
  steps.scale = 0.2F, steps.rounding = each.rounding;
  steps.low = each.relu ? 0 : -8, steps.high = each.relu ? 15 : 7;
  steps.end = quant::end_of(each.learning, steps);
  const train::StepsAlong along{{steps}, -1};
  const at::Tensor g = drawn(each.shape, random, 1);
  constexpr double epsilon = 1e-5;

  const auto leaf = [](const at::Tensor& x) { return x.clone().requires_grad_(true); };
  const at::Tensor z1 = leaf(reals), gamma1 = leaf(gamma), beta1 = leaf(beta);
  const at::Tensor mean1 = at::full({channels}, 0.5F), variance1 = at::full({channels}, 2.0F);
  const train::LearnedGradient learned1 = learned_of(each.learning, 1);
  at::Tensor x = at::batch_norm(z1, gamma1, beta1, mean1, variance1, true, train::batch_norm_momentum, epsilon, false);
  if (each.relu) x = at::relu(x);
  train::fake_quantise(x, along, learned1).backward(g);

  // Their numbers are not read.
  const at::Tensor z2 = at::full(each.shape, std::nanf(""), at::kFloat).requires_grad_(true);
  const at::Tensor gamma2 = leaf(gamma), beta2 = leaf(beta);
  const at::Tensor mean2 = at::full({channels}, 0.5F), variance2 = at::full({channels}, 2.0F);
  const train::LearnedGradient learned2 = learned_of(each.learning, 1);
  const train::BatchMoments moments = train::moments_of(z, epsilon);
  train::move_statistics(moments, train::batch_norm_momentum, mean2, variance2);
  train::quantise_normed({z2, gamma2, beta2, each.relu}, z, moments, along, learned2).backward(g);

  EXPECT_LT(distance(z2.grad(), z1.grad()), 1e-4);
  EXPECT_LT(distance(gamma2.grad(), gamma1.grad()), 1e-5);
  EXPECT_LT(distance(beta2.grad(), beta1.grad()), 1e-4);
  EXPECT_LT(distance(mean2, mean1), 1e-5);
  EXPECT_LT(distance(variance2, variance1), 1e-6);
  ASSERT_EQ(learned1.high.defined(), learned2.high.defined());
  if (learned1.high.defined()) {
    EXPECT_LT(distance(learned2.high.grad(), learned1.high.grad()), of_sums);
  }

  // What the integers become is the same function.
  const passes::Affine affine = train::affine_of(gamma, beta, moments.mean, moments.inverse);
  double farthest = 0;
  for (int64_t i = 0; i < reals.numel() && !each.relu; ++i) {
    const auto channel = static_cast<size_t>(i / (reals.numel() / each.shape[0] / channels) % channels);
    farthest = std::max(farthest, std::abs(static_cast<double>(reals.data_ptr<float>()[i]) * affine.gain[channel] +
                                           affine.shift[channel] - static_cast<double>(x.data_ptr<float>()[i])));
  }
  EXPECT_LT(farthest, 1e-5);
}

TEST(NormedQuantiser, HasTheGradientsOfItsOpsOneByOne) {
  const std::vector<quant::Learning> learnings{quant::Ste{}, quant::Pact{}, quant::Lsq{}, quant::Tqt{{}, true}};
  uint64_t seed = 1;
  for (const quant::Learning& learning : learnings)
    for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{
             {4, 3, 5, 7}, {2, 16, 8, 8}, {3, 2, 40}, {1, 2, 190, 190}, {2, 3, 3, 4, 5}, {3, 1, 1, 1}})
      for (bool relu : {false, true})
        for (Rounding rounding : {Rounding::HalfUp, Rounding::Floor, Rounding::HalfEven}) {
          SCOPED_TRACE(std::string(quant::to_string(learning)) + " " + to_string(Shape(shape)) +
                       (relu ? " relu " : " ") + std::string(to_string(rounding)));
          check({shape, relu, seed % 2 == 0, rounding, learning}, seed);
          ++seed;
        }
}

/// The same bits on any number of threads.
TEST(NormedQuantiser, DoesNotDependOnThreads) {
  std::vector<at::Tensor> found;
  for (int threads : {1, 3}) {
    at::set_num_threads(threads);
    Random random(5);
    const Accumulated z{at::round(drawn({7, 5, 90, 90}, random, 300)), {0.01}, {0.0}};
    const at::Tensor reals = at::zeros({7, 5, 90, 90}).requires_grad_(true);
    const at::Tensor gamma = at::full({5}, 1.5F).requires_grad_(true), beta = at::full({5}, 0.1F).requires_grad_(true);
    const train::LearnedGradient learned = learned_of(quant::Lsq{}, 1);
    train::quantise_normed({reals, gamma, beta, true}, z, train::moments_of(z, 1e-5), {{quant::Steps{0.1F}}, -1},
                           learned)
        .backward(drawn({7, 5, 90, 90}, random, 1));
    found.push_back(at::cat({reals.grad().flatten(), gamma.grad(), beta.grad(), learned.high.grad()}));
  }
  EXPECT_TRUE(at::equal(found[0], found[1]));
}

/// A network trains the same whether the values between are asked for or not.
TEST(NormedQuantiser, InANetworkIsWhatItsValuesSay) {
  const std::vector<train::QuantiserRecipe> recipes{
      {}, {quant::Lsq{}, false}, {quant::Tqt{{}, true}, false}, {quant::Pact{}, false}};
  for (bool apart : {false, true})
    for (const train::QuantiserRecipe& recipe : recipes) {
      const graph::Graph graph = test::network_of_norms(0.7F, apart);
      Random random(8);
      const at::Tensor x = drawn({16, 1, 8, 8}, random, 1), by = drawn({16, 4}, random, 1);
      std::vector<std::vector<at::Tensor>> found;
      std::vector<int> seen;
      for (bool asks : {true, false}) {
        train::Network network(graph, [&](const train::QuantiserPlace&) { return recipe; });
        int count = 0;
        const train::Observer observer([&](graph::ValueId, const at::Tensor&) { ++count; },
                                       [&](graph::ValueId id) { return asks || graph[id].name == "relu_q"; });
        const at::Tensor y = network.run(x, {true, {}, 0, false}, false, observer);
        (y * by).sum().backward();
        found.push_back({y.detach()});
        for (const train::Learned& one : network.learned())
          found.back().push_back(one.gradient ? one.tensor.grad() : one.tensor.detach());
        seen.push_back(count);
      }
      EXPECT_GT(seen[0], 10);
      EXPECT_EQ(seen[1], 1);
      ASSERT_EQ(found[0].size(), found[1].size());
      for (size_t i = 0; i < found[0].size(); ++i) {
        ASSERT_EQ(found[0][i].defined(), found[1][i].defined());
        if (!found[0][i].defined()) continue;
        EXPECT_LT(distance(found[1][i], found[0][i]), of_sums) << i << (apart ? " apart" : "");
      }
    }
}

}  // namespace
}  // namespace nibble
