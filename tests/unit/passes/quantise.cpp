#include <gtest/gtest.h>

#include "unit/passes/networks.hpp"

/// Where quantisers stand, what their grids are, and what their values are called.
namespace nibble::passes::testing {
namespace {

const Grid& grid_of(const Graph& graph, std::string_view value) {
  const ValueId id = graph.find(value);
  EXPECT_NE(id, graph::absent) << value;
  return graph[id].grid.value();
}

TEST(Quantise, PutsOneOnTheInputOnWeightsAndAfterTheRelu) {
  Network n;
  ValueId x = n.relu("relu", n.batch_norm("bn", n.conv("conv", n.input({any, 2, 6, 6}), 4, 3)));
  n.finish({n.gemm("fc", n.flatten("flatten", n.max_pool("pool", x)), 3)});
  quantise_by(n.graph);
  EXPECT_EQ(n.graph.stage, graph::Stage::FQ);
  EXPECT_EQ(count_of<graph::Quantise>(n.graph), 5);  // input, conv's weights and result, fc's weights and bias, no more
  for (const char* name : {"x_q", "conv_w_q", "conv_q", "fc_w_q", "fc_b_q"})
    EXPECT_NE(n.graph.find(name), graph::absent) << name;
}

TEST(Quantise, GivesWhatIsNeverNegativeAnUnsignedGrid) {
  Network n;
  const ValueId x = n.relu("relu", n.conv("conv", n.input({any, 2, 6, 6}), 4, 3));
  n.finish({n.conv("last", n.average_pool("pool", x), 2, 1)});
  quantise_by(n.graph);
  for (const char* name : {"conv_q", "pool_q"}) {
    EXPECT_EQ(grid_of(n.graph, name).zero_point, 0) << name;
    EXPECT_EQ(grid_of(n.graph, name).low, 0) << name;
  }
  EXPECT_GT(grid_of(n.graph, "x_q").zero_point, 0);
}

TEST(Quantise, TakesTheGridOfAnInputThatIsKnown) {
  Network n;
  n.finish({n.conv("conv", n.input({any, 2, 6, 6}), 4, 3)});
  QuantiseOptions options;
  Grid grid;
  grid.scale = {static_cast<double>(1.0F / 255)};
  options.inputs.push_back({"x", grid});
  quantise_by(n.graph, options);
  EXPECT_EQ(grid_of(n.graph, "x_q"), grid);
}

TEST(Quantise, GivesTheBranchesOfAnAddOneGrid) {
  Network n;
  const ValueId a = n.relu("relu", n.conv("a", n.input({any, 2, 6, 6}), 4, 3, 1, 1));
  const ValueId b = n.conv("b", a, 4, 3, 1, 1);
  n.finish({n.conv("last", n.add("add", a, b), 2, 1)});
  QuantiseOptions options;
  options.policy.defaults.branches = Branches::Common;
  quantise_by(n.graph, options);
  EXPECT_EQ(grid_of(n.graph, "a_q"), grid_of(n.graph, "b_q"));
  EXPECT_NE(grid_of(n.graph, "add_q"), grid_of(n.graph, "b_q"));
}

TEST(Quantise, PutsASecondQuantiserBehindAGivenGridThatIsShared) {
  Network n;
  const ValueId x = n.input({any, 2, 6, 6});
  n.finish({n.conv("last", n.add("add", x, n.conv("conv", x, 2, 1)), 2, 1)});
  QuantiseOptions options;
  Grid grid;
  grid.scale = {0.03125};
  grid.zero_point = 128;
  options.inputs.push_back({"x", grid});
  quantise_by(n.graph, options);
  EXPECT_EQ(grid_of(n.graph, "x_q"), grid);
  EXPECT_EQ(grid_of(n.graph, "x_q_1"), grid_of(n.graph, "conv_q"));
  Graph integer = n.graph;
  EXPECT_EQ(integerise(integer, {}).exact_nodes(), 3);
}

TEST(Quantise, PutsTheLastBiasOnTheAccumulatorsGrid) {
  Network n;
  n.finish({n.gemm("fc", n.input({any, 5}), 3)});
  quantise_by(n.graph);
  const Grid &x = grid_of(n.graph, "x_q"), &w = grid_of(n.graph, "fc_w_q"), &bias = grid_of(n.graph, "fc_b_q");
  EXPECT_FALSE(w.per_channel());
  EXPECT_EQ(bias.scale[0], x.scale[0] * w.scale[0]);  // exactly: both scales are short
  EXPECT_EQ(grid_of(n.graph, "fc"), bias);
}

TEST(Quantise, GivesAnOutputThatNoSumWritesAQuantiserOfItsOwnUnderItsName) {
  Network n;
  n.finish({n.relu("relu", n.gemm("fc", n.input({any, 5}), 3))});
  quantise_by(n.graph);
  EXPECT_EQ(n.graph[n.graph.outputs[0]].name, "relu");
  EXPECT_EQ(grid_of(n.graph, "relu").low, 0);
}

TEST(Quantise, FollowsThePolicyLayerByLayer) {
  Network n;
  const ValueId x = n.relu("relu", n.conv("block_conv", n.input({any, 2, 6, 6}), 4, 3));
  n.finish({n.conv("last", n.relu("relu2", n.conv("middle", x, 4, 3)), 2, 1)});
  QuantiseOptions options;
  options.policy =
      policy_from_json(Json::parse(R"({"weights": 6, "layers": {"block*": {"weights": 4, "activations": {"levels": 11}},
                      "m?ddle": {"granularity": "tensor", "rounding": "half_even"}}})"),
                       "policy");
  quantise_by(n.graph, options);
  EXPECT_EQ(grid_of(n.graph, "block_conv_w_q").levels(), 16);
  EXPECT_TRUE(grid_of(n.graph, "block_conv_w_q").per_channel());
  EXPECT_EQ(grid_of(n.graph, "block_conv_q").levels(), 11);
  EXPECT_EQ(grid_of(n.graph, "middle_w_q").levels(), 64);
  EXPECT_FALSE(grid_of(n.graph, "middle_w_q").per_channel());
  const auto& node = n.graph.nodes[static_cast<size_t>(index_of(n.graph, "middle_q"))];
  EXPECT_EQ(get<graph::Quantise>(node.op).rounding, Rounding::HalfEven);
}

