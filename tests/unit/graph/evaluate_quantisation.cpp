#include <gtest/gtest.h>

#include <limits>

#include "unit/graph/evaluated.hpp"

using namespace nibble;
using namespace nibble::graph;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST(EvaluateQuantise, RoundsAsItsFieldSaysAndClips) {
  const Tensor x = reals({7}, {-0.75, -0.25, 0.24, 0.25, 0.75, 1.25, 99});
  const Grid grid{{0.5}, -1, 1, 0, 3};
  EXPECT_EQ(evaluated(Quantise{grid, Rounding::Floor}, {x}, true), integers({7}, {0, 0, 1, 1, 2, 3, 3}));
  EXPECT_EQ(evaluated(Quantise{grid, Rounding::HalfUp}, {x}, true), integers({7}, {0, 1, 1, 2, 3, 3, 3}));
  EXPECT_EQ(evaluated(Quantise{grid, Rounding::HalfEven}, {x}, true), integers({7}, {0, 1, 1, 1, 3, 3, 3}));
}

TEST(EvaluateQuantise, GivesRealsOnTheGridToARealOutput) {
  EXPECT_EQ(evaluated(Quantise{{{0.5}, -1, 1, 0, 3}, Rounding::HalfUp}, {reals({4}, {-9, 0.1, 0.3, 9})}),
            reals({4}, {-0.5, 0, 0.5, 1}));
  EXPECT_EQ(evaluated(Quantise{{{0.5}, -1, 1, 0, 3}, Rounding::HalfUp}, {reals({2}, {-infinity, infinity})}),
            reals({2}, {-0.5, 1}));
}

TEST(EvaluateQuantise, ScalesEachChannelOfItsAxis) {
  const Tensor x = reals({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(evaluated(Quantise{{{1, 2}, 1, 0, 0, 100}, Rounding::Floor}, {x}, true),
            integers({2, 2, 2}, {1, 2, 1, 2, 5, 6, 3, 4}));
  EXPECT_EQ(evaluated(Quantise{{{1, 2}, 0, 0, 0, 100}, Rounding::Floor}, {x}, true),
            integers({2, 2, 2}, {1, 2, 3, 4, 2, 3, 3, 4}));
  EXPECT_EQ(evaluated(Quantise{{{1, 2}, 2, 0, 0, 100}, Rounding::Floor}, {x}, true),
            integers({2, 2, 2}, {1, 1, 3, 2, 5, 3, 7, 4}));
}

TEST(EvaluateQuantise, IsIdempotentAndUndoneByDequantise) {
  const Grid grid{{0x1p-3}, -1, 7, -8, 7};
  for (Rounding rounding : {Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven}) {
    const Tensor x = reals({5}, {-3, -0.4, 0, 0.3, 3});
    const Tensor once = evaluated(Quantise{grid, rounding}, {x});
    EXPECT_EQ(evaluated(Quantise{grid, rounding}, {once}), once);
    EXPECT_EQ(evaluated(Dequantise{grid}, {evaluated(Quantise{grid, rounding}, {x}, true)}), once);
  }
}

TEST(EvaluateDequantise, ScalesEachChannel) {
  EXPECT_EQ(evaluated(Dequantise{{{0.5, 4}, 1, 2, 0, 255}}, {integers({1, 2, 2}, {0, 2, 3, 4})}),
            reals({1, 2, 2}, {-1, 0, 4, 8}));
}

TEST(EvaluateRequantise, ShiftsToTheFloor) {
  const Requantise op{{3}, {1}, {2}, -100, 100};
  EXPECT_EQ(evaluated(op, {integers({6}, {-3, -2, -1, 0, 1, 2})}), integers({6}, {-2, -2, -1, 0, 1, 1}));
}

TEST(EvaluateRequantise, ClipsAndTakesEachChannelsParameters) {
  const Requantise op{{1, -2}, {0, 5}, {0, 1}, 0, 7};
  EXPECT_EQ(evaluated(op, {integers({2, 2, 1}, {-1, -4, 9, 2})}), integers({2, 2, 1}, {0, 6, 7, 0}));
}

TEST(EvaluateFloorDivide, DividesToTheFloor) {
  EXPECT_EQ(evaluated(FloorDivide{{3}, {1}, {7}}, {integers({5}, {-5, -3, -1, 2, 9})}),
            integers({5}, {-2, -2, -1, 1, 4}));
}

TEST(EvaluateFloorDivide, ClipsAndTakesEachChannelsParameters) {
  const FloorDivide op{{1, -2}, {0, 5}, {3, 255}, 0, 7};
  EXPECT_EQ(evaluated(op, {integers({1, 2, 2}, {-1, 25, 3, -510})}), integers({1, 2, 2}, {0, 7, 0, 4}));
}

TEST(EvaluateFloorDivide, HoldsProductsOfMoreThan64Bits) {
  const int64_t large = std::numeric_limits<int64_t>::max();
  const FloorDivide op{{large}, {0}, {large}, -large, large};
  EXPECT_EQ(evaluated(op, {integers({2}, {large, -large})}), integers({2}, {large, -large}));
}

TEST(EvaluateRequantise, HoldsProductsOfMoreThan64Bits) {
  const int64_t large = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(evaluated(Requantise{{large}, {large}, {63}, -large - 1, large}, {integers({2}, {large, -large})}),
            integers({2}, {large, -large + 1}));
}

TEST(EvaluateThreshold, CountsTheThresholdsReached) {
  const Tensor t = integers({1, 3}, {-5, 0, 0});
  EXPECT_EQ(evaluated(Threshold{-1, {}}, {integers({5}, {-6, -5, -1, 0, 9}), t}), integers({5}, {-1, 0, 0, 2, 2}));
  EXPECT_EQ(evaluated(Threshold{-1, {1}}, {integers({5}, {-6, -5, -1, 0, 9}), t}), integers({5}, {2, 2, 1, 1, -1}));
}

TEST(EvaluateThreshold, HasARowForEachChannel) {
  const Tensor t = integers({2, 2}, {1, 3, 10, 30});
  EXPECT_EQ(evaluated(Threshold{0, {0, 1}}, {integers({1, 2, 3}, {0, 2, 3, 10, 11, 31}), t}),
            integers({1, 2, 3}, {0, 1, 2, 2, 1, 0}));
}

TEST(EvaluateTable, LooksUp) {
  EXPECT_EQ(evaluated(Table{-2}, {integers({4}, {1, -2, 0, -1}), integers({4}, {40, 30, 20, 10})}),
            integers({4}, {10, 40, 20, 30}));
}
