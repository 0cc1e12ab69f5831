#include "quant/staircase.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"
#include "quant/ratio.hpp"
#include "quant/slope_requantisation.hpp"

using namespace nibble;
using namespace nibble::quant;
using Fraction = boost::multiprecision::cpp_rational;

namespace {

int64_t half_even(const Fraction& x) {
  boost::multiprecision::cpp_int twice = numerator(x) * 2 + denominator(x), under = denominator(x) * 2;
  boost::multiprecision::cpp_int up = twice / under;
  if (up * under > twice) --up;
  return static_cast<int64_t>(up * under == twice && up % 2 != 0 ? up - 1 : up);
}

double float32(Random& random, double most) {
  return static_cast<double>(static_cast<float>(most * (0.01 + random.uniform())));
}

}  // namespace

TEST(Staircase, OfAnyFunctionHasItsLevelEverywhere) {
  const Interval arguments{-40, 90};
  const auto level = [](int64_t a) { return a < -12 ? int64_t{-3} : a / 7 * 2; };
  const Staircase steps = staircase(level, arguments);
  for (int64_t a = arguments.low; a <= arguments.high; ++a) EXPECT_EQ(steps.level(a), level(a)) << a;
  EXPECT_EQ(steps.last(), level(arguments.high));
  EXPECT_THROW(staircase([](int64_t a) { return -a; }, arguments), InternalError);
}

TEST(Staircase, ThresholdsAreThoseOfEveryLevelWhereverItsStepsAre) {
  const Staircase steps{2, {-1, 4, 4}, {}};
  EXPECT_EQ(thresholds(steps, {-10, 10}, {0, 6}), (std::vector<int64_t>{-10, -10, -1, 4, 4, 11}));
  EXPECT_THROW(thresholds(steps, {-10, 10}, {3, 6}), InternalError);
}

TEST(Ratio, ItsStaircaseIsThatOfTheExactFractionTiesToEven) {
  Random random(5);
  for (int round = 0; round < 60; ++round) {
    const Ratio ratio = round % 3 == 0 ? Ratio{{0.5}, {static_cast<double>(1 + round)}}
                                       : Ratio{{float32(random, 0.3), float32(random, 0.3)}, {float32(random, 2)}};
    Fraction exact = 1;
    for (double factor : ratio.over) exact *= Fraction(factor);
    for (double factor : ratio.under) exact /= Fraction(factor);
    const Grid grid{.zero_point = round % 5, .low = -20, .high = 20};
    const Interval arguments{-700, 600};
    const int64_t offset = round - 30;
    const Staircase steps = staircase(ratio, offset, grid, arguments);
    for (int64_t a = arguments.low; a <= arguments.high; ++a)
      ASSERT_EQ(steps.level(a), std::clamp(half_even(exact * (a + offset)) + grid.zero_point, grid.low, grid.high))
          << "round " << round << " at " << a;
  }
}

TEST(Ratio, SumsOfTwoAreRoundedExactly) {
  Random random(9);
  const Interval x{-9, 20}, y{-30, 3};
  for (int round = 0; round < 40; ++round) {
    // Powers of two make ties.
    const bool ties = round % 2 == 0;
    const double a = ties ? 0.5 : float32(random, 3), b = ties ? 0.25 : float32(random, 3);
    const double unit = ties ? 1 << round % 3 : float32(random, 1);
    const std::vector<int64_t> sums = rounded_sums(a, x, b, y, unit);
    size_t pair = 0;
    for (int64_t i = x.low; i <= x.high; ++i)
      for (int64_t j = y.low; j <= y.high; ++j)
        ASSERT_EQ(sums.at(pair++), half_even((Fraction(a) * i + Fraction(b) * j) / Fraction(unit))) << i << " " << j;
    EXPECT_EQ(pair, sums.size());
  }
  EXPECT_EQ(rounded_sums(0x1p100, {1, 1}, 1, {0, 0}, 0x1p-100), std::vector<int64_t>{INT32_MAX});
}

TEST(SlopeRequantisation, HasTheStepsWithAMultiplierNextToTheSlope) {
  Random random(3);
  int found = 0;
  for (int round = 0; round < 80; ++round) {
    const Ratio ratio{{float32(random, 0.3), float32(random, 0.3)}, {float32(random, 2)}};
    const Grid grid{.zero_point = 3, .low = 0, .high = 60};
    const Interval arguments{-3000, 3000}, levels{grid.low, grid.high};
    const Staircase steps = staircase(ratio, 0, grid, arguments);
    const auto line = slope_requantisation(steps, ratio.value(), arguments, levels);
    if (!line) continue;
    ++found;
    EXPECT_EQ(difference(steps, staircase(*line, levels, arguments), arguments).count, 0) << round;
    EXPECT_LT(std::abs(static_cast<double>(line->multiplier) - std::ldexp(ratio.value(), line->shift)), 1) << round;
  }
  EXPECT_GT(found, 40);
}

TEST(SlopeRequantisation, IsFreeBetweenArgumentsThatThereAreNot) {
  // Of 0, 10 and 20 alone, a - 9 has the levels 0, 1 and 2; where 19 is an argument too, its level is not 1.
  const Staircase sparse{0, {10, 20}, {0, 10}}, dense{0, {10, 20}, {}};
  const Interval arguments{0, 20}, levels{0, 2};
  const auto line = slope_requantisation(sparse, 0.1, arguments, levels);
  const auto exact = slope_requantisation(dense, 0.1, arguments, levels);
  ASSERT_TRUE(line && exact);
  for (int64_t a : {0, 10, 20}) EXPECT_EQ(apply(*line, levels, a), a / 10) << a;
  for (int64_t a = 0; a <= 20; ++a) EXPECT_EQ(apply(*exact, levels, a), a / 10) << a;
  EXPECT_LT(line->shift, exact->shift);
}

TEST(SlopeRequantisation, ThereIsNoneOfAnotherSlope) {
  const Staircase steps = staircase([](int64_t a) { return a / 10; }, {0, 1000});
  EXPECT_FALSE(slope_requantisation(steps, 0.2, {0, 1000}, {0, 100}));
}
