#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"
#include "unit/onnx/model_builder.hpp"

// Ops of transformers, U-Nets and MobileNetV3 as exporters write them, against their formulas.
namespace nibble {
namespace {

using foreign::attribute;
using foreign::Model;
using graph::Graph;

Graph read(const Model& model, int64_t opset) {
  return onnx::read_bytes(model.bytes(opset), "m.onnx");
}

std::vector<double> run(const Graph& graph, const Shape& shape, const std::vector<float>& x) {
  return graph::evaluate(graph, {Tensor(shape, x)}).at(0).to_reals();
}

std::string message_of(const Model& model, int64_t opset) {
  try {
    read(model, opset);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Functions, AConvTransposeIsReadWithItsOutputPadding) {
  Model model;
  model.input("x", {1, 1, 2}).output("y", {1, 1, 5}).reals("w", {1, 1, 3}, {1, 10, 100}).reals("b", {1}, {0.5F});
  model.node("ConvTranspose", {"x", "w", "b"}, "y",
             attribute("strides", std::vector<int64_t>{2}) + attribute("pads", std::vector<int64_t>{1, 0}) +
                 attribute("output_padding", std::vector<int64_t>{1}));
  EXPECT_EQ(run(read(model, 11), {1, 1, 2}, {1, 2}), (std::vector<double>{10.5, 102.5, 20.5, 200.5, 0.5}));
}

TEST(Functions, NormalisationsByRootMeanSquareAreReadInBothNames) {
  for (const std::string op : {"RMSNormalization", "SimplifiedLayerNormalization"}) {
    Model model;
    model.input("x", {1, 2}).output("y", {1, 2}).reals("w", {2}, {1, 2});
    model.node(op, {"x", "w"}, "y", attribute("epsilon", 0.5F) + attribute("axis", -1));
    const double root = std::sqrt((9 + 16) / 2.0 + 0.5);
    const auto y = run(read(model, 23), {1, 2}, {3, -4});
    EXPECT_NEAR(y[0], 3 / root, 1e-12);
    EXPECT_NEAR(y[1], -8 / root, 1e-12);
  }
}

TEST(Functions, AMaximumWithANumberIsAClip) {
  Model model;
  model.input("x", {1, 2}).output("y", {1, 2}).reals("low", {}, {-1}).reals("high", {1}, {2});
  model.node("Max", {"low", "x"}, "above").node("Min", {"above", "high"}, "y");
  const Graph graph = read(model, 13);
  for (const graph::Node& node : graph.nodes) EXPECT_EQ(graph::name_of(node.op), "Clip");
  EXPECT_EQ(run(graph, {1, 2}, {-3, 7}), (std::vector<double>{-1, 2}));
}

TEST(Functions, MaximaOfSeveralValuesAreReadTwoByTwo) {
  Model model;
  model.input("x", {1, 2}).output("y", {1, 2}).node("Neg", {"x"}, "n").node("Relu", {"n"}, "r");
  model.node("Max", {"x", "n", "r"}, "y");
  EXPECT_EQ(run(read(model, 13), {1, 2}, {-3, 7}), (std::vector<double>{3, 7}));
}

TEST(Functions, AMaskOfMinusInfinityIsTheLowestNumber) {
  const float lowest = -std::numeric_limits<float>::infinity();
  Model added;
  added.input("x", {1, 2}).output("y", {1, 2}).reals("mask", {2}, {0, lowest});
  added.node("Add", {"x", "mask"}, "masked").node("Softmax", {"masked"}, "y");
  EXPECT_EQ(run(read(added, 13), {1, 2}, {-3, 7}), (std::vector<double>{1, 0}));
  Model chosen;
  chosen.input("x", {1, 2}).output("y", {1, 2}).reals("nothing", {}, {lowest});
  chosen.integers("i", {2}, foreign::Int64, {0, 1}).node("Cast", {"i"}, "flags", attribute("to", 9));
  chosen.node("Where", {"flags", "nothing", "x"}, "masked").node("Softmax", {"masked"}, "y");
  EXPECT_EQ(run(read(chosen, 13), {1, 2}, {-3, 7}), (std::vector<double>{1, 0}));
}

TEST(Functions, EluSwishMishAndLogSoftmaxAreRead) {
  Model model;
  model.input("x", {1, 2}).output("y", {1, 2}).node("Elu", {"x"}, "a", attribute("alpha", 0.5F));
  model.node("Swish", {"a"}, "b").node("Mish", {"b"}, "c").node("LogSoftmax", {"c"}, "y");
  const auto step = [](double x) {
    const double a = x < 0 ? 0.5 * (std::exp(x) - 1) : x, b = a / (1 + std::exp(-a));
    return b * std::tanh(std::log(1 + std::exp(b)));
  };
  const double p = step(-1), q = step(2), sum = std::log(std::exp(p) + std::exp(q));
  const auto y = run(read(model, 24), {1, 2}, {-1, 2});
  EXPECT_NEAR(y[0], p - sum, 1e-9);
  EXPECT_NEAR(y[1], q - sum, 1e-9);
}

TEST(Functions, ALogSoftmaxOfWhatFollowsAnInnerAxisIsRefused) {
  Model model;
  model.input("x", {1, 2, 3}).output("y", {1, 2, 3}).node("LogSoftmax", {"x"}, "y", attribute("axis", 1));
  EXPECT_EQ(message_of(model, 11),
            "onnx: m.onnx: node 'y_node' (LogSoftmax): axis 1 of 3 before opset 13 (expected the last axis)");
}

/// Pixels as serving models take them.
TEST(Functions, AnInputOfIntegersThatIsCastIsOneOfReals) {
  for (const bool moved : {false, true}) {
    Model model;
    model.input("x", {1, 1, 2, 2}, foreign::UInt8).output("y", {1, 1, 2, 2}).reals("by", {}, {255});
    if (moved) model.node("Identity", {"x"}, "again");
    model.node("Cast", {moved ? "again" : "x"}, "real", attribute("to", 1)).node("Div", {"real", "by"}, "y");
    const Graph graph = read(model, 13);
    const std::vector<double> y = run(graph, {1, 1, 2, 2}, {0, 51, 102, 255});
    for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(y.at(i), (std::vector<double>{0, 0.2, 0.4, 1})[i], 1e-7);
    EXPECT_EQ(graph.metadata.at("preprocess"), R"({"scale": 1})");
  }
  // What is read as integers stays one.
  Model both;
  both.input("x", {2}, foreign::UInt8).output("y", {2}).output("i", {2}, foreign::UInt8);
  both.node("Cast", {"x"}, "y", attribute("to", 1)).node("Identity", {"x"}, "i");
  EXPECT_NE(message_of(both, 13).find("from uint8 to FLOAT"), std::string::npos) << message_of(both, 13);
  // A circle ends.
  Model circle;
  circle.input("x", {2}, foreign::UInt8).output("y", {2}).node("Identity", {"x"}, "a").node("Identity", {"a"}, "b");
  circle.node("Identity", {"b"}, "a").node("Cast", {"b"}, "y", attribute("to", 1));
  EXPECT_NE(message_of(circle, 13), "no error");
}

}  // namespace
}  // namespace nibble
