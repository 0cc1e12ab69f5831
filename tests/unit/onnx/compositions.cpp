#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"
#include "unit/onnx/model_builder.hpp"

// Ops of the standard that are read as others of ours, against the standard's formulas.
namespace nibble {
namespace {

using foreign::attribute;
using foreign::Model;
using graph::Graph;
using Ints = std::vector<int64_t>;

std::string text(const std::string& name, const std::string& value) {
  return foreign::field(5, foreign::field(1, name) + foreign::number(20, 3) + foreign::field(4, value));
}

Tensor run(const Model& model, int64_t opset, const Shape& shape, const std::vector<float>& x) {
  const Graph graph = onnx::read_bytes(model.bytes(opset), "m.onnx");
  return graph::evaluate(graph, {Tensor(shape, x)}).at(0);
}

std::vector<float> counted(int64_t count, float step = 1) {
  std::vector<float> x;
  for (int64_t i = 0; i < count; ++i) x.push_back(step * static_cast<float>(i));
  return x;
}

std::string message_of(const Model& model, int64_t opset) {
  try {
    onnx::read_bytes(model.bytes(opset), "m.onnx");
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

/// One op on x [1, 4].
std::vector<double> of_one(const std::string& op, const std::string& attributes, const std::vector<float>& x) {
  Model model;
  model.input("x", {1, 4}).output("y", {1, 4}).node(op, {"x"}, "y", attributes);
  return run(model, 22, {1, 4}, x).to_reals();
}

void expect_near(const std::vector<double>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-6 * (1 + std::abs(expected[i]))) << i;
}

}  // namespace

TEST(Compositions, FunctionsOfOneRealFollowTheStandard) {
  const double e1 = std::expm1(-1.0), e2 = std::expm1(-2.0);
  expect_near(of_one("Selu", {}, {-1, 0, 1, 2}), {1.67326324 * 1.05070102 * e1, 0, 1.05070102, 2 * 1.05070102});
  expect_near(of_one("Celu", attribute("alpha", 2.0F), {-4, -2, 0, 3}), {2 * e2, 2 * e1, 0, 3});
  expect_near(of_one("ThresholdedRelu", attribute("alpha", 1.5F), {-2, 1.5, 1.75, 3}), {0, 0, 1.75, 3});
  expect_near(of_one("Shrink", attribute("lambd", 1.0F) + attribute("bias", 0.5F), {-2, -1, 0.5, 3}),
              {-1.5, 0, 0, 2.5});
  expect_near(of_one("Softsign", {}, {-1, 0, 1, 3}), {-0.5, 0, 0.5, 0.75});
  expect_near(of_one("Sign", {}, {-7, 0, 0.5, 3}), {-1, 0, 1, 1});
  expect_near(of_one("Sin", {}, {-1, 0, 1, 2}), {std::sin(-1), 0, std::sin(1), std::sin(2)});
  EXPECT_EQ(of_one("Round", {}, {-1.5, 0.5, 1.5, 2.5}), (std::vector<double>{-2, 0, 2, 2}));
  EXPECT_EQ(of_one("Floor", {}, {-1.5, 0.5, 1.5, 2}), (std::vector<double>{-2, 0, 1, 2}));
  EXPECT_EQ(of_one("Ceil", {}, {-1.5, 0.5, 1.5, 2}), (std::vector<double>{-1, 1, 2, 2}));
}

TEST(Compositions, APReluHasASlopeForEachElementThatItBroadcastsTo) {
  const std::vector<float> x{-1, -2, 3, -4, -5, 6};
  for (const Shape& slopes : {Shape{2, 1}, Shape{1, 2, 1}}) {
    Model channels;
    channels.input("x", {1, 2, 3}).output("y", {1, 2, 3}).reals("s", slopes, {0.5F, -2});
    channels.node("PRelu", {"x", "s"}, "y");
    EXPECT_EQ(run(channels, 16, {1, 2, 3}, x).to_reals(), (std::vector<double>{-0.5, -1, 3, 8, 10, 6}));
  }
  Model last;
  last.input("x", {1, 2, 3}).output("y", {1, 2, 3}).reals("s", {3}, {1, 0, -1}).node("PRelu", {"x", "s"}, "y");
  EXPECT_EQ(run(last, 16, {1, 2, 3}, x).to_reals(), (std::vector<double>{-1, 0, 3, -4, 0, 6}));
}

TEST(Compositions, APReluOfOneSlopeIsALeakyRelu) {
  Model model;
  model.input("x", {1, 2, 3}).output("y", {1, 2, 3}).reals("s", {2, 1}, {0.1F, 0.1F}).node("PRelu", {"x", "s"}, "y");
  const Graph graph = onnx::read_bytes(model.bytes(16), "m.onnx");
  EXPECT_EQ(get<graph::LeakyRelu>(graph.nodes.at(0).op).alpha, 0.1);
}

TEST(Compositions, APReluOfComputedSlopesIsReadInPieces) {
  Model model;
  model.input("x", {1, 4}).output("y", {1, 4}).node("Abs", {"x"}, "s").node("PRelu", {"x", "s"}, "y");
  EXPECT_EQ(run(model, 16, {1, 4}, {-1, -2, 3, 0}).to_reals(), (std::vector<double>{-1, -4, 3, 0}));
}

TEST(Compositions, AMeanIsOfAllItsInputsBroadcast) {
  Model model;
  model.input("x", {1, 4}).output("y", {1, 4}).reals("a", {1}, {3}).node("Neg", {"x"}, "n");
  model.node("Mean", {"x", "n", "a"}, "y");
  expect_near(run(model, 13, {1, 4}, {1, 2, 3, 4}).to_reals(), {1, 1, 1, 1});
}

TEST(Compositions, DepthToSpaceAndSpaceToDepthMoveBlocksInBothOrders) {
  // y[c, 2h + i, 2w + j] of channel (2i + j) C + c, or 4c + 2i + j.
  const std::vector<float> x = counted(8 * 2 * 3);
  for (const std::string mode : {"DCR", "CRD"}) {
    Model model;
    model.input("x", {-1, 8, 2, 3}).output("y", {-1, 2, 4, 6});
    model.node("DepthToSpace", {"x"}, "y", attribute("blocksize", 2) + text("mode", mode));
    const std::vector<double> y = run(model, 13, {1, 8, 2, 3}, x).to_reals();
    for (int64_t c = 0; c < 2; ++c)
      for (int64_t h = 0; h < 4; ++h)
        for (int64_t w = 0; w < 6; ++w) {
          const int64_t block = h % 2 * 2 + w % 2, channel = mode == "DCR" ? block * 2 + c : c * 4 + block;
          EXPECT_EQ(y[static_cast<size_t>((c * 4 + h) * 6 + w)], (channel * 2 + h / 2) * 3 + w / 2) << mode;
        }
  }
  Model back;
  back.input("x", {-1, 2, 4, 6}).output("y", {-1, 2, 4, 6});
  back.node("SpaceToDepth", {"x"}, "d", attribute("blocksize", 2));
  back.node("DepthToSpace", {"d"}, "y", attribute("blocksize", 2));
  const std::vector<float> image = counted(2 * 2 * 4 * 6);
  EXPECT_EQ(run(back, 13, {2, 2, 4, 6}, image).to_reals(), std::vector<double>(image.begin(), image.end()));
  Model odd;
  odd.input("x", {1, 2, 3, 4}).output("y", {1, 8, 1, 2}).node("SpaceToDepth", {"x"}, "y", attribute("blocksize", 2));
  EXPECT_EQ(message_of(odd, 13), "onnx: m.onnx: node 'y_node' (SpaceToDepth): 3 rows (expected a multiple of 2)");
}

TEST(Compositions, TilesAndExpandsAreCopiesSideBySide) {
  Model tile;
  tile.input("x", {-1, 1, 2}).output("y", {-1, 2, 6}).integers("r", {3}, foreign::Int64, {1, 2, 3});
  tile.node("Tile", {"x", "r"}, "y");
  EXPECT_EQ(run(tile, 13, {1, 1, 2}, {1, 2}).to_reals(), (std::vector<double>{1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2}));
  Model expand;
  expand.input("x", {1, 2, 1}).output("y", {3, 1, 2, 2}).integers("s", {4}, foreign::Int64, {3, 1, 1, 2});
  expand.node("Expand", {"x", "s"}, "y");
  const Tensor y = run(expand, 13, {1, 2, 1}, {1, 2});
  EXPECT_EQ(y.shape(), (Shape{3, 1, 2, 2}));
  EXPECT_EQ(y.to_reals(), (std::vector<double>{1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2}));
}

TEST(Compositions, InstancesAndGroupsAreNormalisedThenScaledByChannel) {
  const std::vector<float> x{1, 3, -2, 2, 0, 4, 5, 7};
  const auto normal = [](double a, double mean, double variance) { return (a - mean) / std::sqrt(variance + 0.5); };
  Model instance;
  instance.input("x", {-1, 4, 2}).output("y", {-1, 4, 2}).reals("s", {4}, {1, 2, 3, -1}).reals("b", {4}, {0, 1, 0, 2});
  instance.node("InstanceNormalization", {"x", "s", "b"}, "y", attribute("epsilon", 0.5F));
  expect_near(run(instance, 13, {1, 4, 2}, x).to_reals(),
              {normal(1, 2, 1), normal(3, 2, 1), 1 + 2 * normal(-2, 0, 4), 1 + 2 * normal(2, 0, 4), 3 * normal(0, 2, 4),
               3 * normal(4, 2, 4), 2 - normal(5, 6, 1), 2 - normal(7, 6, 1)});
  Model groups;
  groups.input("x", {-1, 4, 2}).output("y", {-1, 4, 2}).reals("s", {4}, {1, 2, 1, 1}).reals("b", {4}, {0, 1, 0, 0});
  groups.node("GroupNormalization", {"x", "s", "b"}, "y", attribute("epsilon", 0.5F) + attribute("num_groups", 2));
  const auto y = run(groups, 21, {1, 4, 2}, x).to_reals();  // 1, 3, -2, 2: mean 1, variance 3.5
  EXPECT_NEAR(y[0], normal(1, 1, 3.5), 1e-6);
  EXPECT_NEAR(y[2], 1 + 2 * normal(-2, 1, 3.5), 1e-6);
}

TEST(Compositions, ReductionsAndNormsFollowTheStandardByAttributeAndByInput) {
  const std::vector<float> x{3, -4, 0, -1, 2, 2};
  const auto reduced = [&](const std::string& op, int64_t opset) {
    Model model;
    model.input("x", {2, 3}).output("y", {2}).integers("axes", {1}, foreign::Int64, {-1});
    const std::string attributes = attribute("keepdims", 0);
    if (opset < 18)
      model.node(op, {"x"}, "y", attributes + attribute("axes", Ints{-1}));
    else
      model.node(op, {"x", "axes"}, "y", attributes);
    const Tensor y = run(model, opset, {2, 3}, x);
    EXPECT_EQ(y.shape(), Shape{2});
    return y.to_reals();
  };
  for (int64_t opset : {13, 18}) {
    expect_near(reduced("ReduceL2", opset), {5, 3});
    expect_near(reduced("ReduceL1", opset), {7, 5});
    expect_near(reduced("ReduceSumSquare", opset), {25, 9});
    expect_near(reduced("ReduceMin", opset), {-4, -1});
  }
  Model two, one;
  two.input("x", {2, 3}).output("y", {2, 3}).node("LpNormalization", {"x"}, "y", attribute("axis", 1));
  expect_near(run(two, 13, {2, 3}, x).to_reals(), {0.6, -0.8, 0, -1.0 / 3, 2.0 / 3, 2.0 / 3});
  one.input("x", {2, 3}).output("y", {2, 3});
  one.node("LpNormalization", {"x"}, "y", attribute("axis", -1) + attribute("p", 1));
  expect_near(run(one, 13, {2, 3}, x).to_reals(), {3.0 / 7, -4.0 / 7, 0, -0.2, 0.4, 0.4});
}

TEST(Compositions, AConvTransposeComputesPadsFromAutoPadAndOutputShape) {
  const auto transposed = [](const std::string& attributes, int64_t extent) {
    Model model;
    model.input("x", {1, 1, 2}).output("y", {1, 1, extent}).reals("w", {1, 1, 3}, {1, 10, 100});
    model.node("ConvTranspose", {"x", "w"}, "y", attribute("strides", Ints{2}) + attributes);
    return run(model, 11, {1, 1, 2}, {1, 2}).to_reals();
  };
  // Whole: 1, 10, 102, 20, 200.
  EXPECT_EQ(transposed(text("auto_pad", "SAME_UPPER"), 4), (std::vector<double>{1, 10, 102, 20}));
  EXPECT_EQ(transposed(text("auto_pad", "SAME_LOWER"), 4), (std::vector<double>{10, 102, 20, 200}));
  EXPECT_EQ(transposed(attribute("output_shape", Ints{4}), 4), (std::vector<double>{10, 102, 20, 200}));
  EXPECT_EQ(transposed(attribute("output_shape", Ints{1, 1, 3}), 3), (std::vector<double>{10, 102, 20}));
  EXPECT_EQ(transposed(attribute("output_shape", Ints{6}), 6), (std::vector<double>{1, 10, 102, 20, 200, 0}));
}

TEST(Compositions, ACastLikeAConstantIsFolded) {
  Model model;
  model.input("x", {1, 2}).output("y", {1, 2}).integers("k", {}, foreign::Int32, {3});
  model.node("CastLike", {"k", "x"}, "r").node("Add", {"x", "r"}, "y");
  EXPECT_EQ(run(model, 15, {1, 2}, {1, 2}).to_reals(), (std::vector<double>{4, 5}));
}

}  // namespace nibble
