#include <gtest/gtest.h>

#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"

namespace nibble {
namespace {

// Written by onnx.proto's field numbers; every length and number here is below 128.
std::string field(int number, const std::string& bytes) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
}
std::string number(int field_number, int value) {
  return {static_cast<char>(field_number << 3), static_cast<char>(value)};
}

/// y = Squeeze(x) without axes, x of [N, extents...].
graph::Graph squeezing(const std::vector<int>& extents) {
  std::string dims = field(1, field(2, "N"));
  for (int extent : extents) dims += field(1, number(1, extent));
  const std::string x = field(1, "x") + field(2, field(1, number(1, 1) + field(2, dims)));
  const std::string node = field(1, "x") + field(2, "y") + field(3, "n") + field(4, "Squeeze");
  const std::string graph = field(1, node) + field(2, "g") + field(11, x) + field(12, field(1, "y"));
  return onnx::read_bytes(number(1, 8) + field(7, graph) + field(8, number(2, 13)), "squeeze.onnx");
}

Shape run(const graph::Graph& graph, Shape shape) {
  return graph::evaluate(graph, {Tensor(ElementType::Float32, std::move(shape))}).at(0).shape();
}

}  // namespace

TEST(SqueezeWithoutAxes, KeepsTheBatchEvenOfOne) {
  const graph::Graph graph = squeezing({1, 3, 1});
  EXPECT_EQ(graph[graph.outputs[0]].shape, (Shape{any, 3}));
  EXPECT_EQ(run(graph, {2, 1, 3, 1}), (Shape{2, 3}));
  EXPECT_EQ(run(graph, {1, 1, 3, 1}), (Shape{1, 3}));
}

TEST(SqueezeWithoutAxes, IsTheIdentityWhereNoExtentIsOne) {
  EXPECT_EQ(run(squeezing({3}), {1, 3}), (Shape{1, 3}));
}

}  // namespace nibble
