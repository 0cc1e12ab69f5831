#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "unit/passes/random_networks.hpp"

/// FP = canonical FP, QD = ID for every integer, FQ in double = ID.
namespace nibble::passes::testing {
namespace {

using Tensors = std::map<std::string, Tensor>;

Tensors values_of(const Graph& graph, const std::vector<Tensor>& inputs) {
  Tensors seen;
  graph::evaluate(graph, inputs, [&](ValueId id, const Tensor& tensor) { seen.emplace(graph[id].name, tensor); });
  return seen;
}

/// All ways to get from a fake-quantised network to integers that promise the same ones.
IntegeriseOptions integers_for(uint64_t seed) {
  Random random(seed * 7 + 2);
  IntegeriseOptions options;
  options.thresholds = static_cast<Thresholds>(random.below(3));
  if (random.below(2) == 0) options.batch_norm = static_cast<BatchNorm>(random.below(3));
  if (random.below(2) == 0) options.batch_norm_bits = static_cast<int>(4 + random.below(9));
  return options;
}

QuantiseOptions options_for(uint64_t seed) {
  Random random(seed * 7 + 1);
  QuantiseOptions options;
  LayerPolicy& policy = options.policy.defaults;
  policy.weight_levels = static_cast<int64_t>(3 + random.below(254));
  policy.activation_levels = static_cast<int64_t>(4 + random.below(253));
  policy.per_channel = random.below(2) == 0;
  policy.symmetric_activations = random.below(2) == 0;
  policy.rounding = static_cast<Rounding>(random.below(3));
  policy.batch_norm = static_cast<BatchNorm>(random.below(4));
  // An integer batch-norm over branches on grids of their own is refused.
  const bool integer_norms =
      policy.batch_norm == BatchNorm::Integer || integers_for(seed).batch_norm == BatchNorm::Integer;
  policy.branches = integer_norms || random.below(2) == 0 ? Branches::Common : Branches::Own;
  return options;
}

/// Whether gains are put on a grid of their own, so that QD no longer is what FQ was.
bool has_integer_norms(const graph::Graph& deployable) {
  return std::any_of(deployable.nodes.begin(), deployable.nodes.end(),
                     [](const auto& node) { return node.name.ends_with("_norm"); });
}

struct Counts {
  int64_t compared = 0, differing = 0;
};

Counts compare_integers(const Tensors& a, const Tensors& b) {
  Counts counts;
  for (const auto& [name, tensor] : a) {
    const auto found = b.find(name);
    if (found == b.end() || is_real(tensor.type()) || is_real(found->second.type())) continue;
    const auto left = tensor.to_integers(), right = found->second.to_integers();
    EXPECT_EQ(left.size(), right.size());
    for (size_t i = 0; i < left.size(); ++i) {
      ++counts.compared;
      counts.differing += left[i] != right[i];
    }
  }
  return counts;
}

/// FQ's reals through the grid of the integer side's value of the same name.
Counts compare_with_reals(const Tensors& fake, const Graph& integer, const Tensors& integers) {
  Counts counts;
  for (const auto& [name, tensor] : integers) {
    const auto found = fake.find(name);
    const auto& grid = integer[integer.find(name)].grid;
    if (found == fake.end() || !grid || !is_real(found->second.type())) continue;
    const auto reals = found->second.to_reals();
    const auto stored = tensor.to_integers();
    for (size_t i = 0; i < stored.size(); ++i) {
      ++counts.compared;
      counts.differing += grid->quantise(reals[i], 0, Rounding::HalfUp) != stored[i];
    }
  }
  return counts;
}

constexpr uint64_t networks = 300;

void expect_same_function(uint64_t seed) {
  Network network = random_network(seed);
  Random random(seed + 1000);
  const auto inputs = batch_for(network.graph, random);
  const Tensor before = graph::evaluate(network.graph, inputs).at(0);
  run(canonicalise(), network.graph);
  const Tensor after = graph::evaluate(network.graph, inputs).at(0);
  ASSERT_EQ(before.shape(), after.shape());
  const auto a = before.to_reals(), b = after.to_reals();
  double largest = 0;
  for (double value : a) largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5 * largest);
}

/// Weights as another tool stores them: any integers with a zero point among them, a scale for the tensor.
void make_weights_asymmetric(Graph& fake, uint64_t seed) {
  Random random(seed + 3000);
  for (const auto& node : fake.nodes) {
    const bool linear = holds_alternative<graph::Conv>(node.op) || holds_alternative<graph::Gemm>(node.op);
    const bool bias_follows = node.inputs.size() > 2 && node.inputs[2] >= 0 && !fake.constant(node.inputs[2]);
    if (!linear || bias_follows || random.below(3) == 0) continue;
    for (auto& writer : fake.nodes) {
      if (writer.outputs[0] != node.inputs[1]) continue;
      auto& grid = get<graph::Quantise>(writer.op).grid;
      grid.low = 0, grid.high = static_cast<int64_t>(1 + random.below(255));
      grid.zero_point = static_cast<int64_t>(random.below(static_cast<uint64_t>(grid.high) + 1));
      fake[writer.outputs[0]].grid = grid;
    }
  }
}

/// How many networks were held to equality: of QD's integers with ID's, and of FQ's reals with them, too.
struct Strict {
  int deployable = 0, fake = 0;
};

void expect_same_integers_of(const Graph& fake, uint64_t seed, Strict& strict);

void expect_same_integers(Network network, uint64_t seed, Strict& strict) {
  quantise_by(network.graph, options_for(seed));
  if (seed % 2 == 0) make_weights_asymmetric(network.graph, seed);
  expect_same_integers_of(network.graph, seed, strict);
}

void expect_same_integers_of(const Graph& fake, uint64_t seed, Strict& strict) {
  Graph deployable = fake, integer = fake;
  const IntegeriseOptions options = integers_for(seed);
  IntegeriseOptions until_qd = options;
  until_qd.stop_at_qd = true;
  integerise(deployable, until_qd);
  const IntegeriseReport report = integerise(integer, options);
  EXPECT_EQ(deployable.stage, graph::Stage::QD);
  EXPECT_EQ(integer.stage, graph::Stage::ID);
  // Ties to even may have no multiplier at all: thresholds are exact, where they are allowed.
  const bool ties = options_for(seed).policy.defaults.rounding == Rounding::HalfEven;
  const bool exact_nodes = report.exact_nodes() == static_cast<int>(report.nodes.size());
  bool sums_of_ties = false;
  for (const CertifiedNode& node : report.nodes) sums_of_ties = sums_of_ties || (!node.exact() && !node.sums.empty());
  EXPECT_TRUE(exact_nodes || (ties && (sums_of_ties || options.thresholds == Thresholds::Never)));
  if (sums_of_ties) return;  // counted: QD and ID differ there

  Random random(seed + 2000);
  const auto inputs = batch_for(fake, random, 3);
  const Tensors fakes = values_of(fake, inputs);
  const Tensors reals = values_of(deployable, inputs);
  const Tensors integers = values_of(integer, inputs);
  const Counts exact = compare_integers(reals, integers);
  EXPECT_GT(exact.compared, 0);
  if (exact_nodes) {
    EXPECT_EQ(exact.differing, 0);
    ++strict.deployable;
  }
  const Counts noise = compare_with_reals(fakes, integer, integers);
  EXPECT_GT(noise.compared, 0);
  // Floor puts zero itself on a step: a float sum that cancels to -1e-17 falls a level, whatever the integers say.
  if (options_for(seed).policy.defaults.rounding != Rounding::Floor && exact_nodes && !has_integer_norms(deployable)) {
    EXPECT_EQ(noise.differing, 0);
    ++strict.fake;
  }
}

TEST(Stages, CanonicalNetworksComputeTheSameFunction) {
  for (uint64_t seed = 1; seed <= networks; ++seed) {
    SCOPED_TRACE(seed);
    expect_same_function(seed);
  }
}

TEST(Stages, QuantisedAndIntegerDeployableGiveTheSameIntegersEverywhere) {
  Strict strict;
  for (uint64_t seed = 1; seed <= networks; ++seed) {
    SCOPED_TRACE(seed);
    expect_same_integers(random_network(seed), seed, strict);
  }
  EXPECT_EQ(strict.deployable, static_cast<int>(networks));
  EXPECT_GE(strict.fake, 147);
}

/// Every rounding and many widths of one network.
void expect_same_integers_at_all_options(const Network& network) {
  Strict strict;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    expect_same_integers(network, seed, strict);
  }
  EXPECT_EQ(strict.deployable, 30);
  EXPECT_GE(strict.fake, 18);
}

