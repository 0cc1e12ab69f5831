#include "graph/verify.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "graph/infer.hpp"

using namespace nibble;
using namespace nibble::graph;

namespace {

Graph chain() {
  Graph graph;
  graph.name = "g";
  const ValueId x = graph.add_value("x", ElementType::Float32, {any, 2});
  graph.inputs = {x};
  const ValueId y = graph.add_node("a", Relu{}, {x});
  graph.outputs = {graph.add_node("b", Relu{}, {y})};
  tidy(graph);
  verify(graph);
  return graph;
}

std::string complaint(const Graph& graph) {
  try {
    verify(graph);
  } catch (const UserError& error) {
    return error.what();
  }
  return "nothing";
}

std::string inference_complaint(Op op, std::vector<Shape> shapes) {
  Graph graph;
  std::vector<ValueId> ids;
  for (const Shape& shape : shapes) ids.push_back(graph.add_value("x", ElementType::Float32, shape));
  graph.inputs = ids;
  graph.outputs = {graph.add_node("n", std::move(op), ids)};
  try {
    infer_shapes(graph);
  } catch (const UserError& error) {
    return error.what();
  }
  return "nothing";
}

}  // namespace

TEST(Verify, NamesANodeThatReadsTooEarly) {
  Graph graph = chain();
  std::swap(graph.nodes[0], graph.nodes[1]);
  EXPECT_EQ(complaint(graph), "graph: node 'b' (Relu): reads 'a' before it is written (expected nodes in order)");
}

TEST(Verify, NamesASecondWriter) {
  Graph graph = chain();
  graph.nodes[1].outputs = graph.nodes[0].outputs;
  EXPECT_NE(complaint(graph).find("(expected a value that nothing else writes)"), std::string::npos);
}

TEST(Verify, NamesASharedName) {
  Graph graph = chain();
  graph.values[1].name = "x";
  EXPECT_EQ(complaint(graph), "graph: value 'x': its name is taken or empty (expected unique names)");
}

TEST(Verify, NamesAStoredShapeThatIsNotInferred) {
  Graph graph = chain();
  graph[graph.outputs.front()].shape = {any, 3};
  EXPECT_EQ(complaint(graph), "graph: node 'b' (Relu): writes 'b' of [N, 3] (expected [N, 2])");
}

TEST(Verify, NamesAConstantThatIsNotANumber) {
  Graph graph = chain();
  const ValueId c = graph.add_constant("c", Tensor({2}, std::vector<float>{1, NAN}));
  graph.outputs = {graph.add_node("sum", Add{}, {graph.outputs.front(), c})};
  tidy(graph);
  EXPECT_EQ(complaint(graph), "graph: constant 'c': NaN at index 1 (expected finite numbers)");
}

TEST(Verify, NamesAScaleThatFloat32CannotHold) {
  Graph graph = chain();
  Grid grid;
  grid.scale = {0.1};
  graph.outputs = {graph.add_node("q", Quantise{grid, Rounding::HalfUp}, {graph.outputs.front()})};
  tidy(graph);
  EXPECT_EQ(complaint(graph), "graph: node 'q' (Quantise): scale 0.100000 (expected a positive finite float32 number)");
}

TEST(Verify, RefusesRealsAtStageID) {
  Graph graph = chain();
  graph.stage = Stage::ID;
  EXPECT_EQ(complaint(graph), "graph: node 'a' (Relu): writes reals at stage ID (expected integers in every tensor)");
}

TEST(Verify, NamesANetworkWithoutOutputs) {
  Graph graph = chain();
  graph.outputs.clear();
  EXPECT_EQ(complaint(graph), "graph: network 'g': no outputs (expected at least one)");
}

TEST(Sort, NamesANodeOnACycle) {
  Graph graph = chain();
  graph.nodes[0].inputs = graph.nodes[1].outputs;
  try {
    graph::sort(graph);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "graph: node 'a': waits for itself (expected a graph without cycles)");
  }
}

TEST(Infer, NamesWhatDoesNotFit) {
  Conv conv;
  conv.strides = conv.dilations = {1, 1};
  conv.pads = {0, 0, 0, 0};
  EXPECT_EQ(inference_complaint(conv, {{1, 8, 4, 4}, {4, 3, 3, 3}}),
            "graph: node 'n' (Conv): weights [4, 3, 3, 3] with input [1, 8, 4, 4] and group 1 (expected [O, C/group, "
            "kernel], O a multiple of group)");
  conv.group = 3;
  EXPECT_EQ(inference_complaint(conv, {{1, 8, 4, 4}, {4, 3, 3, 3}}),
            "graph: node 'n' (Conv): group 3 with 8 input channels (expected a divisor of the channels)");
  conv.group = 1;
  EXPECT_EQ(inference_complaint(conv, {{1, 3, 2, 2}, {4, 3, 3, 3}}),
            "graph: node 'n' (Conv): input [1, 3, 2, 2] smaller than the window (expected room for one window)");
  EXPECT_EQ(inference_complaint(Add{}, {{2, 3}, {2, 4}}),
            "graph: node 'n' (Add): shapes [2, 3] and [2, 4] (expected shapes that broadcast)");
  EXPECT_EQ(inference_complaint(Gemm{}, {{2, 3}, {4, 5}}),
            "graph: node 'n' (Gemm): [2, 3] times [4, 5] (expected equal inner extents)");
  EXPECT_EQ(inference_complaint(Relu{}, {}), "graph: node 'n' (Relu): 0 inputs (expected 1)");
  EXPECT_EQ(inference_complaint(Reshape{{5, -1}, false}, {{any, 4}}),
            "graph: node 'n' (Reshape): input [N, 4] (expected as many elements as [5, N])");
  EXPECT_EQ(inference_complaint(Softmax{3}, {{2, 2}}), "graph: node 'n' (Softmax): axis: 3 (expected -2 to 1)");
}
