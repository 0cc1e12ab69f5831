#include <gtest/gtest.h>

#include "unit/passes/networks.hpp"

/// A layer's mean before and after quantisation.
namespace nibble::passes::testing {
namespace {

/// The mean of each channel of a value over the calibration batches.
std::vector<double> means_of(const Graph& graph, const std::string& value) {
  std::vector<double> sums;
  double count = 0;
  const ValueId id = graph.find(value);
  batches_of(graph)([&](const std::vector<Tensor>& inputs) {
    graph::evaluate(graph, inputs, [&](ValueId seen, const Tensor& tensor) {
      if (seen != id) return;
      const auto values = tensor.to_reals();
      const auto channels = static_cast<size_t>(tensor.shape()[1]);
      const size_t inner = values.size() / (static_cast<size_t>(tensor.shape()[0]) * channels);
      sums.resize(channels);
      for (size_t i = 0; i < values.size(); ++i) sums[i / inner % channels] += values[i];
      count += static_cast<double>(values.size() / channels);
    });
  });
  for (double& sum : sums) sum /= count;
  return sums;
}

double largest_shift(const Graph& before, const Graph& after, const std::string& value) {
  const auto a = means_of(before, value), b = means_of(after, value);
  double largest = 0;
  for (size_t c = 0; c < a.size(); ++c) largest = std::max(largest, std::abs(a[c] - b[c]));
  return largest;
}

QuantiseOptions coarse(bool bias_correction, Rounding rounding = Rounding::HalfUp) {
  QuantiseOptions options;
  options.policy.defaults.weight_levels = 4;
  options.policy.defaults.activation_levels = 8;
  options.policy.defaults.rounding = rounding;
  options.bias_correction = bias_correction;
  // Weights and ranges as they are.
  options.policy.defaults.activation_range = {quant::RangeMethod::MinMax, 0};
  return options;
}

TEST(CorrectBiases, GivesALayerTheMeanThatItHadWithBordersGroupsAndNoBias) {
  for (const int64_t group : {1, 4})
    for (const bool bias : {false, true}) {
      Network n;
      const ValueId x = n.input({any, 4, 6, 6});
      n.finish({n.relu("relu", n.conv("conv", x, 8, 3, 2, 1, group, bias))});
      Graph plain = n.graph, corrected = n.graph;
      quantise_by(plain, coarse(false));
      quantise_by(corrected, coarse(true));
      EXPECT_LT(largest_shift(n.graph, corrected, "conv"), 1e-6);
      EXPECT_GT(largest_shift(n.graph, plain, "conv"), 0.01);
    }
}

TEST(CorrectBiases, TakesBackWhatRoundingByFloorLoses) {
  Network n;
  n.finish({n.relu("relu", n.gemm("fc", n.input({any, 5}), 3))});
  Graph plain = n.graph, corrected = n.graph;
  quantise_by(plain, coarse(false, Rounding::Floor));
  quantise_by(corrected, coarse(true, Rounding::Floor));
  EXPECT_LT(largest_shift(n.graph, corrected, "fc"), 1e-6);
  EXPECT_GT(largest_shift(n.graph, plain, "fc"), 0.01);
}

TEST(CorrectBiases, AnswersInEachLayerForItsOwnErrorOnly) {
  Network n;
  const ValueId x = n.relu("r1", n.conv("c1", n.input({any, 2, 6, 6}), 4, 3));
  n.finish({n.relu("r2", n.conv("c2", n.max_pool("pool", x), 4, 1))});
  Graph corrected = n.graph;
  quantise_by(corrected, coarse(true));
  // The input of the first layer is the network's; that of the second has the first one's errors about their mean.
  EXPECT_LT(largest_shift(n.graph, corrected, "c1"), 1e-6);
  EXPECT_GT(largest_shift(n.graph, corrected, "c2"), 0);
}

TEST(CorrectBiases, LeavesANetworkOfProductsOfActivationsAsItIs) {
  Network n;
  const ValueId x = n.input({any, 2, 6});
  n.finish({n.node("product", graph::MatMul{}, {x, n.constant("w", n.normal({6, 3}))})});
  Graph plain = n.graph, corrected = n.graph;
  quantise_by(plain, coarse(false));
  quantise_by(corrected, coarse(true));
  EXPECT_EQ(largest_shift(plain, corrected, "product"), 0);
}

}  // namespace
}  // namespace nibble::passes::testing
