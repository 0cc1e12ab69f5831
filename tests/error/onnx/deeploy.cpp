#include <gtest/gtest.h>

#include "onnx/onnx.hpp"
#include "unit/onnx/model_builder.hpp"

using namespace nibble;
using namespace nibble::foreign;

namespace {

using Ints = std::vector<int64_t>;

std::string complaint(const Model& model, int64_t opset = 13) {
  try {
    onnx::read_bytes(model.bytes(opset), "f", {.dialect = "deeploy"});
  } catch (const UserError& error) {
    return error.what();
  }
  return "nothing";
}

/// One node that reads x [1, 2, 3], w [3] of ones and b [1].
std::string complaint(const std::string& op, const std::vector<std::string>& inputs, const std::string& attributes,
                      const std::string& domain = {}) {
  Model model;
  model.input("x", {1, 2, 3}).output("y", {1, 2, 3}).reals("w", {3}, {1, 1, 1}).reals("b", {1}, {0});
  const std::string message = complaint(model.node(op, inputs, "y", attributes, domain));
  const std::string start = "onnx: f: node 'y_node' (" + op + "): ";
  return message.starts_with(start) ? message.substr(start.size()) : message;
}

std::string requant(int64_t divisor, int64_t levels, int64_t is_signed) {
  return complaint("RequantShift", {"x", "b", "b"},
                   attribute("div", divisor) + attribute("n_levels", levels) + attribute("signed", is_signed));
}

std::string failed_writing(graph::Graph& graph) {
  graph::tidy(graph);
  try {
    onnx::deeploy_bytes(graph);
  } catch (const UserError& error) {
    return error.what();
  }
  return "nothing";
}

graph::Graph network(ElementType type = ElementType::Int32) {
  graph::Graph graph;
  graph.name = "net";
  graph.stage = graph::Stage::ID;
  graph.inputs = {graph.add_value("x", type, {1, 4})};
  return graph;
}

}  // namespace

TEST(DeeployErrors, NumbersAreIntegersInTheirRanges) {
  EXPECT_EQ(requant(3, 256, 1), "attribute 'div' is 3 (expected a power of two)");
  EXPECT_EQ(requant(0, 256, 1), "attribute 'div' is 0 (expected a power of two)");
  EXPECT_EQ(requant(4, 1, 1), "attribute 'n_levels' is 1 (expected 2 to 2^32)");
  EXPECT_EQ(requant(4, 256, 2), "attribute 'signed' is 2 (expected 0 or 1)");
  EXPECT_EQ(complaint("iGELU", {"x"}, attribute("b", -1)), "attribute 'one': is missing (expected a number)");
  EXPECT_EQ(complaint("iGELU", {"x"}, attribute("b", -1) + attribute("one", 0.5f)),
            "attribute 'one': 0.5 (expected an integer: the dialect holds nothing else)");
  EXPECT_EQ(complaint("iGELU", {"x"}, attribute("b", -1) + attribute("one", Ints{1, 2})),
            "attribute 'one' has 2 elements (expected one)");
  EXPECT_EQ(complaint("ITAMax", {"x"}, field(5, field(1, "n_levels") + number(20, 3) + field(4, "many"))),
            "attribute 'n_levels': no number (expected a number, or a tensor of one)");
}

TEST(DeeployErrors, ParametersFitTheirTensor) {
  EXPECT_EQ(complaint("RequantShift", {"x", "b"}, ""), "2 inputs (expected 3)");
  EXPECT_EQ(complaint("RequantShift", {"x", "x", "b"}, attribute("div", 1)),
            "mul (input 1) is computed (expected a constant)");
  Model model;
  model.input("x", {1, 2, 3}).output("y", {1, 2, 3}).reals("m", {4}, {1, 2, 3, 4}).reals("b", {1}, {0});
  model.node("RequantShift", {"x", "m", "b"}, "y",
             attribute("div", 1) + attribute("n_levels", 16) + attribute("signed", 1));
  EXPECT_EQ(
      complaint(model),
      "onnx: f: node 'y_node' (RequantShift): a parameter of shape [4] for [1, 2, 3] (expected one number, or one "
      "for each channel of axis 1)");
  Model fused;
  fused.input("x", {1, 2}).output("y", {1, 2}).reals("w", {2, 2}, {1, 1, 1, 1}).reals("b", {1}, {0});
  fused.node("RequantizedMatMul", {"x", "w", "b", "b"}, "y",
             attribute("div", 4) + attribute("n_levels", 16) + attribute("signed", 1) + attribute("shift", 3));
  EXPECT_EQ(complaint(fused),
            "onnx: f: node 'y_node' (RequantizedMatMul): attribute 'shift' is 3 (expected 2, that of 'div')");
}

