#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/random.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"
#include "unit/onnx/model_builder.hpp"

// Integer files of the standard (QLinearConv and its kin) against the real numbers that ONNX says, in whole fractions:
// scales here are k / 4096.
namespace nibble {
namespace {

using foreign::Model;
using graph::Graph;

constexpr float unit = 0x1p-12f;

/// Half to even of n / d, d > 0.
int64_t rounded(int64_t n, int64_t d) {
  int64_t down = n / d - (n % d < 0);
  const int64_t twice = 2 * (n - down * d);
  return twice > d || (twice == d && down % 2 != 0) ? down + 1 : down;
}
int64_t level(int64_t n, int64_t d, int64_t point, int64_t low = 0, int64_t high = 255) {
  return std::clamp(rounded(n, d) + point, low, high);
}

Model& scale(Model& model, const std::string& name, const std::vector<int64_t>& k, std::vector<int64_t> shape = {}) {
  std::vector<float> values;
  for (int64_t each : k) values.push_back(static_cast<float>(each) * unit);
  return model.reals(name, std::move(shape), values);
}

std::vector<int64_t> random_levels(Random& random, size_t count, int64_t low, int64_t high) {
  std::vector<int64_t> q(count);
  for (int64_t& each : q) each = low + static_cast<int64_t>(random.below(static_cast<uint64_t>(high - low + 1)));
  return q;
}

Graph read(const Model& model) {
  const Graph graph = onnx::read_bytes(model.bytes(17, {"com.microsoft"}), "integers.onnx");
  EXPECT_EQ(graph.stage, graph::Stage::ID);
  return graph;
}
std::vector<int64_t> run(const Graph& graph, const std::vector<Tensor>& inputs) {
  return graph::evaluate(graph, inputs).at(0).to_integers();
}

TEST(ForeignIntegers, OfQLinearConvHaveChannelScalesZeroPointsOfWeightsAndABias) {
  Random random(1);
  const std::vector<int64_t> w = random_levels(random, 3 * 2 * 9, 0, 255), b = {100, -2000, 31}, kw = {11, 300, 4096};
  const std::vector<int64_t> zw = {128, 0, 200}, x = random_levels(random, 2 * 5 * 5, 0, 255);
  const int64_t kx = 37, zx = 77, ky = 3000, zy = 9;
  Model model;
  model.input("x", {1, 2, 5, 5}, foreign::UInt8).output("y", {1, 3, 5, 5}, foreign::UInt8);
  scale(scale(scale(model, "xs", {kx}), "ws", kw, {3}), "ys", {ky});
  model.integers("xz", {}, foreign::UInt8, {zx}).integers("wz", {3}, foreign::UInt8, zw);
  model.integers("yz", {}, foreign::UInt8, {zy}).integers("w", {3, 2, 3, 3}, foreign::UInt8, w);
  model.integers("b", {3}, foreign::Int32, b);
  model.node("QLinearConv", {"x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"}, "y",
             foreign::attribute("pads", std::vector<int64_t>{1, 1, 1, 1}));
  std::vector<int64_t> expected;
  for (size_t o = 0; o < 3; ++o)
    for (int row = 0; row < 5; ++row)
      for (int column = 0; column < 5; ++column) {
        int64_t sum = b[o];
        for (int c = 0; c < 2; ++c)
          for (int i = -1; i < 2; ++i)
            for (int j = -1; j < 2; ++j) {
              if (row + i < 0 || row + i > 4 || column + j < 0 || column + j > 4) continue;
              const size_t at = static_cast<size_t>(c * 25 + (row + i) * 5 + column + j);
              sum += (x[at] - zx) * (w[o * 18 + static_cast<size_t>(c * 9 + (i + 1) * 3 + j + 1)] - zw[o]);
            }
        expected.push_back(level(sum * kx * kw[o], ky * 4096, zy));
      }
  const Graph graph = read(model);
  EXPECT_EQ(run(graph, {Tensor({1, 2, 5, 5}, x)}), expected);
  EXPECT_EQ(graph[graph.outputs[0]].grid, (Grid{{static_cast<double>(ky) / 4096}, -1, zy, 0, 255}));
}

TEST(ForeignIntegers, OfQLinearConvRoundTiesToEvenByThresholds) {
  Model model;
  model.input("x", {1, 1, 16}, foreign::UInt8).output("y", {1, 1, 16}, foreign::UInt8);
  scale(scale(model, "s", {4096}), "ys", {8192}).integers("z", {}, foreign::UInt8, {0});
  model.integers("w", {1, 1, 1}, foreign::Int8, {1}).integers("wz", {}, foreign::Int8, {0});
  model.node("QLinearConv", {"x", "s", "z", "w", "s", "wz", "ys", "z"}, "y");
  std::vector<int64_t> x, expected;
  for (int64_t q = 0; q < 16; ++q) x.push_back(q), expected.push_back(level(q, 2, 0));
  const Graph graph = read(model);
  EXPECT_EQ(graph::name_of(graph.nodes.back().op), "Threshold");
  EXPECT_EQ(run(graph, {Tensor({1, 1, 16}, x)}), expected);
}

/// Every pair of 8-bit integers as two inputs of 65536 elements.
struct Pairs {
  std::vector<int64_t> a, b;
};
Pairs all_pairs() {
  Pairs pairs;
  for (int64_t i = 0; i < 256; ++i)
    for (int64_t j = 0; j < 256; ++j) pairs.a.push_back(i), pairs.b.push_back(j - 128);
  return pairs;
}

/// Inputs a of UINT8 and b of INT8 through an op of two operands.
Graph of_two(const std::string& op, int64_t ka, int64_t za, int64_t kb, int64_t zb, int64_t ky, int64_t zy) {
  Model model;
  model.input("a", {1, 65536}, foreign::UInt8).input("b", {1, 65536}, foreign::Int8);
  model.output("y", {1, 65536}, foreign::UInt8);
  scale(scale(scale(model, "as", {ka}), "bs", {kb}), "ys", {ky}).integers("az", {}, foreign::UInt8, {za});
  model.integers("bz", {}, foreign::Int8, {zb}).integers("yz", {}, foreign::UInt8, {zy});
  model.node(op, {"a", "as", "az", "b", "bs", "bz", "ys", "yz"}, "y", {}, "com.microsoft");
  return read(model);
}

TEST(ForeignIntegers, OfQLinearAddAreRightOnEveryPair) {
  const Pairs pairs = all_pairs();
  const int64_t cases[][6] = {{4096, 0, 4096, 0, 8192, 0},
                              {100, 3, 100, -7, 150, 128},
                              {4096, 10, 1024, 5, 5000, 0},
                              {1234, 128, 777, 1, 1999, 99},
                              {997, 0, 3001, -128, 4095, 7}};
  for (const auto& [ka, za, kb, zb, ky, zy] : cases) {
    std::vector<int64_t> expected;
    for (size_t i = 0; i < pairs.a.size(); ++i)
      expected.push_back(level((pairs.a[i] - za) * ka + (pairs.b[i] - zb) * kb, ky, zy));
    const Graph graph = of_two("QLinearAdd", ka, za, kb, zb, ky, zy);
    EXPECT_EQ(run(graph, {Tensor({1, 65536}, pairs.a), Tensor({1, 65536}, pairs.b)}), expected) << ka << " " << kb;
  }
}

TEST(ForeignIntegers, OfQLinearMulAreRightOnEveryPair) {
  const Pairs pairs = all_pairs();
  std::vector<int64_t> expected;
  for (size_t i = 0; i < pairs.a.size(); ++i)
    expected.push_back(level((pairs.a[i] - 100) * (pairs.b[i] + 3) * 50 * 70, 2000 * 4096, 128));
  const Graph graph = of_two("QLinearMul", 50, 100, 70, -3, 2000, 128);
  EXPECT_EQ(run(graph, {Tensor({1, 65536}, pairs.a), Tensor({1, 65536}, pairs.b)}), expected);
}

/// One 8-bit input [1, 2, 8, 16] of every level through an op with a scale and zero point before and after.
std::vector<int64_t> of_one(const std::string& op, const std::string& attributes, Shape y,
                            const std::vector<int64_t>& x) {
  Model model;
  model.input("x", {1, 2, 8, 16}, foreign::UInt8).output("y", y, foreign::UInt8);
  scale(scale(model, "xs", {300}), "ys", {110}).integers("xz", {}, foreign::UInt8, {90});
  model.integers("yz", {}, foreign::UInt8, {20});
  model.node(op, {"x", "xs", "xz", "ys", "yz"}, "y", attributes, "com.microsoft");
  return run(read(model), {Tensor({1, 2, 8, 16}, x)});
}

TEST(ForeignIntegers, OfPoolsAndFunctionsAreWhatRealNumbersSay) {
  std::vector<int64_t> x;
  for (int64_t q = 0; q < 256; ++q) x.push_back(q);
  std::vector<int64_t> global, pooled, sigmoid, leaky;
  for (size_t c = 0; c < 2; ++c) {
    int64_t sum = 0;
    for (size_t i = 0; i < 128; ++i) sum += x[c * 128 + i] - 90;
    global.push_back(level(sum * 300, 110 * 128, 20));
    for (size_t row = 0; row < 4; ++row)
      for (size_t column = 0; column < 8; ++column) {
        const size_t at = c * 128 + row * 32 + column * 2;
        pooled.push_back(level((x[at] + x[at + 1] + x[at + 16] + x[at + 17] - 360) * 300, 110 * 4, 20));
      }
  }
  for (int64_t q : x) {
    const double real = static_cast<double>((q - 90) * 300) / 4096, to = 110.0 / 4096;
    sigmoid.push_back(std::clamp<int64_t>(std::llrint(1 / (1 + std::exp(-real)) / to) + 20, 0, 255));
    leaky.push_back(std::clamp<int64_t>(std::llrint((real < 0 ? real * 0.25 : real) / to) + 20, 0, 255));
  }
  EXPECT_EQ(of_one("QLinearGlobalAveragePool", "", {1, 2, 1, 1}, x), global);
  EXPECT_EQ(of_one("QLinearAveragePool",
                   foreign::attribute("kernel_shape", std::vector<int64_t>{2, 2}) +
                       foreign::attribute("strides", std::vector<int64_t>{2, 2}),
                   {1, 2, 4, 8}, x),
            pooled);
  EXPECT_EQ(of_one("QLinearSigmoid", "", {1, 2, 8, 16}, x), sigmoid);
  EXPECT_EQ(of_one("QLinearLeakyRelu", foreign::attribute("alpha", 0.25f), {1, 2, 8, 16}, x), leaky);
}

TEST(ForeignIntegers, OfQLinearConcatRescaleEachBranch) {
  Model model;
  model.input("x", {1, 256}, foreign::UInt8).output("y", {1, 512}, foreign::UInt8);
  scale(scale(model, "xs", {300}), "ys", {700}).integers("xz", {}, foreign::UInt8, {90});
  model.integers("yz", {}, foreign::UInt8, {20});
  model.node("QLinearConcat", {"ys", "yz", "x", "xs", "xz", "x", "ys", "yz"}, "y", foreign::attribute("axis", 1),
             "com.microsoft");
  std::vector<int64_t> x, expected;
  for (int64_t q = 0; q < 256; ++q) x.push_back(q), expected.push_back(level((q - 90) * 300, 700, 20));
  expected.insert(expected.end(), x.begin(), x.end());
  EXPECT_EQ(run(read(model), {Tensor({1, 256}, x)}), expected);
}

TEST(ForeignIntegers, ReachFromFloatBordersToRawSums) {
  Model model;
  model.input("x", {-1, 2}).output("y", {-1, 2}).reals("xs", {}, {0.5f}).integers("xz", {}, foreign::UInt8, {3});
  model.reals("ws", {2}, {0.25f, 0.5f}).integers("w", {2, 2}, foreign::Int8, {5, -6, 7, 8});
  model.integers("wz", {2}, foreign::Int8, {1, 0}).integers("b", {2}, foreign::Int32, {10, -1});
  model.reals("hs", {}, {0.75f}).integers("hz", {}, foreign::UInt8, {0});
  model.node("QuantizeLinear", {"x", "xs", "xz"}, "xi");
  model.node("QGemm", {"xi", "xs", "xz", "w", "ws", "wz", "b", "hs", "hz"}, "h", {}, "com.microsoft");
  model.integers("zero", {}, foreign::Int8, {0}).reals("os", {}, {0.375f});
  model.node("MatMulInteger", {"h", "w", "hz", "zero"}, "sum").node("Add", {"sum", "b"}, "raw");
  model.node("DequantizeLinear", {"raw", "os"}, "y");
  const Graph graph = read(model);
  EXPECT_EQ(graph[graph.inputs[0]].name, "x");
  EXPECT_EQ(graph[graph.inputs[0]].type, ElementType::UInt8);
  EXPECT_EQ(graph[graph.outputs[0]].name, "y");
  EXPECT_EQ(graph[graph.outputs[0]].grid, (Grid{{0.375}, -1, 0, INT32_MIN, INT32_MAX}));
  // x = 1, 4: integers 5, 11; less 3: 2, 8; sums 2*4 + 8*6 + 10 = 66, 2*-6 + 8*8 - 1 = 51
  const int64_t h0 = level(66 * 2 * 1, 3 * 4, 0), h1 = level(51 * 2 * 2, 3 * 4, 0);
  EXPECT_EQ(run(graph, {Tensor({1, 2}, std::vector<float>{1, 4})}),
            (std::vector<int64_t>{h0 * 5 + h1 * 7 + 10, h0 * -6 + h1 * 8 - 1}));
}

TEST(ForeignIntegers, RequantiseBetweenABorderAndTheNext) {
  Model model;
  model.input("x", {-1, 256}, foreign::UInt8).output("y", {-1, 256}, foreign::UInt8);
  scale(scale(model, "xs", {300}), "ys", {700}).integers("xz", {}, foreign::UInt8, {90});
  model.integers("yz", {}, foreign::UInt8, {20}).node("DequantizeLinear", {"x", "xs", "xz"}, "real");
  model.node("QuantizeLinear", {"real", "ys", "yz"}, "t");
  model.node("QLinearConcat", {"ys", "yz", "t", "ys", "yz"}, "y", foreign::attribute("axis", 1), "com.microsoft");
  std::vector<int64_t> x, expected;
  for (int64_t q = 0; q < 256; ++q) x.push_back(q), expected.push_back(level((q - 90) * 300, 700, 20));
  EXPECT_EQ(run(read(model), {Tensor({1, 256}, x)}), expected);
}

TEST(ForeignIntegers, WithARealIslandAreQuantisedDeployable) {
  Model model;
  model.input("x", {-1, 4}, foreign::UInt8).output("y", {-1, 4}).reals("s", {}, {0.5f});
  model.integers("z", {}, foreign::UInt8, {3});
  model.node("QLinearConcat", {"s", "z", "x", "s", "z"}, "h", foreign::attribute("axis", 1), "com.microsoft");
  model.node("DequantizeLinear", {"h", "s", "z"}, "real").node("Tanh", {"real"}, "y");
  const Graph graph = onnx::read_bytes(model.bytes(17), "island.onnx");
  EXPECT_EQ(graph.stage, graph::Stage::QD);
  const auto y = graph::evaluate(graph, {Tensor({1, 4}, std::vector<int64_t>{3, 4, 7, 0})}).at(0).to_reals();
  EXPECT_EQ(y, (std::vector<double>{0, std::tanh(0.5), std::tanh(2.0), std::tanh(-1.5)}));
}

std::string message_of(const Model& model) {
  try {
    onnx::read_bytes(model.bytes(17), "m.onnx");
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(ForeignIntegers, RefuseByNameWhatTheyCannotSay) {
  const auto pool = [](const std::string& op, const std::string& attributes) {
    Model model;
    model.input("x", {1, 2, 8, 16}, foreign::UInt8).output("y", {1, 2, 8, 16}, foreign::UInt8);
    model.reals("s", {}, {1}).integers("z", {}, foreign::UInt8, {0});
    return model.node(op, {"x", "s", "z", "s", "z"}, "y", attributes, "com.microsoft");
  };
  EXPECT_EQ(message_of(pool("QLinearAveragePool", foreign::attribute("kernel_shape", std::vector<int64_t>{3, 3}) +
                                                      foreign::attribute("pads", std::vector<int64_t>{1, 1, 1, 1}))),
            "onnx: m.onnx: node 'y_node' (QLinearAveragePool): pads that do not count (expected count_include_pad 1: "
            "a divisor for all positions)");
  EXPECT_EQ(message_of(pool("QLinearGlobalAveragePool", foreign::attribute("channels_last", 1))),
            "onnx: m.onnx: node 'y_node' (QLinearGlobalAveragePool): attribute 'channels_last' is 1 (expected 0)");
  EXPECT_EQ(message_of(pool("QLinearLeakyRelu", foreign::attribute("alpha", INFINITY))),
            "onnx: m.onnx: node 'y_node' (QLinearLeakyRelu): attribute 'alpha' is inf (expected a finite number)");
  const std::string unknown = message_of(pool("QLinearSoftmax", ""));
  EXPECT_TRUE(
      unknown.starts_with("onnx: m.onnx: node 'y_node' (QLinearSoftmax): an op that is not supported (did you "
                          "mean 'QLinearConcat'?) (expected one of QGemm, QLinearAdd, "))
      << unknown;
}

}  // namespace
}  // namespace nibble
