#include <gtest/gtest.h>

#include "base/error.hpp"
#include "passes/integerise/integerise.hpp"
#include "unit/passes/networks.hpp"

/// What channels share, and where they stand: rows of products, units of batch-norms, the standard's scales.
namespace nibble::passes::testing {
namespace {

/// A quantiser of levels -128..127.
ValueId quantised(Network& n, const std::string& name, ValueId x, std::vector<double> scale, int axis = -1,
                  int64_t zero_point = 0) {
  const Grid grid{std::move(scale), axis, zero_point, -128, 127};
  const ValueId y = n.node(name, graph::Quantise{grid, Rounding::HalfEven}, {x});
  n.graph[y].grid = grid;
  return y;
}

/// Every value that both name has the same integers, on the grid that the fake one has.
void expect_same_integers(const Graph& fake, const Graph& integer, const std::vector<Tensor>& inputs) {
  std::map<std::string, std::vector<int64_t>> expected;
  graph::evaluate(fake, inputs, [&](ValueId id, const Tensor& tensor) {
    const auto& grid = fake[id].grid;
    if (!grid || grid->per_channel() || grid->low == INT32_MIN) return;
    for (double real : tensor.to_reals())
      expected[fake[id].name].push_back(grid->quantise(real, 0, Rounding::HalfEven));
  });
  size_t compared = 0;
  graph::evaluate(integer, inputs, [&](ValueId id, const Tensor& tensor) {
    const auto found = expected.find(integer[id].name);
    if (found == expected.end()) return;
    EXPECT_EQ(tensor.to_integers(), found->second) << found->first;
    ++compared;
  });
  EXPECT_GE(compared, 1U);
}

std::vector<Tensor> dyadic_batch(const Shape& shape, uint64_t seed) {
  Random random(seed);
  std::vector<float> values;
  for (int64_t i = 0; i < element_count(shape); ++i)
    values.push_back(static_cast<float>(std::nearbyint(random.normal() * 32)) / 32);
  return {Tensor(shape, values)};
}

}  // namespace

TEST(FlattenRows, GivesTheColumnsOfAProductScalesOfTheirOwnWhateverItsRank) {
  for (const Shape& tail : {Shape{5, 6}, Shape{2, 3, 6}})
    for (const bool per_channel : {true, false}) {
      Network n(5);
      Shape shape{any}, batch{4};
      shape.insert(shape.end(), tail.begin(), tail.end());
      batch.insert(batch.end(), tail.begin(), tail.end());
      const ValueId x = quantised(n, "x_q", n.input(shape), {0x1p-5}, -1, 3);
      const std::vector<double> scale =
          per_channel ? std::vector<double>{0x1p-7, 0x1p-6, 0x1p-8, 0x1p-7} : std::vector<double>{0x1p-7};
      const ValueId w = quantised(n, "w_q", n.constant("w", n.normal({6, 4}, 0.3)), scale, per_channel ? 1 : -1);
      const ValueId product = n.node("product", graph::MatMul{}, {x, w});
      const ValueId bias = n.constant("b", Tensor({1, 4}, std::vector<float>{0.5F, -0.25F, 0.75F, 1}));
      const ValueId sum = n.node("sum", graph::Add{}, {bias, product});
      const ValueId y = quantised(n, "y", n.node("clip", graph::Clip{-1, 2}, {sum}), {0x1p-4}, -1, -7);
      const Graph fake = [&] {
        Graph graph = n.finish({y});
        graph.stage = graph::Stage::FQ;
        return graph;
      }();
      Graph integer = fake;
      integerise(integer, {});
      EXPECT_EQ(integer.stage, graph::Stage::ID);
      expect_same_integers(fake, integer, dyadic_batch(batch, 7));
    }
}

TEST(PutWeightsSecond, KeepsTheScalesOfQuantisedRows) {
  Network n(6);
  const ValueId x = quantised(n, "x_q", n.input({any, 6, 5}), {0x1p-5});
  const ValueId w = quantised(n, "w_q", n.constant("w", n.normal({3, 6}, 0.3)), {0x1p-7, 0x1p-6, 0x1p-8}, 0);
  const ValueId product = n.node("product", graph::MatMul{}, {w, x});
  const ValueId bias = n.constant("b", Tensor({3, 1}, std::vector<float>{0.5F, -0.25F, 0.75F}));
  const ValueId y = quantised(n, "y", n.node("sum", graph::Add{}, {product, bias}), {0x1p-4});
  Graph fake = n.finish({y});
  fake.stage = graph::Stage::FQ;
  Graph integer = fake;
  integerise(integer, {});
  expect_same_integers(fake, integer, dyadic_batch({4, 6, 5}, 8));
}

TEST(IntegerBatchNorm, AChannelOfOneLevelTakesNoPartInTheUnitOfTheOthers) {
  for (const bool dead : {false, true}) {
    Network n(7);
    const ValueId conv = n.conv("conv", n.input({any, 2, 6, 6}), 4, 3, 1, 1);
    if (dead) {
      auto w = n.graph[n.graph.nodes[0].inputs[1]].constant->as<float>();
      std::fill(w.begin() + 18, w.begin() + 36, 0.0F);
    }
    const ValueId norm = n.node("norm", graph::BatchNormalization{},
                                {conv, n.constant("g", Tensor({4}, std::vector<float>{1.25F, 1.75F, 0.5F, 1})),
                                 n.constant("beta", n.normal({4}, 0.2)), n.constant("mean", n.normal({4}, 0.2)),
                                 n.constant("v", Tensor({4}, std::vector<float>{1, dead ? 0.0F : 1.0F, 2, 1}))});
    Graph fake = n.finish({n.conv("out", n.relu("f", norm), 3, 1)});
    QuantiseOptions options;
    options.policy.defaults.batch_norm = BatchNorm::Integer;
    options.bias_correction = false;
    quantise_by(fake, options);
    Graph deployable = fake;
    IntegeriseOptions stop;
    stop.stop_at_qd = true;
    integerise(deployable, stop);
    std::map<std::string, std::vector<double>> reals;
    Random random(3);
    const auto inputs = batch_for(fake, random, 5);
    graph::evaluate(fake, inputs, [&](ValueId id, const Tensor& t) { reals[fake[id].name] = t.to_reals(); });
    size_t compared = 0;
    graph::evaluate(deployable, inputs, [&](ValueId id, const Tensor& t) {
      const auto& grid =
          fake[fake.find(deployable[id].name) < 0 ? fake.inputs[0] : fake.find(deployable[id].name)].grid;
      if (!grid || grid->per_channel() || grid->low == INT32_MIN || !reals.contains(deployable[id].name)) return;
      const std::vector<int64_t> q = t.to_integers();
      for (size_t i = 0; i < q.size(); ++i)
        EXPECT_LE(std::abs(q[i] - grid->quantise(reals[deployable[id].name][i], 0, Rounding::HalfUp)), 1)
            << deployable[id].name << " at " << i;
      ++compared;
    });
    EXPECT_GE(compared, 1U);
  }
}

TEST(StandardiseRescalings, ChangesANetworkOnceAndKeepsItsNamesShort) {
  Network n(8);
  const ValueId hidden = n.relu("f", n.conv("conv", n.input({any, 2, 4, 4}), 3, 3, 1, 1));
  Graph graph = n.finish({n.relu("g", n.conv("out", hidden, 2, 1))});
  quantise_by(graph);
  IntegeriseOptions options;
  options.requantisation = RequantisationRule::Standard;
  options.stop_at_qd = true;
  integerise(graph, options);
  EXPECT_EQ(standardise_rescalings(graph), 0);
  for (const graph::Value& value : graph.values) EXPECT_LT(value.name.size(), 40U) << value.name;
}

TEST(Pipelines, APassThatNeverSaysZeroIsAFaultThatNamesIt) {
  Network n(9);
  Graph graph = n.finish({n.relu("f", n.input({any, 2}))});
  const Pipeline endless{{"never_done", "Says that it changed something", [](Graph&) { return 1; }}};
  try {
    run(endless, graph);
    FAIL();
  } catch (const InternalError& error) {
    EXPECT_NE(std::string(error.what()).find("pass 'never_done' still changes the graph"), std::string::npos);
  }
}

}  // namespace nibble::passes::testing
