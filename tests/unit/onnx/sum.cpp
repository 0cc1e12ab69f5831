#include <gtest/gtest.h>

#include "graph/text.hpp"
#include "onnx/onnx.hpp"

namespace nibble {
namespace {

/// y = a sum of `terms` inputs [N, 3] of a type.
graph::Graph sum_of(int terms, ElementType type, graph::Stage stage) {
  graph::Graph graph;
  graph.name = "sum";
  graph.stage = stage;
  Grid grid;
  grid.low = -128, grid.high = 127;
  for (int i = 0; i < terms; ++i) {
    graph.inputs.push_back(graph.add_value("x" + std::to_string(i), type, {any, 3}));
    if (!is_real(type)) graph[graph.inputs.back()].grid = grid;
  }
  graph.outputs = {graph.add_node("sum", graph::Add{}, graph.inputs)};
  graph::tidy(graph);
  return graph;
}

void expect_the_same(const graph::Graph& graph) {
  const graph::Graph again = onnx::read_bytes(onnx::native_bytes(graph), "sum.onnx");
  EXPECT_EQ(graph::to_text(again, graph::Constants::Whole), graph::to_text(graph, graph::Constants::Whole));
}

}  // namespace

TEST(Sum, OfManyTermsIsReadBackAsOneAdd) {
  for (int terms : {2, 3, 5}) {
    expect_the_same(sum_of(terms, ElementType::Float32, graph::Stage::FP));
    expect_the_same(sum_of(terms, ElementType::Int8, graph::Stage::ID));
  }
}

}  // namespace nibble
