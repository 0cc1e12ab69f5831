#include "passes/quantise/layers.hpp"

#include <gtest/gtest.h>

#include "unit/passes/random_networks.hpp"

/// Which layer's result a quantiser holds: the graph says what the plan of it said.
namespace nibble::passes::testing {
namespace {

/// Quantise names an activation's quantiser after its layer, with a number where there are two.
void expect_the_planned_layers(const Graph& fake) {
  for (const graph::Node& node : fake.nodes) {
    if (!holds_alternative<graph::Quantise>(node.op) || fake.constant(node.inputs[0])) continue;
    const std::string planned = node.name.substr(0, node.name.rfind("_q"));
    EXPECT_EQ(quantised_layer(fake, graph::Uses(fake), node), planned) << node.name;
  }
}

TEST(QuantisedLayer, IsThePlansInRandomNetworks) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Network n = random_network(seed);
    QuantiseOptions options;
    options.policy.defaults.branches = seed % 2 == 0 ? Branches::Common : Branches::Own;
    if (seed % 3 == 0) options.policy.defaults.batch_norm = BatchNorm::Keep;
    quantise_by(n.graph, options, seed);
    expect_the_planned_layers(n.graph);
  }
}

TEST(QuantisedLayer, IsTheOneBeforeItsBatchNormAndRelu) {
  Network n;
  const ValueId x = n.relu("relu", n.batch_norm("bn", n.conv("conv", n.input({any, 2, 6, 6}), 4, 3)));
  n.finish({n.conv("last", n.relu("after", n.max_pool("pool", x)), 2, 1)});
  quantise_by(n.graph);
  const auto layer = [&](const char* quantiser) {
    return quantised_layer(n.graph, graph::Uses(n.graph),
                           n.graph.nodes[static_cast<size_t>(index_of(n.graph, quantiser))]);
  };
  EXPECT_EQ(layer("x_q"), "x");
  EXPECT_EQ(layer("conv_q"), "conv");
}

TEST(QuantisedLayer, DoesNotDependOnTheQuantisersName) {
  Network n;
  n.finish({n.gemm("fc", n.relu("relu", n.gemm("one", n.input({any, 4}), 3)), 2)});
  quantise_by(n.graph);
  graph::Node& node = n.graph.nodes[static_cast<size_t>(index_of(n.graph, "one_q"))];
  node.name = "anything";
  EXPECT_EQ(quantised_layer(n.graph, graph::Uses(n.graph), node), "one");
}

}  // namespace
}  // namespace nibble::passes::testing
