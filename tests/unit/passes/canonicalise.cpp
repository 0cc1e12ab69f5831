#include <gtest/gtest.h>

#include <cmath>

#include "unit/passes/networks.hpp"

/// What each pass of canonicalise() does, and what it leaves alone. Every test also checks that the function is the
/// same.
namespace nibble::passes::testing {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Runs one pass to its end; the network computes the same afterwards.
int apply(int (*pass)(Graph&), Graph& graph) {
  Random random(5);
  const auto inputs = batch_for(graph, random, graph[graph.inputs[0]].shape[0] == any ? 2 : 1);
  const auto before = graph::evaluate(graph, inputs).at(0).to_reals();
  const std::string output = graph[graph.outputs[0]].name;
  int changed = 0;
  run({{"pass", "",
        [&](Graph& g) {
          const int now = pass(g);
          changed += now;
          return now;
        }}},
      graph);
  EXPECT_EQ(graph[graph.outputs[0]].name, output);
  const auto after = graph::evaluate(graph, inputs).at(0).to_reals();
  EXPECT_EQ(before.size(), after.size());
  for (size_t i = 0; i < std::min(before.size(), after.size()); ++i)
    EXPECT_NEAR(before[i], after[i], 1e-5 * (1 + std::abs(before[i])));
  return changed;
}

TEST(FoldConstants, ComputesWhatDependsOnConstantsOnly) {
  Network n;
  const ValueId x = n.input({any, 3});
  const ValueId c = n.node("twice", graph::Add{}, {n.constant("a", n.normal({3})), n.constant("b", n.normal({3}))});
  n.finish({n.add("sum", x, c)});
  EXPECT_EQ(apply(fold_constants, n.graph), 1);
  EXPECT_EQ(n.graph.nodes.size(), 1u);
  EXPECT_TRUE(n.graph[n.graph.find("twice")].constant);
}

TEST(FoldConstants, LeavesAloneAQuantiserOfWeights) {
  Network n;
  const ValueId x = n.input({any, 3});
  Grid grid;
  grid.scale = {0.5};
  const ValueId w = n.node("w_q", graph::Quantise{grid, Rounding::HalfUp}, {n.constant("w", n.normal({2, 3}))});
  n.finish({n.node("fc", graph::Gemm{1, 1, false, true, 0}, {x, w})});
  EXPECT_EQ(apply(fold_constants, n.graph), 0);
  EXPECT_EQ(n.graph.nodes.size(), 2u);
}

TEST(RemoveIdentity, RemovesIdentityDropoutAndReshapesToTheSameShape) {
  Network n;
  ValueId x = n.input({any, 3});
  x = n.node("identity", graph::Identity{}, {x});
  x = n.node("dropout", graph::Dropout{}, {x});
  x = n.node("reshape", graph::Reshape{{0, 3}, false}, {x});
  x = n.node("transpose", graph::Transpose{{0, 1}}, {x});
  x = n.node("clip", graph::Clip{}, {x});
  x = n.node("concat", graph::Concat{1}, {x});
  n.finish({n.relu("relu", x)});
  EXPECT_EQ(apply(remove_identity, n.graph), 6);
  EXPECT_EQ(n.graph.nodes.size(), 1u);
}

TEST(RemoveIdentity, KeepsTheNameOfAGraphOutput) {
  Network n;
  const ValueId y = n.relu("relu", n.input({any, 3}));
  n.finish({n.node("out", graph::Identity{}, {y})});
  EXPECT_EQ(apply(remove_identity, n.graph), 1);
  EXPECT_EQ(n.graph[n.graph.outputs[0]].name, "out");
}

TEST(RemoveIdentity, LeavesAloneOneFromAnInputToAnOutput) {
  Network n;
  n.finish({n.node("out", graph::Identity{}, {n.input({any, 3})})});
  EXPECT_EQ(apply(remove_identity, n.graph), 0);
}

TEST(MergeReshapes, JoinsAChain) {
  Network n;
  ValueId x = n.input({any, 2, 3, 4});
  x = n.node("reshape", graph::Reshape{{0, 6, 4}, false}, {x});
  x = n.node("unsqueeze", graph::Unsqueeze{{1}}, {x});
  n.finish({n.flatten("flatten", x)});
  EXPECT_GT(apply(merge_reshapes, n.graph), 0);
  EXPECT_EQ(n.graph.nodes.size(), 1u);
}

TEST(UnifyMeans, WritesAGlobalPoolAsAMeanOverItsSpatialAxes) {
  Network n;
  n.finish({n.node("gap", graph::GlobalAveragePool{}, {n.input({any, 2, 3, 4})})});
  EXPECT_EQ(apply(unify_means, n.graph), 1);
  EXPECT_EQ(get<graph::ReduceMean>(n.graph.nodes[0].op).axes, (graph::Ints{2, 3}));
}

TEST(UnifyMeans, CountsAxesFromTheFront) {
  Network n;
  n.finish({n.node("mean", graph::ReduceMean{{-1, 2}, true}, {n.input({any, 2, 3, 4})})});
  EXPECT_EQ(apply(unify_means, n.graph), 1);
  EXPECT_EQ(get<graph::ReduceMean>(n.graph.nodes[0].op).axes, (graph::Ints{2, 3}));
}

TEST(UnifyClips, JoinsReluAndClip) {
  Network n;
  ValueId x = n.node("clip", graph::Clip{-1, 0.5}, {n.input({any, 30})});
  n.finish({n.relu("relu", x)});
  EXPECT_EQ(apply(unify_clips, n.graph), 1);
  ASSERT_EQ(n.graph.nodes.size(), 1u);
  EXPECT_EQ(get<graph::Clip>(n.graph.nodes[0].op).low, 0);
  EXPECT_EQ(get<graph::Clip>(n.graph.nodes[0].op).high, 0.5);
}

TEST(UnifyClips, WritesAClipFromZeroAsRelu) {
  Network n;
  n.finish({n.node("clip", graph::Clip{0, infinity}, {n.input({any, 30})})});
  EXPECT_EQ(apply(unify_clips, n.graph), 1);
  EXPECT_EQ(count_of<graph::Relu>(n.graph), 1);
}

TEST(HoistClips, MovesReluBeforeTheMaxPoolThatItFollows) {
  Network n;
  ValueId x = n.conv("conv", n.input({any, 1, 6, 6}), 2, 3);
  n.finish({n.relu("relu", n.max_pool("pool", x))});
  EXPECT_EQ(apply(hoist_clips, n.graph), 1);
  EXPECT_LT(index_of(n.graph, "relu"), index_of(n.graph, "pool"));
}

TEST(HoistClips, LeavesAloneAPoolThatAnythingElseReads) {
  Network n;
  const ValueId pool = n.max_pool("pool", n.input({any, 1, 6, 6}));
  n.finish({n.add("add", n.relu("relu", pool), pool)});
  EXPECT_EQ(apply(hoist_clips, n.graph), 0);
}

graph::Pad zeros(int64_t all) {
  return {{0, 0, all, all, 0, 0, all, all}, graph::PadMode::Constant, 0};
}

TEST(FoldPad, GivesItsZerosToAConvolution) {
  Network n;
  const ValueId x = n.node("pad", zeros(1), {n.input({any, 1, 6, 6})});
  n.finish({n.conv("conv", x, 2, 3, 1, 1)});
  EXPECT_EQ(apply(fold_pad, n.graph), 1);
  EXPECT_EQ(get<graph::Conv>(n.graph.nodes[0].op).pads, (graph::Ints{2, 2, 2, 2}));
}

TEST(FoldPad, MakesAnAveragePoolCountIt) {
  Network n;
  const ValueId x = n.node("pad", zeros(1), {n.input({any, 1, 6, 6})});
  n.finish({n.average_pool("pool", x)});
  EXPECT_EQ(apply(fold_pad, n.graph), 1);
  EXPECT_TRUE(get<graph::AveragePool>(n.graph.nodes[0].op).count_include_pad);
}

TEST(FoldPad, LeavesAloneAMaxPoolOfValuesBelowZero) {
  Network n;
  const ValueId x = n.node("pad", zeros(1), {n.input({any, 1, 6, 6})});
  n.finish({n.max_pool("pool", x)});
  EXPECT_EQ(apply(fold_pad, n.graph), 0);
}

TEST(FoldPad, GivesItsZerosToAMaxPoolAfterRelu) {
  Network n;
  const ValueId x = n.node("pad", zeros(1), {n.relu("relu", n.input({any, 1, 6, 6}))});
  n.finish({n.max_pool("pool", x)});
  EXPECT_EQ(apply(fold_pad, n.graph), 1);
}

TEST(FoldPad, LeavesAloneAPadThatIsNotZero) {
  Network n;
  graph::Pad ones = zeros(1);
  ones.value = 1;
  n.finish({n.conv("conv", n.node("pad", ones, {n.input({any, 1, 6, 6})}), 2, 3)});
  EXPECT_EQ(apply(fold_pad, n.graph), 0);
}

TEST(NormaliseGemm, MovesFactorsAndTranspositionIntoTheConstants) {
  Network n;
  const ValueId x = n.input({2, 3});
  n.finish({n.node("fc", graph::Gemm{0.5, 2, false, false, 0},
                   {x, n.constant("w", n.normal({3, 4})), n.constant("b", n.normal({1, 4}))})});
  EXPECT_EQ(apply(normalise_gemm, n.graph), 1);
  const auto& op = get<graph::Gemm>(n.graph.nodes[0].op);
  EXPECT_EQ(op.alpha, 1);
  EXPECT_EQ(op.beta, 1);
  EXPECT_TRUE(op.transpose_b);
  EXPECT_EQ(n.graph[n.graph.nodes[0].inputs[1]].shape, (Shape{4, 3}));
  EXPECT_EQ(n.graph[n.graph.nodes[0].inputs[2]].shape, (Shape{4}));
}

TEST(NormaliseGemm, PutsATransposeBeforeATransposedInput) {
  Network n;
  n.finish({n.node("fc", graph::Gemm{1, 1, true, true, 0}, {n.input({3, 2}), n.constant("w", n.normal({4, 3}))})});
  EXPECT_EQ(apply(normalise_gemm, n.graph), 1);
  EXPECT_EQ(count_of<graph::Transpose>(n.graph), 1);
}

TEST(NormaliseGemm, PutsABiasThatDiffersByRowIntoAnAdd) {
  Network n;
  n.finish({n.node("fc", graph::Gemm{1, 0.5, false, true, 0},
                   {n.input({2, 3}), n.constant("w", n.normal({4, 3})), n.constant("c", n.normal({2, 4}))})});
  EXPECT_EQ(apply(normalise_gemm, n.graph), 1);
  EXPECT_EQ(count_of<graph::Add>(n.graph), 1);
}

TEST(TurnMatMulIntoGemm, TransposesConstantWeights) {
  Network n;
  n.finish({n.node("fc", graph::MatMul{}, {n.input({any, 3}), n.constant("w", n.normal({3, 4}))})});
  EXPECT_EQ(apply(turn_matmul_into_gemm, n.graph), 1);
  EXPECT_EQ(count_of<graph::Gemm>(n.graph), 1);
}

TEST(TurnMatMulIntoGemm, LeavesAloneAnotherRank) {
  Network n;
  n.finish({n.node("fc", graph::MatMul{}, {n.input({any, 5, 3}), n.constant("w", n.normal({3, 4}))})});
  EXPECT_EQ(apply(turn_matmul_into_gemm, n.graph), 0);
}

TEST(FoldBatchNorm, FoldsGainsOfAnySignIntoTheConvolution) {
  Network n;
  const ValueId x = n.conv("conv", n.input({any, 2, 5, 5}), 4, 3, 1, 1, 1, false);
  n.finish({n.batch_norm("bn", x)});
  EXPECT_EQ(apply(fold_batch_norm, n.graph), 1);
  ASSERT_EQ(n.graph.nodes.size(), 1u);
  EXPECT_EQ(n.graph.nodes[0].name, "conv");
}

TEST(FoldBatchNorm, LeavesAloneAConvolutionWithASecondReader) {
  Network n;
  const ValueId x = n.conv("conv", n.input({any, 2, 5, 5}), 4, 3);
  n.finish({n.add("add", n.batch_norm("bn", x), x)});
  EXPECT_EQ(apply(fold_batch_norm, n.graph), 0);
}

TEST(FoldBatchNorm, KeepsWeightsThatTwoConvolutionsShare) {
  Network n;
  const ValueId x = n.input({any, 2, 5, 5});
  const ValueId a = n.conv("a", x, 2, 3, 1, 1);
  const graph::Conv op = get<graph::Conv>(n.graph.nodes[0].op);
  const ValueId b = n.node("b", op, {a, n.graph.nodes[0].inputs[1], n.graph.nodes[0].inputs[2]});
  n.finish({n.batch_norm("bn", b)});
  EXPECT_EQ(apply(fold_batch_norm, n.graph), 1);
  EXPECT_NE(n.graph.nodes[0].inputs[1], n.graph.nodes[1].inputs[1]);
}

TEST(FoldAffine, FoldsArithmeticWithConstantsOneAfterTheOther) {
  Network n;
  ValueId x = n.conv("conv", n.input({any, 2, 5, 5}), 4, 3);
  x = n.node("mul", graph::Mul{}, {n.constant("m", n.normal({4, 1, 1})), x});
  x = n.node("div", graph::Div{}, {x, n.constant("d", Tensor({}, std::vector<float>{-2}))});
  x = n.node("add", graph::Add{}, {x, n.constant("a", n.normal({1, 4, 1, 1}))});
  x = n.node("sub", graph::Sub{}, {n.constant("s", n.normal({4, 1, 1})), x});
  n.finish({n.node("neg", graph::Neg{}, {x})});
  EXPECT_EQ(apply(fold_affine, n.graph), 5);
  EXPECT_EQ(n.graph.nodes.size(), 1u);
}

TEST(FoldAffine, LeavesAloneAConstantThatDiffersByPosition) {
  Network n;
  ValueId x = n.conv("conv", n.input({any, 2, 5, 5}), 4, 3);
  n.finish({n.add("add", x, n.constant("a", n.normal({3, 3})))});
  EXPECT_EQ(apply(fold_affine, n.graph), 0);
}

TEST(Canonicalise, LeavesOneConvolutionAndAReluOfTheUsualBlock) {
  Network n;
  ValueId x = n.node("pad", zeros(1), {n.input({any, 2, 6, 6})});
  x = n.batch_norm("bn", n.conv("conv", x, 4, 3));
  x = n.node("dropout", graph::Dropout{}, {n.relu("relu", n.max_pool("pool", x))});
  n.finish({n.gemm("fc", n.flatten("flatten", x), 3)});
  Random random(3);
  const auto inputs = batch_for(n.graph, random);
  const auto before = graph::evaluate(n.graph, inputs).at(0).to_reals();
  run(canonicalise(), n.graph);
  std::vector<std::string> names;
  for (const auto& node : n.graph.nodes) names.push_back(node.name);
  EXPECT_EQ(names, (std::vector<std::string>{"conv", "relu", "pool", "flatten", "fc"}));
  const auto after = graph::evaluate(n.graph, inputs).at(0).to_reals();
  for (size_t i = 0; i < after.size(); ++i) EXPECT_NEAR(before[i], after[i], 1e-4);
}

TEST(Pipeline, DescribesEachStepInALine) {
  const std::string text = describe(canonicalise());
  EXPECT_NE(text.find("  fold_constants"), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), static_cast<std::ptrdiff_t>(canonicalise().size()));
}

}  // namespace
}  // namespace nibble::passes::testing
