#include "graph/infer/infer.hpp"

#include <gtest/gtest.h>

#include <cmath>

using namespace nibble;
using namespace nibble::graph;

namespace {

constexpr auto F32 = ElementType::Float32;
constexpr auto I32 = ElementType::Int32;

std::string typed_complaint(Op op, const std::vector<TypedShape>& inputs, size_t outputs = 1) {
  Graph graph;
  for (const TypedShape& input : inputs) graph.inputs.push_back(graph.add_value("x", input.type, input.shape));
  graph.add_node("n", std::move(op), graph.inputs);
  while (graph.nodes.front().outputs.size() < outputs) graph.nodes.front().outputs.push_back(graph.add_value("y"));
  try {
    infer_shapes(graph);
  } catch (const UserError& error) {
    const std::string message = error.what(), start = "graph: node 'n' (";
    // What stands before is the same everywhere: where it is not, all of it is shown.
    return message.starts_with(start) ? message.substr(start.size()) : message;
  }
  return "nothing";
}

std::string complaint(Op op, const std::vector<Shape>& shapes, ElementType type = F32) {
  std::vector<TypedShape> inputs;
  for (const Shape& shape : shapes) inputs.push_back({type, shape});
  return typed_complaint(std::move(op), inputs);
}

Conv grouped(int64_t group) {
  Conv conv;
  conv.group = group;
  return conv;
}

}  // namespace

TEST(Infer, NamesTheNodeAndTheOp) {
  Graph graph;
  graph.inputs = {graph.add_value("x", F32, {2})};
  graph.add_node("conv_12", Softmax{3}, graph.inputs);
  try {
    infer_shapes(graph);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "graph: node 'conv_12' (Softmax): axis: 3 (expected -1 to 0)");
  }
}

TEST(Infer, NamesInputsThatAreMissingMixedOrOfTheWrongKind) {
  EXPECT_EQ(complaint(Relu{}, {}), "Relu): 0 inputs (expected 1)");
  EXPECT_EQ(complaint(Conv{}, {{1, 1, 1}}), "Conv): 1 inputs (expected 2 to 3)");
  EXPECT_EQ(complaint(Concat{}, {}), "Concat): no inputs (expected at least one)");
  EXPECT_EQ(complaint(Sigmoid{}, {{2}}, I32), "Sigmoid): input 0 of int32 (expected reals)");
  EXPECT_EQ(complaint(Dequantise{}, {{2}}), "Dequantise): input 0 of float32 (expected integers)");
  EXPECT_EQ(typed_complaint(Add{}, {{F32, {2}}, {I32, {2}}}),
            "Add): reals and integers mixed (expected inputs of one kind)");
  Graph graph;
  graph.inputs = {graph.add_value("x", F32, {2})};
  graph.add_node("n", Add{}, {graph.inputs[0], absent});
  try {
    infer_shapes(graph);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "graph: node 'n' (Add): input 1 is absent (expected it to be there)");
  }
}

TEST(Infer, NamesOperandsThatDoNotFit) {
  EXPECT_EQ(complaint(Add{}, {{2, 3}, {2, 4}}), "Add): shapes [2, 3] and [2, 4] (expected shapes that broadcast)");
  EXPECT_EQ(complaint(Gemm{}, {{2, 3}, {4, 5}}), "Gemm): [2, 3] times [4, 5] (expected equal inner extents)");
  EXPECT_EQ(complaint(Gemm{2, 1}, {{2, 3}, {3, 5}}, I32),
            "Gemm): alpha 2.000000 and beta 1.000000 on integers (expected 1 and 1)");
  EXPECT_EQ(complaint(Gemm{}, {{2}, {4, 5}}), "Gemm): inputs [2] and [4, 5] (expected two matrices)");
  EXPECT_EQ(complaint(Gemm{}, {{1, 3}, {3, 5}, {2, 5}}), "Gemm): bias [2, 5] (expected one that broadcasts to [1, 5])");
  EXPECT_EQ(complaint(MatMul{}, {{2, 3}, {4, 5}}), "MatMul): [2, 3] times [4, 5] (expected equal inner extents)");
  EXPECT_EQ(complaint(MatMul{}, {{}, {4, 5}}), "MatMul): a scalar (expected vectors or matrices)");
  EXPECT_EQ(complaint(BatchNormalization{}, {{2}, {2}, {2}, {2}, {2}}),
            "BatchNormalization): input [2] (expected [N, C, ...])");
  EXPECT_EQ(complaint(BatchNormalization{}, {{1, 3}, {3}, {3}, {2}, {3}}),
            "BatchNormalization): input 3 [2] (expected [3])");
  EXPECT_EQ(complaint(LayerNormalization{}, {{2, 3}, {2}}),
            "LayerNormalization): shapes [2] and [3] (expected shapes that broadcast)");
  EXPECT_EQ(complaint(LayerNormalization{}, {{2, 3}, {2, 3}}),
            "LayerNormalization): input 1 [2, 3] (expected one that broadcasts to [3])");
  EXPECT_EQ(complaint(Clip{2, 1}, {{2}}), "Clip): bounds 2.000000 and 1.000000 (expected low <= high)");
  EXPECT_EQ(complaint(Clip{NAN, 1}, {{2}}), "Clip): bounds nan and 1.000000 (expected low <= high)");
}

