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
  EXPECT_EQ(complaint("graph g XY"), "graph: line 1: stage: 'XY' (expected FP, FQ, QD or ID)");
  EXPECT_EQ(complaint("value x float31 [1]"),
            "graph: line 1: element type: 'float31' (expected float32, float64, int8 ... int64 or bool)");
  EXPECT_EQ(complaint("value x float32 1"), "graph: line 1: '1' (expected '[')");
  EXPECT_EQ(complaint("value x float32 [1"), "graph: line 1: '' (expected a whole number)");
  EXPECT_EQ(complaint("value x float32 [1] again"), "graph: line 1: more text (expected the end of the line)");
  EXPECT_EQ(complaint("value"), "graph: line 1: the end (expected a word)");
  EXPECT_EQ(complaint("value =x"), "graph: line 1: '=' (expected a word)");
  EXPECT_EQ(complaint("value x float32 [1] <0 1>"), "graph: line 1: '1' (expected ':')");
  EXPECT_EQ(complaint("value \"\\x\""), "graph: line 1: a malformed string (expected a JSON string)");
  EXPECT_EQ(complaint("value x float32 [2]\nnode n Flatten (x) -> (x) axes=1"),
            "graph: line 2: field 'axes' (expected 'axis')");
  EXPECT_EQ(complaint("value x float32 [2]\nnode n Flatten (x) -> (x) axis"), "graph: line 2: the end (expected '=')");
  EXPECT_EQ(complaint("value x float32 [2]\nnode n Clip (x) -> (x) low=all"),
            "graph: line 2: 'all' (expected a number)");
}

TEST(Text, RefusesNumbersThatDoNotFit) {
  EXPECT_EQ(complaint("constant c int8 [2] = 1 200"), "graph: line 1: 200 (expected -128 to 127)");
  EXPECT_EQ(complaint("value x float32 [2]\nnode n Gelu (x) -> (x) tanh_form=2"), "graph: line 2: 2 (expected 0 to 1)");
  EXPECT_EQ(complaint("value x float32 [2]\nnode n Pad (x) -> (x) pads=[0 0] mode=3 value=0"),
            "graph: line 2: 3 (expected 0 to 2)");
  EXPECT_EQ(complaint("value x float32 [2] {4294967296 0 0 1 [1]}"),
            "graph: line 1: 4294967296 (expected -2147483648 to 2147483647)");
}

TEST(Text, AllocatesNothingForAConstantThatIsNotThere) {
  EXPECT_EQ(complaint("constant c float64 [1000000000] = 1"), "graph: line 1: too few elements (expected 1000000000)");
  EXPECT_EQ(complaint("constant c float64 [-1 2] = 1"), "graph: line 1: a constant of [N, 2] (expected fixed extents)");
  EXPECT_EQ(complaint("constant c float64 [99999999999] = 1"),
            "graph: value 'c': shape [99999999999]: too many elements (expected at most 8589934592)");
}

TEST(Text, VerifiesWhatItReads) {
  EXPECT_EQ(complaint("graph g FP\nvalue x float32 [2]\nvalue y float32 [3]\nnode n Relu (x) -> (y)\ninputs x\n"
                      "outputs y\n"),
            "graph: node 'n' (Relu): writes 'y' of [3] (expected [2])");
}

TEST(Text, KeepsEveryElementToTheBit) {
  Graph graph;
  graph.name = "g";
  const ValueId reals = graph.add_constant(
      "reals", Tensor({6}, std::vector<double>{-0.0, 5e-324, 0.1, -1.7976931348623157e308, 1.0 / 3, 1e22}));
  const ValueId floats = graph.add_constant("floats", Tensor({3}, std::vector<float>{1e-45F, 16777217.0F, -0.0F}));
  const ValueId whole = graph.add_constant("whole", Tensor({2}, std::vector<int64_t>{INT64_MIN, INT64_MAX}));
  for (ValueId id : {reals, floats, whole}) graph.outputs.push_back(graph.add_node("n", Identity{}, {id}));
  tidy(graph);
  const Graph again = from_text(to_text(graph, Constants::Whole));
  for (const char* name : {"reals", "floats", "whole"})
    EXPECT_EQ(*again.constant(again.find(name)), *graph.constant(graph.find(name))) << name;
}

TEST(Text, WritesNamesThatAreNoUtf8) {
  Graph graph = sample();
  graph[graph.inputs.front()].name = "\xff";
  EXPECT_NE(to_text(graph, Constants::Short).find("value \"\xEF\xBF\xBD\" float32"), std::string::npos);
}
