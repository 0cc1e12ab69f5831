#include "quant/lattice.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.hpp"

using namespace nibble;
using namespace nibble::quant;

namespace {

struct Case {
  RealStep step;
  Interval accumulator;
};

/// A channel whose slope is 2^-14 to 1, sometimes a short fraction or whole numbers apart, on an interval of up to 4,000.
Case random_case(Random& random) {
  Case c;
  c.step.kappa = std::ldexp(1 + random.uniform(), -1 - static_cast<int>(random.below(14)));
  if (random.below(3) == 0) c.step.kappa = static_cast<double>(1 + random.below(31)) / 32;
  c.step.lambda = (random.uniform() - 0.5) * 512;
  if (random.below(3) == 0) c.step.lambda = static_cast<double>(random.below(64)) / 8;
  c.step.divisor = random.below(4) == 0 ? 3 : 1;
  c.step.rounding = random.below(2) == 0 ? Rounding::Floor : Rounding::HalfUp;
  c.step.zero_point = static_cast<int64_t>(random.below(100)) - 50;
  c.step.levels.low = static_cast<int64_t>(random.below(400)) - 300;
  c.step.levels.high = c.step.levels.low + 1 + static_cast<int64_t>(random.below(700));
  c.accumulator.low = static_cast<int64_t>(random.below(4000)) - 3000;
  c.accumulator.high = c.accumulator.low + 1 + static_cast<int64_t>(random.below(4000));
  return c;
}

int128 hardest(const std::vector<Corner>& corners, int128 m, int128 unit, int sign) {
  int128 most = sign * (unit * corners.front().level - m * corners.front().at);
  for (const Corner& corner : corners) most = std::max<int128>(most, sign * (unit * corner.level - m * corner.at));
  return most;
}

TEST(Line, HasTheLevelsOfTheStepItStandsFor) {
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const auto [step, accumulator] = random_case(random);
    const auto line = line_of(step, accumulator);
    ASSERT_TRUE(line) << i;
    for (int64_t a = accumulator.low; a <= accumulator.high; a += 7)
      ASSERT_EQ(std::clamp(line->level(a), step.levels.low, step.levels.high), apply(step, a)) << i;
  }
}

TEST(Line, IsNotThereForTiesToEvenAndSlopesOfOne) {
  EXPECT_FALSE(line_of({0.5, 0, Rounding::HalfEven, 0, {0, 255}}, {0, 100}));
  EXPECT_FALSE(line_of({1, 0, Rounding::HalfUp, 0, {0, 255}}, {0, 100}));
  EXPECT_FALSE(line_of({0, 0, Rounding::HalfUp, 0, {0, 255}}, {0, 100}));
  EXPECT_FALSE(line_of({0.5, 1e-40, Rounding::HalfUp, 0, {0, 255}}, {0, 100}));
}

TEST(UpperHull, LiesOnTheStaircaseAndBindsEveryMultiplierAsAllOfItsPointsDo) {
  Random random(2);
  for (int i = 0; i < 3000; ++i) {
    const auto [step, accumulator] = random_case(random);
    const Line line = line_of(step, accumulator).value();
    const auto corners = upper_hull(line, accumulator);
    std::vector<Corner> all;
    for (int64_t a = accumulator.low; a <= accumulator.high; ++a) all.push_back({a, line.level(a)});
    for (const Corner& corner : corners) ASSERT_EQ(corner.level, line.level(corner.at)) << i;
    ASSERT_EQ(corners.back().at, accumulator.high);
    ASSERT_LT(corners.size(), 64U);
    for (int shift = 0; shift < 30; ++shift) {
      const int128 unit = int128{1} << shift;
      const auto m = static_cast<int128>(std::ldexp(step.slope() * (0.99 + 0.02 * random.uniform()), shift));
      ASSERT_EQ(hardest(corners, m, unit, 1), hardest(all, m, unit, 1)) << i << " shift " << shift;
    }
  }
}

TEST(Corners, OfALineBindAsThoseOfItsStaircaseDo) {
  Random random(3);
  int compared = 0;
  for (int i = 0; i < 3000; ++i) {
    const auto [step, accumulator] = random_case(random);
    const Line line = line_of(step, accumulator).value();
    if (apply(step, accumulator.low) == apply(step, accumulator.high)) continue;
    const Corners wanted = corners_of(staircase(step, accumulator), accumulator, step.levels);
    const Corners found = corners_of(line, accumulator, step.levels);
    for (int shift = 0; shift < 30; ++shift) {
      const int128 unit = int128{1} << shift;
      const auto m = static_cast<int128>(std::ldexp(step.slope() * (0.99 + 0.02 * random.uniform()), shift));
      ASSERT_EQ(wanted.reach.empty(), found.reach.empty());
      if (!wanted.reach.empty()) {
        ASSERT_EQ(hardest(found.reach, m, unit, 1), hardest(wanted.reach, m, unit, 1)) << i;
      }
      ASSERT_EQ(hardest(found.miss, m, unit, -1), hardest(wanted.miss, m, unit, -1)) << i;
      ++compared;
    }
  }
  EXPECT_GT(compared, 10'000);
}

TEST(ClippedSum, IsTheSumOfTheLevels) {
  Random random(4);
  for (int i = 0; i < 3000; ++i) {
    const auto [step, accumulator] = random_case(random);
    const Line line = line_of(step, accumulator).value();
    int64_t sum = 0;
    for (int64_t a = accumulator.low; a <= accumulator.high; ++a) sum += apply(step, a);
    ASSERT_EQ(static_cast<int64_t>(clipped_sum(line, accumulator, step.levels)), sum) << i;
  }
}

/// A channel of 16-bit activations: up to 65,536 levels of a 20- to 28-bit accumulator.
TEST(SolveRequantisation, CountsEveryDifferenceOfWideLevelsAndIsNeverMoreThanOneOff) {
  Random random(5);
  int exact = 0, inexact = 0;
  for (int i = 0; i < 300; ++i) {
    RealStep step;
    const int bits = 10 + static_cast<int>(random.below(7));
    step.levels = {-(int64_t{1} << (bits - 1)), (int64_t{1} << (bits - 1)) - 1};
    const int64_t reach = (int64_t{1} << 19) << random.below(9);
    step.kappa = std::ldexp(1 + random.uniform(), bits - 1) / static_cast<double>(reach);
    if (step.kappa >= 1) continue;
    step.lambda = random.normal() * 10;
    if (random.below(4) == 0) step.kappa = -step.kappa;
    const Interval accumulator{-reach, reach - 1 - static_cast<int64_t>(random.below(100))};
    Widths widths;
    if (random.below(3) == 0) widths.multiplier = 16 + static_cast<int>(random.below(16));
    const Requantisation found = solve_requantisation(step, accumulator, widths);
    Requantisation counted = found;
    certify(counted, step, accumulator);  // by going through all steps
    ASSERT_EQ(found.differing, counted.differing) << i;
    ASSERT_EQ(found.worst, counted.worst) << i;
    if (widths.multiplier == 32) {
      ASSERT_LE(found.worst, 1) << i;
    }
    const auto solved = solve_exactly(step, accumulator, widths);
    ASSERT_EQ(solved.has_value(), found.differing == 0) << i;
    found.differing == 0 ? ++exact : ++inexact;
  }
  EXPECT_GT(exact, 20);
  EXPECT_GT(inexact, 20);
}

}  // namespace