TEST(Stages, AgreeOnOneDimensionalConvolutionsOfAnAsymmetricPaddedInput) {
  Network n(3);
  ValueId x = n.conv("stem", n.input({any, 2, 12}), 4, 3, 2, 1);
  x = n.node("tanh", graph::Tanh{}, {x});
  n.finish({n.conv("last", n.conv("middle", x, 4, 3, 1, 1, 4), 2, 1)});
  expect_same_integers_at_all_options(n);
}

TEST(Stages, AgreeOnAProductOfTwoActivations) {
  Network n(4);
  const ValueId x = n.input({any, 3, 5});
  const ValueId keys = n.node("keys", graph::MatMul{}, {x, n.constant("k", n.normal({5, 4}))});
  const ValueId queries = n.node("queries", graph::MatMul{}, {x, n.constant("q", n.normal({5, 4}))});
  const ValueId turned = n.node("turned", graph::Transpose{{0, 2, 1}}, {keys});
  n.finish({n.node("scores", graph::MatMul{}, {queries, turned})});
  expect_same_integers_at_all_options(n);
}

TEST(Stages, AgreeOnPiecesThatAreCutMovedAndJoined) {
  Network n(5);
  const ValueId x = n.conv("conv", n.input({any, 2, 6, 6}), 6, 3, 1, 1);
  Graph& g = n.graph;
  const ValueId a = g.add_value("piece_a"), b = g.add_value("piece_b");
  g.nodes.push_back({"split", graph::Split{1, {2, 4}}, {x}, {a, b}});
  graph::infer_shapes(g);
  const ValueId picked =
      n.node("picked", graph::Gather{1}, {b, n.constant("indices", Tensor({3}, std::vector<int64_t>{3, 0, -1}))});
  const ValueId resized = n.node("resized",
                                 graph::Resize{{1, 1, 2, 2},
                                               {},
                                               graph::ResizeMode::Nearest,
                                               graph::ResizeCoordinates::Asymmetric,
                                               graph::ResizeNearest::Floor},
                                 {a});
  const ValueId pooled = n.max_pool("pooled", resized);
  const ValueId joined = n.node("joined", graph::Concat{1}, {n.node("six", graph::Clip{0, 6}, {picked}), pooled});
  n.finish({n.conv("last", joined, 2, 1)});
  expect_same_integers_at_all_options(n);
}

