#include "quant/bounds.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"

using namespace nibble;
using namespace nibble::quant;

namespace {

/// The extremes of a channel's sum, by trying every corner of the box that the inputs lie in.
Interval walked(const std::vector<int64_t>& w, const std::vector<Interval>& x, int64_t zero_point) {
  Interval range{INT64_MAX, INT64_MIN};
  for (uint64_t corner = 0; corner < uint64_t{1} << w.size(); ++corner) {
    int64_t sum = 0;
    for (size_t k = 0; k < w.size(); ++k) sum += w[k] * ((corner >> k & 1 ? x[k].high : x[k].low) - zero_point);
    range = {std::min(range.low, sum), std::max(range.high, sum)};
  }
  return range;
}

}  // namespace

TEST(LinearBounds, AreReachedByTheWorstInputs) {
  Random random(3);
  for (int i = 0; i < 300; ++i) {
    const size_t taps = 1 + random.below(8);
    const int64_t zero_point = static_cast<int64_t>(random.below(9)) - 4;
    std::vector<int64_t> w;
    std::vector<Interval> x;
    for (size_t k = 0; k < taps; ++k) {
      w.push_back(static_cast<int64_t>(random.below(255)) - 127);
      x.push_back(
          {zero_point - static_cast<int64_t>(random.below(9)), zero_point + static_cast<int64_t>(random.below(9))});
    }
    const Tensor weights({1, static_cast<int64_t>(taps)}, w);
    EXPECT_EQ(linear_bounds(weights, x, zero_point, 1).front(), walked(w, x, zero_point));
    const std::vector<Interval> alike(taps, x.front());
    EXPECT_EQ(linear_bounds(weights, x.front(), zero_point).front(), walked(w, alike, zero_point));
  }
}

TEST(LinearBounds, HoldPaddingsZeroWhereInputsNeverEqualTheZeroPoint) {
  // Inputs 3..5 add 6..10; a padded one adds 0.
  EXPECT_EQ(linear_bounds(Tensor({1, 1}, std::vector<int64_t>{2}), Interval{3, 5}, 0).front(), (Interval{0, 10}));
}

TEST(LinearBounds, GiveEachGroupItsOwnInputs) {
  const Tensor depthwise({4, 1, 1}, std::vector<int64_t>{1, -1, 2, -2});
  const std::vector<Interval> inputs{{0, 10}, {-3, 7}};
  const std::vector<Interval> expected{{0, 10}, {-10, 0}, {-6, 14}, {-14, 6}};
  EXPECT_EQ(linear_bounds(depthwise, inputs, 0, 2), expected);
}

TEST(LinearBounds, RefuseSumsBeyondSixtyFourBits) {
  const Tensor weights({1, 2}, std::vector<int64_t>{INT64_MAX, INT64_MAX});
  EXPECT_THROW(linear_bounds(weights, Interval{0, 2}, 0), InternalError);
}

TEST(SignedBits, AreTheFewestOfTwosComplement) {
  EXPECT_EQ(signed_bits({0, 0}), 1);
  EXPECT_EQ(signed_bits({-1, 0}), 1);
  EXPECT_EQ(signed_bits({-128, 127}), 8);
  EXPECT_EQ(signed_bits({-129, 0}), 9);
  EXPECT_EQ(signed_bits({0, 128}), 9);
  EXPECT_EQ(signed_bits({INT64_MIN, INT64_MAX}), 64);
}
