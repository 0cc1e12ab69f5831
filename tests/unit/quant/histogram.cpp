#include "quant/histogram.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/random.hpp"

using namespace nibble;
using namespace nibble::quant;

namespace {

int64_t total(const Histogram& histogram) {
  return std::accumulate(histogram.counts().begin(), histogram.counts().end(), int64_t{0});
}

/// How many values are counted below zero, and how many not.
std::pair<int64_t, int64_t> beside_zero(const Histogram& histogram) {
  std::pair<int64_t, int64_t> sides{0, 0};
  for (size_t i = 0; i < histogram.counts().size(); ++i)
    (histogram.centre(i) < 0 ? sides.first : sides.second) += histogram.counts()[i];
  return sides;
}

}  // namespace

TEST(Histogram, KeepsEveryCountOnItsSideOfZeroWhenItsRangeDoubles) {
  Random random(8);
  Histogram histogram;
  EXPECT_TRUE(histogram.empty());
  std::pair<int64_t, int64_t> sides{0, 0};
  for (int64_t i = 0; i < 3000; ++i) {
    const double value = std::ldexp(random.uniform() - 0.5, static_cast<int>(i / 50) - 20);
    histogram.add(value);
    (value < 0 ? sides.first : sides.second) += 1;
    ASSERT_EQ(total(histogram), i + 1);
  }
  EXPECT_EQ(beside_zero(histogram), sides);
}

TEST(Histogram, CountsAValueInTheBinThatHoldsIt) {
  Histogram histogram;
  histogram.add(1e-9);
  histogram.add(700);
  histogram.add(-699);
  for (size_t i = 0; i < histogram.counts().size(); ++i) {
    if (histogram.counts()[i] == 0) continue;
    const double centre = histogram.centre(i), half = histogram.bin_width() / 2;
    const bool holds = std::abs(centre - 700) <= half || std::abs(centre + 699) <= half || std::abs(centre) <= half;
    EXPECT_TRUE(holds) << centre;
  }
  EXPECT_LT(histogram.bin_width(), 0.5);
}

TEST(Histogram, DoublesForAValueThatEqualsItsEnd) {
  Histogram histogram;
  histogram.add(0.75);  // range [-1, 1)
  const double narrow = histogram.bin_width();
  histogram.add(-1);
  EXPECT_EQ(histogram.bin_width(), narrow);
  histogram.add(1);
  EXPECT_EQ(histogram.bin_width(), 2 * narrow);
  EXPECT_EQ(total(histogram), 3);
}

TEST(Histogram, StartsFromZerosAndTakesTheLargestDoubles) {
  Histogram histogram;
  for (const double value : {0.0, -0.0, 5e-324, 1.7e308, -1.7e308}) histogram.add(value);
  EXPECT_EQ(total(histogram), 5);
  EXPECT_TRUE(std::isfinite(histogram.bin_width()));
}
