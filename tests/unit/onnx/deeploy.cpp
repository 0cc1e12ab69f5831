#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"
#include "unit/onnx/model_builder.hpp"

using namespace nibble;
using namespace nibble::foreign;

// Files of the dialect as its tools write them: attributes as tensors of one float, as integers and as floats; shapes
// of parameters; the fused forms.
namespace {

using Ints = std::vector<int64_t>;

/// An attribute that is a tensor of one float.
std::string boxed(const std::string& name, float value) {
  std::string raw(sizeof(float), '\0');
  std::memcpy(raw.data(), &value, sizeof(float));
  return field(5, field(1, name) + field(5, number(1, 1) + number(2, Float) + field(9, raw)) + number(20, 4));
}

std::string levels(float divisor, float count, float is_signed) {
  return boxed("div", divisor) + boxed("n_levels_out", count) + boxed("signed", is_signed);
}

graph::Graph read(const Model& model, int64_t opset = 13) {
  return onnx::read_bytes(model.bytes(opset), "file.onnx", {.dialect = "deeploy"});
}

Ints run(const graph::Graph& graph, const std::vector<Tensor>& inputs) {
  return graph::evaluate(graph, inputs).at(0).to_integers();
}

Tensor integers(Shape shape, const Ints& values) {
  return Tensor(std::move(shape), values);
}

int64_t half_up(int64_t sum, int64_t divisor) {
  return static_cast<int64_t>(std::floor(static_cast<double>(sum) / static_cast<double>(divisor) + 0.5));
}

}  // namespace

TEST(DeeployRequantShift, RoundsTiesUpAndClips) {
  Model model;
  model.input("x", {1, 8}).output("y", {1, 8});
  model.reals("mul", {}, {3}).reals("add", {1}, {-5});
  model.node("RequantShift", {"x", "mul", "add"}, "y", levels(8, 16, 1), "PACTOps");
  const graph::Graph graph = read(model);
  EXPECT_EQ(graph.stage, graph::Stage::ID);
  Ints x{-100, -9, -1, 0, 3, 7, 11, 100}, expected;
  for (int64_t each : x) expected.push_back(std::clamp<int64_t>(half_up(each * 3 - 5, 8), -8, 7));
  EXPECT_EQ(run(graph, {integers({1, 8}, x)}), expected);
}

TEST(DeeployRequantShift, AddsNoHalfToAShiftOfZero) {
  Model model;
  model.input("x", {1, 2}).output("y", {1, 2});
  model.reals("mul", {}, {1}).reals("add", {}, {0});
  model.node("RequantShift", {"x", "mul", "add"}, "y",
             attribute("div", 1) + attribute("n_levels", 256.0f) + attribute("signed", 0));
  EXPECT_EQ(run(read(model), {integers({1, 2}, {7, -7})}), (Ints{7, 0}));
}

TEST(DeeployRequantShift, TakesParametersOfOneAChannelAlongAxisOneWhateverTheirShape) {
  for (const Shape& shape : {Shape{2}, Shape{2, 1}, Shape{2, 1, 1}, Shape{1, 2, 1}}) {
    Model model;
    model.input("x", {1, 2, 2}).output("y", {1, 2, 2});
    model.reals("mul", shape, {1, 10}).reals("add", {}, {0});
    model.node("RequantShift", {"x", "mul", "add"}, "y", levels(1, 256, 1));
    EXPECT_EQ(run(read(model), {integers({1, 2, 2}, {1, 2, 3, 4})}), (Ints{1, 2, 30, 40})) << to_string(shape);
  }
}

