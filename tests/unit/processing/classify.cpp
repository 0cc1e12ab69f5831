#include "processing/classify.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace {

TEST(Softmax, OfLargeNumbersAddsUpToOne) {
  const float x[] = {1000, 0, 1001, 7};  // every second
  double share[2];
  nibble_softmax(x, 2, 2, share);
  EXPECT_NEAR(share[0] + share[1], 1, 1e-15);
  EXPECT_NEAR(share[1] / share[0], std::exp(1), 1e-12);
}

TEST(Largest, OfEqualValuesTheFirstComesFirst) {
  const double values[] = {1, 3, 2, 3, 0};
  std::vector<int32_t> index(5);
  EXPECT_EQ(nibble_largest(values, 5, 3, index.data()), 3);
  EXPECT_EQ(std::vector<int32_t>(index.begin(), index.begin() + 3), (std::vector<int32_t>{1, 3, 2}));
  EXPECT_EQ(nibble_largest(values, 5, 9, index.data()), 5);
  EXPECT_EQ(nibble_largest(values, 5, 0, index.data()), 0);
}

TEST(LargestPlane, IsFoundAtEachPlace) {
  const float values[] = {0, 5, 1, 1, 5, 1, 0, 0, 2};
  uint8_t out[3];
  nibble_largest_plane(values, 3, 3, out);
  EXPECT_EQ(out[0], 1);
  EXPECT_EQ(out[1], 0);
  EXPECT_EQ(out[2], 2);
}

TEST(MeanSquareDifference, IsThatOfTheNumbers) {
  const float a[] = {1, 2, 3}, b[] = {1, 4, 0};
  EXPECT_DOUBLE_EQ(nibble_mean_square_difference(a, b, 3), 13.0 / 3);
}

}  // namespace
