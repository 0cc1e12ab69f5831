#include <set>

#include "equal/train/cases.hpp"

namespace nibble {
namespace {

using namespace graph;
using test::Builder;
using test::random_reals;

/// One op on random inputs; constants behind the activations. Batches of 1 and 3.
struct Case {
  std::string name;
  Op op;
  std::vector<Shape> inputs;
  std::vector<Tensor> constants = {};
  double low = -2, high = 2;
  size_t outputs = 1;
};

void PrintTo(const Case& one, std::ostream* stream) {
  *stream << one.name;
}

class FloatOp : public testing::TestWithParam<Case> {};

TEST_P(FloatOp, EqualsTheNaiveEvaluatorWithinFloatRounding) {
  const Case& one = GetParam();
  Random random(7);
  Builder builder(Stage::FP);
  std::vector<ValueId> read;
  for (const Shape& shape : one.inputs) read.push_back(builder.input(shape));
  for (const Tensor& tensor : one.constants) read.push_back(builder.constant(tensor));
  const ValueId first = builder.node(one.op, read);
  std::vector<ValueId> outputs{first};
  for (size_t i = 1; i < one.outputs; ++i) {
    outputs.push_back(builder.graph.add_value("more"));
    builder.graph.nodes.back().outputs.push_back(outputs.back());
  }
  const Graph& graph = builder.done(outputs);
  for (int64_t batch : {1, 3}) {
    std::vector<Tensor> inputs;
    for (Shape shape : one.inputs) {
      shape[0] = batch;
      inputs.push_back(random_reals(shape, random, one.low, one.high));
    }
    test::expect_same(graph, inputs);
  }
}

Random constants(3);
Tensor weights(Shape shape) {
  return random_reals(std::move(shape), constants);
}
Tensor positive(Shape shape) {
  return random_reals(std::move(shape), constants, 0.5, 2);
}

Conv conv(Ints strides, Ints pads, Ints dilations, int64_t group = 1) {
  Conv op;
  op.strides = strides, op.pads = pads, op.dilations = dilations, op.group = group;
  return op;
}
ConvTranspose conv_transpose(Ints strides, Ints pads, Ints dilations, Ints output_pads, int64_t group = 1) {
  return {strides, pads, dilations, output_pads, group, 0};
}
template <class Pool>
Pool pool(Ints kernel, Ints strides, Ints pads, Ints dilations, bool ceil_mode, bool include = false) {
  Pool op;
  op.kernel = kernel, op.strides = strides, op.pads = pads, op.dilations = dilations, op.ceil_mode = ceil_mode;
  if constexpr (requires { op.count_include_pad; }) op.count_include_pad = include;
  return op;
}
Resize resize(std::vector<double> scales, ResizeMode mode, ResizeCoordinates coordinates,
              ResizeNearest nearest = ResizeNearest::RoundPreferFloor) {
  Resize op;
  op.scales = scales, op.mode = mode, op.coordinates = coordinates, op.nearest = nearest;
  return op;
}
Gemm gemm(double alpha, double beta, bool a, bool b) {
  return {alpha, beta, a, b, 0};
}
Quantise quantiser(Rounding rounding, bool per_channel) {
  Quantise op;
  op.grid.scale = per_channel ? std::vector<double>{0.125, 0.0625, 0.3125f} : std::vector<double>{0.05f};
  op.grid.axis = per_channel ? 1 : -1;
  op.grid.low = -8, op.grid.high = 7, op.grid.zero_point = 1;
  op.rounding = rounding;
  return op;
}
Slice slice(Ints starts, Ints ends, Ints axes, Ints steps) {
  return {starts, ends, axes, steps};
}
Pad padding(Ints pads, PadMode mode, double value = 0) {
  return {pads, mode, value};
}

// clang-format off
const std::vector<Case> linear{
  Case{"conv_2d", conv({1, 1}, {1, 1, 1, 1}, {1, 1}), {{1, 3, 9, 8}}, {weights({5, 3, 3, 3}), weights({5})}},
  Case{"conv_asymmetric", conv({2, 1}, {0, 2, 1, 3}, {1, 1}), {{1, 3, 9, 8}}, {weights({5, 3, 3, 2})}},
  Case{"conv_dilated", conv({1, 2}, {2, 2, 2, 2}, {2, 3}), {{1, 3, 11, 12}}, {weights({4, 3, 3, 3})}},
  Case{"conv_group", conv({1, 1}, {1, 1, 1, 1}, {1, 1}, 2), {{1, 4, 6, 6}}, {weights({6, 2, 3, 3}), weights({6})}},
  Case{"conv_depthwise", conv({1, 1}, {1, 1, 1, 1}, {1, 1}, 4), {{1, 4, 6, 6}}, {weights({4, 1, 3, 3})}},
  Case{"conv_large", conv({1, 1}, {1, 1, 1, 1}, {1, 1}), {{1, 16, 14, 14}}, {weights({32, 16, 3, 3}), weights({32})}},
  Case{"conv_1d", conv({2}, {1, 2}, {2}), {{1, 3, 16}}, {weights({4, 3, 3}), weights({4})}},
  Case{"gemm", gemm(1, 1, false, true), {{1, 20}}, {weights({7, 20}), weights({7})}},
  Case{"gemm_large", gemm(1, 1, false, true), {{1, 512}}, {weights({256, 512}), weights({256})}},
  Case{"gemm_scaled", gemm(0.5, 2, false, false), {{1, 20}}, {weights({20, 7}), weights({1, 7})}},
  Case{"matmul_constant", MatMul{}, {{1, 5, 20}}, {weights({20, 7})}},
  Case{"matmul_activations", MatMul{}, {{1, 2, 5, 6}, {1, 2, 6, 3}}},
  Case{"batch_norm", BatchNormalization{1e-3}, {{1, 3, 4, 5}}, {positive({3}), weights({3}), weights({3}), positive({3})}},
  Case{"layer_norm", LayerNormalization{-1, 1e-5}, {{1, 4, 6}}, {positive({6}), weights({6})}},
  Case{"layer_norm_2", LayerNormalization{1, 1e-5}, {{1, 4, 6}}, {positive({4, 6})}},
  Case{"rms_norm", RmsNormalization{-1, 1e-5}, {{1, 4, 6}}, {positive({6})}},
  Case{"rms_norm_2", RmsNormalization{1, 1e-3}, {{1, 4, 6}}, {positive({4, 6})}},
  Case{"conv_transpose", conv_transpose({2, 2}, {1, 0, 0, 1}, {1, 1}, {1, 0}), {{1, 4, 5, 6}}, {weights({4, 3, 3, 2}), weights({3})}},
  Case{"conv_transpose_group", conv_transpose({1, 2}, {1, 1, 1, 1}, {1, 2}, {0, 1}, 2), {{1, 4, 5, 6}}, {weights({4, 2, 3, 3})}},
  Case{"conv_transpose_1d", conv_transpose({3}, {0, 2}, {2}, {1}), {{1, 3, 7}}, {weights({3, 5, 4}), weights({5})}}};

const std::vector<Case> pointwise{
  Case{"identity", Identity{}, {{1, 9}}}, Case{"relu", Relu{}, {{1, 9}}}, Case{"hard_swish", HardSwish{}, {{1, 9}}, {}, -5, 5},
  Case{"sigmoid", Sigmoid{}, {{1, 9}}}, Case{"tanh", Tanh{}, {{1, 9}}}, Case{"erf", Erf{}, {{1, 9}}}, Case{"exp", Exp{}, {{1, 9}}},
  Case{"log", Log{}, {{1, 9}}, {}, 0.1, 3}, Case{"sqrt", Sqrt{}, {{1, 9}}, {}, 0, 3}, Case{"neg", Neg{}, {{1, 9}}},
  Case{"abs", Abs{}, {{1, 9}}}, Case{"reciprocal", Reciprocal{}, {{1, 9}}, {}, 0.5, 3},
  Case{"softplus", Softplus{}, {{1, 9}}, {}, -30, 30}, Case{"dropout", Dropout{}, {{1, 9}}},
  Case{"add", Add{}, {{1, 3, 4}}, {weights({3, 1})}}, Case{"sub", Sub{}, {{1, 3, 4}, {1, 3, 4}}},
  Case{"mul", Mul{}, {{1, 3, 4}}, {weights({4})}}, Case{"div", Div{}, {{1, 3, 4}}, {positive({3, 1})}},
  Case{"pow", Pow{}, {{1, 3, 4}}, {weights({4})}, 0.5, 2}, Case{"clip", Clip{-0.5, 6}, {{1, 30}}, {}, -10, 10},
  Case{"clip_half_open", Clip{0.25, std::numeric_limits<double>::infinity()}, {{1, 30}}},
  Case{"leaky_relu", LeakyRelu{0.1}, {{1, 30}}}, Case{"hard_sigmoid", HardSigmoid{0.3, 0.4}, {{1, 30}}},
  Case{"gelu", Gelu{false}, {{1, 30}}}, Case{"gelu_tanh", Gelu{true}, {{1, 30}}},
  Case{"softmax", Softmax{-1}, {{1, 4, 5}}}, Case{"softmax_1", Softmax{1}, {{1, 4, 5}}},
  Case{"log_softmax", LogSoftmax{-1}, {{1, 4, 5}}}, Case{"log_softmax_1", LogSoftmax{1}, {{1, 4, 5}}, {}, -30, 30},
  Case{"elu", Elu{0.7}, {{1, 30}}}, Case{"swish", Swish{1.702}, {{1, 30}}}, Case{"silu", Swish{1}, {{1, 30}}, {}, -30, 30},
  Case{"mish", Mish{}, {{1, 30}}, {}, -30, 30}, Case{"min", Min{}, {{1, 3, 4}, {1, 3, 4}}}, Case{"max", Max{}, {{1, 3, 4}}, {weights({3, 1})}},
  Case{"selu", Selu{}, {{1, 30}}}, Case{"celu", Celu{0.7}, {{1, 30}}}, Case{"softsign", Softsign{}, {{1, 30}}},
  Case{"thresholded_relu", ThresholdedRelu{0.5}, {{1, 30}}}, Case{"shrink", Shrink{0.25, 0.75}, {{1, 30}}},
  Case{"round", Round{}, {{1, 30}}, {}, -5, 5}, Case{"floor", Floor{}, {{1, 30}}, {}, -5, 5}, Case{"ceil", Ceil{}, {{1, 30}}, {}, -5, 5},
  Case{"sign", Sign{}, {{1, 30}}}, Case{"sin", Sin{}, {{1, 30}}}, Case{"cos", Cos{}, {{1, 30}}},
  Case{"prelu", PRelu{}, {{1, 3, 4}}, {weights({3, 1})}}, Case{"prelu_of_rows", PRelu{}, {{1, 3, 4}}, {weights({4})}},
  Case{"add_of_four", Add{}, {{1, 3, 4}, {1, 3, 4}, {1, 3, 4}}, {weights({4})}},
  Case{"quantise_floor", quantiser(Rounding::Floor, false), {{1, 3, 50}}},
  Case{"quantise_half_up", quantiser(Rounding::HalfUp, true), {{1, 3, 50}}},
  Case{"quantise_half_even", quantiser(Rounding::HalfEven, true), {{1, 3, 50}}}};

const std::vector<Case> windows{
  Case{"max_pool", pool<MaxPool>({2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}, false), {{1, 3, 8, 7}}},
  Case{"max_pool_padded", pool<MaxPool>({3, 3}, {2, 1}, {1, 0, 0, 2}, {1, 1}, false), {{1, 3, 8, 7}}},
  Case{"max_pool_ceil", pool<MaxPool>({3, 2}, {2, 2}, {1, 0, 1, 1}, {1, 1}, true), {{1, 3, 8, 7}}},
  Case{"max_pool_ceil_stride", pool<MaxPool>({1, 1}, {3, 3}, {0, 0, 1, 1}, {1, 1}, true), {{1, 3, 7, 8}}},
  Case{"max_pool_dilated", pool<MaxPool>({2, 3}, {1, 1}, {1, 1, 1, 1}, {3, 2}, false), {{1, 3, 8, 9}}},
  Case{"max_pool_1d", pool<MaxPool>({3}, {2}, {0, 1}, {2}, false), {{1, 3, 12}}},
  Case{"average_pool", pool<AveragePool>({2, 2}, {2, 2}, {}, {}, false), {{1, 3, 8, 7}}},
  Case{"average_pool_padded", pool<AveragePool>({3, 3}, {2, 1}, {1, 0, 0, 2}, {}, false), {{1, 3, 8, 7}}},
  Case{"average_pool_included", pool<AveragePool>({3, 3}, {2, 1}, {1, 0, 0, 2}, {}, false, true), {{1, 3, 8, 7}}},
  Case{"average_pool_ceil", pool<AveragePool>({3, 2}, {2, 2}, {1, 0, 1, 1}, {}, true, false), {{1, 3, 8, 7}}},
  Case{"average_pool_ceil_included", pool<AveragePool>({3, 2}, {2, 2}, {1, 0, 1, 1}, {}, true, true), {{1, 3, 8, 8}}},
  Case{"average_pool_dilated", pool<AveragePool>({2, 3}, {1, 1}, {1, 1, 1, 1}, {3, 2}, false, true), {{1, 3, 8, 9}}},
  Case{"average_pool_3d", pool<AveragePool>({2, 3, 2}, {1, 2, 2}, {1, 0, 0, 0, 1, 1}, {}, false), {{2, 3, 4, 5, 6}}},
  Case{"average_pool_1d", pool<AveragePool>({3}, {2}, {0, 1}, {1}, false), {{1, 3, 12}}},
  Case{"sum_pool", pool<SumPool>({3, 2}, {2, 1}, {1, 0, 0, 1}, {1, 1}, false), {{1, 3, 8, 7}}},
  Case{"global_average", GlobalAveragePool{}, {{1, 3, 8, 7}}}, Case{"global_average_1d", GlobalAveragePool{}, {{1, 3, 8}}},
  Case{"reduce_mean", ReduceMean{{1, 3}, false}, {{1, 3, 8, 7}}}, Case{"reduce_mean_kept", ReduceMean{{-1}, true}, {{1, 3, 8, 7}}},
  Case{"reduce_max", ReduceMax{{1, -1}, false}, {{1, 3, 8, 7}}}, Case{"reduce_max_kept", ReduceMax{{2}, true}, {{1, 3, 8, 7}}},
  Case{"reduce_sum", ReduceSum{{2}, true, 0}, {{1, 3, 8, 7}}}};

const std::vector<Case> movement{
  Case{"concat", Concat{1}, {{1, 3, 4}, {1, 2, 4}}}, Case{"split", Split{-1, {1, 3, 2}}, {{1, 2, 6}}, {}, -2, 2, 3},
  Case{"slice", slice({1, -3}, {100, 4}, {1, -1}, {2, 1}), {{1, 6, 5}}},
  Case{"slice_backward", slice({-1, 3}, {-100, 0}, {1, 2}, {-2, -1}), {{1, 6, 5}}},
  Case{"pad", padding({0, 1, 2, 0, 0, 3}, PadMode::Constant, 0.5), {{1, 3, 4}}},
  Case{"pad_negative", padding({0, 1, -1, 0, 0, -1}, PadMode::Constant), {{1, 3, 4}}},
  Case{"pad_reflect", padding({0, 0, 2, 0, 1, 3}, PadMode::Reflect), {{1, 3, 4}}},
  Case{"pad_edge", padding({0, 0, 2, 0, 1, 3}, PadMode::Edge), {{1, 3, 4}}},
  Case{"flatten", Flatten{1}, {{1, 3, 4, 5}}}, Case{"reshape", Reshape{{0, -1, 2}, false}, {{1, 3, 4, 5}}},
  Case{"transpose", Transpose{{0, 3, 1, 2}}, {{1, 3, 4, 5}}}, Case{"squeeze", Squeeze{{2, -1}}, {{1, 3, 1, 1}}},
  Case{"unsqueeze", Unsqueeze{{1, -1}}, {{1, 3, 4}}},
  Case{"gather", Gather{1}, {{1, 5, 4}}, {Tensor({2, 2}, std::vector<int64_t>{0, -1, 3, 2})}},
  Case{"resize_nearest", resize({1, 1, 2, 1.5}, ResizeMode::Nearest, ResizeCoordinates::Asymmetric, ResizeNearest::Floor), {{1, 2, 5, 6}}},
  Case{"resize_half_pixel", resize({1, 1, 0.6, 1.7}, ResizeMode::Nearest, ResizeCoordinates::HalfPixel), {{1, 2, 5, 6}}},
  Case{"resize_ceil", resize({1, 1, 0.6, 1.7}, ResizeMode::Nearest, ResizeCoordinates::AlignCorners, ResizeNearest::Ceil), {{1, 2, 5, 6}}},
  Case{"resize_linear", resize({1, 1, 2, 1.5}, ResizeMode::Linear, ResizeCoordinates::HalfPixel), {{1, 2, 5, 6}}},
  Case{"resize_linear_corners", resize({1, 1, 0.5, 3}, ResizeMode::Linear, ResizeCoordinates::AlignCorners), {{1, 2, 5, 6}}},
  Case{"resize_linear_pytorch", resize({1, 1, 0.2, 3}, ResizeMode::Linear, ResizeCoordinates::PytorchHalfPixel), {{1, 2, 5, 6}}}};
// clang-format on

const auto name_of_case = [](const auto& test) { return test.param.name; };
INSTANTIATE_TEST_SUITE_P(Linear, FloatOp, testing::ValuesIn(linear), name_of_case);
INSTANTIATE_TEST_SUITE_P(Pointwise, FloatOp, testing::ValuesIn(pointwise), name_of_case);
INSTANTIATE_TEST_SUITE_P(Windows, FloatOp, testing::ValuesIn(windows), name_of_case);
INSTANTIATE_TEST_SUITE_P(Movement, FloatOp, testing::ValuesIn(movement), name_of_case);

TEST(FloatOps, HaveACaseForEveryOpThatTakesReals) {
  std::set<std::string_view> untested;
  for (const Op& op : every_op()) untested.insert(name_of(op));
  for (const auto* family : {&linear, &pointwise, &windows, &movement})
    for (const Case& one : *family) untested.erase(name_of(one.op));
  // A condition and an index are integers: tests of their own below.
  untested.erase(Where::name), untested.erase(ArgMax::name);
  // Ops of integers (integer_ops.cpp).
  const std::set<std::string_view> of_integers{
      "Dequantise",        "FloorDivide", "IGelu",         "IHardSwish", "ILayerNorm",
      "INoNorm",           "IRmsNorm",    "ISoftmax",      "IntegerDiv", "IntegerNormalization",
      "InterpolatedTable", "ItaMax",      "ItaPartialMax", "Requantise", "Rescale",
      "RoundedDivision",   "Table",       "TableSoftmax",  "Threshold",  "TrueIntegerDiv"};
  EXPECT_EQ(untested, of_integers);
}

TEST(FloatEngine, ChoosesWhereAConditionHolds) {
  Random random(11);
  Builder builder(Stage::FP);
  const ValueId condition = builder.integer_input({1, 3, 1}, 0, 1);
  const ValueId x = builder.input({1, 3, 4});
  const Graph& graph =
      builder.done({builder.node(Where{}, {condition, x, builder.constant(random_reals({4}, random))})});
  for (int64_t batch : {1, 3})
    test::expect_same(graph, {test::random_integers({batch, 3, 1}, random, 0, 1, graph[condition].type),
                              random_reals({batch, 3, 4}, random)});
}

TEST(FloatEngine, FindsTheFirstOrTheLastOfTheLargest) {
  Random random(13);
  for (bool last : {false, true}) {
    Builder builder(Stage::FP);
    const ValueId x = builder.input({1, 5, 4});
    const Graph& graph = builder.done({builder.node(ArgMax{1, last, last}, {x})});
    for (int64_t batch : {1, 3}) {
      Tensor levels = test::random_integers({batch, 5, 4}, random, 0, 2).cast(ElementType::Float32);
      test::expect_same(graph, {levels});
    }
  }
}

TEST(FloatEngine, ReadsRowsOfATableAtTokens) {
  Random random(17);
  Builder builder(Stage::FP);
  const ValueId tokens = builder.integer_input({1, 6}, 0, 8);
  const ValueId rows = builder.node(Gather{0}, {builder.constant(random_reals({9, 4}, random)), tokens});
  const Graph& graph =
      builder.done({builder.node(LayerNormalization{-1, 1e-5}, {rows, builder.constant(positive({4}))})});
  for (int64_t batch : {1, 3})
    test::expect_same(graph, {test::random_integers({batch, 6}, random, 0, 8, graph[tokens].type)});
}

TEST(FloatEngine, RunsAResidualNetworkAsTheNaiveEvaluatorDoes) {
  Random random(5);
  Builder builder(Stage::FP);
  const ValueId x = builder.input({1, 3, 12, 12});
  const auto block = [&](ValueId from, int64_t channels) {
    const ValueId y =
        builder.node(conv({1, 1}, {1, 1, 1, 1}, {1, 1}),
                     {from, builder.constant(random_reals({channels, builder.graph.nodes.empty() ? 3 : channels, 3, 3},
                                                          random, -0.3, 0.3))});
    return builder.node(Relu{}, {y});
  };
  const ValueId a = block(x, 8), b = block(a, 8);
  const ValueId sum = builder.node(Add{}, {a, b});
  const ValueId mean = builder.node(GlobalAveragePool{}, {sum});
  const ValueId flat = builder.node(Flatten{1}, {mean});
  const Graph& graph =
      builder.done({builder.node(gemm(1, 1, false, false), {flat, builder.constant(random_reals({8, 10}, random))})});
  test::expect_same(graph, {random_reals({4, 3, 12, 12}, random)});
}

}  // namespace
}  // namespace nibble
