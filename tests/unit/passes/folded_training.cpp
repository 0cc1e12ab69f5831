#include <gtest/gtest.h>

#include "graph/foldable_norms.hpp"
#include "unit/passes/networks.hpp"

/// What training will fold batch-norms into, and the grids of its weights.
namespace nibble::passes::testing {
namespace {

std::vector<std::string> foldable(const Graph& graph) {
  std::vector<std::string> names;
  for (const graph::FoldableNorm& pair : graph::foldable_norms(graph))
    names.push_back(graph.nodes[pair.norm].name + " into " + graph.nodes[pair.linear].name + " along " +
                    std::to_string(pair.axis) + " of " + graph[pair.weights].name);
  return names;
}

TEST(FoldableNorms, AloneReadALinearOpOfConstantsOfItsOwn) {
  Network n;
  ValueId x = n.batch_norm("bn_a", n.conv("a", n.input({any, 2, 6, 6}), 4, 3, 1, 1));
  const ValueId up = n.conv_transpose("up", x, 4, 3, 1, 1);
  const ValueId groups = n.conv_transpose("groups", n.batch_norm("bn_up", up), 4, 3, 1, 1, 2);
  const ValueId read_twice = n.conv("twice", n.batch_norm("bn_groups", groups), 4, 3, 1, 1);
  x = n.add("add", n.batch_norm("bn_twice", read_twice), read_twice);
  x = n.conv("clipped", n.batch_norm("bn_add", x), 4, 3, 1, 1);
  x = n.batch_norm("bn_clipped", n.relu("relu", x));
  x = n.gemm("fc", n.flatten("flatten", x), 5);
  n.finish({n.batch_norm("bn_fc", x)});
  const std::vector<std::string> expected{"bn_a into a along 0 of a_w", "bn_up into up along 1 of up_w",
                                          "bn_fc into fc along 0 of fc_w"};
  EXPECT_EQ(foldable(n.graph), expected);
}

TEST(FoldableNorms, ShareNeitherWeightsNorStatistics) {
  Network n;
  ValueId x = n.batch_norm("bn_a", n.conv("a", n.input({any, 4, 6, 6}), 4, 3, 1, 1));
  x = n.batch_norm("bn_b", n.conv("b", x, 4, 3, 1, 1));
  n.finish({n.batch_norm("bn_c", n.conv("c", x, 4, 3, 1, 1))});
  EXPECT_EQ(foldable(n.graph).size(), 3u);
  for (graph::Node& node : n.graph.nodes) {
    if (node.name == "b") node.inputs[1] = n.graph.find("a_w");
    if (node.name == "bn_c") node.inputs[1] = n.graph.find("bn_a_gamma");
  }
  EXPECT_EQ(foldable(n.graph), std::vector<std::string>{"bn_c into c along 0 of c_w"});
  for (graph::Node& node : n.graph.nodes)
    if (node.name == "bn_c") node.inputs[4] = n.graph.find("bn_a_variance");
  EXPECT_TRUE(foldable(n.graph).empty());
}

TEST(Quantise, GivesWeightsTheGridOfWhatTrainingWillFoldIntoThem) {
  for (bool per_channel : {false, true})
    for (bool folded : {false, true}) {
      Network n;
      ValueId x = n.relu("relu", n.batch_norm("bn", n.conv("conv", n.input({any, 2, 6, 6}), 4, 3)));
      x = n.relu("relu_up", n.batch_norm("bn_up", n.conv_transpose("up", x, 3, 3, 1)));
      n.finish({n.gemm("fc", n.flatten("flatten", x), 3)});
      QuantiseOptions options;
      options.policy.defaults.batch_norm = BatchNorm::Keep;
      options.policy.defaults.per_channel = per_channel;
      options.policy.defaults.weight_levels = 16;
      options.policy.defaults.weight_rounding = WeightRounding::Nearest;
      options.trains_folded = folded;
      const Graph before = n.graph;
      quantise_by(n.graph, options);
      for (const auto& [linear, axis] : {std::pair{std::string("conv"), 0}, {std::string("up"), 1}}) {
        const std::string norm = linear == "conv" ? "bn" : "bn_up";
        const Tensor& weights = *before[before.find(linear + "_w")].constant;
        std::vector<double> values = weights.to_reals();
        const std::vector<double> gamma = before[before.find(norm + "_gamma")].constant->to_reals(),
                                  variance = before[before.find(norm + "_variance")].constant->to_reals();
        const size_t inner = axis == 0 ? 18 : 9;
        for (size_t i = 0; folded && i < values.size(); ++i) {
          const size_t c = i / inner % gamma.size();
          values[i] *= (gamma[c] == 0 ? 0x1p-20 : gamma[c]) / std::sqrt(variance[c] + 1e-5);
        }
        const Tensor expected(weights.shape(), std::vector<float>(values.begin(), values.end()));
        EXPECT_EQ(*n.graph[n.graph.find(linear + "_w_q")].grid,
                  quant::grid_of_weights(expected, per_channel ? axis : -1, {16, quant::Symmetry::Symmetric}, {}, ""))
            << linear << per_channel << folded;
        // The weights themselves are training's to change.
        EXPECT_TRUE(*n.graph[n.graph.find(linear + "_w")].constant == weights);
      }
    }
}

}  // namespace
}  // namespace nibble::passes::testing