TEST(Infer, NamesConvolutionsThatDoNotFit) {
  EXPECT_EQ(complaint(Conv{}, {{1, 8}, {4, 8}}),
            "Conv): input [1, 8], weights [4, 8] (expected [N, C, spatial] and [O, C/group, kernel])");
  EXPECT_EQ(complaint(Conv{}, {{1, 8, 4}, {any, 8, 3}}), "Conv): weights [N, 8, 3] (expected fixed extents)");
  EXPECT_EQ(complaint(grouped(3), {{1, 8, 4}, {4, 3, 3}}),
            "Conv): group 3 with 8 input channels (expected a divisor of the channels)");
  EXPECT_EQ(complaint(grouped(0), {{1, 8, 4}, {4, 3, 3}}),
            "Conv): group 0 with 8 input channels (expected a divisor of the channels)");
  EXPECT_EQ(complaint(grouped(2), {{1, 8, 4}, {3, 4, 3}}),
            "Conv): weights [3, 4, 3] with input [1, 8, 4] and group 2 (expected [O, C/group, kernel], O a multiple of "
            "group)");
  EXPECT_EQ(complaint(Conv{}, {{1, 8, 4}, {4, 8, 3}, {5}}), "Conv): bias [5] (expected [4])");
  EXPECT_EQ(complaint(Conv{}, {{1, 8, 2}, {4, 8, 3}}),
            "Conv): input [1, 8, 2] smaller than the window (expected room for one window)");
  EXPECT_EQ(complaint(Conv{}, {{1, 8, any}, {4, 8, 3}}),
            "Conv): a symbolic spatial extent (expected only the batch to be symbolic)");
}

TEST(Infer, NamesWindowsThatAreNone) {
  MaxPool pool{{2}, {}, {}, {}};
  EXPECT_EQ(complaint(pool, {{1, 8}}), "MaxPool): input [1, 8] (expected [N, C, spatial])");
  EXPECT_EQ(complaint(pool, {{1, 8, 4, 4}}),
            "MaxPool): kernel, strides, pads or dilations of another rank (expected 2 spatial axes)");
  pool.strides = {0};
  EXPECT_EQ(complaint(pool, {{1, 8, 4}}), "MaxPool): kernel 2, stride 0, dilation 1 (expected at least 1 each)");
  pool.strides = {1};
  pool.pads = {0, -1};
  EXPECT_EQ(complaint(pool, {{1, 8, 4}}), "MaxPool): pads 0 and -1 (expected at least 0)");
  EXPECT_EQ(complaint(GlobalAveragePool{}, {{8}}), "GlobalAveragePool): input [8] (expected [N, C, spatial])");
  EXPECT_EQ(complaint(ReduceMean{{1, -1}}, {{2, 2}}),
            "ReduceMean): axes: an axis named twice (expected each axis once)");
}

TEST(Infer, NamesWhatCannotBeJoinedOrCut) {
  EXPECT_EQ(typed_complaint(Concat{}, {{F32, {2}}, {I32, {2}}}),
            "Concat): types float32 and int32 (expected one type)");
  EXPECT_EQ(complaint(Concat{}, {{2}, {2, 2}}), "Concat): shapes [2] and [2, 2] (expected one rank)");
  EXPECT_EQ(complaint(Concat{}, {{any, 2}, {any, 2}}),
            "Concat): a symbolic extent along the axis (expected another axis than the batch)");
  EXPECT_EQ(complaint(Concat{1}, {{2, 2}, {3, 2}}),
            "Concat): shapes [2, 2] and [3, 2] (expected equal extents but along axis 1)");
  EXPECT_EQ(complaint(Split{0, {3, -1}}, {{2}}), "Split): size -1 (expected at least 0)");
  EXPECT_EQ(complaint(Split{0, {3, 1}}, {{5}}), "Split): sizes that sum to 4 (expected 5)");
  EXPECT_EQ(complaint(Split{0, {3, 2}}, {{5}}), "Split): 1 outputs (expected 2)");
  EXPECT_EQ(typed_complaint(Relu{}, {{F32, {5}}}, 2), "Relu): 2 outputs (expected 1)");
  EXPECT_EQ(complaint(Slice{{0}, {1}, {0}, {}}, {{5}}),
            "Slice): starts, ends, axes and steps of unlike lengths (expected equal lengths)");
  EXPECT_EQ(complaint(Slice{{0}, {1}, {0}, {0}}, {{5}}), "Slice): step 0 (expected another step)");
  EXPECT_EQ(complaint(Slice{{0}, {1}, {0}, {1}}, {{any, 5}}),
            "Slice): a cut of the symbolic batch (expected another axis, or a fixed batch)");
}

