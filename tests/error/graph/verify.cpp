#include "graph/verify.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "graph/infer/infer.hpp"

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

/// A chain that ends in `op`.
Graph ending_in(Op op) {
  Graph graph = chain();
  graph.outputs = {graph.add_node("n", std::move(op), graph.outputs)};
  tidy(graph);
  return graph;
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

TEST(Verify, RefusesARealInputAtStagesQDAndID) {
  Graph graph = chain();
  graph.stage = Stage::ID;
  EXPECT_EQ(complaint(graph),
            "graph: input 'x': is real at stage ID (expected integers, or quantisers alone after it)");
  graph.stage = Stage::QD;
  EXPECT_EQ(complaint(graph),
            "graph: input 'x': is real at stage QD (expected integers, or quantisers alone after it)");
}

/// int8 x -> Dequantise -> f -> Quantise to int8.
Graph dequantised(const Op& f, Stage stage) {
  Graph graph;
  graph.name = "g";
  graph.stage = stage;
  const Grid grid{{0.5}, -1, 0, -128, 127};
  graph.inputs = {graph.add_value("x", ElementType::Int8, {any, 2, 4, 4})};
  const ValueId real = graph.add_node("real", Dequantise{grid}, graph.inputs);
  const ValueId y = graph.add_node("f", f, {real});
  graph.outputs = {graph.add_node("y", Quantise{grid, Rounding::HalfUp}, {y})};
  graph[graph.outputs[0]].type = ElementType::Int8;
  tidy(graph);
  return graph;
}

TEST(Verify, AllowsRealsAtStageQDOnlyInFunctionsBetweenIntegers) {
  EXPECT_EQ(complaint(dequantised(Tanh{}, Stage::QD)), "nothing");
  EXPECT_EQ(complaint(dequantised(GlobalAveragePool{}, Stage::QD)),
            "graph: node 'f' (GlobalAveragePool): writes reals at stage QD (expected integers in every tensor)");
  EXPECT_EQ(complaint(dequantised(Quantise{Grid{{0.5}, -1, 0, -8, 7}, Rounding::HalfUp}, Stage::QD)),
            "graph: node 'f' (Quantise): writes reals at stage QD (expected integers in every tensor)");
  EXPECT_EQ(
      complaint(dequantised(Tanh{}, Stage::ID)),
      "graph: node 'y' (Quantise): makes integers of the reals that 'f' is at stage ID (expected integers, behind "
      "which reals stay)");
}

TEST(Verify, AllowsATailOfRealsAtStageIDAndNoMore) {
  for (const Op& f : {Op(Tanh{}), Op(GlobalAveragePool{}), Op(Softmax{1})}) {
    Graph graph = dequantised(f, Stage::ID);
    graph.outputs = {graph.nodes[1].outputs[0]};
    tidy(graph);
    EXPECT_EQ(complaint(graph), "nothing");
  }
}

TEST(Verify, AllowsTheDequantisationOfAGraphOutput) {
  Graph graph = dequantised(Tanh{}, Stage::ID);
  graph.outputs = {graph.nodes[0].outputs[0]};
  tidy(graph);
  EXPECT_EQ(complaint(graph), "nothing");
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

TEST(Verify, NamesASharedNodeName) {
  Graph graph = chain();
  graph.nodes[1].name = "a";
  EXPECT_EQ(complaint(graph), "graph: node 'a' (Relu): its name is taken or empty (expected unique names)");
}

TEST(Verify, NamesIdsThatAreNoValues) {
  Graph graph = chain();
  graph.nodes[1].inputs = {99};
  EXPECT_EQ(complaint(graph), "graph: node 'b' (Relu): input value 99 (expected a value of the graph)");
  graph = chain();
  graph.nodes[1].outputs = {-7};
  EXPECT_EQ(complaint(graph), "graph: node 'b' (Relu): writes value -7 (expected a value that nothing else writes)");
  graph = chain();
  graph.inputs.push_back(graph.inputs[0]);
  EXPECT_EQ(complaint(graph), "graph: graph input: value 0 (expected a value that nothing else writes)");
  graph = chain();
  graph.outputs = {42};
  EXPECT_EQ(complaint(graph), "graph: graph output: value 42 (expected a value that a node writes)");
}

TEST(Verify, NamesAValueOfAnotherType) {
  Graph graph = chain();
  graph[graph.outputs.front()].type = ElementType::Int8;
  EXPECT_EQ(complaint(graph), "graph: node 'b' (Relu): writes 'b' as int8 (expected float32)");
}

TEST(Verify, NamesANodeWithTooManyOutputs) {
  Graph graph = chain();
  graph.nodes[1].outputs.push_back(graph.add_value("more"));
  EXPECT_EQ(complaint(graph), "graph: node 'b' (Relu): 2 outputs (expected 1)");
  EXPECT_THROW(infer_shapes(graph), UserError);
}

TEST(Verify, NamesAConstantThatIsNotItsValue) {
  Graph graph = chain();
  const ValueId c = graph.add_constant("c", Tensor(ElementType::Float64, {2}));
  graph[c].shape = {3};
  EXPECT_EQ(complaint(graph), "graph: value 'c': a constant of float64 [2] (expected float64 [3])");
  graph[c].constant = Tensor({3}, std::vector<double>{1, 2, -INFINITY});
  EXPECT_EQ(complaint(graph), "graph: constant 'c': infinity at index 2 (expected finite numbers)");
}

TEST(Verify, NamesAShapeThatNothingCouldHold) {
  Graph graph = chain();
  graph[graph.inputs.front()].shape = {any, int64_t{1} << 40};
  EXPECT_EQ(complaint(graph),
            "graph: value 'x': shape [N, 1099511627776]: too many elements (expected at most 8589934592)");
  EXPECT_THROW(infer_shapes(graph), UserError);
  graph[graph.inputs.front()].shape = {any, -2};
  EXPECT_EQ(complaint(graph), "graph: value 'x': shape [N, -2]: extent -2 (expected at least 0)");
}

TEST(Verify, NamesGridsAndBoundsThatDoNotFitTheirValue) {
  Graph graph = chain();
  Value& x = graph[graph.inputs.front()];
  x.grid = Grid{{1, 2, 4}, 1, 0, 0, 255};
  EXPECT_EQ(complaint(graph), "graph: value 'x': 3 scales for [N, 2] (expected one for each index of axis 1)");
  x.grid = Grid{{1}, -1, 0, 3, 3};
  EXPECT_EQ(complaint(graph), "graph: value 'x': levels 3 to 3 (expected at least two levels)");
  x.grid = Grid{{1, 2}, -1, 0, 0, 3};
  EXPECT_EQ(complaint(graph), "graph: value 'x': 2 scales (expected one, or one per index of an axis)");
  x.grid.reset();
  x.bounds = {{2, 1}};
  EXPECT_EQ(complaint(graph), "graph: value 'x': bounds 2 to 1 (expected low <= high)");
  x.bounds = {{0, 1}, {0, 1}, {0, 1}};
  EXPECT_EQ(complaint(graph),
            "graph: value 'x': 3 bounds for [N, 2] (expected one, or one for each channel of axis 1)");
}

TEST(Verify, NamesFieldsThatAreNoNumbers) {
  EXPECT_EQ(complaint(ending_in(LeakyRelu{NAN})), "graph: node 'n' (LeakyRelu): alpha nan (expected a number)");
  Graph graph = chain();
  graph[graph.inputs.front()].type = ElementType::Int32;
  graph.outputs = {graph.add_node("n", Rescale{{INFINITY}, {0}, Rounding::Floor, 0, 0, 255}, graph.outputs)};
  tidy(graph);
  EXPECT_EQ(complaint(graph), "graph: node 'n' (Rescale): kappa inf (expected a finite number)");
}

TEST(Verify, NamesLevelsUpsideDown) {
  Graph graph = chain();
  graph[graph.inputs.front()].type = ElementType::Int32;
  const ValueId sum = graph.outputs.front();
  graph.outputs = {graph.add_node("n", Rescale{{1}, {0}, Rounding::Floor, 0, 9, 8}, {sum})};
  tidy(graph);
  EXPECT_EQ(complaint(graph), "graph: node 'n' (Rescale): low above high (expected low <= high)");
  graph.nodes.back().op = Requantise{{1}, {0}, {0}, 9, 8};
  EXPECT_EQ(complaint(graph), "graph: node 'n' (Requantise): low above high (expected low <= high)");
  graph.nodes.back().op = FloorDivide{{1}, {0}, {3}, 9, 8};
  EXPECT_EQ(complaint(graph), "graph: node 'n' (FloorDivide): low above high (expected low <= high)");
}

TEST(StageNamed, NamesTheStages) {
  try {
    stage_named("XY");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "graph: stage: 'XY' (expected FP, FQ, QD or ID)");
  }
}
