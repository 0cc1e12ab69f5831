#include "graph/input_rounding.hpp"

#include <gtest/gtest.h>

#include "graph/evaluate/evaluate.hpp"

namespace nibble::graph {
namespace {

/// y = x, of levels -8 to 7 with scale 1.
Graph levels() {
  Graph graph;
  graph.stage = Stage::ID;
  graph.inputs = {graph.add_value("x", ElementType::Int8, {any})};
  graph[graph.inputs[0]].grid = Grid{{1.0}, -1, 0, -8, 7};
  graph.outputs = {graph.add_node("y", Identity{}, graph.inputs)};
  tidy(graph);
  return graph;
}

std::vector<int64_t> of(const Graph& graph) {
  const Tensor ties({5}, std::vector<float>{-1.5F, -0.5F, 0.5F, 1.5F, 2.25F});
  return evaluate(graph, {ties}).at(0).to_integers();
}

TEST(InputRounding, IsHalfUpUnlessTheNetworkSaysOtherwise) {
  Graph graph = levels();
  EXPECT_EQ(of(graph), (std::vector<int64_t>{-1, 0, 1, 2, 2}));
  set_input_rounding(graph, "x", Rounding::HalfEven);
  EXPECT_EQ(of(graph), (std::vector<int64_t>{-2, 0, 0, 2, 2}));
  EXPECT_EQ(input_rounding(graph, "y"), Rounding::HalfUp);
  set_input_rounding(graph, "x", Rounding::HalfUp);
  EXPECT_TRUE(graph.metadata.empty());
}

TEST(InputRounding, IsHalfUpWhereItsMetadataAreDamaged) {
  Graph graph = levels();
  for (const char* text : {"", "[]", "{\"x\": 3}", "{\"x\":"}) {
    graph.metadata["input_rounding"] = text;
    EXPECT_EQ(input_rounding(graph, "x"), Rounding::HalfUp) << text;
  }
}

}  // namespace
}  // namespace nibble::graph
