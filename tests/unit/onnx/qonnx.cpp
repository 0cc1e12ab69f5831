#include <gtest/gtest.h>

#include <cmath>

#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"
#include "scratch.hpp"
#include "unit/onnx/model_builder.hpp"

// Quantisers of domain qonnx.custom_op.general, by the formulas of its documents.
namespace nibble {
namespace {

using foreign::Model;
using Numbers = std::vector<float>;

const std::string domain = "qonnx.custom_op.general";

std::string text_attribute(const std::string& name, const std::string& value) {
  return foreign::field(5, foreign::field(1, name) + foreign::number(20, 3) + foreign::field(4, value));
}

graph::Graph read(const Model& model) {
  return onnx::read_bytes(model.bytes(13, {domain}), "m.onnx");
}

Numbers samples() {
  Numbers x;
  for (int i = -80; i <= 80; ++i) x.push_back(static_cast<float>(i) / 16);
  return x;
}

double half_even(double x) {
  return std::nearbyint(x);
}

/// y of Quant on the samples, scale 1/4.
std::vector<double> quant(float point, float bits, bool with_sign, bool narrow, const std::string& mode) {
  Model model;
  model.input("x", {161}).output("y", {161}).reals("s", {}, {0.25f}).reals("z", {}, {point}).reals("b", {}, {bits});
  model.node("Quant", {"x", "s", "z", "b"}, "y",
             foreign::attribute("signed", with_sign) + foreign::attribute("narrow", narrow) +
                 text_attribute("rounding_mode", mode),
             domain);
  const graph::Graph graph = read(model);
  EXPECT_EQ(graph.stage, graph::Stage::FQ);
  return graph::evaluate(graph, {Tensor({161}, samples())}).at(0).to_reals();
}

TEST(Qonnx, QuantRoundsShiftsAndSaturatesByItsAttributes) {
  for (const float point : {0.0f, 2.0f, -6.0f})
    for (const float bits : {1.0f, 2.0f, 3.0f, 4.0f, 8.0f})
      for (const bool with_sign : {false, true})
        for (const bool narrow : {false, true})
          for (const std::string mode : {"ROUND", "FLOOR", "round"}) {
            const double count = std::exp2(bits);
            const double low = with_sign ? -count / 2 + narrow : 0,
                         high = with_sign ? count / 2 - 1 : count - 1 - narrow;
            if (low >= high) continue;
            std::vector<double> expected;
            for (const float x : samples()) {
              const double u = static_cast<double>(x) / 0.25 + static_cast<double>(point);
              const double q = std::clamp(mode == "FLOOR" ? std::floor(u) : half_even(u), low, high);
              expected.push_back((q - static_cast<double>(point)) * 0.25);
            }
            EXPECT_EQ(quant(point, bits, with_sign, narrow, mode), expected)
                << point << " " << bits << " " << with_sign << " " << narrow << " " << mode;
          }
}

TEST(Qonnx, QuantOfUnsignedLevelsRoundsAwayFromZeroAndTowardsItToo) {
  std::vector<double> up, down;
  for (const float x : samples()) {
    const double u = std::max(0.0, static_cast<double>(x) * 4);
    up.push_back(std::min(15.0, std::floor(u + 0.5)) / 4), down.push_back(std::min(15.0, std::floor(u)) / 4);
  }
  EXPECT_EQ(quant(0, 4, false, false, "HALF_UP"), up);
  EXPECT_EQ(quant(0, 4, false, false, "DOWN"), down);
  EXPECT_THROW(quant(0, 4, true, false, "HALF_UP"), UserError);
  EXPECT_THROW(quant(0, 4, true, false, "CEIL"), UserError);
}

TEST(Qonnx, QuantOfWeightsHasAScaleForEachChannel) {
  Model model;
  model.input("x", {-1, 2}).output("y", {-1, 3}).reals("w", {3, 2}, {1.9f, -0.6f, 0.3f, 7.0f, -9.0f, 0.26f});
  model.reals("s", {3, 1}, {0.5f, 0.25f, 1}).reals("z", {}, {0}).reals("b", {}, {4}).reals("sx", {}, {1});
  model.node("Quant", {"w", "s", "z", "b"}, "wq", {}, domain).node("Quant", {"x", "sx", "z", "b"}, "xq", {}, domain);
  model.node("Gemm", {"xq", "wq"}, "y", foreign::attribute("transB", 1));
  const graph::Graph graph = read(model);
  const auto y = graph::evaluate(graph, {Tensor({2, 2}, Numbers{1, 0, 0, 1})}).at(0).to_reals();
  EXPECT_EQ(y, (std::vector<double>{2, 0.25, -8, -0.5, 1.75, 0}));
}

TEST(Qonnx, BipolarQuantGivesSignsOfActivationsAndOfWeights) {
  Model model;
  model.input("x", {-1, 3}).output("y", {-1, 1}).output("xq", {-1, 3}).reals("w", {3, 1}, {0.2f, -3, 0});
  model.reals("s", {}, {0.5f}).reals("t", {}, {2});
  model.node("BipolarQuant", {"x", "s"}, "xq", {}, domain).node("BipolarQuant", {"w", "t"}, "wq", {}, domain);
  model.node("MatMul", {"xq", "wq"}, "y");
  const auto found = graph::evaluate(read(model), {Tensor({2, 3}, Numbers{0, -0.1f, 8, -7, -0.0f, -2})});
  EXPECT_EQ(found[1].to_reals(), (std::vector<double>{0.5, -0.5, 0.5, -0.5, 0.5, -0.5}));
  EXPECT_EQ(found[0].to_reals(), (std::vector<double>{3, -3}));
}

TEST(Qonnx, TruncCutsLowBitsOfIntegers) {
  Model model;
  model.input("x", {5}).output("y", {5}).reals("s", {}, {0.5f}).reals("z", {}, {0}).reals("in", {}, {8});
  model.reals("out", {}, {6}).node("Trunc", {"x", "s", "z", "in", "out"}, "y", {}, domain);
  const auto y = graph::evaluate(read(model), {Tensor({5}, Numbers{0.5f, 1.5f, 2, -0.5f, -2.5f})}).at(0).to_reals();
  EXPECT_EQ(y, (std::vector<double>{0, 0, 0.5, -0.5, -1}));
}

TEST(Qonnx, NetworksAreTheSameAfterBeingWrittenAndReadBack) {
  Model model;
  model.input("x", {-1, 2, 5, 5}).output("y", {-1, 3, 3, 3}).reals("w", {3, 2, 3, 3}, Numbers(54, 0.375f));
  model.reals("sw", {3, 1, 1, 1}, {0.125f, 0.25f, 0.5f})
      .reals("s", {}, {0.125f})
      .reals("z", {}, {0})
      .reals("zx", {}, {-4});
  model.reals("b4", {}, {4}).reals("b8", {}, {8});
  model.node("Quant", {"x", "s", "zx", "b8"}, "xq", foreign::attribute("narrow", 1), domain);
  model.node("Quant", {"w", "sw", "z", "b4"}, "wq", {}, domain)
      .node("Conv", {"xq", "wq"}, "c")
      .node("Relu", {"c"}, "r");
  model.node("Quant", {"r", "s", "z", "b4"}, "y", foreign::attribute("signed", 0), domain);
  const graph::Graph graph = read(model);
  const auto file = tests::scratch("qonnx.onnx");
  onnx::write_qonnx(graph, file);
  const graph::Graph back = onnx::read(file);
  Numbers x;
  for (int i = 0; i < 100; ++i) x.push_back(static_cast<float>(i * 37 % 101 - 50) / 7);
  const std::vector<Tensor> given{Tensor({2, 2, 5, 5}, x)};
  EXPECT_EQ(graph::evaluate(back, given).at(0).to_reals(), graph::evaluate(graph, given).at(0).to_reals());
  for (const graph::Node& node : graph.nodes) {
    const auto* op = get_if<graph::Quantise>(&node.op);
    if (!op) continue;
    const graph::ValueId id = back.find(graph[node.outputs[0]].name);
    ASSERT_NE(id, graph::absent);
    EXPECT_EQ(back[id].grid, op->grid) << node.name;
  }
}

}  // namespace
}  // namespace nibble
