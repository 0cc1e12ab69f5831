#include "processing/real.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <random>

namespace {

double error(double found, double right) {
  return right == 0 ? std::abs(found) : std::abs((found - right) / right);
}

TEST(RealFunctions, AreThoseOfTheLibraryToFiveUnitsInTheLastPlace) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> wide(-700, 700), near(-3, 3);
  for (int i = 0; i < 20000; ++i) {
    const double x = wide(random), y = near(random), z = std::ldexp(1 + std::abs(y), i % 300 - 150);
    EXPECT_LT(error(nibble_exp(x), std::exp(x)), 4e-16) << x;
    EXPECT_LT(error(nibble_log(z), std::log(z)), 1.1e-15) << z;
    EXPECT_LT(error(nibble_atan2(y, x), std::atan2(y, x)), 1.1e-15) << y << " " << x;
    EXPECT_LT(error(nibble_tanh(y), std::tanh(y)), 1e-13) << y;
    EXPECT_LT(error(nibble_logistic(y), 1 / (1 + std::exp(-y))), 1.1e-15) << y;
    EXPECT_LT(error(nibble_asin(y / 3), std::asin(y / 3)), 1.1e-15) << y;
  }
}

TEST(RealFunctions, OfTurnsAreExactAtTheEighths) {
  for (long q : {8L, 16L, 1000L})
    for (long k = -8; k <= 8; ++k) {
      const double angle = std::numbers::pi * static_cast<double>(k) / 4;
      EXPECT_NEAR(nibble_cos_turns(k * q / 8, q), std::cos(angle), 3e-16);
      EXPECT_NEAR(nibble_sin_turns(k * q / 8, q), std::sin(angle), 3e-16);
    }
  EXPECT_EQ(nibble_cos_turns(1, 4), 0);
  EXPECT_EQ(nibble_cos_turns(1, 2), -1);
  EXPECT_EQ(nibble_sin_turns(-1, 4), -1);
}

TEST(RealFunctions, HoldAtTheEndsOfWhatTheyTake) {
  EXPECT_EQ(nibble_exp(-1e9), 0);
  EXPECT_EQ(nibble_exp(1e9), INFINITY);
  EXPECT_TRUE(std::isnan(nibble_exp(NAN)));
  EXPECT_EQ(nibble_log(0), -INFINITY);
  EXPECT_TRUE(std::isnan(nibble_log(-1)));
  EXPECT_NEAR(nibble_log(5e-324), std::log(5e-324), 1e-12);
  EXPECT_EQ(nibble_atan2(0, 0), 0);
  EXPECT_EQ(nibble_logistic(-1e9), 0);
  EXPECT_EQ(nibble_logistic(1e9), 1);
}

}  // namespace