/// A network that needs a quantiser behind each Add and Concat where branches keep scales of their own.
TEST(Stages, AgreeOnBranchesOnGridsOfTheirOwn) {
  Network n(8);
  const ValueId x = n.relu("relu", n.conv("stem", n.input({any, 2, 6, 6}), 4, 3, 1, 1));
  const ValueId a = n.conv("a", x, 4, 3, 1, 1), b = n.node("tanh", graph::Tanh{}, {n.conv("b", x, 4, 1)});
  ValueId y = n.relu("relu2", n.batch_norm("bn", n.add("add", a, b)));
  y = n.node("concat", graph::Concat{1}, {y, n.node("difference", graph::Sub{}, {x, a}), b});
  n.finish({n.conv("last", y, 2, 1), n.add("sum", a, x)});
  expect_same_integers_at_all_options(n);
}

TEST(Stages, AgreeOnAveragePoolsThatDivideByWhatLiesInside) {
  Network n(9);
  ValueId x = n.relu("relu", n.conv("stem", n.input({any, 2, 9, 8}), 3, 3, 1, 1));
  x = n.node("border", graph::AveragePool{{3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, false, false}, {x});
  x = n.conv("middle", x, 3, 1);
  x = n.node("odd", graph::AveragePool{{3, 2}, {2, 2}, {1, 0, 0, 1}, {1, 1}, true, false}, {x});
  x = n.conv("next", x, 3, 1);
  n.finish({n.conv("last", n.node("counted", graph::AveragePool{{2, 2}, {2, 2}, {1, 1, 0, 0}, {1, 1}, true, true}, {x}),
                   2, 1)});
  expect_same_integers_at_all_options(n);
}

TEST(Stages, AgreeOnAPadWithANumberBetweenLevels) {
  Network n(10);
  const ValueId x = n.relu("relu", n.conv("stem", n.input({any, 2, 6, 6}), 3, 3));
  const ValueId y = n.node("pad", graph::Pad{{0, 0, 1, 1, 0, 0, 1, 0}, graph::PadMode::Constant, 0.3}, {x});
  n.finish({n.conv("last", y, 2, 3)});
  expect_same_integers_at_all_options(n);
}

/// Pixels through a format, as a float network takes them.
Tensor formatted(const Tensor& pixels, const InputFormat& format) {
  std::vector<double> values = pixels.to_reals();
  const auto inner = static_cast<size_t>(pixels.shape()[2] * pixels.shape()[3]);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t c = i / inner % format.gain.size();
    values[i] = values[i] * format.gain[c] + format.shift[c];
  }
  return Tensor(pixels.shape(), std::vector<float>(values.begin(), values.end()));
}

