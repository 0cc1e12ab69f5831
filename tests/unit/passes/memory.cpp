#include "passes/quantise/memory.hpp"

#include <gtest/gtest.h>

#include "unit/passes/networks.hpp"

/// Which tensors a quantised network keeps, and what its layers need.
namespace nibble::passes::testing {
namespace {

const MemoryLayer& layer_named(const MemoryTable& table, std::string_view name) {
  for (const MemoryLayer& layer : table.layers)
    if (layer.name == name) return layer;
  throw InternalError("no layer " + std::string(name));
}

std::vector<std::string> names_of(const MemoryTable& table) {
  std::vector<std::string> names;
  for (const MemoryLayer& layer : table.layers) names.push_back(layer.name);
  return names;
}

/// conv [8, 8] -> relu -> max-pool -> flatten -> gemm.
Network plain() {
  Network n;
  const ValueId x = n.relu("relu", n.batch_norm("bn", n.conv("conv", n.input({any, 2, 8, 8}), 4, 3, 1, 1)));
  n.finish({n.gemm("fc", n.flatten("flatten", n.max_pool("pool", x)), 3)});
  return n;
}

/// A residual block whose branch `a` is read again by the Add.
Network residual() {
  Network n;
  const ValueId a = n.relu("relu", n.conv("a", n.input({any, 2, 8, 8}), 4, 3, 1, 1));
  const ValueId c = n.conv("c", n.relu("relu_b", n.conv("b", a, 8, 3, 1, 1)), 4, 3, 1, 1);
  n.finish({n.conv("last", n.relu("relu_add", n.add("add", a, c)), 2, 1)});
  return n;
}

TEST(Memory, CountsWhatStandsBetweenLayersAndNothingThatIsComputedOnTheWay) {
  Network n = plain();
  quantise_by(n.graph);
  const MemoryTable table = memory_of(n.graph);
  EXPECT_EQ(names_of(table), (std::vector<std::string>{"conv", "pool", "fc"}));
  EXPECT_EQ(table.input_bytes(table.layers[0]), 2 * 64);
  EXPECT_EQ(table.output_bytes(table.layers[0]), 4 * 64);
  EXPECT_EQ(table.output_bytes(table.layers[1]), 4 * 16);
  EXPECT_EQ(table.input_bytes(table.layers[2]), 4 * 16);
  EXPECT_EQ(table.output_bytes(table.layers[2]), 3 * 4);  // sums that leave the network: 32 bits
  EXPECT_EQ(table.largest_layer(), 6 * 64);
  EXPECT_EQ(table.weight_bytes(), 4 * 2 * 9 + 3 * 64);
}

TEST(Memory, IsTheSameAtEveryQuantisedStage) {
  for (Network n : {plain(), residual()}) {
    QuantiseOptions options;
    options.policy.override_layers("*", Json{{"activations", 4}, {"weights", 3}, {"add", "common"}});
    quantise_by(n.graph, options);
    Graph qd = n.graph, id = n.graph;
    IntegeriseOptions stop;
    stop.stop_at_qd = true;
    integerise(qd, stop), integerise(id, {});
    const MemoryTable fake = memory_of(n.graph);
    for (const Graph* stage : {&qd, &id}) {
      const MemoryTable table = memory_of(*stage);
      EXPECT_EQ(names_of(table), names_of(fake));
      ASSERT_EQ(table.layers.size(), fake.layers.size());
      for (size_t i = 0; i < table.layers.size(); ++i) {
        EXPECT_EQ(table.input_bytes(table.layers[i]), fake.input_bytes(fake.layers[i])) << table.layers[i].name;
        EXPECT_EQ(table.output_bytes(table.layers[i]), fake.output_bytes(fake.layers[i])) << table.layers[i].name;
        EXPECT_EQ(table.layers[i].weight_bytes(), fake.layers[i].weight_bytes()) << table.layers[i].name;
        EXPECT_EQ(table.layers[i].live, fake.layers[i].live) << table.layers[i].name;
      }
    }
  }
}

TEST(Memory, KeepsATensorAliveUntilItsLastReader) {
  Network n = residual();
  quantise_by(n.graph);
  const MemoryTable table = memory_of(n.graph);
  const MemoryLayer& c = layer_named(table, "c");
  EXPECT_EQ(table.input_bytes(c) + table.output_bytes(c), (8 + 4) * 64);
  EXPECT_EQ(c.live, (8 + 4 + 4) * 64);  // and a, which the Add reads later
  const MemoryLayer& add = layer_named(table, "add");
  EXPECT_EQ(table.input_bytes(add), 2 * 4 * 64);
  EXPECT_EQ(table.peak(), c.live);
}

TEST(Memory, StoresWhatAnIntegerAlgorithmReads) {
  Network n;
  const ValueId x = n.gemm("fc", n.input({any, 8}), 6);
  n.finish({n.gemm("last", n.node("softmax", graph::Softmax{-1}, {x}), 2)});
  quantise_by(n.graph);
  const auto fake = names_of(memory_of(n.graph));
  integerise(n.graph, {});
  EXPECT_EQ(names_of(memory_of(n.graph)), fake);
  EXPECT_EQ(fake, (std::vector<std::string>{"fc", "softmax", "last"}));
}

TEST(Memory, CountsWeightsOfTwoLayersOnce) {
  Network n;
  const ValueId w = n.constant("w", n.normal({2, 2, 1, 1}));
  const graph::Conv conv{{1, 1}, {0, 0, 0, 0}, {1, 1}, 1, 0};
  const ValueId a = n.relu("relu", n.node("a", conv, {n.input({any, 2, 4, 4}), w}));
  n.finish({n.relu("out", n.node("b", conv, {a, w}))});
  quantise_by(n.graph);
  EXPECT_EQ(memory_of(n.graph).weight_bytes(), 4);
}

TEST(Memory, RefusesAFloatNetwork) {
  Network n = plain();
  EXPECT_EQ(message_of([&] { memory_of(n.graph); }),
            "passes: memory: the network is FP, without integers to keep (expected a quantised network: FQ, QD or ID)");
}

}  // namespace
}  // namespace nibble::passes::testing