TEST(Policy, ADefaultThatItsKeyNamesIsTheOneThatHoldsWithoutIt) {
  const Policy without = policy_from_json(Json::object(), "policy");
  const LayerPolicy named = policy_from_json(without.resolved, "policy").of("conv"), otherwise;
  EXPECT_EQ(named.weight_levels, otherwise.weight_levels);
  EXPECT_EQ(named.activation_levels, otherwise.activation_levels);
  EXPECT_EQ(named.per_channel, otherwise.per_channel);
  EXPECT_EQ(named.weight_range.method, otherwise.weight_range.method);
  EXPECT_EQ(named.activation_range.method, otherwise.activation_range.method);
  EXPECT_EQ(named.weight_rounding, otherwise.weight_rounding);
  EXPECT_EQ(named.symmetric_activations, otherwise.symmetric_activations);
  EXPECT_EQ(named.rounding, otherwise.rounding);
  EXPECT_EQ(named.enabled, otherwise.enabled);
  EXPECT_EQ(named.batch_norm, otherwise.batch_norm);
  EXPECT_EQ(named.branches, otherwise.branches);
}

TEST(Quantise, GivesUpTheLowestLevelOfWeightsOfEightBitsOnly) {
  Network n;
  n.finish({n.conv("last", n.relu("relu", n.conv("conv", n.input({any, 2, 6, 6}), 4, 3)), 2, 1)});
  Graph four = n.graph;
  quantise_by(n.graph);
  EXPECT_EQ(grid_of(n.graph, "conv_w_q").low, -127);
  QuantiseOptions options;
  options.policy.defaults.weight_levels = 16;
  quantise_by(four, options);
  EXPECT_EQ(grid_of(four, "conv_w_q").low, -8);
}

TEST(Quantise, ReadsAGraphInputToTheNearestLevelWhateverThePolicyRounds) {
  Network n;
  n.finish({n.conv("conv", n.input({any, 2, 6, 6}), 4, 3)});
  QuantiseOptions options;
  options.policy.defaults.rounding = Rounding::Floor;
  quantise_by(n.graph, options);
  const auto& node = n.graph.nodes[static_cast<size_t>(index_of(n.graph, "x_q"))];
  EXPECT_EQ(get<graph::Quantise>(node.op).rounding, Rounding::HalfUp);
}

TEST(Quantise, SharesTheQuantiserOfWeightsThatTwoLayersShare) {
  Network n;
  const ValueId x = n.input({any, 2, 6, 6});
  const ValueId a = n.conv("a", x, 2, 3, 1, 1);
  const graph::Conv op = get<graph::Conv>(n.graph.nodes[0].op);
  const ValueId b = n.node("b", op, {a, n.graph.nodes[0].inputs[1], n.graph.nodes[0].inputs[2]});
  n.finish({n.conv("last", b, 2, 1)});
  quantise_by(n.graph);
  const auto weights = [&](const char* node) {
    return n.graph.nodes[static_cast<size_t>(index_of(n.graph, node))].inputs[1];
  };
  EXPECT_EQ(weights("a"), weights("b"));
}

}  // namespace
}  // namespace nibble::passes::testing
