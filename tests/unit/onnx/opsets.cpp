#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"
#include "scratch.hpp"

// The opset of a file that we write: by the table of ops that are read.
namespace nibble {
namespace {

using graph::Graph;
using graph::ValueId;
using tests::scratch;

/// y = op of x [2, 4] and of as many constants [4] of ones.
Graph graph_of(const graph::Op& op, int constants = 0) {
  Graph graph;
  graph.name = "one op";
  graph.inputs = {graph.add_value("x", ElementType::Float32, {2, 4})};
  std::vector<ValueId> inputs = graph.inputs;
  for (int i = 0; i < constants; ++i)
    inputs.push_back(graph.add_constant("c" + std::to_string(i), Tensor({4}, std::vector<float>{1, 1, 1, 1})));
  graph.outputs = {graph.add_node("node", op, inputs)};
  graph::tidy(graph);
  return graph;
}

/// y = the mean of 2 x 2 elements of x [1, 1, 5, 5] that lie `dilation` apart.
Graph pool_of(int64_t dilation) {
  Graph graph;
  graph.name = "pool";
  graph.inputs = {graph.add_value("x", ElementType::Float32, {1, 1, 5, 5})};
  graph.outputs = {graph.add_node(
      "node", graph::AveragePool{{2, 2}, {1, 1}, {0, 0, 0, 0}, {dilation, dilation}, false, false}, graph.inputs)};
  graph::tidy(graph);
  return graph;
}

/// Whether a ModelProto's bytes import the standard at an opset, below 128: field 8, domain "", version.
bool imports_standard(const std::string& bytes, int opset) {
  return bytes.find(std::string("\x42\x04\x0a\x00\x10", 5) + static_cast<char>(opset)) != bytes.npos;
}
bool imports_ours(const std::string& bytes) {
  return bytes.find(std::string("\x0a\x06nibble\x10\x01")) != bytes.npos;
}

void expect_qdq_at(int opset, const Graph& graph, onnx::Containers containers = onnx::Containers::Exact) {
  const auto file = scratch("op.onnx");
  onnx::write_qdq(graph, file, containers);
  EXPECT_TRUE(imports_standard(read_file(file, "test"), opset)) << name_of(graph.nodes[0].op) << ", opset " << opset;
  const Graph again = onnx::read(file);
  ASSERT_EQ(again.nodes.size(), 1);
  EXPECT_EQ(name_of(again.nodes[0].op), name_of(graph.nodes[0].op));
  Tensor x(ElementType::Float32, graph[graph.inputs[0]].shape);
  for (size_t i = 0; i < x.size(); ++i) x.as<float>()[i] = static_cast<float>(i) * 0.75F - 2.5F;
  EXPECT_EQ(graph::evaluate(again, {x}), graph::evaluate(graph, {x}));
}

/// Written for at most that opset by ops that it has, which compute the same to the rounding of its constants.
void expect_pieces_at(int opset, onnx::Containers containers, const Graph& graph) {
  const auto file = scratch("pieces.onnx");
  onnx::write_qdq(graph, file, containers);
  EXPECT_TRUE(imports_standard(read_file(file, "test"), opset)) << name_of(graph.nodes[0].op) << ", opset " << opset;
  const Graph again = onnx::read(file);
  EXPECT_GT(again.nodes.size(), 1);
  EXPECT_EQ(again.nodes.back().name, "node");
  EXPECT_EQ(again[again.outputs[0]].name, graph[graph.outputs[0]].name);
  Tensor x(ElementType::Float32, graph[graph.inputs[0]].shape);
  for (size_t i = 0; i < x.size(); ++i) x.as<float>()[i] = static_cast<float>(i) * 0.75F - 2.5F;
  const auto expected = graph::evaluate(graph, {x})[0].to_reals(), found = graph::evaluate(again, {x})[0].to_reals();
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-6) << name_of(graph.nodes[0].op);
}

}  // namespace

TEST(Opsets, OfAQdqFileForEveryToolIs13AndLaterOpsAreInPieces) {
  using enum onnx::Containers;
  for (const graph::Op& op : {graph::Op(graph::HardSwish{}), graph::Op(graph::Mish{}), graph::Op(graph::Gelu{false}),
                              graph::Op(graph::Gelu{true}), graph::Op(graph::Swish{}), graph::Op(graph::Swish{0.5})})
    expect_pieces_at(13, Byte, graph_of(op));
  for (int64_t axis : {-1, 0, 1}) {
    expect_pieces_at(13, Byte, graph_of(graph::LayerNormalization{axis, 1e-3}, 2));
    expect_pieces_at(13, Byte, graph_of(graph::LayerNormalization{axis}, 1));
    expect_pieces_at(13, Byte, graph_of(graph::RmsNormalization{axis, 0.25}, 1));
    expect_pieces_at(13, FourBit, graph_of(graph::RmsNormalization{axis}, 1));
  }
  expect_pieces_at(13, FourBit, graph_of(graph::Swish{2}));
  expect_qdq_at(20, graph_of(graph::Gelu{}), FourBit);
  expect_qdq_at(17, graph_of(graph::LayerNormalization{}, 2), FourBit);
}

TEST(Opsets, OfAQdqFileIsTheFirstThatHasItsOps) {
  expect_qdq_at(13, graph_of(graph::Softplus{}));
  expect_qdq_at(14, graph_of(graph::HardSwish{}));
  expect_qdq_at(17, graph_of(graph::LayerNormalization{}, 2));
  expect_qdq_at(18, graph_of(graph::Mish{}));
  expect_qdq_at(20, graph_of(graph::Gelu{true}));
  expect_qdq_at(23, graph_of(graph::RmsNormalization{}, 1));
  expect_qdq_at(24, graph_of(graph::Swish{0.5}));
}

TEST(Opsets, OfAQdqFileIsTheFirstThatHasAnOpsAttribute) {
  expect_qdq_at(13, pool_of(1));
  expect_qdq_at(19, pool_of(2));
}

TEST(Opsets, WhatTheStandardLacksIsRefusedByAQdqFile) {
  try {
    onnx::write_qdq(graph_of(graph::Swish{1.0 / 3}), scratch("never.onnx"));
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(),
                 "onnx: one op: nodes that QDQ cannot say: 'node' (Swish's alpha 0.3333333333333333 is no float32 "
                 "number) (expected the standard's ops and 4, 8 or 16 bits)");
  }
}

TEST(Opsets, OfANativeFileIs17AndLaterOpsAreOurs) {
  for (const graph::Op& op : {graph::Op(graph::Mish{}), graph::Op(graph::Swish{})}) {
    const std::string bytes = onnx::native_bytes(graph_of(op));
    EXPECT_TRUE(imports_standard(bytes, 17) && imports_ours(bytes)) << name_of(op);
  }
  const std::string gelu = onnx::native_bytes(graph_of(graph::Gelu{}));
  EXPECT_TRUE(imports_standard(gelu, 20) && !imports_ours(gelu));
}

}  // namespace nibble
