#include "graph/text.hpp"

#include <gtest/gtest.h>

#include "graph/verify.hpp"

using namespace nibble;
using namespace nibble::graph;

namespace {

/// A graph with names that need quotes, a grid per channel, bounds, metadata, an infinite clip and an absent input.
Graph sample() {
  Graph graph;
  graph.name = "two words";
  graph.metadata["note"] = "a \"quoted\"\nline";
  const ValueId x = graph.add_value("x (in)", ElementType::Float32, {any, 2, 4});
  graph.inputs = {x};
  const ValueId w = graph.add_constant("w", Tensor({3, 2, 1}, std::vector<float>{0.1F, -2, 3e-20F, 4, 5, 1.0F / 3}));
  Conv conv;
  conv.strides = conv.dilations = {1};
  conv.pads = {0, 0};
  ValueId y = graph.add_node("conv", conv, {x, w, absent});
  Clip clip;
  clip.low = 0;
  y = graph.add_node("clip", clip, {y});
  Grid grid;
  grid.scale = {0.5, 0.25, 2};
  grid.axis = 1;
  y = graph.add_node("q", Quantise{grid, Rounding::HalfEven}, {y});
  graph[y].grid = grid;
  graph[y].bounds = {{-3, 7}, {0, 0}, {1, 2}};
  graph.outputs = {y};
  tidy(graph);
  verify(graph);
  return graph;
}

}  // namespace

TEST(Text, ReadsBackToTheSameText) {
  const Graph graph = sample();
  const std::string text = to_text(graph, Constants::Whole);
  const Graph again = from_text(text);
  EXPECT_EQ(to_text(again, Constants::Whole), text);
  EXPECT_EQ(again.metadata, graph.metadata);
  EXPECT_EQ(*again.constant(again.find("w")), *graph.constant(graph.find("w")));
  EXPECT_EQ(again[again.outputs.front()].grid, graph[graph.outputs.front()].grid);
  EXPECT_EQ(again[again.outputs.front()].bounds, graph[graph.outputs.front()].bounds);
}

TEST(Text, IsWhatPeopleRead) {
  const std::string text = to_text(sample(), Constants::Short);
  EXPECT_NE(text.find("graph \"two words\" FP\n"), std::string::npos) << text;
  EXPECT_NE(text.find("value \"x (in)\" float32 [-1 2 4]\n"), std::string::npos) << text;
  EXPECT_NE(text.find("node clip Clip (conv) -> (clip) low=0 high=inf\n"), std::string::npos) << text;
}

TEST(Text, ElidesLargeConstantsWhenShort) {
  Graph graph;
  graph.name = "g";
  graph.outputs = {graph.add_node("n", Relu{}, {graph.add_constant("c", Tensor(ElementType::Float32, {100}))})};
  tidy(graph);
  EXPECT_NE(to_text(graph, Constants::Short).find("constant c float32 [100] = ... 100 elements"), std::string::npos);
}

namespace {
std::string complaint(const std::string& text) {
  try {
    from_text(text);
  } catch (const UserError& error) {
    return error.what();
  }
  return "nothing";
}
}  // namespace

TEST(Text, ComplaintsNameTheLine) {
  EXPECT_EQ(complaint("graph g FP\nsomething"),
            "graph: line 2: 'something' (expected graph, meta, value, constant, node, inputs or outputs)");
  EXPECT_EQ(complaint("value x float32 [1 a]"), "graph: line 1: 'a]' (expected a whole number)");
  EXPECT_EQ(complaint("node n Relu (x) -> (y)"),
            "graph: line 1: no value 'x' (expected one that an earlier line declares)");
  EXPECT_EQ(complaint("value x float32 [1]\nvalue x float32 [1]"),
            "graph: line 2: a second value 'x' (expected unique names)");
  EXPECT_EQ(complaint("value x float32 [1]\nnode n Rely (x) -> (x)"),
            "graph: line 2: no op 'Rely' (expected an op of graph/ops.hpp)");
  EXPECT_EQ(complaint("value \"x"), "graph: line 1: a string without an end (expected '\"')");
  EXPECT_EQ(complaint("graph g XY"), "graph: stage: 'XY' (expected FP, FQ, QD or ID)");
}