TEST(DeeployRequantShift, BroadcastsParametersOfTheInputsRank) {
  Model rows;
  rows.input("x", {3, 2}).output("y", {3, 2});
  rows.reals("mul", {3, 1}, {1, 10, 100}).reals("add", {3, 1}, {0, 1, 2});
  rows.node("RequantShift", {"x", "mul", "add"}, "y", levels(1, 4096, 1));
  EXPECT_EQ(run(read(rows), {integers({3, 2}, {1, 2, 3, 4, 5, 6})}), (Ints{1, 2, 31, 41, 502, 602}));
  Model last;
  last.input("x", {1, 2, 3}).output("y", {1, 2, 3});
  last.reals("mul", {3}, {1, 10, 100}).reals("add", {}, {0});
  last.node("RequantShift", {"x", "mul", "add"}, "y", levels(1, 4096, 1));
  EXPECT_EQ(run(read(last), {integers({1, 2, 3}, {1, 2, 3, 4, 5, 6})}), (Ints{1, 20, 300, 4, 50, 600}));
}

TEST(DeeployFused, AreTheirPartsOneAfterTheOther) {
  Model conv;
  conv.input("x", {1, 1, 3}).output("y", {1, 1, 2}).reals("w", {1, 1, 2}, {2, -1});
  conv.reals("bias", {1}, {1}).reals("mul", {1}, {3}).reals("add", {1}, {-1});
  conv.node("RequantizedConv", {"x", "w", "bias", "mul", "add"}, "y",
            levels(4, 256, 1) + attribute("strides", Ints{1}) + attribute("pads", Ints{0, 0}));
  // 2*5 - 7 + 1 = 4, 2*7 + 9 + 1 = 24: 11/4 and 71/4, rounded.
  EXPECT_EQ(run(read(conv), {integers({1, 1, 3}, {5, 7, -9})}), (Ints{3, 18}));
  Model gemm;
  gemm.input("a", {1, 2}).output("y", {1, 2}).reals("b", {2, 2}, {1, 2, 3, 4});
  gemm.reals("c", {2}, {1, -1}).reals("add", {2}, {0, 2}).reals("mul", {2}, {1, 5});
  gemm.node("RequantizedGemm", {"a", "b", "c", "add", "mul"}, "y", levels(2, 256, 1) + attribute("transB", 1));
  // a b' + c = (6, 10): 6/2 and 52/2.
  EXPECT_EQ(run(read(gemm), {integers({1, 2}, {1, 2})}), (Ints{3, 26}));
  Model matmul;
  matmul.input("a", {1, 2}).input("b", {2, 1}).output("y", {1, 1}).reals("add", {}, {1}).reals("mul", {}, {3});
  matmul.node("RequantizedMatMul", {"a", "b", "add", "mul"}, "y", levels(4, 256, 0));
  EXPECT_EQ(run(read(matmul), {integers({1, 2}, {2, 1}), integers({2, 1}, {3, 1})}), (Ints{half_up(22, 4)}));
}

TEST(DeeployFused, HaveTheirHalfInTheAddendWhereTheySayTheirShift) {
  Model matmul;
  matmul.input("a", {1, 1}).input("b", {1, 1}).output("y", {1, 1}).reals("add", {}, {1}).reals("mul", {}, {1});
  matmul.node("RequantizedMatMul", {"a", "b", "add", "mul"}, "y", levels(4, 256, 0) + attribute("shift", 2));
  EXPECT_EQ(run(read(matmul), {integers({1, 1}, {2}), integers({1, 1}, {3})}), (Ints{1}));
}

TEST(DeeployFused, AnAddRequantisesItsInputsAndItsSum) {
  std::string attributes;
  for (const auto& [prefix, mul, divisor] : {std::tuple{"rqs1_", 1, 2}, {"rqs2_", 3, 4}, {"rqsOut_", 5, 8}}) {
    const std::string name = prefix;
    attributes += attribute(name + "mul", mul) + attribute(name + "add", 1) + boxed(name + "div", float(divisor));
    attributes += boxed(name + "n_levels", 256) + attribute(name + "signed", 1);
  }
  Model model;
  model.input("a", {1, 2}).input("b", {1, 2}).output("y", {1, 2});
  model.node("RequantizedAdd", {"a", "b"}, "y", attributes);
  Ints expected;
  for (const auto& [a, b] : {std::pair{10, -7}, {-3, 100}}) {
    const int64_t sum = half_up(a + 1, 2) + half_up(3 * b + 1, 4);
    expected.push_back(half_up(5 * sum + 1, 8));
  }
  EXPECT_EQ(run(read(model), {integers({1, 2}, {10, -3}), integers({1, 2}, {-7, 100})}), expected);
}

