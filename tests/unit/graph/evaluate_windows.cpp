#include <gtest/gtest.h>

#include <limits>

#include "unit/graph/evaluated.hpp"

using namespace nibble;
using namespace nibble::graph;

namespace {

Tensor counted(Shape shape, int64_t count) {
  std::vector<int64_t> values;
  for (int64_t i = 1; i <= count; ++i) values.push_back(i);
  return integers(std::move(shape), values);
}

Tensor real(const Tensor& x) {
  return x.cast(ElementType::Float64);
}

}  // namespace

TEST(EvaluateMaxPool, TakesTheLargestOfEachWindow) {
  const Tensor x = counted({1, 1, 4, 4}, 16);
  EXPECT_EQ(evaluated(MaxPool{{2, 2}, {2, 2}, {}, {}, false}, {x}), integers({1, 1, 2, 2}, {6, 8, 14, 16}));
  EXPECT_EQ(evaluated(MaxPool{{3, 3}, {2, 2}, {}, {}, false}, {x}), integers({1, 1, 1, 1}, {11}));
  EXPECT_EQ(evaluated(MaxPool{{2, 2}, {}, {}, {2, 2}, false}, {x}), integers({1, 1, 2, 2}, {11, 12, 15, 16}));
}

TEST(EvaluateMaxPool, LetsTheLastWindowHangOverWithCeilMode) {
  const Tensor x = counted({1, 1, 4, 4}, 16);
  EXPECT_EQ(evaluated(MaxPool{{3, 3}, {2, 2}, {}, {}, true}, {x}), integers({1, 1, 2, 2}, {11, 12, 15, 16}));
}

TEST(EvaluateMaxPool, NeverTakesThePadding) {
  const Tensor x = integers({1, 2, 2}, {-5, -9, -7, -3});
  EXPECT_EQ(evaluated(MaxPool{{2}, {}, {1, 1}, {}, false}, {x}), integers({1, 2, 3}, {-5, -5, -9, -7, -3, -3}));
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(evaluated(MaxPool{{1}, {}, {0, 0}, {}, false}, {reals({1, 1, 1}, {-infinity})}),
            reals({1, 1, 1}, {-infinity}));
}

TEST(EvaluateAveragePool, DividesByWhatItsFieldsSay) {
  // Windows at -1..1, 1..3 and, with ceil_mode, 3..5, where 5 lies beyond the pad.
  const Tensor x = reals({1, 1, 4}, {1, 2, 3, 4});
  AveragePool op{{3}, {2}, {1, 1}, {}, false, false};
  EXPECT_EQ(evaluated(op, {x}), reals({1, 1, 2}, {1.5, 3}));
  op.count_include_pad = true;
  EXPECT_EQ(evaluated(op, {x}), reals({1, 1, 2}, {1, 3}));
  op.ceil_mode = true;
  EXPECT_EQ(evaluated(op, {x}), reals({1, 1, 3}, {1, 3, 2}));
  op.count_include_pad = false;
  EXPECT_EQ(evaluated(op, {x}), reals({1, 1, 3}, {1.5, 3, 4}));
}

TEST(EvaluateAveragePool, GivesOnnxsExampleOfCeilMode) {
  EXPECT_EQ(evaluated(AveragePool{{3, 3}, {2, 2}, {}, {}, true, false}, {real(counted({1, 1, 4, 4}, 16))}),
            reals({1, 1, 2, 2}, {6, 7.5, 12, 13.5}));
}

TEST(EvaluateAveragePool, SkipsElementsWithDilation) {
  EXPECT_EQ(evaluated(AveragePool{{2}, {}, {}, {3}, false, false}, {reals({1, 1, 5}, {1, 2, 3, 5, 10})}),
            reals({1, 1, 2}, {3, 6}));
}

TEST(EvaluateSumPool, IsAConvolutionWithOnesAndTheSameZeroPoint) {
  const Tensor x = some_integers({2, 3, 6, 5});
  const SumPool pool{{3, 2}, {2, 1}, {1, 0, 2, 1}, {1, 2}, false, 4};
  const Conv conv{pool.strides, pool.pads, pool.dilations, 3, 4};
  const Tensor ones = integers({3, 1, 3, 2}, std::vector<int64_t>(18, 1));
  EXPECT_EQ(evaluated(pool, {x}), evaluated(conv, {x, ones}));
}

TEST(EvaluateSumPool, SubtractsTheZeroPointOnlyInsideX) {
  EXPECT_EQ(evaluated(SumPool{{3}, {2}, {1, 0}, {}, true, 10}, {integers({1, 1, 3}, {11, 12, 13})}),
            integers({1, 1, 2}, {3, 5}));
}

TEST(EvaluateReduction, SumsOverAnyAxes) {
  const Tensor x = counted({2, 3, 2}, 12);
  EXPECT_EQ(evaluated(ReduceSum{{1}, true, 0}, {x}), integers({2, 1, 2}, {9, 12, 27, 30}));
  EXPECT_EQ(evaluated(ReduceSum{{1}, false, 0}, {x}), integers({2, 2}, {9, 12, 27, 30}));
  EXPECT_EQ(evaluated(ReduceSum{{-1, 0}, false, 0}, {x}), integers({3}, {18, 26, 34}));
  EXPECT_EQ(evaluated(ReduceSum{{}, false, 0}, {x}), integers({}, {78}));
  EXPECT_EQ(evaluated(ReduceSum{{}, true, 1}, {x}), integers({1, 1, 1}, {66}));
}

TEST(EvaluateReduction, MeansAreSumsDivided) {
  const Tensor x = real(counted({2, 3, 2}, 12));
  EXPECT_EQ(evaluated(ReduceMean{{1}, true}, {x}), reals({2, 1, 2}, {3, 4, 9, 10}));
  EXPECT_EQ(evaluated(ReduceMean{{}, false}, {x}), reals({}, {6.5}));
  EXPECT_EQ(evaluated(GlobalAveragePool{}, {x}), reals({2, 3, 1}, {1.5, 3.5, 5.5, 7.5, 9.5, 11.5}));
  EXPECT_EQ(evaluated(GlobalAveragePool{}, {reals({1, 2}, {3, 4})}), reals({1, 2}, {3, 4}));
}
