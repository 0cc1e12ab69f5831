#include "processing/fixed.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace {

TEST(SoftmaxOfLevels, IsWithinOneOfTheRealOne) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    const double scale = std::pow(2.0, std::uniform_real_distribution<double>(-16, 2)(random));
    const auto slope = static_cast<int64_t>(scale * 1.4426950408889634 * 4294967296.0 + 0.5);
    const auto count = static_cast<int32_t>(1 + random() % 20);
    std::vector<int32_t> levels(static_cast<size_t>(count));
    for (int32_t& level : levels) level = static_cast<int32_t>(std::normal_distribution<double>(0, 3 / scale)(random));
    std::vector<uint16_t> share(levels.size());
    nibble_softmax_levels(levels.data(), count, slope, share.data());
    double sum = 0;
    for (const int32_t level : levels) sum += std::exp(scale * (level - levels[0]));
    for (size_t i = 0; i < levels.size(); ++i)
      EXPECT_NEAR(share[i], 32768 * std::exp(scale * (levels[i] - levels[0])) / sum, 1.01) << scale;
  }
}

TEST(SoftmaxOfLevels, HoldsFarApartAndWithoutASlope) {
  const int32_t levels[] = {INT32_MAX, INT32_MIN, 0};
  uint16_t share[3];
  nibble_softmax_levels(levels, 3, int64_t{1} << 40, share);
  EXPECT_EQ(share[0], 32768);
  EXPECT_EQ(share[1], 0);
  nibble_softmax_levels(levels, 2, 0, share);
  EXPECT_EQ(share[0], 16384);
  EXPECT_EQ(share[1], 16384);
}

TEST(LargestLevels, OfEqualOnesTheFirstComesFirst) {
  const int32_t levels[] = {-5, 7, 7, 9};
  int32_t index[4];
  EXPECT_EQ(nibble_largest_levels(levels, 4, 3, index), 3);
  EXPECT_EQ(index[0], 3);
  EXPECT_EQ(index[1], 1);
  EXPECT_EQ(index[2], 2);
}

}  // namespace