TEST(DeeployFused, FunctionsRequantiseToEightBits) {
  Model gelu;
  gelu.input("x", {1, 2}).output("y", {1, 2}).reals("mul", {}, {13}).reals("add", {}, {0}).reals("shift", {}, {14});
  gelu.node("RequantizediGELU", {"x", "mul", "add", "shift"}, "y", attribute("b", -40) + attribute("one", 1743));
  EXPECT_EQ(run(read(gelu), {integers({1, 2}, {100, -1})}), (Ints{127, half_up(-760 * 13, 16384)}));
  Model swish;
  swish.input("x", {1, 1}).output("y", {1, 1});
  swish.node("RequantizediHardswish", {"x"}, "y",
             attribute("three", 765) + attribute("six", 1530) + attribute("one_over_six", 33) + attribute("mul", 1) +
                 attribute("add", 0) + attribute("shift", 16));
  EXPECT_EQ(run(read(swish), {integers({1, 1}, {100})}), (Ints{half_up(int64_t{100} * 865 * 33, 65536)}));
  Model division;
  division.input("a", {1, 1}).input("b", {1, 1}).output("y", {1, 1}).reals("mul", {}, {1}).reals("add", {}, {0});
  division.node("RQIntegerDiv", {"a", "b", "mul", "add"}, "y",
                levels(2, 256, 1) + attribute("Delta", 10) + attribute("eps", 1) + attribute("eta", 2));
  EXPECT_EQ(run(read(division), {integers({1, 1}, {7}), integers({1, 1}, {3})}), (Ints{10}));
}

TEST(DeeployMeans, RoundHalfUp) {
  for (const auto& op : {"ReduceMean", "IntegerMean"}) {
    Model model;
    model.input("x", {1, 4, 2}).output("y", {1, 2});
    model.node(op, {"x"}, "y", attribute("axes", Ints{-2}) + attribute("keepdims", 0));
    EXPECT_EQ(run(read(model), {integers({1, 4, 2}, {1, -1, 2, -2, 1, -1, 2, -2})}), (Ints{2, -1})) << op;
  }
}

TEST(DeeployMovement, TakesParametersAsAttributesOrInputsAtAnyOpset) {
  Model model;
  model.input("x", {1, 1, 2}).output("y", {1, 3});
  model.node("Pad", {"x"}, "padded", attribute("pads", Ints{0, 0, 1, 0, 0, 0}) + attribute("value", 9));
  model.node("Squeeze", {"padded"}, "flat", attribute("axes", Ints{1}));
  model.integers("axes", {1}, Int64, {0});
  model.node("Unsqueeze", {"flat", "axes"}, "again").node("Squeeze", {"again"}, "y", attribute("axes", 0));
  for (int64_t opset : {10, 18})
    EXPECT_EQ(run(read(model, opset), {integers({1, 1, 2}, {1, 2})}), (Ints{9, 1, 2})) << opset;
}

TEST(DeeployMovement, JoinsIntegersOfSeveralTypes) {
  Model model;
  model.input("x", {1, 2}).output("y", {1, 4}).reals("one", {}, {1}).reals("zero", {}, {0});
  model.node("RequantShift", {"x", "one", "zero"}, "a", levels(1, 256, 1));
  model.node("RequantShift", {"x", "one", "zero"}, "b", levels(1, 256, 0));
  model.node("Concat", {"a", "b"}, "y", attribute("axis", 1));
  EXPECT_EQ(run(read(model), {integers({1, 2}, {-300, 300})}), (Ints{-128, 127, 0, 255}));
}

TEST(DeeploySoftmax, RunsAlongTheAxisThatItNames) {
  Model model;
  model.input("x", {1, 2, 3}).output("y", {1, 2, 3});
  model.node("ITAMax", {"x"}, "y", boxed("n_levels", 256) + attribute("axis", 1));
  EXPECT_EQ(run(read(model), {integers({1, 2, 3}, {5, 0, -100, 5, -100, 0})}), (Ints{127, 226, 28, 127, 28, 226}));
}

