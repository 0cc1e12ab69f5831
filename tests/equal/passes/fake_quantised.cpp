#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "passes/integerise/meaning.hpp"
#include "unit/passes/deep_networks.hpp"
#include "unit/passes/random_networks.hpp"

/// FQ = QD = ID in every integer, whatever the depth: the executor of FQ computes what it means.
namespace nibble::passes::testing {
namespace {

/// NIBBLE_DEEP_NETWORKS=1000 is the campaign (docs/design/fake_to_true.md).
uint64_t deep_networks() {
  const char* asked = std::getenv("NIBBLE_DEEP_NETWORKS");
  return asked ? std::strtoull(asked, nullptr, 10) : 24;
}

QuantiseOptions options_for(uint64_t seed) {
  Random random(seed);
  QuantiseOptions options;
  LayerPolicy& policy = options.policy.defaults;
  policy.weight_levels = int64_t{1} << (3 + random.below(6));
  policy.activation_levels = int64_t{1} << (3 + random.below(6));
  policy.per_channel = random.below(2) == 0;
  policy.symmetric_activations = random.below(2) == 0;
  policy.rounding = random.below(4) == 0 ? Rounding::Floor : Rounding::HalfUp;
  policy.batch_norm = random.below(2) == 0 ? BatchNorm::Fold : BatchNorm::Keep;
  policy.activation_range = {};
  return options;
}

struct Counts {
  int64_t compared = 0, differing = 0;
};

/// Of every value that FQ's executor tells and ID holds on the same grid.
Counts differing(const Graph& fake, const Graph& integer, uint64_t seed) {
  Random random(seed + 5000);
  const auto inputs = batch_for(fake, random, 2);
  std::map<std::string, Tensor> reals;
  fake_quantised_engine(fake, graph::reference_engine)->run(inputs, [&](ValueId id, const Tensor& tensor) {
    reals.emplace(fake[id].name, tensor);
  });
  Counts counts;
  graph::evaluate(integer, inputs, [&](ValueId id, const Tensor& tensor) {
    const auto found = reals.find(integer[id].name);
    const auto& grid = integer[id].grid;
    const bool is_input = std::find(integer.inputs.begin(), integer.inputs.end(), id) != integer.inputs.end();
    if (is_input || found == reals.end() || !grid || grid->per_channel()) return;
    const auto stored = tensor.to_integers();
    const auto real = found->second.to_reals();
    ASSERT_EQ(stored.size(), real.size()) << integer[id].name;
    for (size_t i = 0; i < stored.size(); ++i) {
      ++counts.compared;
      counts.differing += std::llrint(real[i] / grid->scale[0]) + grid->zero_point != stored[i];
    }
  });
  return counts;
}

TEST(FakeQuantised, OfDeepNetworksIsTheirIntegersEverywhere) {
  int64_t compared = 0, held = 0;
  for (uint64_t seed = 1; seed <= deep_networks(); ++seed) {
    SCOPED_TRACE(seed);
    DeepNetwork deep(seed);
    Graph fake = deep.network().graph;
    Random random(seed + 1);
    const std::vector<Tensor> batch = batch_for(fake, random, 4);
    quantise(fake, options_for(seed), graph::reference_engine, [&](const auto& use) { use(batch); });
    Graph integer = fake;
    const IntegeriseReport report = integerise(integer, {});
    // Where no multiplier is exact, the certificate counts what differs: QD and ID part there, not FQ and QD.
    if (report.exact_nodes() < static_cast<int>(report.nodes.size())) continue;
    const Counts counts = differing(fake, integer, seed);
    EXPECT_EQ(counts.differing, 0) << counts.compared;
    compared += counts.compared, ++held;
  }
  EXPECT_GT(compared, 0);
  EXPECT_GE(held * 10, static_cast<int64_t>(deep_networks()) * 9);
  RecordProperty("integers", static_cast<int>(compared / 1000));
  printf("%ld networks, %ld integers\n", static_cast<long>(held), static_cast<long>(compared));
}

TEST(FakeQuantised, TellsEveryValueOfTheNetworkInReals) {
  Network network = random_network(3);
  Graph& fake = network.graph;
  Random random(4);
  const std::vector<Tensor> batch = batch_for(fake, random, 4);
  quantise(fake, {}, graph::reference_engine, [&](const auto& use) { use(batch); });
  std::map<ValueId, Tensor> told;
  const auto engine = fake_quantised_engine(fake, graph::reference_engine);
  const Tensor y = engine->run(batch, [&](ValueId id, const Tensor& tensor) { told.emplace(id, tensor); }).at(0);
  for (const graph::Node& node : fake.nodes)
    for (ValueId id : node.outputs) EXPECT_TRUE(told.contains(id)) << fake[id].name;
  // The double evaluator is a float's noise away from it.
  const auto expected = graph::evaluate(fake, batch).at(0).to_reals(), found = y.to_reals();
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-6 * (1 + std::abs(expected[i])));
  EXPECT_EQ(engine->run(batch).at(0).to_reals(), found);
}

/// On grids of their own: what is added is told once both inputs are there.
TEST(FakeQuantised, OfASumOfInputsTellsIt) {
  for (bool turned : {false, true}) {
    Network n(6);
    const ValueId a = n.input({any, 3, 4, 4});
    const ValueId b = n.graph.add_value("other", ElementType::Float32, {any, 3, 4, 4});
    n.graph.inputs.push_back(b);
    const ValueId sum = n.node("sum", graph::Add{}, {turned ? b : a, turned ? a : b});
    n.finish({n.conv("last", sum, 2, 3)});
    Graph& fake = n.graph;
    Random random(4);
    const std::vector<Tensor> batch = batch_for(fake, random, 4);
    QuantiseOptions options;
    options.policy.defaults.branches = Branches::Own;
    quantise(fake, options, graph::reference_engine, [&](const auto& use) { use(batch); });
    Graph integer = fake;
    integerise(integer, {});
    const Counts counts = differing(fake, integer, 7);
    EXPECT_EQ(counts.differing, 0);
    EXPECT_GT(counts.compared, 0);
  }
}

TEST(FakeQuantised, KeepsAnInputThatNothingReads) {
  Network n(6);
  const ValueId a = n.input({any, 3, 4, 4});
  n.graph.inputs.push_back(n.graph.add_value("unread", ElementType::Float32, {any, 5}));
  n.finish({n.conv("last", a, 2, 3)});
  Graph& fake = n.graph;
  Random random(4);
  const std::vector<Tensor> batch = batch_for(fake, random, 4);
  quantise(fake, {}, graph::reference_engine, [&](const auto& use) { use(batch); });
  Graph integer = fake;
  integerise(integer, {});
  ASSERT_EQ(integer.inputs.size(), 2U);
  EXPECT_EQ(integer[integer.inputs[1]].name, "unread");
  const Counts counts = differing(fake, integer, 7);
  EXPECT_EQ(counts.differing, 0);
  EXPECT_GT(counts.compared, 0);
}

TEST(FakeQuantised, WithoutOneOfItsQuantisersIsComputedInRealsFromThereOn) {
  Network n(6);
  const ValueId x = n.relu("relu", n.conv("conv", n.input({any, 2, 5, 5}), 3, 3, 1, 1));
  n.finish({n.node("tanh", graph::Tanh{}, {n.conv("last", x, 2, 1)})});
  Graph& fake = n.graph;
  Random random(4);
  const std::vector<Tensor> batch = batch_for(fake, random, 4);
  quantise(fake, {}, graph::reference_engine, [&](const auto& use) { use(batch); });
  // What reads the quantiser of the middle reads its source.
  for (graph::Node& node : fake.nodes)
    if (node.name == "last")
      for (const graph::Node& writer : fake.nodes)
        if (writer.outputs[0] == node.inputs[0] && holds_alternative<graph::Quantise>(writer.op)) {
          node.inputs[0] = writer.inputs[0];
          break;
        }
  graph::tidy(fake);
  const auto expected = graph::evaluate(fake, batch).at(0).to_reals();
  const auto found = fake_quantised_engine(fake, graph::reference_engine)->run(batch).at(0).to_reals();
  ASSERT_EQ(expected.size(), found.size());
  const double step = fake[fake.outputs[0]].grid ? fake[fake.outputs[0]].grid->scale[0] : 0;
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], step + 1e-6);
}

}  // namespace
}  // namespace nibble::passes::testing
