#include <gtest/gtest.h>

#include <cmath>

#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"
#include "unit/onnx/model_builder.hpp"

// Fake-quantised files in the forms that other tools write, against what ONNX's formulas say of them.
namespace nibble {
namespace {

using foreign::Model;
using graph::Graph;

int64_t quantised(double x, double scale, int64_t point, int64_t low, int64_t high) {
  return std::clamp<int64_t>(static_cast<int64_t>(std::nearbyint(x / scale)) + point, low, high);
}
double fake(double x, double scale, int64_t point, int64_t low, int64_t high) {
  return scale * static_cast<double>(quantised(x, scale, point, low, high) - point);
}

const std::vector<float> x_values = {-1.3f, -0.4f, 0.04f, 0.35f, 0.9f, 1.7f};

std::vector<double> run(const Graph& graph) {
  return graph::evaluate(graph, {Tensor({2, 3}, x_values)}).at(0).to_reals();
}

const graph::Value& value(const Graph& graph, const std::string& name) {
  const graph::ValueId id = graph.find(name);
  EXPECT_NE(id, graph::absent) << name;
  return graph[id];
}

/// y[n][o] = sum of x * w[k][o] + b[o]
std::vector<double> product(const std::vector<double>& x, const std::vector<double>& w, const std::vector<double>& b) {
  const size_t outputs = b.size(), inner = w.size() / outputs;
  std::vector<double> y;
  for (size_t n = 0; n < x.size() / inner; ++n)
    for (size_t o = 0; o < outputs; ++o) {
      double sum = b[o];
      for (size_t k = 0; k < inner; ++k) sum += x[n * inner + k] * w[k * outputs + o];
      y.push_back(sum);
    }
  return y;
}

/// The input through a quantiser.
std::vector<double> faked(double scale, int64_t point, int64_t low, int64_t high) {
  std::vector<double> x(x_values.begin(), x_values.end());
  for (double& each : x) each = fake(each, scale, point, low, high);
  return x;
}

void expect_near(const std::vector<double>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-6) << i;
}

TEST(ForeignQdq, OfOnnxRuntimeHasAsymmetricActivationsChannelScalesAndIntegerBiases) {
  Model model;
  model.input("x", {-1, 3}).output("y", {-1, 2}).pair("x", "xq", 0.02f, 77, foreign::UInt8);
  model.integers("w_i", {3, 2}, foreign::Int8, {12, -100, 7, 55, -128, 127}).reals("w_s", {2}, {0.01f, 0.03f});
  model.integers("w_z", {2}, foreign::Int8, {0, 0});
  model.node("DequantizeLinear", {"w_i", "w_s", "w_z"}, "w", foreign::attribute("axis", 1));
  const float s0 = 0.02f * 0.01f, s1 = 0.02f * 0.03f;
  model.integers("b_i", {2}, foreign::Int32, {1234, -77}).reals("b_s", {2}, {s0, s1});
  model.integers("b_z", {2}, foreign::Int32, {0, 0});
  model.node("DequantizeLinear", {"b_i", "b_s", "b_z"}, "b", foreign::attribute("axis", 0));
  model.node("Gemm", {"xq", "w", "b"}, "sum").pair("sum", "y", 0.05f, 3, foreign::UInt8);
  const Graph graph = onnx::read_bytes(model.bytes(), "ort.onnx");

  EXPECT_EQ(graph.stage, graph::Stage::FQ);
  EXPECT_EQ(value(graph, "xq").grid, (Grid{{0.02f}, -1, 77, 0, 255}));
  EXPECT_EQ(value(graph, "w").grid, (Grid{{0.01f, 0.03f}, 1, 0, -128, 127}));
  EXPECT_EQ(value(graph, "b").grid, (Grid{{s0, s1}, 0, 0, INT32_MIN, INT32_MAX}));
  EXPECT_EQ(value(graph, "y").grid, (Grid{{0.05f}, -1, 3, 0, 255}));
  const std::vector<double> w = {12 * .01f, -100 * .03f, 7 * .01f, 55 * .03f, -128 * .01f, 127 * .03f};
  std::vector<double> y = product(faked(0.02f, 77, 0, 255), w, {1234 * s0, -77 * s1});
  for (double& each : y) each = fake(each, 0.05f, 3, 0, 255);
  expect_near(run(graph), y);
}

TEST(ForeignQdq, OfBrevitasCutsLevelsByAClipOfActivationsAndOfWeights) {
  Model model;
  model.input("x", {-1, 3}).output("y", {-1, 2}).reals("s", {}, {0.125f}).integers("z", {}, foreign::UInt8, {0});
  model.integers("low", {}, foreign::UInt8, {0}).integers("high", {}, foreign::UInt8, {7});
  model.node("QuantizeLinear", {"x", "s", "z"}, "xi").node("Clip", {"xi", "low", "high"}, "xc");
  model.node("DequantizeLinear", {"xc", "s", "z"}, "xq");
  model.integers("w_i", {3, 2}, foreign::Int8, {1, -3, 2, 3, -2, 0}).integers("w_z", {}, foreign::Int8, {0});
  model.integers("w_low", {}, foreign::Int8, {-3}).integers("w_high", {}, foreign::Int8, {3});
  model.reals("w_s", {}, {0.5f}).node("Clip", {"w_i", "w_low", "w_high"}, "wc");
  model.node("DequantizeLinear", {"wc", "w_s", "w_z"}, "w").node("MatMul", {"xq", "w"}, "y");
  const Graph graph = onnx::read_bytes(model.bytes(), "qcdq.onnx");

  EXPECT_EQ(value(graph, "xq").grid, (Grid{{0.125}, -1, 0, 0, 7}));
  EXPECT_EQ(value(graph, "w").grid, (Grid{{0.5}, -1, 0, -3, 3}));
  EXPECT_EQ(graph.nodes.front().name, "xi_node");
  for (const graph::Node& node : graph.nodes) EXPECT_NE(graph::name_of(node.op), "Clip");
  expect_near(run(graph), product(faked(0.125f, 0, 0, 7), {.5, -1.5, 1, 1.5, -1, 0}, {0, 0}));
}

TEST(ForeignQdq, OfBrevitasClipsQuantisedFloatWeights) {
  Model model;
  model.input("x", {-1, 3}).output("y", {-1, 1}).pair("x", "xq", 0.1f, 0, foreign::Int8);
  model.reals("w_f", {3, 1}, {0.9f, -2.6f, 0.2f}).reals("s", {}, {0.5f}).integers("z", {}, foreign::Int8, {0});
  model.integers("low", {}, foreign::Int8, {-1}).integers("high", {}, foreign::Int8, {1});
  model.node("QuantizeLinear", {"w_f", "s", "z"}, "wi").node("Clip", {"wi", "low", "high"}, "wc");
  model.node("DequantizeLinear", {"wc", "s", "z"}, "w").node("MatMul", {"xq", "w"}, "y");
  const Graph graph = onnx::read_bytes(model.bytes(), "qcdq.onnx");
  EXPECT_EQ(value(graph, "w").grid, (Grid{{0.5}, -1, 0, -1, 1}));
  expect_near(run(graph), product(faked(0.1f, 0, -128, 127), {.5, -.5, 0}, {0}));
}

TEST(ForeignQdq, OfTensorRtQuantisesFloatWeightsAndTransposesThem) {
  Model model;
  model.input("x", {-1, 3}).output("y", {-1, 2}).reals("x_s", {}, {0.01f}).integers("x_z", {}, foreign::Int8, {0});
  model.node("QuantizeLinear", {"x", "x_s", "x_z"}, "xi").node("DequantizeLinear", {"xi", "x_s"}, "xq");
  model.reals("w_f", {2, 3}, {0.5f, -0.25f, 1.f, 2.f, -0.76f, 0.1f}).reals("w_s", {2}, {0.01f, 0.02f});
  model.integers("w_z", {2}, foreign::Int8, {0, 0});
  model.node("QuantizeLinear", {"w_f", "w_s", "w_z"}, "wi", foreign::attribute("axis", 0));
  model.node("DequantizeLinear", {"wi", "w_s", "w_z"}, "wq", foreign::attribute("axis", 0));
  model.node("Transpose", {"wq"}, "w", foreign::attribute("perm", std::vector<int64_t>{1, 0}));
  model.node("MatMul", {"xq", "w"}, "y");
  const Graph graph = onnx::read_bytes(model.bytes(), "tensorrt.onnx");

  EXPECT_EQ(value(graph, "xq").grid, (Grid{{0.01f}, -1, 0, -128, 127}));
  EXPECT_EQ(value(graph, "w").grid, (Grid{{0.01f, 0.02f}, 1, 0, -128, 127}));
  for (const graph::Node& node : graph.nodes) EXPECT_NE(graph::name_of(node.op), "Transpose");
  std::vector<double> w = {0.5f, 2.f, -0.25f, -0.76f, 1.f, 0.1f};
  for (size_t i = 0; i < w.size(); ++i) w[i] = fake(w[i], i % 2 ? 0.02f : 0.01f, 0, -128, 127);
  expect_near(run(graph), product(faked(0.01f, 0, -128, 127), w, {0, 0}));
}

TEST(ForeignQdq, ReadsWeightsWithAZeroPointAChannelAsTheSameReals) {
  Model model;
  model.input("x", {-1, 3}).output("y", {-1, 2}).pair("x", "xq", 0.02f, 128, foreign::UInt8);
  model.integers("w_i", {3, 2}, foreign::UInt8, {12, 200, 7, 255, 90, 127}).reals("w_s", {2}, {0.01f, 0.03f});
  model.integers("w_z", {2}, foreign::UInt8, {10, 130});
  model.node("DequantizeLinear", {"w_i", "w_s", "w_z"}, "w", foreign::attribute("axis", -1));
  model.node("MatMul", {"xq", "w"}, "y");
  const Graph graph = onnx::read_bytes(model.bytes(), "channels.onnx");
  EXPECT_EQ(value(graph, "w").grid, (Grid{{0.01f, 0.03f}, 1, 0, -128, 127}));
  const std::vector<double> w = {2 * .01f, 70 * .03f, -3 * .01f, 125 * .03f, 80 * .01f, -3 * .03f};
  expect_near(run(graph), product(faked(0.02f, 128, 0, 255), w, {0, 0}));
}

TEST(ForeignQdq, ReadsTypesBelowEightBitsLowBitsFirst) {
  struct Case {
    int type;
    std::vector<int64_t> q;
    int64_t low, high;
  };
  for (const Case& each : {Case{foreign::Int4, {-8, 7, 3}, -8, 7}, Case{foreign::UInt4, {0, 15, 9}, 0, 15},
                           Case{foreign::Int2, {-2, 1, -1}, -2, 1}, Case{foreign::UInt2, {3, 0, 2}, 0, 3}}) {
    Model model;
    model.input("x", {-1, 3}).output("y", {-1, 1}).reals("s", {}, {0.25f}).reals("w_s", {}, {0.5f});
    model.integers("z", {}, foreign::Int8, {0}).integers("w_i", {3, 1}, each.type, each.q);
    model.node("QuantizeLinear", {"x", "s", "z"}, "xi").node("DequantizeLinear", {"xi", "s", "z"}, "xq");
    model.node("DequantizeLinear", {"w_i", "w_s"}, "w").node("MatMul", {"xq", "w"}, "y");
    const Graph graph = onnx::read_bytes(model.bytes(25), "packed.onnx");
    EXPECT_EQ(value(graph, "w").grid, (Grid{{0.5}, -1, 0, each.low, each.high}));
    std::vector<double> w;
    for (int64_t q : each.q) w.push_back(0.5 * static_cast<double>(q));
    expect_near(run(graph), product(faked(0.25f, 0, -128, 127), w, {0}));
  }
}

TEST(ForeignQdq, LetsOpsThatOnlyMoveStandOnTheIntegers) {
  Model model;
  model.input("x", {-1, 3}).output("y", {3, -1}).reals("s", {}, {0.25f}).integers("z", {}, foreign::Int8, {5});
  model.node("QuantizeLinear", {"x", "s", "z"}, "xi");
  model.node("Transpose", {"xi"}, "xt", foreign::attribute("perm", std::vector<int64_t>{1, 0}));
  model.node("Identity", {"xt"}, "xt2").node("DequantizeLinear", {"xt2", "s", "z"}, "y");
  const std::vector<double> x = faked(0.25f, 5, -128, 127);
  expect_near(run(onnx::read_bytes(model.bytes(), "moved.onnx")), {x[0], x[3], x[1], x[4], x[2], x[5]});
}

TEST(ForeignQdq, KeepsAWideConstantThatIsNoBiasInReals) {
  Model model;
  model.input("x", {-1, 3}).output("y", {-1, 3}).pair("x", "xq", 0.25f, 0, foreign::Int8);
  model.integers("b_i", {3}, foreign::Int32, {5, 6, -7}).reals("b_s", {}, {0.5f});
  model.node("DequantizeLinear", {"b_i", "b_s"}, "b").node("Add", {"xq", "b"}, "y");
  const Graph graph = onnx::read_bytes(model.bytes(), "add.onnx");
  ASSERT_NE(graph.constant(graph.find("b")), nullptr);
  EXPECT_EQ(graph.constant(graph.find("b"))->to_reals(), (std::vector<double>{2.5, 3, -3.5}));
}

std::string message_of(const std::string& bytes) {
  try {
    onnx::read_bytes(bytes, "m.onnx");
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(ForeignQdq, RefusesByNameWhatHasNoGridHere) {
  Model blocked;
  blocked.input("x", {2, 3})
      .output("y", {2, 3})
      .reals("s", {2, 1}, {1, 1})
      .integers("z", {2, 1}, foreign::Int8, {0, 0});
  blocked.node("QuantizeLinear", {"x", "s", "z"}, "xi", foreign::attribute("block_size", 3));
  blocked.node("DequantizeLinear", {"xi", "s", "z"}, "y", foreign::attribute("block_size", 3));
  EXPECT_EQ(message_of(blocked.bytes(21)),
            "onnx: m.onnx: node 'xi_node' (QuantizeLinear): attribute 'block_size' is set (expected 0: a scale a "
            "tensor or a channel)");

  Model eight;
  eight.input("x", {2, 3}).output("y", {2, 3}).reals("s", {}, {1});
  eight.node("QuantizeLinear", {"x", "s"}, "xi", foreign::attribute("output_dtype", foreign::Float8));
  eight.node("DequantizeLinear", {"xi", "s"}, "y");
  EXPECT_EQ(message_of(eight.bytes(21)),
            "onnx: m.onnx: node 'xi_node' (QuantizeLinear): integers of FLOAT8E4M3FN (expected INT8, UINT8, INT16, "
            "UINT16, INT32, INT4, UINT4, INT2 or UINT2)");

  Model other;
  other.input("x", {2, 3})
      .output("y", {2, 3})
      .reals("s", {}, {1})
      .reals("t", {}, {2})
      .integers("z", {}, foreign::Int8, {0});
  other.node("QuantizeLinear", {"x", "s", "z"}, "xi").node("DequantizeLinear", {"xi", "t", "z"}, "y");
  EXPECT_EQ(message_of(other.bytes()),
            "onnx: m.onnx: node 'y_node' (DequantizeLinear): another scale or zero point than the QuantizeLinear "
            "before it (expected the same)");

  Model empty;
  empty.input("x", {2, 3}).output("y", {2, 3}).reals("s", {}, {1}).integers("z", {}, foreign::Int8, {0});
  empty.integers("low", {}, foreign::Int8, {4}).integers("high", {}, foreign::Int8, {4});
  empty.node("QuantizeLinear", {"x", "s", "z"}, "xi").node("Clip", {"xi", "low", "high"}, "xc");
  empty.node("DequantizeLinear", {"xc", "s", "z"}, "y");
  EXPECT_EQ(message_of(empty.bytes()),
            "onnx: m.onnx: node 'xc_node' (Clip): levels 4 to 4 (expected at least two levels)");
}

/// What is picked, moved or chosen is on the grid that it was on.
TEST(ForeignQdq, KeepsTheBiasOfAProductOfWhatWasPicked) {
  for (const char* between : {"Gather", "Slice", "Concat", "Relu"}) {
    Model model;
    model.input("x", {-1, 4, 3}).output("y", {-1, -1, 2}).pair("x", "xq", 0.25f, 0, foreign::Int8);
    model.integers("i", {2}, foreign::Int64, {2, 0}).integers("one", {1}, foreign::Int64, {1});
    model.integers("three", {1}, foreign::Int64, {3});
    const std::string op = between;
    if (op == "Gather") model.node(op, {"xq", "i"}, "p", foreign::attribute("axis", 1));
    if (op == "Slice") model.node(op, {"xq", "one", "three", "one"}, "p");
    if (op == "Concat") model.node(op, {"xq", "xq"}, "p", foreign::attribute("axis", 1));
    if (op == "Relu") model.node(op, {"xq"}, "p");
    model.integers("w_i", {3, 2}, foreign::Int8, {5, 6, -7, 1, 2, 3}).reals("w_s", {}, {0.5f});
    model.node("DequantizeLinear", {"w_i", "w_s"}, "w").node("MatMul", {"p", "w"}, "m");
    model.integers("b_i", {2}, foreign::Int32, {50, -7}).reals("b_s", {}, {0.125f});
    model.node("DequantizeLinear", {"b_i", "b_s"}, "b").node("Add", {"m", "b"}, "y");
    const Graph graph = onnx::read_bytes(model.bytes(), "picked.onnx");
    const int by = graph::Uses(graph).writer[static_cast<size_t>(graph.find("b"))];
    ASSERT_GE(by, 0) << between;
    EXPECT_TRUE(holds_alternative<graph::Quantise>(graph.nodes[static_cast<size_t>(by)].op)) << between;
  }
}

}  // namespace
}  // namespace nibble