TEST(DeeployGemm, TakesMatricesOfAnyRank) {
  Model model;
  model.input("a", {1, 2, 2}).output("y", {1, 2, 2}).reals("b", {1, 2, 2}, {1, 2, 3, 4}).reals("c", {2}, {100, 200});
  model.node("Gemm", {"a", "b", "c"}, "y", attribute("transA", 1) + attribute("alpha", 1.0f));
  EXPECT_EQ(run(read(model), {integers({1, 2, 2}, {1, 10, 2, 20})}), (Ints{107, 210, 170, 300}));
}

TEST(DeeployFiles, HoldASumOfManyTermsAsAChain) {
  graph::Graph graph;
  graph.stage = graph::Stage::ID;
  for (int i = 0; i < 3; ++i) graph.inputs.push_back(graph.add_value("x", ElementType::Int8, {1, 2}));
  graph.outputs = {graph.add_node("sum", graph::Add{}, graph.inputs)};
  graph::tidy(graph);
  const graph::Graph back = onnx::read_bytes(onnx::deeploy_bytes(graph), "back.onnx", {.dialect = "deeploy"});
  const std::vector<Tensor> inputs(3, integers({1, 2}, {5, -7}));
  EXPECT_EQ(run(back, inputs), (Ints{15, -21}));
  for (const graph::Node& node : back.nodes) EXPECT_EQ(node.inputs.size(), 2u);
}

TEST(DeeployFiles, HoldStepsOfAFewLevelsAsConvolutions) {
  for (const Shape& shape : {Shape{2, 2}, Shape{2, 2, 3}, Shape{1, 2, 2, 3}}) {
    graph::Graph graph;
    graph.stage = graph::Stage::ID;
    graph.inputs = {graph.add_value("x", ElementType::Int32, shape)};
    const auto rows = graph.add_constant("rows", integers({2, 3}, {-5, 0, INT64_MAX, -3, 4, INT64_MIN}));
    const auto steps = graph.add_node("steps", graph::Threshold{-1, {0, 1}}, {graph.inputs[0], rows});
    const auto entries = graph.add_constant("entries", integers({4}, {7, -3, -3, 100}));
    graph.outputs = {graph.add_node("table", graph::Table{-1}, {steps, entries})};
    graph::tidy(graph);
    const graph::Graph back = onnx::read_bytes(onnx::deeploy_bytes(graph), "back.onnx", {.dialect = "deeploy"});
    Tensor x(ElementType::Int64, shape);
    int64_t next = -7;
    for (int64_t& value : x.as<int64_t>()) value = next++;
    EXPECT_EQ(run(back, {x}), run(graph, {x})) << to_string(shape);
    next = INT32_MIN;
    for (int64_t& value : x.as<int64_t>()) value = std::exchange(next, std::min<int64_t>(next + 600000000, INT32_MAX));
    EXPECT_EQ(run(back, {x}), run(graph, {x})) << to_string(shape);
  }
}

TEST(DeeployFiles, AreRecognisedByAnOpOfTheirOwn) {
  Model model;
  model.input("x", {1, 2}).output("y", {1, 2}).node("iGELU", {"x"}, "y", attribute("b", -1) + attribute("one", 3));
  EXPECT_EQ(onnx::read_bytes(model.bytes(), "file.onnx").stage, graph::Stage::ID);
}

TEST(DeeployFiles, KeepTheIntegerTypesThatTheyName) {
  Model model;
  model.input("x", {1, 2}, Int8).input("z", {1, 2}).output("y", {1, 2}).node("Add", {"x", "z"}, "y");
  const graph::Graph graph = read(model);
  EXPECT_EQ(graph[graph.inputs[0]].type, ElementType::Int8);
  EXPECT_EQ(graph[graph.inputs[1]].type, ElementType::Int32);
}
