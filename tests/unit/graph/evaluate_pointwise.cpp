#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "unit/graph/evaluated.hpp"

using namespace nibble;
using namespace nibble::graph;

namespace {

double at(Op op, double x) {
  return evaluated(std::move(op), {reals({}, {x})}).as<double>()[0];
}

constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST(EvaluatePointwise, GivesTheFunctionsOfRealNumbers) {
  EXPECT_EQ(at(Identity{}, -3.5), -3.5);
  EXPECT_EQ(at(Dropout{0.9}, -3.5), -3.5);
  EXPECT_EQ(at(Relu{}, -3.5), 0);
  EXPECT_EQ(at(Relu{}, 3.5), 3.5);
  EXPECT_EQ(at(HardSwish{}, -4), 0);
  EXPECT_EQ(at(HardSwish{}, 1.5), 1.125);
  EXPECT_EQ(at(HardSwish{}, 9), 9);
  EXPECT_EQ(at(Sigmoid{}, 0), 0.5);
  EXPECT_DOUBLE_EQ(at(Sigmoid{}, 2), 0.8807970779778823);
  EXPECT_DOUBLE_EQ(at(Tanh{}, 1), 0.7615941559557649);
  EXPECT_DOUBLE_EQ(at(Erf{}, 1), 0.8427007929497149);
  EXPECT_DOUBLE_EQ(at(Exp{}, 1), 2.718281828459045);
  EXPECT_DOUBLE_EQ(at(Log{}, 10), 2.302585092994046);
  EXPECT_EQ(at(Sqrt{}, 6.25), 2.5);
  EXPECT_EQ(at(Neg{}, 2), -2);
  EXPECT_EQ(at(Abs{}, -2), 2);
  EXPECT_EQ(at(Reciprocal{}, -4), -0.25);
  EXPECT_DOUBLE_EQ(at(Softplus{}, 1), 1.3132616875182228);
  EXPECT_DOUBLE_EQ(at(Mish{}, 1), 0.86509838826731033);
  EXPECT_DOUBLE_EQ(at(Elu{2}, -1), -1.2642411176571153);
  EXPECT_DOUBLE_EQ(at(Swish{1}, 1), 0.7310585786300049);
  EXPECT_EQ(at(Clip{-1, 6}, -2), -1);
  EXPECT_EQ(at(Clip{-1, 6}, 7), 6);
  EXPECT_EQ(at(LeakyRelu{0.25}, -2), -0.5);
  EXPECT_EQ(at(LeakyRelu{0.25}, 2), 2);
  EXPECT_EQ(at(HardSigmoid{0.25, 0.5}, 1), 0.75);
  EXPECT_EQ(at(HardSigmoid{0.25, 0.5}, 3), 1);
  EXPECT_DOUBLE_EQ(at(Gelu{false}, 1), 0.8413447460685429);
  EXPECT_DOUBLE_EQ(at(Gelu{true}, 1), 0.8411919906082768);
}

TEST(EvaluatePointwise, StaysFiniteForLargeArguments) {
  EXPECT_EQ(at(Sigmoid{}, -1000), 0);
  EXPECT_EQ(at(Sigmoid{}, 1000), 1);
  EXPECT_EQ(at(Softplus{}, 1000), 1000);
  EXPECT_EQ(at(Softplus{}, -1000), 0);
}

TEST(EvaluatePointwise, KeepsTheSignOfZeroAsIeeeDoes) {
  EXPECT_TRUE(std::signbit(at(Neg{}, 0.0)));
  EXPECT_FALSE(std::signbit(at(Neg{}, -0.0)));
  EXPECT_FALSE(std::signbit(at(Abs{}, -0.0)));
}

TEST(EvaluatePointwise, ActsOnStoredIntegers) {
  const Tensor x = integers({5}, {-7, -1, 0, 1, 7});
  EXPECT_EQ(evaluated(Identity{}, {x}), x);
  EXPECT_EQ(evaluated(Relu{}, {x}), integers({5}, {0, 0, 0, 1, 7}));
  EXPECT_EQ(evaluated(Neg{}, {x}), integers({5}, {7, 1, 0, -1, -7}));
  EXPECT_EQ(evaluated(Abs{}, {x}), integers({5}, {7, 1, 0, 1, 7}));
  EXPECT_EQ(evaluated(Clip{-1, 6}, {x}), integers({5}, {-1, -1, 0, 1, 6}));
  EXPECT_EQ(evaluated(Clip{-1.5, 6.5}, {x}), integers({5}, {-1, -1, 0, 1, 6}));
  EXPECT_EQ(evaluated(Clip{-infinity, infinity}, {x}), x);
}

TEST(EvaluatePointwise, CombinesStoredIntegersExactly) {
  const Tensor a = integers({4}, {7, -7, 7, int64_t{1} << 62}), b = integers({4}, {2, 2, -2, -1});
  EXPECT_EQ(evaluated(Add{}, {a, b}), integers({4}, {9, -5, 5, (int64_t{1} << 62) - 1}));
  EXPECT_EQ(evaluated(Sub{}, {a, b}), integers({4}, {5, -9, 9, (int64_t{1} << 62) + 1}));
  EXPECT_EQ(evaluated(Mul{}, {a, b}), integers({4}, {14, -14, -14, -(int64_t{1} << 62)}));
  EXPECT_EQ(evaluated(Div{}, {a, b}), integers({4}, {3, -3, -3, -(int64_t{1} << 62)}));
}

TEST(EvaluatePointwise, CombinesReals) {
  const Tensor a = reals({2}, {3, -2}), b = reals({2}, {2, 4});
  EXPECT_EQ(evaluated(Add{}, {a, b}), reals({2}, {5, 2}));
  EXPECT_EQ(evaluated(Sub{}, {a, b}), reals({2}, {1, -6}));
  EXPECT_EQ(evaluated(Mul{}, {a, b}), reals({2}, {6, -8}));
  EXPECT_EQ(evaluated(Div{}, {a, b}), reals({2}, {1.5, -0.5}));
  EXPECT_EQ(evaluated(Pow{}, {a, b}), reals({2}, {9, 16}));
}

TEST(EvaluatePointwise, BroadcastsAsNumpyDoes) {
  const Tensor column = integers({2, 1}, {10, 20}), row = integers({3}, {1, 2, 3}), scalar = integers({}, {100});
  EXPECT_EQ(evaluated(Add{}, {column, row}), integers({2, 3}, {11, 12, 13, 21, 22, 23}));
  EXPECT_EQ(evaluated(Sub{}, {row, column}), integers({2, 3}, {-9, -8, -7, -19, -18, -17}));
  EXPECT_EQ(evaluated(Add{}, {scalar, column}), integers({2, 1}, {110, 120}));
  EXPECT_EQ(evaluated(Add{}, {integers({0, 3}, {}), row}), integers({0, 3}, {}));
}

TEST(Add, AddsAnyNumberOfTermsAndBroadcastsEach) {
  const Tensor column = integers({2, 1}, {10, 20}), row = integers({3}, {1, 2, 3}), scalar = integers({}, {100});
  EXPECT_EQ(evaluated(Add{}, {column, scalar, row}), integers({2, 3}, {111, 112, 113, 121, 122, 123}));
  EXPECT_EQ(evaluated(Add{}, {row, row, row, row}), integers({3}, {4, 8, 12}));
  EXPECT_EQ(evaluated(Add{}, {reals({2}, {1, 2}), reals({2}, {3, 4}), reals({1}, {0.5})}), reals({2}, {4.5, 6.5}));
}

TEST(EvaluateSoftmax, SumsToOneAlongItsAxisAndOverflowsNowhere) {
  const double ln2 = std::log(2.0);
  const Tensor y = evaluated(Softmax{1}, {reals({1, 2, 2}, {1000, ln2, 1000, 0})});
  EXPECT_EQ(y.as<double>()[0], 0.5);
  EXPECT_EQ(y.as<double>()[2], 0.5);
  EXPECT_DOUBLE_EQ(y.as<double>()[1], 2.0 / 3);
  EXPECT_DOUBLE_EQ(y.as<double>()[3], 1.0 / 3);
  EXPECT_EQ(evaluated(Softmax{-1}, {reals({2, 1}, {-1e300, 3})}), reals({2, 1}, {1, 1}));
}