TEST(Infer, NamesPadsThatDoNotFit) {
  EXPECT_EQ(complaint(Pad{{1}}, {{5}}), "Pad): 1 pads (expected 2)");
  EXPECT_EQ(complaint(Pad{{int64_t{1} << 40, 0}}, {{5}}), "Pad): absurd pads (expected small ones)");
  EXPECT_EQ(complaint(Pad{{1, 0}}, {{any}}), "Pad): a pad of the symbolic batch (expected another axis)");
  EXPECT_EQ(complaint(Pad{{1, 0}, PadMode::Constant, 0.5}, {{5}}, I32),
            "Pad): a pad of integers with 0.500000 (expected a whole number)");
  EXPECT_EQ(complaint(Pad{{1, 0}, PadMode::Constant, NAN}, {{5}}), "Pad): a pad with NaN (expected a number)");
  EXPECT_EQ(complaint(Pad{{1, 0}, PadMode::Edge}, {{0}}),
            "Pad): the edge of an axis without elements (expected at least one)");
  EXPECT_EQ(complaint(Pad{{5, 0}, PadMode::Reflect}, {{5}}), "Pad): a reflection of 5 (expected less than the extent)");
  EXPECT_EQ(complaint(Pad{{-3, -3}}, {{5}}), "Pad): pads that cut more than there is (expected at most the extent)");
}

TEST(Infer, NamesShapesThatCannotFollow) {
  EXPECT_EQ(complaint(Reshape{{5, -1}}, {{any, 4}}), "Reshape): reshape: [N, 4] (expected as many elements as [5, N])");
  EXPECT_EQ(complaint(Reshape{{5}}, {{2, 2}}), "Reshape): reshape: [2, 2] (expected as many elements as [5])");
  EXPECT_EQ(complaint(Reshape{{-1, -1}}, {{2, 2}}), "Reshape): reshape: two -1 (expected at most one)");
  EXPECT_EQ(complaint(Reshape{{-2, 2}}, {{2, 2}}), "Reshape): reshape: extent -2 (expected at least -1)");
  EXPECT_EQ(complaint(Reshape{{0, 0, 0}}, {{2, 2}}),
            "Reshape): reshape: 0 at axis 2 of [2, 2] (expected an axis that the input has)");
  EXPECT_EQ(complaint(Reshape{{int64_t{1} << 62, 4}}, {{2, 2}}),
            "Reshape): shape [4611686018427387904, 4]: too many elements (expected at most 8589934592)");
  EXPECT_EQ(complaint(Flatten{3}, {{2, 2}}), "Flatten): axis 3 (expected an axis of [2, 2])");
  EXPECT_EQ(complaint(Flatten{1}, {{4, any, 2}}),
            "Flatten): shape [4, N, 2] (expected the batch on its own, or a fixed batch)");
  EXPECT_EQ(complaint(Flatten{0}, {{any, 2}}),
            "Flatten): shape [N, 2] (expected the batch on its own, or a fixed batch)");
  EXPECT_EQ(complaint(Transpose{{0}}, {{2, 2}}), "Transpose): a permutation of 1 axes (expected 2)");
  EXPECT_EQ(complaint(Transpose{{0, 0}}, {{2, 2}}), "Transpose): axes: an axis named twice (expected each axis once)");
  EXPECT_EQ(complaint(Squeeze{}, {{any, 1}}),
            "Squeeze): no axes with a symbolic batch (expected axes, for the batch may be 1)");
  EXPECT_EQ(complaint(Squeeze{{1}}, {{1, 2}}), "Squeeze): axis 1 of [1, 2] (expected an extent of 1)");
  EXPECT_EQ(complaint(Unsqueeze{{4}}, {{2, 2}}), "Unsqueeze): axis: 4 (expected -3 to 2)");
  EXPECT_EQ(complaint(Gather{}, {{2}, {2}}), "Gather): input 1 of float32 (expected integers)");
}

TEST(Infer, NamesOutputsThatNothingCouldHold) {
  EXPECT_EQ(complaint(Mul{}, {{1 << 20, 1}, {1, 1 << 20}}),
            "Mul): shape [1048576, 1048576]: too many elements (expected at most 8589934592)");
}