Tensor random_pixels(uint64_t seed) {
  Random random(seed);
  std::vector<uint8_t> pixels(2 * 3 * 6 * 6);
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random.below(256));
  return Tensor({2, 3, 6, 6}, pixels);
}

struct FormatCase {
  InputFormat format;
  int64_t pad;
  bool exact;
  int64_t zero;
};

void expect_pixels_are_taken(const FormatCase& each, uint64_t seed) {
  Network n(11);
  const ValueId x = n.relu("relu", n.conv("stem", n.input({any, 3, 6, 6}), 4, 3, 1, each.pad));
  n.finish({n.conv("last", x, 2, 1)});
  const Graph real = n.graph;
  QuantiseOptions options = options_for(seed);
  options.policy.defaults = {};
  options.formats = {each.format};
  const QuantiseReport report = quantise(n.graph, options, graph::reference_engine, [&](const auto& use) {
    for (uint64_t batch = 1; batch <= 4; ++batch) use({formatted(random_pixels(batch), each.format)});
  });
  ASSERT_EQ(report.inputs.size(), 1U);
  EXPECT_EQ(report.inputs[0].exact, each.exact);
  EXPECT_EQ(report.inputs[0].zero, each.zero);

  Graph deployable = n.graph, integer = n.graph;
  IntegeriseOptions until_qd;
  until_qd.stop_at_qd = true;
  integerise(deployable, until_qd);
  integerise(integer, {});
  EXPECT_EQ(integer[integer.inputs[0]].type, ElementType::UInt8);
  const Tensor pixels = random_pixels(seed);
  std::vector<float> centred;
  for (double pixel : pixels.to_reals()) centred.push_back(static_cast<float>(pixel - static_cast<double>(each.zero)));
  const Tensor reals(pixels.shape(), centred);
  const Tensors integers = values_of(integer, {pixels});
  EXPECT_EQ(compare_integers(values_of(deployable, {pixels}), integers).differing, 0);
  EXPECT_EQ(compare_integers(values_of(integer, {reals}), integers).differing, 0);
  EXPECT_EQ(compare_with_reals(values_of(n.graph, {reals}), integer, integers).differing, 0);
  // What the float network makes of the same pixels, but for the noise of eight bits.
  const auto a = graph::evaluate(real, {formatted(pixels, each.format)})[0].to_reals();
  const auto b = graph::evaluate(n.graph, {reals})[0].to_reals();
  double signal = 0, noise = 0;
  for (size_t i = 0; i < a.size(); ++i) signal += a[i] * a[i], noise += (a[i] - b[i]) * (a[i] - b[i]);
  EXPECT_LT(noise, signal * 1e-3);
}

TEST(Stages, AgreeOnPixelsOfEveryFormat) {
  const InputFormat centred{"x", {1.0 / 128}, {-1}}, between{"x", {2.0 / 255}, {-1}};
  const InputFormat by_channel{"x", {1 / 58.4, 1 / 57.1, 1 / 57.4}, {-2.1, -2.0, -1.8}};
  const std::vector<FormatCase> cases{{centred, 1, true, 128}, {centred, 0, true, 128},  {between, 0, true, 0},
                                      {between, 1, false, 0},  {by_channel, 0, true, 0}, {by_channel, 1, false, 0}};
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    expect_pixels_are_taken(cases[i], i + 1);
  }
}

TEST(Stages, AgreeOnABatchNormBeforeItsConvolutionAndOnAResidualOutput) {
  Network n(6);
  const ValueId x = n.relu("relu", n.conv("conv", n.input({any, 2, 6, 6}), 4, 3, 1, 1));
  const ValueId y = n.conv("branch", n.relu("relu2", n.batch_norm("bn", x)), 4, 3, 1, 1);
  n.finish({n.add("out", x, y)});
  expect_same_integers_at_all_options(n);
}

TEST(Stages, AgreeWhereSeveralNodesReadALayerThatIsAlsoAnOutput) {
  Network n(7);
  const ValueId x = n.conv("conv", n.input({any, 2, 6, 6}), 4, 3, 1, 1);
  const ValueId y = n.conv("next", n.relu("relu", x), 3, 1);
  n.finish({y, x, n.node("gap", graph::GlobalAveragePool{}, {n.node("hs", graph::HardSigmoid{}, {x})})});
  expect_same_integers_at_all_options(n);
}

}  // namespace
}  // namespace nibble::passes::testing
