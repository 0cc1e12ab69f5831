#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "passes/scales.hpp"
#include "unit/passes/networks.hpp"

/// What integers a fake-quantised network becomes.
namespace nibble::passes::testing {
namespace {

/// conv - relu - pool - fc, fake-quantised.
Network small() {
  Network n;
  const ValueId x = n.relu("relu", n.conv("conv", n.input({any, 2, 6, 6}), 4, 3));
  n.finish({n.gemm("fc", n.flatten("flatten", n.average_pool("pool", x)), 3)});
  quantise_by(n.graph);
  return n;
}

TEST(Scales, KnowTheQuotientsThatNoDoubleHolds) {
  Random random(9);
  for (int i = 0; i < 2000; ++i) {
    const auto whole = static_cast<int64_t>(1 + random.below(5000)),
               divisor = static_cast<int64_t>(1 + random.below(5000));
    const double ratio = static_cast<double>(whole) / static_cast<double>(divisor);
    const int64_t common = std::gcd(whole, divisor);
    const auto found = quotient_of(ratio), mirrored = quotient_of(-ratio);
    if (std::has_single_bit(static_cast<uint64_t>(divisor / common))) {
      EXPECT_FALSE(found);
      continue;
    }
    ASSERT_TRUE(found && mirrored) << ratio;
    EXPECT_EQ(found->whole, whole / common);
    EXPECT_EQ(found->divisor, divisor / common);
    EXPECT_EQ(mirrored->whole, -whole / common);
  }
  EXPECT_EQ(quotient_of(std::nextafter(0.75, 1)).value().whole, 3);
  EXPECT_FALSE(quotient_of(0));
  EXPECT_FALSE(quotient_of(std::numeric_limits<double>::infinity()));
  // Ratios of learned scales are no quotients of small numbers.
  int found = 0;
  for (int i = 0; i < 10000; ++i) {
    const auto scale = [&] { return static_cast<double>(static_cast<float>(random.uniform() + 0.01)); };
    const double y = scale();
    found += quotient_of(scale() * scale() / y * 0.01).has_value();
  }
  EXPECT_LE(found, 1);
}

TEST(Integerise, LeavesNoRealsAndKeepsTheNamesThatQuantisersWrote) {
  Network n = small();
  const IntegeriseReport report = integerise(n.graph, {});
  EXPECT_EQ(n.graph.stage, graph::Stage::ID);
  for (const auto& value : n.graph.values) EXPECT_FALSE(is_real(value.type)) << value.name;
  for (const char* name : {"x", "conv_w_q", "conv_q", "pool_q", "fc_w_q", "fc"})
    EXPECT_NE(n.graph.find(name), graph::absent) << name;
  EXPECT_EQ(report.nodes.size(), 2u);
  EXPECT_EQ(report.exact_nodes(), 2);
  EXPECT_EQ(count_of<graph::Requantise>(n.graph), 2);
}

TEST(Integerise, StopsAtTheRealFunctionsWhenAsked) {
  Network n = small();
  IntegeriseOptions options;
  options.stop_at_qd = true;
  integerise(n.graph, options);
  EXPECT_EQ(n.graph.stage, graph::Stage::QD);
  EXPECT_EQ(count_of<graph::Rescale>(n.graph), 2);
}

TEST(Integerise, BoundsEveryIntegerPerChannel) {
  Network n = small();
  integerise(n.graph, {});
  for (const auto& node : n.graph.nodes) EXPECT_FALSE(n.graph[node.outputs[0]].bounds.empty()) << node.name;
  EXPECT_EQ(n.graph[n.graph.find("conv_acc")].bounds.size(), 4u);
}

TEST(Integerise, GivesTheOutputTheGridOfItsSums) {
  Network n = small();
  const Grid fake = *n.graph[n.graph.find("fc")].grid;
  integerise(n.graph, {});
  EXPECT_EQ(*n.graph[n.graph.find("fc")].grid, fake);
}

TEST(Integerise, DropsAQuantiserOnTheGridThatItsInputHas) {
  Network n;
  const ValueId x = n.conv("conv", n.input({any, 2, 6, 6}), 4, 3);
  n.finish({x});
  quantise_by(n.graph);
  Graph& g = n.graph;
  const ValueId q = g.find("x_q");
  const ValueId again = g.add_node("again", g.nodes[static_cast<size_t>(index_of(g, "x_q"))].op, {q});
  for (auto& node : g.nodes)
    if (node.name == "conv") node.inputs[0] = again;
  graph::tidy(g);
  EXPECT_EQ(integerise(g, {}).nodes.size(), 0u);
}

TEST(Integerise, WritesAFunctionAsATableOfItsLevels) {
  Network n;
  const ValueId x = n.node("swish", graph::HardSwish{}, {n.conv("conv", n.input({any, 2, 6, 6}), 4, 3)});
  n.finish({n.conv("last", x, 2, 1)});
  quantise_by(n.graph);
  integerise(n.graph, {});
  ASSERT_EQ(count_of<graph::Table>(n.graph), 1);
  const auto& node = n.graph.nodes[static_cast<size_t>(index_of(n.graph, "swish_q"))];
  EXPECT_EQ(n.graph[node.inputs[1]].shape, (Shape{256}));
}

TEST(Integerise, ReadsABiasOnTheAccumulatorsGridThoughNoQuantiserSaysSo) {
  Network n = small();
  Graph stripped = n.graph;
  const auto& quantiser = stripped.nodes[static_cast<size_t>(index_of(stripped, "fc_b_q"))];
  const auto& op = get<graph::Quantise>(quantiser.op);
  const ValueId real = quantiser.inputs[0], fake = quantiser.outputs[0];
  for (float& value : stripped[real].constant->as<float>())
    value = static_cast<float>(op.grid.real(op.grid.quantise(value, 0, op.rounding), 0));
  stripped.replace(fake, real);
  graph::tidy(stripped);
  integerise(n.graph, {});
  integerise(stripped, {});
  Random random(4);
  const auto inputs = batch_for(n.graph, random);
  EXPECT_EQ(graph::evaluate(n.graph, inputs).at(0), graph::evaluate(stripped, inputs).at(0));
}

TEST(Integerise, WritesTiesToEvenAtAHalfAsThresholds) {
  Network n;
  const ValueId x = n.input({any, 2, 6, 6});
  Grid grid;
  grid.scale = {0.25};
  grid.low = -8, grid.high = 7;
  const ValueId q = n.node("x_q", graph::Quantise{grid, Rounding::HalfEven}, {x});
  const ValueId pool = n.node("pool", graph::AveragePool{{1, 2}, {1, 2}, {0, 0, 0, 0}, {1, 1}, false, false}, {q});
  n.finish({n.node("pool_q", graph::Quantise{grid, Rounding::HalfEven}, {pool})});
  n.graph.stage = graph::Stage::FQ;
  Graph integer = n.graph;
  const IntegeriseReport report = integerise(integer, {});
  EXPECT_EQ(count_of<graph::Threshold>(integer), 1);
  EXPECT_TRUE(report.nodes.at(0).by_thresholds);
  EXPECT_EQ(report.exact_nodes(), 1);
  Random random(4);
  const auto inputs = batch_for(n.graph, random, 20);
  const auto fake = graph::evaluate(n.graph, inputs).at(0).to_reals();
  const auto levels = graph::evaluate(integer, inputs).at(0).to_integers();
  for (size_t i = 0; i < fake.size(); ++i) EXPECT_EQ(fake[i], 0.25 * static_cast<double>(levels[i]));
}

TEST(Integerise, KeepsRealZeroAtZeroUnderFloorWhateverTheZeroPoint) {
  for (int64_t zero = 1; zero < 255; ++zero) {
    Network n;
    Grid first, second;
    first.scale = {static_cast<double>(0.1F)};
    first.zero_point = zero;
    second.scale = {static_cast<double>(0.07F)};
    const ValueId q = n.node("x_q", graph::Quantise{first, Rounding::HalfUp}, {n.input({1, 1})});
    n.finish({n.node("y", graph::Quantise{second, Rounding::Floor}, {q})});
    n.graph.stage = graph::Stage::FQ;
    second.zero_point = 7;
    get<graph::Quantise>(n.graph.nodes[1].op).grid = second;
    integerise(n.graph, {});
    EXPECT_EQ(graph::evaluate(n.graph, {Tensor({1, 1}, std::vector<float>{0})}).at(0).to_integers()[0], 7) << zero;
  }
}

TEST(Integerise, CountsWhatNarrowMultipliersGetWrong) {
  Network n = small();
  IntegeriseOptions options;
  options.widths.multiplier = 5;
  const IntegeriseReport report = integerise(n.graph, options);
  EXPECT_LT(report.exact_nodes(), 2);
  const Json json = to_json(report);
  EXPECT_EQ(json["requantisations"], 2);
  EXPECT_FALSE(json["inexact"].empty());
  EXPECT_GT(json["inexact"][0]["differing"], 0);
  EXPECT_EQ(json["overflow_free"], true);
}

TEST(Integerise, CertifiesEveryChannel) {
  Network n = small();
  const Json json = certificate_json(integerise(n.graph, {}));
  ASSERT_EQ(json["nodes"].size(), 2u);
  EXPECT_EQ(json["nodes"][0]["node"], "conv_q");
  EXPECT_EQ(json["nodes"][0]["channels"].size(), 4u);
  EXPECT_EQ(json["nodes"][0]["channels"][0]["differing"], 0);
}

TEST(Integerise, PadsASlicedAndJoinedTensorWithItsZeroPoint) {
  Network n;
  const ValueId x = n.conv("conv", n.input({any, 2, 6, 6}), 4, 3, 1, 1);
  const ValueId left = n.node("left", graph::Slice{{0}, {2}, {1}, {1}}, {x});
  const ValueId padded = n.node("pad", graph::Pad{{0, 0, 1, 0, 0, 2, 0, 1}, graph::PadMode::Constant, 0}, {left});
  n.finish({padded});
  quantise_by(n.graph);
  Graph integer = n.graph;
  integerise(integer, {});
  Random random(4);
  const auto inputs = batch_for(n.graph, random);
  const auto fake = graph::evaluate(n.graph, inputs).at(0).to_reals();
  const auto levels = graph::evaluate(integer, inputs).at(0).to_integers();
  const Grid grid = *integer[integer.outputs[0]].grid;
  EXPECT_NE(grid.zero_point, 0);
  for (size_t i = 0; i < fake.size(); ++i) EXPECT_EQ(fake[i], grid.real(levels[i], 0));
}

TEST(Scales, AZeroPointTimesItsRatioIsExact) {
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    const auto zero = static_cast<int64_t>(random.below(1024));
    const double ratio = exact_at(random.uniform() * 3, zero);
    EXPECT_EQ(static_cast<double>(static_cast<long double>(ratio) * static_cast<long double>(zero)),
              static_cast<long double>(ratio) * static_cast<long double>(zero));
  }
}

/// conv, batch-norm of gains of both signs and zero, relu, conv.
Network normed_network(QuantiseOptions options, BatchNorm way) {
  Network n(21);
  const ValueId x = n.conv("conv", n.input({any, 2, 6, 6}), 4, 3, 1, 1);
  n.finish({n.conv("last", n.relu("relu", n.batch_norm("bn", x)), 2, 1)});
  options.policy.override_layers("bn", Json{{"batch_norm", to_string(way)}});
  quantise_by(n.graph, options);
  return n;
}

template <class Op>
const Op& only(const Graph& graph) {
  const Op* found = nullptr;
  for (const auto& node : graph.nodes)
    if (const auto* op = get_if<Op>(&node.op)) {
      EXPECT_EQ(found, nullptr);
      found = op;
    }
  return *found;
}

TEST(Integerise, PutsTheGainsOfAnIntegerBatchNormOnOneGridAndRequantisesAllChannelsAlike) {
  Network n = normed_network({}, BatchNorm::Integer);
  ASSERT_EQ(count_of<graph::BatchNormalization>(n.graph), 1);
  Graph folded = n.graph;
  IntegeriseOptions until_qd;
  until_qd.stop_at_qd = true;
  until_qd.batch_norm = BatchNorm::Fold;
  integerise(folded, until_qd);
  const graph::Rescale real = only<graph::Rescale>(folded);
  until_qd.batch_norm.reset();
  until_qd.batch_norm_bits = 10;
  integerise(n.graph, until_qd);
  const graph::Rescale rescale = only<graph::Rescale>(n.graph);
  ASSERT_EQ(rescale.kappa.size(), 1U);
  EXPECT_EQ(rescale.lambda, std::vector<double>{0});
  const auto gains = n.graph.constant(n.graph.find("conv_q_norm_gain"))->to_integers();
  const auto shifts = n.graph.constant(n.graph.find("conv_q_norm_shift"))->to_integers();
  ASSERT_EQ(real.kappa.size(), 4U);
  for (size_t c = 0; c < 4; ++c) {
    EXPECT_NEAR(static_cast<double>(gains[c]) * rescale.kappa[0], real.kappa[c], rescale.kappa[0] / 2);
    const double shift = static_cast<double>(shifts[c]) * rescale.kappa[0];
    // Without a gain there is one level, which no rounding of the shift moves.
    if (gains[c] == 0)
      EXPECT_EQ(std::floor(shift + 0.5), std::floor(real.lambda[c] + 0.5));
    else
      EXPECT_NEAR(shift, real.lambda[c], rescale.kappa[0] / 2);
  }
  EXPECT_EQ(std::max(*std::max_element(gains.begin(), gains.end()), -*std::min_element(gains.begin(), gains.end())),
            511);
  EXPECT_LT(*std::min_element(gains.begin(), gains.end()), 0);
  EXPECT_EQ(gains[2], 0);
}

TEST(Integerise, TakesTheMostGainBitsWhoseSumsFitTheAccumulator) {
  const auto largest_gain = [](const char* bits) {
    Network n = normed_network({}, BatchNorm::Integer);
    IntegeriseOptions options;
    options.accumulator_bits = accumulator_bits_from(bits, "here");
    integerise(n.graph, options);
    int64_t largest = 0;
    for (int64_t gain : n.graph.constant(n.graph.find("conv_q_norm_gain"))->to_integers())
      largest = std::max(largest, std::abs(gain));
    for (const Interval& bound : n.graph[n.graph.find("conv_q_norm")].bounds)
      EXPECT_LT(std::max(-bound.low, bound.high), int64_t{1} << (options.accumulator_bits.bits - 1));
    return largest;
  };
  const int64_t wide = largest_gain("32"), narrow = largest_gain("28");
  EXPECT_GT(wide, narrow);
  EXPECT_GE(narrow, 127);
  EXPECT_NE(message_of([&] { largest_gain("24"); }).find("with 8-bit gains its integer batch-norm reaches"),
            std::string::npos);
}

TEST(Integerise, MergesABatchNormIntoThresholdsWhereThePolicyWantsThem) {
  Network n = normed_network({}, BatchNorm::Threshold);
  const IntegeriseReport report = integerise(n.graph, {});
  ASSERT_EQ(report.nodes.size(), 1U);
  EXPECT_TRUE(report.nodes[0].by_thresholds);
  EXPECT_EQ(count_of<graph::Requantise>(n.graph), 0);
  EXPECT_EQ(only<graph::Threshold>(n.graph).falling.size(), 4U);
  EXPECT_FALSE(n.graph.metadata.contains("batch_norm"));
}

TEST(Integerise, TakesThresholdsForTwoAndThreeLevelsUnlessItMustNotAndForAllWhereItMust) {
  const auto thresholds = [](int64_t levels, Thresholds choice) {
    QuantiseOptions quantised;
    quantised.policy.defaults.activation_levels = levels;
    Network n = normed_network(quantised, BatchNorm::Fold);
    IntegeriseOptions options;
    options.thresholds = choice;
    integerise(n.graph, options);
    return count_of<graph::Threshold>(n.graph);
  };
  for (const int64_t levels : {2, 3}) {
    EXPECT_EQ(thresholds(levels, Thresholds::Auto), 1);
    EXPECT_EQ(thresholds(levels, Thresholds::Never), 0);
  }
  for (const int64_t levels : {4, 256}) EXPECT_EQ(thresholds(levels, Thresholds::Auto), 0);
  EXPECT_EQ(thresholds(256, Thresholds::Always), 1);
  EXPECT_EQ(
      message_of([&] { thresholds(2048, Thresholds::Always); }),
      "passes: node 'conv_q' (Rescale): would need 2047 thresholds a channel (expected at most 1023: fewer levels, "
      "or multiply, add and shift)");
}

TEST(Integerise, MakesTheNormsOfAFoldedNetworkIntegerWhenAsked) {
  Network n = normed_network({}, BatchNorm::Fold);
  ASSERT_EQ(count_of<graph::BatchNormalization>(n.graph), 0);
  IntegeriseOptions options;
  options.batch_norm = BatchNorm::Integer;
  const IntegeriseReport report = integerise(n.graph, options);
  EXPECT_NE(n.graph.find("conv_q_norm"), graph::absent);
  EXPECT_EQ(report.nodes.at(0).channels.size(), 1U);
  EXPECT_EQ(report.exact_nodes(), 1);
}

/// Sums of rows that nothing quantises keep a scale a column, wherever the columns stand.
TEST(FlattenRows, LeaveAnOutputOfRowsItsScalesByColumn) {
  for (const Shape& shape : {Shape{any, 4}, Shape{any, 3, 4}, Shape{any, 2, 3, 4}}) {
    Network n;
    const ValueId x =
        n.node("x_q", graph::Quantise{Grid{{0.05}, -1, 3, -128, 127}, Rounding::HalfUp}, {n.input(shape)});
    const Grid columns{{0.01, 0.02, 0.03, 0.015, 0.025}, 1, 0, -127, 127};
    Grid narrow = columns;
    for (double& scale : narrow.scale) scale = static_cast<double>(static_cast<float>(scale));
    narrow.scale[0] = static_cast<double>(0.01F);
    Grid of_x{{static_cast<double>(0.05F)}, -1, 3, -128, 127};
    get<graph::Quantise>(n.graph.nodes[0].op).grid = of_x;
    const ValueId w = n.node("w_q", graph::Quantise{narrow, Rounding::HalfUp}, {n.constant("w", n.normal({4, 5}))});
    n.graph[x].grid = of_x, n.graph[w].grid = narrow;
    n.finish({n.node("product", graph::MatMul{}, {x, w})});
    n.graph.stage = graph::Stage::FQ;
    Random random(3);
    const std::vector<Tensor> inputs = batch_for(n.graph, random, 2);
    const std::vector<double> reals = graph::evaluate(n.graph, inputs).at(0).to_reals();
    Graph integer = n.graph;
    integerise(integer, {});
    const Tensor levels = graph::evaluate(integer, inputs).at(0);
    const Grid& grid = integer[integer.outputs[0]].grid.value();
    EXPECT_EQ(grid.axis, static_cast<int>(shape.size()) - 1);
    const std::vector<int64_t> integers = levels.to_integers();
    ASSERT_EQ(integers.size(), reals.size());
    for (size_t i = 0; i < reals.size(); ++i) EXPECT_NEAR(grid.real(integers[i], i % 5), reals[i], 1e-5) << i;
  }
}

}  // namespace
}  // namespace nibble::passes::testing
