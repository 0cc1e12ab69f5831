#include "equal/train/cases.hpp"

namespace nibble {
namespace {

using namespace graph;
using test::Builder;
using test::expect_same;
using test::random_integers;

/// How large weights are: sums stay below 2^24, straddle it, pass it (double), pass 2^53 (the evaluator's).
struct Size {
  const char* name;
  int64_t input, weight;
};
const Size sizes[] = {
    {"small", 127, 127}, {"at_2_24", 255, 450}, {"double", 255, 1 << 20}, {"beyond_2_53", 1 << 27, 1 << 27}};

void PrintTo(const Size& size, std::ostream* stream) {
  *stream << size.name;
}

class IntegerOp : public testing::TestWithParam<Size> {
 protected:
  Random random{11};
  Builder builder{Stage::ID};
  int64_t input_limit() const { return GetParam().input; }

  ValueId x(Shape shape) {
    shapes.push_back(shape);
    return builder.integer_input(shape, -input_limit(), input_limit());
  }
  ValueId w(Shape shape) {
    return builder.constant(
        random_integers(std::move(shape), random, -GetParam().weight, GetParam().weight, ElementType::Int32));
  }
  void check(ValueId output) {
    const Graph& graph = builder.done({output});
    for (int64_t batch : {1, 4}) {
      std::vector<Tensor> inputs, extremes;
      for (Shape shape : shapes) {
        shape[0] = batch;
        inputs.push_back(random_integers(shape, random, -input_limit(), input_limit()));
        extremes.push_back(random_integers(shape, random, 0, 1));
        for (int64_t& value : extremes.back().as<int64_t>()) value = value != 0 ? input_limit() : -input_limit();
      }
      expect_same(graph, inputs);
      expect_same(graph, extremes);
    }
  }
  std::vector<Shape> shapes;
};

Conv conv(Ints strides, Ints pads, Ints dilations, int64_t group, int64_t zero_point) {
  return {strides, pads, dilations, group, zero_point};
}

TEST_P(IntegerOp, ConvolutionIsExact) {
  check(builder.node(conv({1, 1}, {1, 1, 1, 1}, {1, 1}, 1, 0), {x({1, 16, 9, 9}), w({8, 16, 3, 3}), w({8})}));
}
TEST_P(IntegerOp, ConvolutionOfKernelFiveIsExact) {
  check(builder.node(conv({1, 1}, {2, 2, 2, 2}, {1, 1}, 1, 0), {x({1, 5, 12, 12}), w({8, 5, 5, 5})}));
}
TEST_P(IntegerOp, WideConvolutionIsExact) {
  check(builder.node(conv({1, 1}, {1, 1, 1, 1}, {1, 1}, 1, 3), {x({1, 16, 28, 28}), w({32, 16, 3, 3})}));
}
TEST_P(IntegerOp, AsymmetricStridedDilatedConvolutionIsExact) {
  check(builder.node(conv({2, 1}, {0, 2, 1, 3}, {2, 1}, 1, -5), {x({1, 4, 11, 8}), w({6, 4, 3, 2}), w({6})}));
}
TEST_P(IntegerOp, GroupedConvolutionIsExact) {
  check(builder.node(conv({1, 1}, {1, 1, 1, 1}, {1, 1}, 2, 7), {x({1, 8, 6, 6}), w({6, 4, 3, 3})}));
}
TEST_P(IntegerOp, DepthwiseConvolutionIsExact) {
  check(builder.node(conv({2, 2}, {1, 1, 1, 1}, {1, 1}, 8, 1), {x({1, 8, 7, 7}), w({8, 1, 3, 3}), w({8})}));
}
TEST_P(IntegerOp, ConvolutionOverOneAxisIsExact) {
  check(builder.node(conv({2}, {1, 2}, {2}, 1, 2), {x({1, 6, 20}), w({4, 6, 3})}));
}
TEST_P(IntegerOp, FullyConnectedIsExact) {
  check(builder.node(Gemm{1, 1, false, true, 9}, {x({1, 144}), w({10, 144}), w({10})}));
}
TEST_P(IntegerOp, LargeFullyConnectedIsExact) {
  check(builder.node(Gemm{1, 1, false, false, 0}, {x({1, 300}), w({300, 260})}));
}
TEST_P(IntegerOp, MatMulOfActivationsIsExact) {
  check(builder.node(MatMul{3, -2}, {x({1, 5, 40}), x({1, 40, 3})}));
}
TEST_P(IntegerOp, AddIsExact) {
  check(builder.node(Add{}, {x({1, 4, 5}), w({4, 1})}));
}
TEST_P(IntegerOp, SubIsExact) {
  check(builder.node(Sub{}, {x({1, 4, 5}), w({5})}));
}
TEST_P(IntegerOp, MulIsExact) {
  check(builder.node(Mul{}, {x({1, 4, 5}), w({4, 1})}));
}
TEST_P(IntegerOp, ReluNegAbsAndClipAreExact) {
  const ValueId y = builder.node(Neg{}, {x({1, 4, 5})});
  const ValueId sum = builder.node(Add{}, {builder.node(Relu{}, {y}), builder.node(Abs{}, {y})});
  check(builder.node(Clip{-3, 90}, {sum}));
}
TEST_P(IntegerOp, SumsOfWindowsAreExact) {
  SumPool op;
  op.kernel = {3, 3}, op.strides = {2, 1}, op.pads = {1, 0, 1, 2}, op.dilations = {1, 1}, op.zero_point = 4;
  check(builder.node(op, {x({1, 3, 9, 9})}));
}
TEST_P(IntegerOp, SumsOverAxesAreExact) {
  check(builder.node(ReduceSum{{2, 3}, true, -6}, {x({1, 3, 40, 41})}));
}
TEST_P(IntegerOp, MaximaAreExact) {
  MaxPool op;
  op.kernel = {3, 3}, op.strides = {2, 2}, op.pads = {1, 1, 1, 1}, op.dilations = {1, 1};
  check(builder.node(op, {x({1, 3, 9, 9})}));
}
TEST_P(IntegerOp, MovementIsExact) {
  const ValueId y = builder.node(Concat{1}, {x({1, 3, 4, 4}), x({1, 2, 4, 4})});
  const ValueId padded = builder.node(Pad{{0, 0, 1, 1, 0, 0, 1, 1}, PadMode::Constant, -7}, {y});
  check(builder.node(Flatten{1}, {builder.node(Transpose{{0, 2, 3, 1}}, {padded})}));
}

INSTANTIATE_TEST_SUITE_P(Sizes, IntegerOp, testing::ValuesIn(sizes), [](const auto& test) { return test.param.name; });

/// Steps that quantise: x is in +-limit, parameters are drawn so that the steps lie inside.
class Steps : public testing::TestWithParam<int64_t> {
 protected:
  Random random{13};
  Builder builder{Stage::ID};
  ValueId input() { return builder.integer_input({1, 6, 40}, -GetParam(), GetParam()); }
  double real(double low, double high) { return low + (high - low) * random.uniform(); }
  void check(ValueId output) {
    const Graph& graph = builder.done({output});
    expect_same(graph, {random_integers({3, 6, 40}, random, -GetParam(), GetParam())});
    const int64_t near = std::min<int64_t>(GetParam(), 6);
    expect_same(graph, {random_integers({3, 6, 40}, random, -near, near)});
  }
};

TEST_P(Steps, RequantiseIsExact) {
  Requantise op;
  for (int c = 0; c < 6; ++c) {
    op.multiplier.push_back(static_cast<int64_t>(random.below(1u << 31)) * (c == 3 ? -1 : 1));
    op.shift.push_back(30 + c);
    op.addend.push_back(static_cast<int64_t>(random.below(1ull << 36)));
  }
  op.low = -128, op.high = 127;
  check(builder.node(op, {input()}));
}

TEST_P(Steps, RequantiseOfAllChannelsAlikeIsExact) {
  check(builder.node(Requantise{{1234567}, {1 << 20}, {21}, 0, 255}, {input()}));
}

TEST_P(Steps, FloorDivideIsExact) {
  check(builder.node(
      FloorDivide{{7, -5, 1, 3, 1234567, 2}, {0, 9, -4, 1, 8, 3}, {255, 3, 49, 1, 1000003, 5}, -300, 299}, {input()}));
}

TEST_P(Steps, RescaleIsExactForEveryRounding) {
  for (Rounding rounding : {Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven}) {
    builder = Builder(Stage::QD);
    Rescale op;
    for (int c = 0; c < 6; ++c) {
      op.kappa.push_back(real(-1, 1) * 300 / static_cast<double>(GetParam()));
      op.lambda.push_back(real(-20, 20));
    }
    op.rounding = rounding, op.zero_point = 3, op.low = -100, op.high = 100;
    check(builder.node(op, {input()}));
  }
}

TEST_P(Steps, RescaleIsExactOnTiesAndBesideThem) {
  for (Rounding rounding : {Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven}) {
    builder = Builder(Stage::QD);
    Rescale op;
    op.kappa = {0.5, 0.25, 1.0 / 3, std::nextafter(0.5, 0), std::nextafter(0.5, 1), 1.5};
    op.lambda = {0, 0.5, 0.5, 0, 0, std::nextafter(0.5, 0)};
    op.rounding = rounding, op.low = -100, op.high = 100;
    check(builder.node(op, {input()}));
  }
}

TEST_P(Steps, ThresholdsAreExact) {
  Threshold op;
  op.low = -4;
  op.falling = {0, 1, 0, 1, 0, 0};
  check(builder.node(op, {input(), builder.constant(random_integers({6, 15}, random, -GetParam(), GetParam()))}));
}

INSTANTIATE_TEST_SUITE_P(Limits, Steps, testing::Values(100, 1 << 24, int64_t{1} << 30),
                         [](const auto& test) { return "to_" + std::to_string(test.param); });

TEST(IntegerEngine, LooksUpTables) {
  Random random(3);
  Builder builder(Stage::ID);
  const ValueId x = builder.integer_input({1, 50}, -128, 127);
  const Graph& graph = builder.done(
      {builder.node(Table{-128}, {x, builder.constant(random_integers({256}, random, -8, 7, ElementType::Int8))})});
  expect_same(graph, {random_integers({5, 50}, random, -128, 127)});
}

TEST(IntegerEngine, QuantisesRealsGivenForIntegers) {
  Random random(3);
  Builder builder(Stage::ID);
  const ValueId x = builder.integer_input({1, 4, 5}, -8, 7);
  builder.graph[x].grid->scale = {0.25};
  const Graph& graph = builder.done({builder.node(Relu{}, {x})});
  expect_same(graph, {test::random_reals({5, 4, 5}, random)});
}

TEST(IntegerEngine, GivesIntegersAsTheirDeclaredType) {
  Random random(3);
  Builder builder(Stage::ID);
  const ValueId x = builder.integer_input({1, 4}, 0, 255);
  const ValueId y = builder.node(Requantise{{3}, {0}, {4}, 0, 15}, {x});
  const Graph& graph = builder.done({y});
  const auto outputs = train::make_engine(graph, {})->run({random_integers({2, 4}, random, 0, 255)});
  EXPECT_EQ(outputs.at(0).type(), graph[y].type);
}

TEST(IntegerEngine, EndsInTheRealsThatTheEvaluatorGives) {
  Random random(3);
  Builder builder(Stage::ID);
  const ValueId x = builder.integer_input({1, 4}, 0, 255);
  Dequantise op;
  op.grid.scale = {0.1f}, op.grid.zero_point = 7;
  const Graph& graph = builder.done({builder.node(op, {x})});
  expect_same(graph, {random_integers({2, 4}, random, 0, 255)}, 0);
}

TEST(IntegerEngine, StartsFromRealsThroughAQuantiser) {
  Random random(3);
  Builder builder(Stage::ID);
  Quantise op;
  op.grid.scale = {0.1f}, op.grid.low = -8, op.grid.high = 7;
  const ValueId y = builder.node(op, {builder.input({1, 40})});
  builder.graph[y].type = ElementType::Int8;
  const ValueId relu = builder.node(Relu{}, {y});
  const Graph& graph = builder.done({relu});
  ASSERT_EQ(graph[y].type, ElementType::Int8);
  expect_same(graph, {test::random_reals({9, 40}, random)});
}

/// Requantised layers one after the other, as networks are.
TEST(IntegerEngine, RunsRandomNetworksAsTheNaiveEvaluatorDoes) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    Random random(seed);
    Builder builder(Stage::ID);
    ValueId x = builder.integer_input({1, 2, 10, 10}, 0, 255);
    int64_t from = 2;
    for (int layer = 0; layer < 4; ++layer) {
      const int64_t to = 2 + static_cast<int64_t>(random.below(12)),
                    kernel = 1 + 2 * static_cast<int64_t>(random.below(2));
      const int64_t most = 1 + static_cast<int64_t>(random.below(127));
      const Tensor weights = random_integers({to, from, kernel, kernel}, random, -most, most, ElementType::Int8);
      const Tensor bias = random_integers({to}, random, -5000, 5000, ElementType::Int32);
      const ValueId sums = builder.node(conv({1, 1}, Ints(4, kernel / 2), {1, 1}, 1, layer == 0 ? 3 : 0),
                                        {x, builder.constant(weights), builder.constant(bias)});
      Requantise op;
      for (int64_t c = 0; c < to; ++c) {
        op.multiplier.push_back(static_cast<int64_t>(random.below(1 << 20)));
        op.addend.push_back(static_cast<int64_t>(random.below(1 << 30)));
        op.shift.push_back(30);
      }
      x = builder.node(op, {sums});
      from = to;
    }
    const Graph& graph = builder.done({x});
    expect_same(graph, {random_integers({2, 2, 10, 10}, random, 0, 255)});
  }
}

}  // namespace
}  // namespace nibble
