#include <gtest/gtest.h>

#include <filesystem>

#include "graph/evaluate/evaluate.hpp"
#include "graph/text.hpp"
#include "graph/verify.hpp"
#include "onnx/onnx.hpp"
#include "scratch.hpp"

namespace nibble {
namespace {

using graph::Graph;
using graph::Ints;
using graph::ValueId;

std::string whole(const Graph& graph) {
  return graph::to_text(graph, graph::Constants::Whole);
}

void expect_round_trip(Graph graph) {
  graph::tidy(graph);
  graph::verify(graph);
  EXPECT_EQ(whole(onnx::read_bytes(onnx::native_bytes(graph), "round trip")), whole(graph));
}

Tensor ramp(Shape shape, float step = 0.25f) {
  Tensor tensor(ElementType::Float32, std::move(shape));
  for (size_t i = 0; i < tensor.size(); ++i) tensor.as<float>()[i] = (static_cast<float>(i % 13) - 6.0f) * step;
  return tensor;
}

Graph input_of(Shape shape, ElementType type = ElementType::Float32) {
  Graph graph;
  graph.name = "test";
  graph.inputs = {graph.add_value("x", type, std::move(shape))};
  return graph;
}

graph::Conv conv3() {
  graph::Conv conv;
  conv.strides = {2, 2}, conv.pads = {0, 1, 1, 0}, conv.dilations = {1, 1};
  return conv;
}

/// x -> conv -> batch norm -> clip -> pool -> flatten -> gemm, with what each has to say.
Graph small_network() {
  Graph graph = input_of({any, 2, 8, 8});
  graph.metadata["classes"] = "a,b";
  const ValueId weights = graph.add_constant("w", ramp({4, 2, 3, 3}));
  ValueId y = graph.add_node("conv", conv3(), {graph.inputs[0], weights, graph.add_constant("b", ramp({4}))});
  const Tensor ones({4}, std::vector<float>(4, 1.5f));
  y = graph.add_node("norm", graph::BatchNormalization{1e-3},
                     {y, graph.add_constant("gain", ones), graph.add_constant("shift", ones),
                      graph.add_constant("mean", ones), graph.add_constant("variance", ones)});
  y = graph.add_node("six", graph::Clip{0, 6}, {y});
  graph::MaxPool pool;
  pool.kernel = {2, 2}, pool.strides = {2, 2}, pool.pads = {0, 0, 0, 0}, pool.dilations = {1, 1};
  y = graph.add_node("pool", pool, {y});
  y = graph.add_node("flat", graph::Flatten{1}, {y});
  graph::Gemm gemm;
  gemm.transpose_b = true;
  y = graph.add_node("head", gemm, {y, graph.add_constant("head.w", ramp({3, 16}))});
  graph.outputs = {y};
  return graph;
}

TEST(RoundTrip, OfAFullPrecisionNetworkIsEqual) {
  expect_round_trip(small_network());
}

TEST(RoundTrip, OfPointwiseOpsWithNumbersThatFloatCannotHoldIsEqual) {
  Graph graph = input_of({any, 4, 6});
  ValueId y = graph.inputs[0];
  y = graph.add_node("leaky", graph::LeakyRelu{0.1}, {y});
  y = graph.add_node("leakier", graph::LeakyRelu{1.0 / 3}, {y});
  y = graph.add_node("clip", graph::Clip{-1.0 / 3, 2}, {y});
  y = graph.add_node("below", graph::Clip{-3}, {y});
  y = graph.add_node("gelu", graph::Gelu{true}, {y});
  y = graph.add_node("hard", graph::HardSigmoid{}, {y});
  y = graph.add_node("swish", graph::HardSwish{}, {y});
  y = graph.add_node("mean", graph::ReduceMean{{2}, true}, {y});
  y = graph.add_node("softmax", graph::Softmax{-1}, {y});
  graph.outputs = {y};
  expect_round_trip(graph);
}

TEST(RoundTrip, OfMovementIsEqual) {
  Graph graph = input_of({any, 4, 6, 6});
  ValueId y = graph.inputs[0];
  y = graph.add_node("pad", graph::Pad{{0, 0, 1, 1, 0, 0, 1, 1}, graph::PadMode::Reflect, 0}, {y});
  y = graph.add_node("slice", graph::Slice{{0, 7}, {2, 0}, {1, 3}, {1, -2}}, {y});
  y = graph.add_node("turn", graph::Transpose{{0, 2, 3, 1}}, {y});
  y = graph.add_node("shape", graph::Reshape{{0, -1}, false}, {y});
  y = graph.add_node("more", graph::Unsqueeze{{1}}, {y});
  y = graph.add_node("less", graph::Squeeze{{1}}, {y});
  y = graph.add_node("take", graph::Gather{1}, {y, graph.add_constant("at", Tensor({2}, std::vector<int64_t>{0, -1}))});
  y = graph.add_node("join", graph::Concat{1}, {y, y});
  graph.outputs = {y};
  expect_round_trip(graph);
}

Grid grid_of(double scale, int64_t low, int64_t high, int64_t zero_point = 0) {
  Grid grid;
  grid.scale = {scale}, grid.low = low, grid.high = high, grid.zero_point = zero_point;
  return grid;
}

/// Quantised input and weights of the given widths, a convolution between them.
Graph fake_quantised(Rounding rounding, int64_t input_levels, int64_t weight_low) {
  Graph graph = input_of({any, 2, 6, 6});
  graph.stage = graph::Stage::FQ;
  const ValueId x =
      graph.add_node("qx", graph::Quantise{grid_of(0.125, 0, input_levels - 1, 3), rounding}, {graph.inputs[0]});
  Grid weight_grid = grid_of(0.5, weight_low, -weight_low - 1);
  weight_grid.scale = {0.5, 0.25, 0.125}, weight_grid.axis = 0;
  const ValueId w =
      graph.add_node("qw", graph::Quantise{weight_grid, rounding}, {graph.add_constant("w", ramp({3, 2, 3, 3}, 0.3f))});
  graph::Conv conv = conv3();
  graph.outputs = {graph.add_node("conv", conv, {x, w})};
  graph[x].grid = grid_of(0.125, 0, input_levels - 1, 3);
  return graph;
}

TEST(RoundTrip, OfAFakeQuantisedNetworkIsEqual) {
  expect_round_trip(fake_quantised(Rounding::HalfEven, 256, -128));
  expect_round_trip(fake_quantised(Rounding::HalfUp, 256, -128));
  expect_round_trip(fake_quantised(Rounding::Floor, 16, -4));
}

TEST(RoundTrip, OfAnIntegerNetworkIsEqual) {
  for (ElementType type : {ElementType::Int8, ElementType::UInt8, ElementType::Int16}) {
    Graph graph = input_of({any, 2, 6, 6}, type);
    graph.stage = graph::Stage::ID;
    graph[graph.inputs[0]].grid = grid_of(0.125, 0, 100, 3);
    graph::Conv conv = conv3();
    conv.zero_point = 3;
    ValueId y = graph.add_node(
        "conv", conv, {graph.inputs[0], graph.add_constant("w", ramp({3, 2, 3, 3}, 1).cast(ElementType::Int8))});
    graph[y].bounds = {{-900, 900}, {-800, 800}, {-70, 70}};
    graph::Requantise requantise;
    requantise.multiplier = {int64_t{1} << 40, 5, -7}, requantise.addend = {1, 2, 3}, requantise.shift = {41, 3, 2};
    y = graph.add_node("rq", requantise, {y});
    y = graph.add_node("add", graph::Add{}, {y, y});
    graph::Rescale rescale;
    rescale.kappa = {1.0 / 3}, rescale.lambda = {0.1};
    y = graph.add_node("rescale", rescale, {y});
    graph.outputs = {y};
    expect_round_trip(graph);
  }
}

using nibble::tests::scratch;

std::vector<Grid> grids_of(const Graph& graph) {
  std::vector<Grid> grids;
  for (const graph::Node& node : graph.nodes)
    if (const auto* quantise = get_if<graph::Quantise>(&node.op)) grids.push_back(quantise->grid);
  return grids;
}

TEST(Qdq, ReadBackComputesWhatTheFakeQuantisedGraphComputes) {
  for (int64_t weight_low : {int64_t{-128}, int64_t{-8}, int64_t{-2}}) {
    for (int64_t levels : {256, 16}) {
      Graph graph = fake_quantised(Rounding::HalfEven, levels, weight_low);
      graph::tidy(graph);
      const auto file = scratch("qdq.onnx");
      onnx::write_qdq(graph, file);
      const Graph again = onnx::read(file);
      EXPECT_EQ(again.stage, graph::Stage::FQ);
      EXPECT_TRUE(grids_of(again) == grids_of(graph)) << "levels " << levels << ", weights from " << weight_low;
      const std::vector<Tensor> inputs{ramp({2, 2, 6, 6}, 0.17f)};
      EXPECT_EQ(graph::evaluate(again, inputs), graph::evaluate(graph, inputs));
    }
  }
}

TEST(Qdq, KeepsGridsAndIntegersInEveryContainer) {
  for (auto containers : {onnx::Containers::Byte, onnx::Containers::FourBit, onnx::Containers::Exact}) {
    for (int64_t weight_low : {int64_t{-128}, int64_t{-20}, int64_t{-8}, int64_t{-4}, int64_t{-2}, int64_t{-1}}) {
      for (int64_t levels : {4, 10, 16, 100, 256, 1000}) {
        Graph graph = fake_quantised(Rounding::HalfEven, levels, weight_low);
        graph::tidy(graph);
        const auto file = scratch("containers.onnx");
        onnx::write_qdq(graph, file, containers);
        const Graph again = onnx::read(file);
        EXPECT_EQ(grids_of(again), grids_of(graph)) << "levels " << levels << ", weights from " << weight_low;
        for (const graph::Node& node : again.nodes) {
          EXPECT_NE(graph::name_of(node.op), "Clip");
          const auto* op = get_if<graph::Quantise>(&node.op);
          if (op) {
            EXPECT_EQ(again[node.outputs[0]].grid, op->grid);
          }
        }
        const std::vector<Tensor> inputs{ramp({2, 2, 6, 6}, 0.17f)};
        EXPECT_EQ(graph::evaluate(again, inputs), graph::evaluate(graph, inputs));
      }
    }
  }
}

TEST(Qdq, NamesTheQuantisersThatItCannotSay) {
  Graph graph = fake_quantised(Rounding::Floor, 256, -128);
  graph::tidy(graph);
  try {
    onnx::write_qdq(graph, scratch("never.onnx"));
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(
        error.what(),
        "onnx: test: nodes that QDQ cannot say: 'qx' (rounds down) (expected the standard's ops and 4, 8 or 16 bits)");
  }
}

}  // namespace
}  // namespace nibble
