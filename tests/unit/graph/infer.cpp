#include "graph/infer/infer.hpp"

#include <gtest/gtest.h>

#include "graph/windows.hpp"

using namespace nibble;
using namespace nibble::graph;

namespace {
Shape shape_of(Op op, std::vector<Shape> shapes, ElementType type = ElementType::Float32) {
  Graph graph;
  std::vector<ValueId> ids;
  for (const Shape& shape : shapes) ids.push_back(graph.add_value("x", type, shape));
  graph.inputs = ids;
  const ValueId y = graph.add_node("n", std::move(op), ids);
  infer_shapes(graph);
  return graph[y].shape;
}
}  // namespace

TEST(Infer, CarriesTheBatch) {
  EXPECT_EQ(shape_of(Flatten{1}, {{any, 8, 4, 4}}), (Shape{any, 128}));
  EXPECT_EQ(shape_of(Reshape{{-1, 128}, false}, {{any, 8, 4, 4}}), (Shape{any, 128}));
  EXPECT_EQ(shape_of(Reshape{{0, -1}, false}, {{any, 8, 4, 4}}), (Shape{any, 128}));
  EXPECT_EQ(shape_of(Reshape{{-1, 2, 64}, false}, {{any, 8, 4, 4}}), (Shape{any, 2, 64}));
  EXPECT_EQ(shape_of(MatMul{}, {{any, 5, 3}, {3, 7}}), (Shape{any, 5, 7}));
  EXPECT_EQ(shape_of(Add{}, {{any, 5}, {1, 5}}), (Shape{any, 5}));
  EXPECT_EQ(shape_of(Transpose{{0, 2, 1}}, {{any, 5, 3}}), (Shape{any, 3, 5}));
  EXPECT_EQ(shape_of(ReduceMean{{2, 3}, false}, {{any, 8, 4, 4}}), (Shape{any, 8}));
}

TEST(Infer, FollowsOnnxOnWindows) {
  Conv conv;
  conv.strides = {2, 1};
  conv.dilations = {1, 2};
  conv.pads = {1, 0, 0, 3};
  conv.group = 2;
  EXPECT_EQ(shape_of(conv, {{any, 4, 9, 9}, {6, 2, 3, 3}}), (Shape{any, 6, 4, 8}));
}

TEST(WindowCount, DropsAWindowThatStartsInTheRightPad) {
  EXPECT_EQ(window_count(4, {.kernel = 2, .stride = 3, .pad_end = 0, .ceil_mode = true}), 2);
  EXPECT_EQ(window_count(3, {.kernel = 2, .stride = 3, .pad_end = 1, .ceil_mode = true}), 1);
  EXPECT_EQ(window_count(5, {.kernel = 3, .stride = 2}), 2);
  EXPECT_EQ(window_count(2, {.kernel = 3}), 0);
}

TEST(SliceOf, IsNumpys) {
  const auto cut = [](int64_t start, int64_t end, int64_t step, int64_t extent) {
    const Cut c = slice_of(start, end, step, extent);
    return std::vector<int64_t>{c.begin, c.count};
  };
  EXPECT_EQ(cut(1, 5, 2, 10), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(cut(-3, INT64_MAX, 1, 10), (std::vector<int64_t>{7, 3}));
  EXPECT_EQ(cut(9, INT64_MIN, -1, 10), (std::vector<int64_t>{9, 10}));
  EXPECT_EQ(cut(INT64_MAX, 2, -3, 10), (std::vector<int64_t>{9, 3}));
  EXPECT_EQ(cut(7, 3, 1, 10)[1], 0);
}
