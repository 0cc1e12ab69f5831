#include "graph/evaluate/evaluate.hpp"

#include <gtest/gtest.h>

#include <map>

#include "graph/verify.hpp"
#include "unit/graph/evaluated.hpp"

using namespace nibble;
using namespace nibble::graph;

namespace {

/// x - Quantise - Requantise - y, with the Quantise's integers as the graph has them.
Graph small() {
  Graph graph;
  graph.name = "g";
  graph.inputs = {graph.add_value("x", ElementType::Float32, {any, 2})};
  const ValueId c = graph.add_constant("c", Tensor({2}, std::vector<float>{1, 2}));
  const ValueId sum = graph.add_node("sum", Add{}, {graph.inputs[0], c});
  const ValueId q = graph.add_node("q", Quantise{{{0.5}, -1, 0, 0, 15}, Rounding::HalfUp}, {sum});
  graph[q].type = ElementType::Int8;
  graph.outputs = {graph.add_node("r", Requantise{{1}, {0}, {1}, 0, 7}, {q}), sum};
  tidy(graph);
  verify(graph);
  return graph;
}

}  // namespace

TEST(EvaluateGraph, GivesItsOutputsInOrderForAnyBatch) {
  const Graph graph = small();
  const auto y = evaluate(graph, {Tensor({2, 2}, std::vector<float>{0, 1, 2, 3})});
  ASSERT_EQ(y.size(), 2U);
  EXPECT_EQ(y[0], integers({2, 2}, {1, 3, 3, 5}));
  EXPECT_EQ(y[1], reals({2, 2}, {1, 3, 3, 5}));
  EXPECT_EQ(evaluate(graph, {Tensor({0, 2}, std::vector<float>{})})[0], integers({0, 2}, {}));
  EXPECT_EQ(reference_engine(graph)->run({Tensor({1, 2}, std::vector<float>{0, 1})})[0], integers({1, 2}, {1, 3}));
}

TEST(EvaluateGraph, TellsTheObserverOfInputsAndComputedValuesButNotOfConstants) {
  const Graph graph = small();
  std::map<std::string, Tensor> seen;
  evaluate(graph, {Tensor({1, 2}, std::vector<float>{0, 1})},
           [&](ValueId id, const Tensor& tensor) { seen[graph[id].name] = tensor; });
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen.at("x"), reals({1, 2}, {0, 1}));
  EXPECT_EQ(seen.at("sum"), reals({1, 2}, {1, 3}));
  EXPECT_EQ(seen.at("q"), integers({1, 2}, {2, 6}));
  EXPECT_EQ(seen.at("r"), integers({1, 2}, {1, 3}));
}

TEST(EvaluateGraph, GivesAnInputThatIsAlsoAnOutput) {
  Graph graph = small();
  graph.outputs.push_back(graph.inputs[0]);
  EXPECT_EQ(evaluate(graph, {Tensor({1, 2}, std::vector<float>{4, 5})}).at(2), reals({1, 2}, {4, 5}));
}

TEST(EvaluateGraph, WalksNoExtentsBesideOneOfNone) {
  Graph graph;
  const Shape shape{int64_t{1} << 30, 0, 4};
  graph.inputs = {graph.add_value("x", ElementType::Float32, shape)};
  graph.outputs = {graph.add_node("twice", Concat{2}, {graph.inputs[0], graph.inputs[0]})};
  tidy(graph);
  EXPECT_EQ(evaluate(graph, {Tensor(ElementType::Float32, shape)}).at(0), reals({int64_t{1} << 30, 0, 8}, {}));
}

TEST(PrepareInputs, QuantisesRealsByTheInputsGridHalfUp) {
  Graph graph;
  graph.inputs = {graph.add_value("x", ElementType::UInt8, {any, 3})};
  graph[graph.inputs[0]].grid = Grid{{0.5}, -1, 10, 0, 255};
  EXPECT_EQ(prepare_inputs(graph, {Tensor({1, 3}, std::vector<float>{-99, 0.25, 0.24F})}).at(0),
            integers({1, 3}, {0, 11, 10}));
  EXPECT_EQ(prepare_inputs(graph, {Tensor({1, 3}, std::vector<uint8_t>{0, 255, 7})}).at(0),
            integers({1, 3}, {0, 255, 7}));
}

TEST(PrepareInputs, GivesRealsAsFloat64WhateverComes) {
  Graph graph;
  graph.inputs = {graph.add_value("x", ElementType::Float32, {2})};
  EXPECT_EQ(prepare_inputs(graph, {Tensor({2}, std::vector<int16_t>{-3, 4})}).at(0), reals({2}, {-3, 4}));
}