TEST(Infer, NamesResizesThatCannotBe) {
  EXPECT_EQ(complaint(Resize{}, {{2}}), "Resize): both or neither of scales and sizes (expected one of them)");
  EXPECT_EQ(complaint(Resize{{1, 2}, {}}, {{2}}), "Resize): scales or sizes of another rank (expected 1)");
  EXPECT_EQ(complaint(Resize{{-1}, {}}, {{2}}), "Resize): scale -1.000000 (expected a positive number)");
  EXPECT_EQ(complaint(Resize{{2}, {}}, {{any}}), "Resize): a resized batch (expected another axis)");
  EXPECT_EQ(complaint(Resize{{}, {2}}, {{0}}), "Resize): an axis without elements (expected at least one)");
  EXPECT_EQ(complaint(Resize{{0.25}, {}}, {{2}}), "Resize): an extent of 0 (expected at least 1)");
  EXPECT_EQ(complaint(Resize{{2}, {}, ResizeMode::Linear}, {{2}}, I32), "Resize): input 0 of int32 (expected reals)");
}

TEST(Infer, NamesQuantisationThatDoesNotFit) {
  EXPECT_EQ(complaint(Quantise{{{1, 2}, 1, 0, 0, 255}}, {{1, 3}}),
            "Quantise): 2 scales along axis 1 of [1, 3] (expected one for each channel)");
  EXPECT_EQ(complaint(Rescale{{1, 2}, {0}}, {{1, 3}}, I32),
            "Rescale): 2 kappa with input [1, 3] (expected one, or one for each channel of axis 1)");
  EXPECT_EQ(complaint(Rescale{{1, 2, 3}, {0}}, {{1, 3}, {1, 3}}, I32),
            "Rescale): 3 kappa for 2 inputs (expected as many for each)");
  EXPECT_EQ(complaint(Rescale{{1}, {}}, {{1, 3}}, I32),
            "Rescale): 0 lambda with input [1, 3] (expected one, or one for each channel of axis 1)");
  const auto divided = [](size_t terms, const Ints& divisor) {
    Rescale op{std::vector<double>(terms, 1), {0}};
    op.divisor = divisor;
    return complaint(op, std::vector<Shape>(terms, {1, 3}), I32);
  };
  EXPECT_EQ(divided(1, {2, 3}),
            "Rescale): 2 divisors with input [1, 3] (expected one, or one for each channel of axis 1)");
  EXPECT_EQ(divided(2, {2}), "Rescale): divisors of 2 inputs (expected none)");
  EXPECT_EQ(divided(1, {0}), "Rescale): divisor 0 (expected 1 or more)");
  EXPECT_EQ(complaint(Requantise{{1, 2}, {0, 0}, {1, 1}}, {{1, 3}}, I32),
            "Requantise): 2 multipliers with input [1, 3] (expected one, or one for each channel of axis 1)");
  EXPECT_EQ(complaint(Requantise{{1}, {}, {1}}, {{1, 3}}, I32),
            "Requantise): 1 multipliers, 0 addends, 1 shifts (expected as many of each)");
  EXPECT_EQ(complaint(Requantise{{1}, {0}, {64}}, {{1, 3}}, I32), "Requantise): shift 64 (expected 0 to 63)");
  EXPECT_EQ(complaint(FloorDivide{{1}, {0}, {0}}, {{1, 3}}, I32), "FloorDivide): divisor 0 (expected at least 1)");
  EXPECT_EQ(complaint(FloorDivide{{1}, {0}, {1, 2}}, {{1, 3}}, I32),
            "FloorDivide): 1 multipliers, 1 addends, 2 divisors (expected as many of each)");
  EXPECT_EQ(complaint(Threshold{}, {{1, 3}, {4}}, I32), "Threshold): thresholds [4] (expected [1 or C, T])");
  EXPECT_EQ(complaint(Threshold{}, {{1, 3}, {2, 4}}, I32),
            "Threshold): 2 rows of thresholds with input [1, 3] (expected one, or one for each channel of axis 1)");
  EXPECT_EQ(complaint(Threshold{0, {1, 1}}, {{1, 3}, {1, 4}}, I32),
            "Threshold): 2 flags of falling (expected none, or one a row)");
  EXPECT_EQ(complaint(Threshold{INT64_MAX, {}}, {{1, 3}, {1, 4}}, I32),
            "Threshold): low 9223372036854775807 (expected room for the thresholds)");
  EXPECT_EQ(complaint(Table{}, {{2}, {2, 2}}, I32), "Table): table [2, 2] (expected [n])");
}
