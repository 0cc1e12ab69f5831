#include <gtest/gtest.h>

#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"
#include "unit/onnx/model_builder.hpp"

// A batch that only goes through: rows of it, shapes computed from it, and one that the file says is empty.
namespace nibble {
namespace {

using foreign::Model;
using Numbers = std::vector<float>;

Numbers counted(size_t count) {
  Numbers numbers(count);
  for (size_t i = 0; i < count; ++i) numbers[i] = static_cast<float>(static_cast<int>(i * 7 % 11) - 5);
  return numbers;
}

/// x [N, 5, 3] in rows through a product, and back; `rows` and `back` write values of these names.
template <class Shapes>
graph::Graph in_rows(const std::string& to_rows, const std::string& attributes, Shapes&& shapes) {
  Model model;
  model.input("x", {-1, 5, 3}).output("y", {-1, 5, 2}).reals("w", {3, 2}, {1, 2, -1, 0, 3, 1}).reals("b", {2}, {1, -2});
  shapes(model);
  std::vector<std::string> inputs{"x"};
  if (to_rows == "Reshape") inputs.push_back("rows");
  model.node(to_rows, inputs, "flat", attributes).node("Gemm", {"flat", "w", "b"}, "product");
  model.node("Relu", {"product"}, "r").node("Reshape", {"r", "back"}, "y");
  return onnx::read_bytes(model.bytes(), "rows.onnx");
}

void expect_rows(const graph::Graph& graph) {
  EXPECT_EQ(graph[graph.outputs[0]].shape, (Shape{any, 5, 2}));
  for (const int64_t batch : {1, 3, 0}) {
    const Numbers x = counted(static_cast<size_t>(batch) * 15);
    const Tensor y = graph::evaluate(graph, {Tensor({batch, 5, 3}, x)}).at(0);
    ASSERT_EQ(y.shape(), (Shape{batch, 5, 2}));
    const auto found = y.to_reals();
    for (size_t row = 0; row < found.size() / 2; ++row) {
      const float* v = &x[row * 3];
      EXPECT_EQ(found[2 * row], std::max(0.0F, v[0] - v[1] + 3 * v[2] + 1));
      EXPECT_EQ(found[2 * row + 1], std::max(0.0F, 2 * v[0] + v[2] - 2));
    }
  }
}

TEST(OpenBatch, GoesThroughReshapesToItsRowsAndBack) {
  expect_rows(in_rows("Reshape", "", [](Model& model) {
    model.integers("rows", {2}, foreign::Int64, {-1, 3}).integers("back", {3}, foreign::Int64, {-1, 5, 2});
  }));
}

TEST(OpenBatch, GoesThroughAFlattenOfLaterAxes) {
  for (const int axis : {2, -1})
    expect_rows(in_rows("Flatten", foreign::attribute("axis", axis), [](Model& model) {
      model.integers("back", {3}, foreign::Int64, {-1, 5, 2});
    }));
}

TEST(OpenBatch, GoesThroughArithmeticThatMultipliesAndDivides) {
  // [N * 5, 3] and [N * 5 / 5, 5, 2].
  expect_rows(in_rows("Reshape", "", [](Model& model) {
    model.integers("zero", {1}, foreign::Int64, {0}).integers("five", {1}, foreign::Int64, {5});
    model.integers("three", {1}, foreign::Int64, {3}).integers("two", {1}, foreign::Int64, {2});
    model.node("Shape", {"x"}, "s").node("Gather", {"s", "zero"}, "n", foreign::attribute("axis", 0));
    model.node("Mul", {"five", "n"}, "nt").node("Div", {"nt", "five"}, "again");
    model.node("Concat", {"nt", "three"}, "rows", foreign::attribute("axis", 0));
    model.node("Concat", {"again", "five", "two"}, "back", foreign::attribute("axis", 0));
  }));
}

TEST(OpenBatch, IsWhatAFileMeansThatSaysZeroFromInputsToOutputs) {
  Model model;
  model.input("x", {0, 2}).output("y", {0, 2}).node("Relu", {"x"}, "y");
  const graph::Graph graph = onnx::read_bytes(model.bytes(), "zero.onnx");
  EXPECT_EQ(graph[graph.inputs[0]].shape, (Shape{any, 2}));
  EXPECT_EQ(graph::evaluate(graph, {Tensor({2, 2}, Numbers{1, -1, 2, 3})}).at(0).to_reals(),
            (std::vector<double>{1, 0, 2, 3}));
  EXPECT_EQ(graph::evaluate(graph, {Tensor(ElementType::Float32, {0, 2})}).at(0).shape(), (Shape{0, 2}));
  // An extent of 0 is one where the output has another.
  Model fixed;
  fixed.input("x", {0, 2}).output("y", {2, 0}).node("Transpose", {"x"}, "y");
  EXPECT_EQ(onnx::read_bytes(fixed.bytes(), "fixed.onnx").values[0].shape, (Shape{0, 2}));
}

TEST(OpenBatch, IsRefusedWhereItsNumberDecides) {
  Model model;
  model.input("x", {-1, 2}).output("y", {-1, 2}).integers("one", {2}, foreign::Int64, {1, 0});
  model.node("Shape", {"x"}, "s").node("Add", {"s", "one"}, "more").node("Sub", {"more", "one"}, "shape");
  model.node("Reshape", {"x", "shape"}, "y");
  EXPECT_THROW(onnx::read_bytes(model.bytes(), "m.onnx"), UserError);
  EXPECT_EQ(onnx::read_bytes(model.bytes(), "m.onnx", {.batch = 4}).values[0].shape, (Shape{4, 2}));
}

TEST(OpenExtents, AreThoseOfTheDataUnderTheirNames) {
  Model model;
  model.open_input("x", {"N", "2", "height", "width"}).open_input("z", {"N", "height"}).output("y", {});
  model.node("GlobalAveragePool", {"x"}, "y");
  const auto read = [&](std::map<std::string, Shape, std::less<>> data) {
    onnx::ReadOptions options;
    options.data = std::move(data);
    return onnx::read_bytes(model.bytes(), "open.onnx", options);
  };
  const graph::Graph graph = read({{"x", {any, 2, 6, 7}}, {"z", {any, 6}}});
  EXPECT_EQ(graph[graph.inputs[0]].shape, (Shape{any, 2, 6, 7}));
  EXPECT_EQ(graph[graph.inputs[1]].shape, (Shape{any, 6}));
  EXPECT_EQ(read({{"x", {any, 2, 6, 7}}})[1].shape, (Shape{any, 6}));
  EXPECT_THROW(read({{"x", {any, 2, 6, 7}}, {"z", {any, 5}}}), UserError);
  EXPECT_THROW(read({{"z", {any, 6}}}), UserError);
}

}  // namespace
}  // namespace nibble
