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

QuantiseOptions options_for(uint64_t seed) {
  Random random(seed * 7 + 1);
  QuantiseOptions options;
  LayerPolicy& policy = options.policy.defaults;
  policy.weight_levels = static_cast<int64_t>(3 + random.below(254));
  policy.activation_levels = static_cast<int64_t>(4 + random.below(253));
  policy.per_channel = random.below(2) == 0;
  policy.symmetric_activations = random.below(2) == 0;
  policy.rounding = static_cast<Rounding>(random.below(3));
  policy.batch_norm = static_cast<BatchNorm>(random.below(3));
  return options;
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

void expect_same_integers(Network network, uint64_t seed) {
  Graph& fake = network.graph;
  quantise_by(fake, options_for(seed));
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
  EXPECT_TRUE(exact_nodes || (ties && options.thresholds == Thresholds::Never));

  Random random(seed + 2000);
  const auto inputs = batch_for(fake, random, 3);
  const Tensors fakes = values_of(fake, inputs);
  const Tensors reals = values_of(deployable, inputs);
  const Tensors integers = values_of(integer, inputs);
  const Counts exact = compare_integers(reals, integers);
  EXPECT_GT(exact.compared, 0);
  if (exact_nodes) {
    EXPECT_EQ(exact.differing, 0);
  }
  const Counts noise = compare_with_reals(fakes, integer, integers);
  EXPECT_GT(noise.compared, 0);
  // Floor puts zero itself on a step: a float sum that cancels to -1e-17 falls a level, whatever the integers say.
  if (options_for(seed).policy.defaults.rounding != Rounding::Floor && exact_nodes && !has_integer_norms(deployable)) {
    EXPECT_EQ(noise.differing, 0);
  }
}

TEST(Stages, CanonicalNetworksComputeTheSameFunction) {
  for (uint64_t seed = 1; seed <= networks; ++seed) {
    SCOPED_TRACE(seed);
    expect_same_function(seed);
  }
}

TEST(Stages, QuantisedAndIntegerDeployableGiveTheSameIntegersEverywhere) {
  for (uint64_t seed = 1; seed <= networks; ++seed) {
    SCOPED_TRACE(seed);
    expect_same_integers(random_network(seed), seed);
  }
}

/// Every rounding and many widths of one network.
void expect_same_integers_at_all_options(const Network& network) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    expect_same_integers(network, seed);
  }
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