TEST(DeeployErrors, ConstantsHoldIntegers) {
  Model model;
  model.input("x", {1, 2}).output("y", {1, 2}).reals("w", {2}, {1, 0.5f}).node("Add", {"x", "w"}, "y");
  EXPECT_EQ(complaint(model),
            "onnx: f: constant 'w': element 1: 0.5 (expected an integer: the dialect holds nothing else)");
}

TEST(DeeployErrors, AnOpOnRealsIsRefusedWhereNoTailBegins) {
  EXPECT_EQ(complaint("GlobalAveragePool", {"x"}, ""), "input 0 of int32 (expected reals)");
  EXPECT_EQ(complaint("Gemm", {"x", "x"}, attribute("alpha", 0.5f)),
            "attribute 'alpha': 0.5 (expected an integer: the dialect holds nothing else)");
  EXPECT_EQ(complaint("iGELU", {"x"}, attribute("b", -1) + attribute("one", 1), "elsewhere"),
            "an op of domain 'elsewhere' (expected the standard domain, 'com.microsoft', 'qonnx.custom_op.general' or "
            "'nibble')");
}

TEST(DeeployErrors, MovementChecksItsAxes) {
  EXPECT_EQ(complaint("Squeeze", {"x"}, attribute("axes", Ints{0, -3})), "axis 0 twice (expected each once)");
  EXPECT_EQ(complaint("Unsqueeze", {"x"}, ""), "no axes (expected an attribute or an input)");
  EXPECT_EQ(complaint("Pad", {"x"}, ""), "no pads (expected an attribute or an input)");
  EXPECT_EQ(complaint("Pad", {"x"}, attribute("pads", Ints{1, 1})), "2 pads (expected 6: two for each axis)");
  EXPECT_EQ(complaint("Concat", {"x", "x"}, ""), "no attribute 'axis' (expected an integer)");
  EXPECT_EQ(complaint("Cast", {"x"}, attribute("to", int64_t{Int8})),
            "to int8, which may not hold int32 (expected a type that holds its input)");
  Model batch;
  batch.input("x", {-1, 2}).output("y", {2}).node("ReduceMean", {"x"}, "y", attribute("axes", Ints{0}));
  EXPECT_EQ(complaint(batch),
            "onnx: f: node 'y_node' (ReduceMean): axis 0 of 'x' is the batch (expected a number: bind it (--batch 1))");
}

TEST(DeeployErrors, TheWriterNamesEveryNodeThatItCannotSay) {
  graph::Graph graph = network();
  const auto thresholds = graph.add_constant("t", Tensor({1, 17}, std::vector<int64_t>(17, 3)));
  const auto a = graph.add_node("steps", graph::Threshold{0, {}}, {graph.inputs[0], thresholds});
  graph.outputs = {graph.add_node("third", graph::FloorDivide{{1}, {0}, {3}}, {a})};
  EXPECT_EQ(
      failed_writing(graph),
      "onnx: dialect deeploy: network 'net': 2 nodes that it cannot say: 'steps' (Threshold): thresholds of 17 steps "
      "(1 to 16 become a convolution); 'third' (FloorDivide): a division by 3, neither a power of two nor a mean "
      "(expected another dialect (native says all), or a network without them)");
}

TEST(DeeployErrors, TheWriterTakesIntegersOnly) {
  graph::Graph real;
  real.name = "net";
  real.inputs = {real.add_value("x", ElementType::Float32, {1, 4})};
  real.outputs = {real.add_node("y", graph::Relu{}, real.inputs)};
  EXPECT_EQ(failed_writing(real), "onnx: dialect deeploy: network 'net': stage FP (expected ID: integerize it first)");
}

TEST(DeeployErrors, RequantisationsBeyondSixtyFourBitsAreRefused) {
  const auto refusal = [](graph::Requantise op) {
    graph::Graph graph = network();
    graph.outputs = {graph.add_node("rq", op, graph.inputs)};
    const std::string message = failed_writing(graph), start = "'rq' (Requantise): ";
    const size_t begin = message.find(start), end = message.find(" (expected another");
    return begin == message.npos ? message : message.substr(begin + start.size(), end - begin - start.size());
  };
  const int64_t large = int64_t{1} << 40;
  EXPECT_EQ(refusal({{large, 1, 1, 1}, {0, 0, 0, 0}, {0, 30, 0, 0}, 0, 255}),
            "its shifts differ, and 64 bits do not hold its parameters under one shift");
  EXPECT_EQ(refusal({{1}, {0}, {63}, 0, 255}), "a shift of 63 (62 at most)");
  EXPECT_EQ(refusal({{1}, {INT64_MIN}, {5}, 0, 255}), "an addend that 64 bits do not hold without its half");
}
