#include <gtest/gtest.h>

#include <map>

#include "graph/op_traits.hpp"
#include "passes/integerise/integerise.hpp"
#include "unit/passes/networks.hpp"

// quantise on networks that have some of their quantisers.
namespace nibble::passes::testing {
namespace {

/// A residual, a pool, a mean and an output layer.
Network whole() {
  Network n;
  const ValueId a = n.relu("relu", n.conv("a", n.input({any, 2, 6, 6}), 4, 3, 1, 1));
  const ValueId sum = n.relu("sum_relu", n.add("sum", n.conv("b", a, 4, 3, 1, 1), a));
  n.finish({n.gemm("fc", n.flatten("flatten", n.average_pool("pool", n.max_pool("most", sum), 3, 3)), 3)});
  return n;
}

std::map<std::string, Grid> grids_of(const Graph& graph) {
  std::map<std::string, Grid> grids;
  for (const graph::Node& node : graph.nodes)
    if (const auto* op = get_if<graph::Quantise>(&node.op)) grids.emplace(graph[node.outputs[0]].name, op->grid);
  return grids;
}

void take_away(Graph& graph, const std::string& quantiser) {
  for (const graph::Node& node : graph.nodes)
    if (graph[node.outputs[0]].name == quantiser) {
      const ValueId from = node.outputs[0], to = node.inputs[0];
      graph[from].grid.reset();
      graph.replace(from, to);
      break;
    }
  graph::tidy(graph);
}

TEST(QuantiseAgain, KeepsWhatIsThereAndAddsWhatIsNot) {
  Network n = whole();
  quantise_by(n.graph);
  const std::map<std::string, Grid> all = grids_of(n.graph);
  for (const auto& [taken, grid] : all) {
    SCOPED_TRACE(taken);
    Network lacking = n;
    take_away(lacking.graph, taken);
    const std::map<std::string, Grid> kept = grids_of(lacking.graph);
    EXPECT_EQ(kept.size(), all.size() - 1);
    quantise_by(lacking.graph);
    const std::map<std::string, Grid> after = grids_of(lacking.graph);
    for (const auto& [name, of_name] : kept) {
      // A bias lies on its sum's grid, which new weights and a new input may change.
      if ((taken == "fc_w_q" || taken == "pool_q") && name == "fc_b_q") continue;
      ASSERT_TRUE(after.contains(name)) << name;
      EXPECT_EQ(after.at(name), of_name) << name;
    }
    EXPECT_GE(after.size(), all.size());
    const IntegeriseReport report = integerise(lacking.graph, {});
    for (const CertifiedNode& node : report.nodes)
      for (const auto& channel : node.channels) EXPECT_EQ(channel.differing, 0) << node.node;
  }
}

TEST(QuantiseAgain, ChangesNothingWhereNothingIsMissing) {
  Network n = whole();
  quantise_by(n.graph);
  const std::map<std::string, Grid> before = grids_of(n.graph);
  quantise_by(n.graph);
  EXPECT_EQ(grids_of(n.graph), before);
}

TEST(QuantiseAgain, LeavesAnOutputWithTheScalesOfItsChannels) {
  Network n;
  const ValueId x = n.node("x_q", graph::Quantise{{{0.125}, -1, 3, 0, 255}, Rounding::HalfEven}, {n.input({any, 4})});
  const Grid channels{{0.25, 0.5, 0.0625}, 0, 0, -128, 127};
  const ValueId w =
      n.node("w_q", graph::Quantise{channels, Rounding::HalfEven}, {n.constant("w", n.normal({3, 4}, 2))});
  n.finish({n.node("fc", graph::Gemm{1, 1, false, true, 0}, {x, w, n.constant("b", n.normal({3}))})});
  n.graph.stage = graph::Stage::FQ;
  quantise_by(n.graph);
  const Graph fake = n.graph;
  integerise(n.graph, {});
  const auto& grid = n.graph[n.graph.outputs[0]].grid;
  ASSERT_TRUE(grid.has_value());
  EXPECT_EQ(grid->scale, (std::vector<double>{0.03125, 0.0625, 0.0078125}));
  EXPECT_EQ(grid->axis, 1);
  const Tensor given = n.normal({5, 4}, 4);
  const auto reals = graph::evaluate(fake, {given}).at(0).to_reals();
  const auto integers = graph::evaluate(n.graph, {given}).at(0).to_integers();
  for (size_t i = 0; i < integers.size(); ++i)
    EXPECT_NEAR(static_cast<double>(integers[i]) * grid->scale[i % 3], reals[i], 1e-6);
}

}  // namespace
}  // namespace nibble::passes::testing
