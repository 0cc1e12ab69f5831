#include <gtest/gtest.h>

#include <cmath>

#include "base/grid.hpp"
#include "base/random.hpp"
#include "base/shape.hpp"
#include "base/tensor.hpp"

using namespace nibble;

TEST(Shape, CountsBroadcastsAndPrints) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({any, 3}, 4), 12);
  EXPECT_EQ(element_count({5, 0, 3}), 0);
  EXPECT_EQ(to_string(Shape{any, 3}), "[N, 3]");
  EXPECT_EQ(strides_of({2, 3, 4}), (std::vector<int64_t>{12, 4, 1}));
  EXPECT_EQ(broadcast({any, 1, 3}, {2, 1}), (Shape{any, 2, 3}));
  EXPECT_EQ(normalise_axis(-1, 3), 2);
}

TEST(Tensor, CastsWithoutLosingAValue) {
  const Tensor reals({2}, std::vector<double>{-128, 127});
  EXPECT_EQ(reals.cast(ElementType::Int8), Tensor({2}, std::vector<int8_t>{-128, 127}));
  EXPECT_THROW(Tensor({1}, std::vector<double>{0.5}).cast(ElementType::Int64), InternalError);
  EXPECT_THROW(Tensor({1}, std::vector<double>{std::nan("")}).cast(ElementType::Int64), InternalError);
  EXPECT_THROW(Tensor({1}, std::vector<double>{0x1p63}).cast(ElementType::Int64), InternalError);
}

TEST(Grid, RoundsTiesAsItsFieldSays) {
  EXPECT_EQ(round_by(-0.5, Rounding::Floor), -1);
  EXPECT_EQ(round_by(-0.5, Rounding::HalfUp), 0);
  EXPECT_EQ(round_by(2.5, Rounding::HalfEven), 2);
  EXPECT_EQ(round_by(0.49999999999999994, Rounding::HalfUp), 0);
}

TEST(Grid, ClipsToItsLevels) {
  const Grid grid{{0.5}, -1, 3, 0, 7};
  EXPECT_EQ(grid.quantise(1e300, 0, Rounding::HalfUp), 7);
  EXPECT_EQ(grid.quantise(-1.5, 0, Rounding::HalfUp), 0);
  EXPECT_EQ(grid.bits(), 3);
  EXPECT_EQ(grid.container(), ElementType::Int8);
}

TEST(Random, StartsWithThePublishedSplitmixSequence) {
  const Random random(0);
  EXPECT_EQ(random.state[0], 0xe220a8397b1dcdafU);
  EXPECT_EQ(random.state[1], 0x6e789e6aa1b965f4U);
}

TEST(Random, PermutesAndForksWithoutItsOwnOrder) {
  Random random(5);
  const uint64_t forked = random.fork(7).bits();
  EXPECT_EQ(random.fork(7).bits(), forked);
  EXPECT_NE(random.fork(8).bits(), forked);
  std::vector<int64_t> order = random.permutation(50);
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 50; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(Tensor, TakesEmptyBracesAsTheShapeOfAScalar) {
  const Tensor scalar({}, std::vector<int64_t>{7});
  EXPECT_EQ(scalar.type(), ElementType::Int64);
  EXPECT_EQ(scalar.shape(), Shape{});
  EXPECT_EQ(scalar.as<int64_t>()[0], 7);
}
