#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/integer_root.hpp"
#include "base/random.hpp"
#include "evaluated.hpp"

using namespace nibble;
using namespace nibble::graph;

TEST(IntegerRoot, IsTheLargestWhoseSquareFits) {
  for (uint64_t x = 0; x < 1 << 16; ++x) {
    const uint64_t r = integer_root(x);
    ASSERT_LE(r * r, x);
    ASSERT_GT((r + 1) * (r + 1), x);
  }
  Random random(1);
  for (int i = 0; i < 10000; ++i) {
    const uint64_t r = random.below(UINT64_C(1) << 32);
    ASSERT_EQ(integer_root(r * r), r);
    ASSERT_EQ(r == 0 ? r : integer_root(r * r - 1) + 1, r);
  }
  EXPECT_EQ(integer_root(UINT64_MAX), UINT64_C(0xffffffff));
}

TEST(TableSoftmax, RoundsTheRatioExactly) {
  // Exponentials 4, 2, 1 and 0 beyond the table: of 4 + 2 = 6, 255 * 4 / 6 = 170 and 85; of 4 + 4 = 8, a tie.
  const Tensor table = integers({3}, {4, 2, 1});
  const TableSoftmax op{-1, 255, 0, Rounding::HalfUp, 0, 0, 255};
  EXPECT_EQ(evaluated(op, {integers({1, 3}, {7, 6, -100}), table}), integers({1, 3}, {170, 85, 0}));
  EXPECT_EQ(evaluated(op, {integers({1, 2}, {5, 5}), table}), integers({1, 2}, {128, 128}));
  TableSoftmax even = op;
  even.rounding = Rounding::HalfEven, even.multiplier = 253;
  EXPECT_EQ(evaluated(even, {integers({1, 2}, {5, 5}), table}), integers({1, 2}, {126, 126}));
  even.rounding = Rounding::Floor, even.shift = 1, even.zero_point = -8, even.low = -8, even.high = 7;
  EXPECT_EQ(evaluated(even, {integers({1, 2}, {5, 5}), table}), integers({1, 2}, {7, 7}));
}

TEST(TableSoftmax, RunsAlongItsAxis) {
  const Tensor table = integers({2}, {3, 1});
  const TableSoftmax op{1, 4, 0, Rounding::HalfUp, 0, 0, 255};
  EXPECT_EQ(evaluated(op, {integers({1, 2, 2}, {1, 0, 0, 0}), table}), integers({1, 2, 2}, {3, 2, 1, 2}));
}

TEST(IntegerNormalization, IsItsFormula) {
  // u = 4x - 6 = -6, -2, 2, 6; v = 4 * 14 - 36 = 20; s = floor(sqrt(20 * 2^20)) = 4579; r = round(2^40 / s).
  const IntegerNormalization op{-1, true, 0, 0, 10, 40, 20, -128, 127};
  const int64_t r = ((int64_t{1} << 40) + 2289) / 4579;
  std::vector<int64_t> expected;
  for (int64_t u : {-6, -2, 2, 6})
    expected.push_back((u * r * 3 + 5) >> 20 < -128 ? -128 : std::min<int64_t>((u * r * 3 + 5) >> 20, 127));
  EXPECT_EQ(evaluated(op, {integers({1, 4}, {0, 1, 2, 3}), integers({1}, {3}), integers({1}, {5})}),
            integers({1, 4}, expected));
}

TEST(IntegerNormalization, GivesTheAddendForARowOfEquals) {
  const IntegerNormalization op{-1, true, 4, 0, 10, 40, 3, -128, 127};
  EXPECT_EQ(evaluated(op, {integers({1, 3}, {9, 9, 9}), integers({1}, {77}), integers({3}, {8, 16, -8})}),
            integers({1, 3}, {1, 2, -1}));
}

TEST(RoundedDivision, RoundsEveryQuotientOfEightBits) {
  const RoundedDivision op{3, -2, 5, 1, Rounding::HalfUp, 1, -128, 127};
  Tensor a = integers({256, 1}, std::vector<int64_t>(256)), b = integers({1, 256}, std::vector<int64_t>(256));
  for (size_t i = 0; i < 256; ++i) a.as<int64_t>()[i] = b.as<int64_t>()[i] = static_cast<int64_t>(i) - 128;
  const Tensor y = evaluated(op, {a, b});
  for (int64_t i = 0; i < 256; ++i)
    for (int64_t j = 0; j < 256; ++j) {
      const double top = 5.0 * static_cast<double>(i - 128 - 3), bottom = 2.0 * static_cast<double>(j - 128 + 2);
      const double level = bottom == 0 ? (top > 0 ? 1e9 : top < 0 ? -1e9 : 0.0) : std::floor(top / bottom + 0.5);
      ASSERT_EQ(y.as<int64_t>()[static_cast<size_t>(i * 256 + j)],
                static_cast<int64_t>(std::clamp(level + 1, -128.0, 127.0)))
          << i << " " << j;
    }
}

