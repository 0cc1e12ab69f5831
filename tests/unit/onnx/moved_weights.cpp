#include <gtest/gtest.h>

#include "base/error.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"
#include "unit/onnx/model_builder.hpp"

// Weights that something stands before, between and behind their QuantizeLinear and DequantizeLinear.
namespace nibble {
namespace {

using foreign::attribute;
using foreign::Model;
using graph::Graph;
using Ints = std::vector<int64_t>;

const std::vector<int64_t> levels{10, -20, 30, -40, 50, -60};  // [2, 3]
const std::vector<float> scales{0.5F, 0.25F};

/// y = x [N, 3] times w [3, 2], w made by `weights` under the name "w".
template <class Weights>
Graph product(Weights weights, int64_t opset = 13) {
  Model model;
  model.input("x", {-1, 3}).output("y", {-1, 2}).pair("x", "q", 0.5F, 0, foreign::Int8);
  model.reals("s", {2}, scales).integers("z", {2}, foreign::Int8, {0, 0});
  weights(model);
  model.node("MatMul", {"q", "w"}, "m").pair("m", "y", 0.25F, 0, foreign::Int8);
  return onnx::read_bytes(model.bytes(opset), "m.onnx");
}

/// Weights are a constant behind a quantiser, with the scales on the columns; the product is as it should be.
void expect_columns(const Graph& graph) {
  const graph::Uses uses(graph);
  for (const graph::Node& node : graph.nodes) {
    if (!holds_alternative<graph::MatMul>(node.op)) continue;
    const int writer = uses.writer[static_cast<size_t>(node.inputs[1])];
    ASSERT_GE(writer, 0);
    const graph::Node& quantiser = graph.nodes[static_cast<size_t>(writer)];
    ASSERT_TRUE(holds_alternative<graph::Quantise>(quantiser.op));
    ASSERT_NE(graph.constant(quantiser.inputs[0]), nullptr);
    EXPECT_EQ(get<graph::Quantise>(quantiser.op).grid.axis, 1);
  }
  // w = [[5, -10, 15], [-10, 12.5, -15]] transposed.
  const auto y = graph::evaluate(graph, {Tensor({2, 3}, std::vector<float>{1, 1, 0.5F, 0, -0.5F, 1})}).at(0);
  EXPECT_EQ(y.to_reals(), (std::vector<double>{2.5, -5, 20, -21.25}));
}

}  // namespace

TEST(MovedWeights, AreTransposedBetweenTheirIntegersAndTheirReals) {
  expect_columns(product([](Model& model) {
    model.integers("i", {2, 3}, foreign::Int8, levels).node("Transpose", {"i"}, "t");
    model.node("DequantizeLinear", {"t", "s", "z"}, "w", attribute("axis", 1));
  }));
}

TEST(MovedWeights, AreTransposedBehindTheirOwnQuantiser) {
  expect_columns(product([](Model& model) {
    model.reals("r", {2, 3}, {5, -10, 15, -10, 12.5F, -15});
    model.node("QuantizeLinear", {"r", "s", "z"}, "i", attribute("axis", 0)).node("Identity", {"i"}, "same");
    model.node("Transpose", {"same"}, "t").node("DequantizeLinear", {"t", "s", "z"}, "w", attribute("axis", -1));
  }));
}

TEST(MovedWeights, AreReshapedTransposedAndCastInTurn) {
  expect_columns(product([](Model& model) {
    model.integers("i", {2, 3, 1}, foreign::Int8, levels).integers("shape", {2}, foreign::Int64, {2, -1});
    model.node("Cast", {"i"}, "c", attribute("to", static_cast<int>(foreign::Int8)));
    model.node("Reshape", {"c", "shape"}, "f").node("Transpose", {"f"}, "t", attribute("perm", Ints{1, 0}));
    model.node("DequantizeLinear", {"t", "s", "z"}, "w", attribute("axis", 1));
  }));
}

TEST(MovedWeights, AreMovedBehindTheirDequantiserWithTheirScales) {
  expect_columns(product([](Model& model) {
    model.integers("i", {1, 2, 3}, foreign::Int8, levels).integers("shape", {2}, foreign::Int64, {2, 3});
    model.node("DequantizeLinear", {"i", "s", "z"}, "d", attribute("axis", 1));
    model.node("Reshape", {"d", "shape"}, "f").node("Identity", {"f"}, "same").node("Transpose", {"same"}, "w");
  }));
}

TEST(MovedWeights, OfRealsAreFoldedBeforeTheirQuantiser) {
  expect_columns(product([](Model& model) {
    model.reals("r", {2, 3}, {5, -10, 99, -10, 12.5F, -99}).reals("low", {}, {-15}).reals("high", {}, {15});
    model.node("Clip", {"r", "low", "high"}, "c").node("Transpose", {"c"}, "t");
    model.node("QuantizeLinear", {"t", "s", "z"}, "i", attribute("axis", 1));
    model.node("DequantizeLinear", {"i", "s", "z"}, "w", attribute("axis", 1));
  }));
}

TEST(MovedWeights, OfManyElementsAreFoldedToo) {
  // More than what shapes are computed of.
  const int64_t rows = 300, columns = 300;
  std::vector<int64_t> many;
  for (int64_t i = 0; i < rows * columns; ++i) many.push_back(i % 101 - 50);
  Model model;
  model.input("x", {1, rows}).output("y", {1, columns}).pair("x", "q", 0.5F, 0, foreign::Int8);
  model.reals("s", {}, {0.5F})
      .integers("z", {}, foreign::Int8, {0})
      .integers("i", {columns, rows}, foreign::Int8, many);
  model.node("Transpose", {"i"}, "t").node("DequantizeLinear", {"t", "s", "z"}, "w");
  model.node("MatMul", {"q", "w"}, "y");
  const Graph graph = onnx::read_bytes(model.bytes(13), "m.onnx");
  EXPECT_EQ(graph.stage, graph::Stage::FQ);
  std::vector<float> x(rows);
  x[1] = 1;
  EXPECT_EQ(graph::evaluate(graph, {Tensor({1, rows}, x)}).at(0).to_reals()[2],
            0.5 * static_cast<double>(many[static_cast<size_t>(2 * rows + 1)]));
}

TEST(MovedWeights, OfAChannelWithScaleZeroAreZeros) {
  Model model;
  model.input("x", {-1, 2}).output("y", {-1, 3}).pair("x", "q", 0.5F, 0, foreign::Int8);
  model.reals("s", {3}, {0.5F, 0, 0.25F}).integers("z", {3}, foreign::Int8, {0, 0, 0});
  model.integers("i", {2, 3}, foreign::Int8, {2, 7, 8, 4, 0, 4});
  model.node("DequantizeLinear", {"i", "s", "z"}, "w", attribute("axis", 1)).node("MatMul", {"q", "w"}, "y");
  const Graph graph = onnx::read_bytes(model.bytes(13), "m.onnx");
  EXPECT_EQ(graph::evaluate(graph, {Tensor({1, 2}, std::vector<float>{1, 1})}).at(0).to_reals(),
            (std::vector<double>{3, 0, 3}));
}

TEST(MovedWeights, ScaleZeroOfAnActivationStaysAnError) {
  Model model;
  model.input("x", {-1, 2}).output("y", {-1, 2}).pair("x", "y", 0, 0, foreign::Int8);
  EXPECT_THROW(onnx::read_bytes(model.bytes(13), "m.onnx"), UserError);
}

}  // namespace nibble