TEST(InterpolatedTable, DrawsStraightLinesBetweenItsEntries) {
  const InterpolatedTable op{-4, 2, 1, -100, 100};
  EXPECT_EQ(evaluated(op, {integers({8}, {-4, -3, -2, -1, 0, 1, 2, 3}), integers({3}, {0, 8, -8})}),
            integers({8}, {0, 1, 2, 3, 4, 2, 0, -2}));
  EXPECT_THROW(evaluated(op, {integers({1}, {4}), integers({3}, {0, 8, -8})}), UserError);
}

TEST(ConvTranspose, AddsEachProductWhereTheTapLands) {
  const Tensor x = integers({1, 1, 2}, {1, 2}), w = integers({1, 1, 3}, {1, 10, 100});
  EXPECT_EQ(evaluated(ConvTranspose{{2}, {}, {}, {}, 1, 0}, {x, w}), integers({1, 1, 5}, {1, 10, 102, 20, 200}));
  EXPECT_EQ(evaluated(ConvTranspose{{2}, {1, 0}, {}, {1}, 1, 1}, {x, w, integers({1}, {5})}),
            integers({1, 1, 5}, {5, 6, 15, 105, 5}));
  EXPECT_EQ(evaluated(ConvTranspose{{1}, {}, {2}, {}, 1, 0}, {x, w}), integers({1, 1, 6}, {1, 2, 10, 20, 100, 200}));
}

/// Conv and ConvTranspose by the same weights are adjoint: <conv(x), y> = <x, conv_transpose(y)>.
TEST(ConvTranspose, IsTheAdjointOfConv) {
  const Ints strides{2, 1}, pads{1, 0, 1, 2}, dilations{1, 2};
  const Tensor x = some_integers({2, 6, 7, 9}, 3), w = some_integers({4, 3, 3, 2}, 5);
  const Tensor image = evaluated(Conv{strides, pads, dilations, 2, 0}, {x, w});
  const Tensor y = some_integers(image.shape(), 7);
  const Tensor back = evaluated(ConvTranspose{strides, pads, dilations, {}, 2, 0}, {y, w});
  ASSERT_EQ(back.shape(), x.shape());
  int64_t left = 0, right = 0;
  for (size_t i = 0; i < y.size(); ++i) left += image.as<int64_t>()[i] * y.as<int64_t>()[i];
  for (size_t i = 0; i < x.size(); ++i) right += x.as<int64_t>()[i] * back.as<int64_t>()[i];
  EXPECT_EQ(left, right);
}

TEST(ArgMax, NamesTheFirstOrTheLastOfEquals) {
  const Tensor x = integers({2, 3}, {1, 5, 5, 2, 2, 0});
  EXPECT_EQ(evaluated(ArgMax{1, false, false}, {x}), integers({2}, {1, 0}));
  EXPECT_EQ(evaluated(ArgMax{1, true, true}, {x}), integers({2, 1}, {2, 1}));
  EXPECT_EQ(evaluated(ArgMax{0, false, false}, {x}), integers({3}, {1, 0, 0}));
}

TEST(ReduceMax, IsTheLargestOverItsAxes) {
  const Tensor x = integers({2, 3}, {-1, -5, -3, 2, 2, 0});
  EXPECT_EQ(evaluated(ReduceMax{{1}, true}, {x}), integers({2, 1}, {-1, 2}));
  EXPECT_EQ(evaluated(ReduceMax{{}, false}, {x}), integers({}, {2}));
}

TEST(Where, ChoosesElementByElement) {
  EXPECT_EQ(evaluated(Where{}, {integers({2, 1}, {1, 0}), integers({1, 2}, {3, 4}), integers({}, {9})}),
            integers({2, 2}, {3, 4, 9, 9}));
  EXPECT_EQ(evaluated(Where{}, {integers({2}, {7, 0}), reals({}, {0.5}), reals({2}, {1, 2})}), reals({2}, {0.5, 2}));
}
