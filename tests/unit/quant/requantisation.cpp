#include "quant/requantisation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>

#include "base/random.hpp"

using namespace nibble;
using namespace nibble::quant;
using boost::multiprecision::cpp_int;

namespace {

/// floor(x * 2^bits) as an integer, for doubles with no bits below 2^-bits.
cpp_int scaled(double x, int bits) {
  int exponent = 0;
  const double fraction = std::frexp(x, &exponent);
  const cpp_int mantissa = static_cast<int64_t>(std::ldexp(fraction, 53));
  const int shift = exponent - 53 + bits;
  return shift >= 0 ? cpp_int(mantissa << shift) : cpp_int(mantissa >> -shift);
}

/// The fake network's function written again, in big integers, from NUMERICS.md's formula.
int64_t wanted(const RealStep& step, int64_t a) {
  constexpr int bits = 300;
  const cpp_int one = cpp_int(1) << bits;
  const cpp_int twice = 2 * (scaled(step.kappa, bits) * a + scaled(step.lambda, bits));
  const auto floor_of = [&](const cpp_int& n, const cpp_int& d) {
    cpp_int q = n / d;
    if (n < 0 && q * d != n) --q;
    return q;
  };
  cpp_int y;
  if (step.rounding == Rounding::Floor) y = floor_of(twice, 2 * one);
  if (step.rounding != Rounding::Floor) y = floor_of(twice + one, 2 * one);
  if (step.rounding == Rounding::HalfEven && floor_of(twice + one, 2 * one) * 2 * one == twice + one && y % 2 != 0) --y;
  y += step.zero_point;
  if (y < step.levels.low) return step.levels.low;
  if (y > step.levels.high) return step.levels.high;
  return static_cast<int64_t>(y);
}

struct Problem {
  RealStep step;
  Interval accumulator;
};

/// A random channel: kappa 2^-13 to 2^1 of either sign, sometimes a short binary fraction (which makes ties), 2 to 512
/// levels, intervals around zero or far from it.
Problem random_problem(Random& random) {
  Problem problem;
  RealStep& step = problem.step;
  step.kappa = std::ldexp(1 + random.uniform(), -static_cast<int>(random.below(14)));
  step.lambda = (random.uniform() - 0.5) * 64;
  if (random.below(4) == 0) {
    step.kappa = std::ldexp(1 + static_cast<double>(random.below(8)) / 8, -static_cast<int>(random.below(8)));
    step.lambda = static_cast<double>(static_cast<int64_t>(random.below(64)) - 32) / 4;
  }
  if (random.below(4) == 0) step.kappa = -step.kappa;
  step.rounding = static_cast<Rounding>(random.below(3));
  const auto levels = int64_t{1} << (1 + random.below(9));
  step.levels.low = random.below(2) ? 0 : -levels / 2;
  step.levels.high = step.levels.low + levels - 1;
  if (random.below(3) == 0) step.zero_point = step.levels.low + static_cast<int64_t>(random.below(levels));
  const int64_t width = 1 + static_cast<int64_t>(random.below(random.below(64) ? 120 : 4096));
  const int64_t centre = random.below(8) ? 0 : static_cast<int64_t>(random.below(1 << 20)) - (1 << 19);
  problem.accumulator = {centre - width / 2, centre - width / 2 + width};
  return problem;
}

/// Walks the whole interval: the true number of differences and the largest.
std::pair<int64_t, int64_t> walk(const Problem& problem, const Requantisation& found) {
  int64_t differing = 0, worst = 0;
  for (int64_t a = problem.accumulator.low; a <= problem.accumulator.high; ++a) {
    const int64_t distance = std::abs(wanted(problem.step, a) - apply(found, problem.step.levels, a));
    differing += distance != 0;
    worst = std::max(worst, distance);
  }
  return {differing, worst};
}

}  // namespace

TEST(SolveRequantisation, IsExactOnTenToTheFiveRandomProblemsOrCountsWhereTiesForbidIt) {
  Random random(7);
  int tied = 0;
  for (int i = 0; i < 100'000; ++i) {
    const Problem problem = random_problem(random);
    const auto exact = solve_exactly(problem.step, problem.accumulator);
    // Ties to even make steps of unlike widths (0.5 a: at 2, 3, 6, 7, ...), which no line followed by a shift has.
    if (problem.step.rounding != Rounding::HalfEven) {
      ASSERT_TRUE(exact) << "problem " << i;
    }
    if (!exact && tied++ % 64 != 0) continue;
    const Requantisation found = exact ? *exact : solve_requantisation(problem.step, problem.accumulator);
    const auto [differing, worst] = walk(problem, found);
    ASSERT_EQ(found.differing, differing)
        << "problem " << i << " kappa " << problem.step.kappa << " lambda " << problem.step.lambda;
    ASSERT_EQ(found.worst, worst);
    ASSERT_EQ(differing == 0, exact.has_value()) << "problem " << i;
  }
  EXPECT_LT(tied, 10'000);
}

TEST(SolveRequantisation, CountsWhatNarrowArithmeticCannotSay) {
  Random random(8);
  int inexact = 0;
  for (int i = 0; i < 3'000; ++i) {
    const Problem problem = random_problem(random);
    const Widths narrow{.multiplier = 4 + static_cast<int>(random.below(5)), .shift = 31, .product = 40};
    const Requantisation found = solve_requantisation(problem.step, problem.accumulator, narrow);
    EXPECT_LE(std::abs(found.multiplier), int64_t{1} << (narrow.multiplier - 1));
    EXPECT_LE(found.shift, 31);
    const auto [differing, worst] = walk(problem, found);
    ASSERT_EQ(found.differing, differing) << "problem " << i;
    ASSERT_EQ(found.worst, worst) << "problem " << i;
    inexact += differing != 0;
  }
  EXPECT_GT(inexact, 100);
}

namespace {

struct Fewest {
  int64_t differing;
  Requantisation at;
};

/// Every m, b and d within the widths, one after the other.
Fewest fewest_of_all(const Problem& problem, const Widths& widths) {
  const auto inside = [](int64_t value, int bits) {
    return value >= -(int64_t{1} << (bits - 1)) && value < int64_t{1} << (bits - 1);
  };
  const Interval interval = problem.accumulator;
  std::vector<int64_t> asked;
  for (int64_t a = interval.low; a <= interval.high; ++a) asked.push_back(wanted(problem.step, a));
  Fewest best{INT64_MAX, {}};
  const int64_t most = int64_t{1} << (widths.multiplier - 1), widest = int64_t{1} << (widths.product - 1);
  for (int shift = widths.least_shift; shift <= widths.shift; ++shift)
    for (int64_t m = -most; m < most; ++m) {
      if (!inside(m * interval.low, widths.product) || !inside(m * interval.high, widths.product)) continue;
      for (int64_t b = -widest; b < widest; ++b) {
        if (!inside(m * interval.low + b, widths.product) || !inside(m * interval.high + b, widths.product)) continue;
        int64_t differing = 0;
        for (int64_t a = interval.low; a <= interval.high && differing < best.differing; ++a)
          differing += std::clamp((a * m + b) >> shift, problem.step.levels.low, problem.step.levels.high) !=
                       asked[static_cast<size_t>(a - interval.low)];
        if (differing < best.differing) best = {differing, {m, b, shift}};
      }
    }
  return best;
}

Problem small_problem(Random& random) {
  Problem problem = random_problem(random);
  RealStep& step = problem.step;
  step.kappa = std::copysign(std::ldexp(1 + random.uniform(), 1 - static_cast<int>(random.below(6))), step.kappa);
  step.lambda = (random.uniform() - 0.5) * 6;
  step.levels.low = random.below(2) ? 0 : -4;
  step.levels.high = step.levels.low + 1 + static_cast<int64_t>(random.below(8));
  step.zero_point = 0;
  const int64_t centre = static_cast<int64_t>(random.below(20)) - 10;
  problem.accumulator = {centre - static_cast<int64_t>(random.below(24)),
                         centre + static_cast<int64_t>(random.below(24))};
  return problem;
}

}  // namespace

TEST(SolveRequantisation, NothingWithinTheWidthsDiffersOnFewerAccumulators) {
  Random random(12);
  int inexact = 0;
  for (int i = 0; i < 400; ++i) {
    const Problem problem = small_problem(random);
    const int least = static_cast<int>(random.below(3));
    const Widths widths{.multiplier = 2 + static_cast<int>(random.below(3)),
                        .shift = least + static_cast<int>(random.below(5)),
                        .product = 8 + static_cast<int>(random.below(2)),
                        .least_shift = least};
    const Requantisation found = solve_requantisation(problem.step, problem.accumulator, widths);
    const auto [differing, worst] = walk(problem, found);
    ASSERT_EQ(found.differing, differing) << "problem " << i;
    ASSERT_EQ(found.worst, worst) << "problem " << i;
    EXPECT_TRUE(found.fewest) << "problem " << i;
    const Fewest best = fewest_of_all(problem, widths);
    ASSERT_EQ(found.differing, best.differing)
        << "problem " << i << ": kappa " << problem.step.kappa << ", lambda " << problem.step.lambda << ": m "
        << found.multiplier << ", b " << found.addend << ", d " << found.shift << "; best m " << best.at.multiplier
        << ", b " << best.at.addend << ", d " << best.at.shift;
    EXPECT_TRUE(found.shift >= least && found.shift <= widths.shift);
    inexact += differing != 0;
  }
  EXPECT_GT(inexact, 100);
}

TEST(SolveRequantisation, TakesTheSmallestShiftThatThereIs) {
  Random random(9);
  for (int i = 0; i < 300; ++i) {
    Problem problem = random_problem(random);
    problem.step.levels = {0, 7};
    problem.step.kappa = std::abs(problem.step.kappa);
    const Requantisation found = solve_requantisation(problem.step, problem.accumulator);
    if (found.shift == 0 || found.shift > 9) continue;
    // Every multiplier that could be meant one shift lower, every addend that reaches a level.
    const int shift = found.shift - 1;
    const auto centre = static_cast<int64_t>(std::ldexp(problem.step.kappa, shift));
    for (int64_t m = std::max<int64_t>(0, centre - 40); m <= centre + 40; ++m) {
      int64_t least = INT64_MIN, most = INT64_MAX;
      for (int64_t a = problem.accumulator.low; a <= problem.accumulator.high; ++a) {
        const int64_t y = wanted(problem.step, a);
        if (y > 0) least = std::max(least, (y << shift) - m * a);
        if (y < 7) most = std::min(most, ((y + 1) << shift) - 1 - m * a);
      }
      ASSERT_GT(least, most) << "problem " << i << ": shift " << shift << " with multiplier " << m;
    }
  }
}

TEST(SolveRequantisation, HoldsAtTheEdgesOfTheInterval) {
  // No step inside the interval: a constant, not at either clip.
  const RealStep flat{.kappa = 1e-9, .lambda = 5.2, .levels = {0, 255}};
  const Requantisation found = solve_requantisation(flat, {-1000, 1000});
  EXPECT_EQ(found.differing, 0);
  for (int64_t a : {-1000, 0, 1000}) EXPECT_EQ(apply(found, flat.levels, a), 5);
}

TEST(SolveRequantisation, TakesAZeroKappaAsAConstant) {
  const RealStep step{.kappa = 0, .lambda = 3.5, .rounding = Rounding::HalfEven, .zero_point = 1, .levels = {0, 15}};
  const Requantisation found = solve_requantisation(step, {-10, 10});
  EXPECT_EQ(apply(found, step.levels, 7), 5);
}

TEST(SolveRequantisation, IsExactForRealisticAccumulators) {
  // 32-bit multiplier, 64-bit product: NUMERICS.md's estimate of d, on 8-bit outputs and wide accumulators.
  Random random(10);
  for (int i = 0; i < 2'000; ++i) {
    const int k = 3 + 2 * static_cast<int>(random.below(5));
    const RealStep step{.kappa = std::ldexp(1 + random.uniform(), -k),
                        .lambda = 128 * random.uniform(),
                        .rounding = Rounding::HalfUp,
                        .levels = {0, 255}};
    const int64_t reach = int64_t{1} << (8 + k + 2);
    const Requantisation found = solve_requantisation(step, {-reach, reach});
    ASSERT_EQ(found.differing, 0);
    ASSERT_LE(found.shift, 12 + 2 * k + 8);
    for (int64_t level = 1; level < 256; level += 17) {
      const auto a = static_cast<int64_t>((static_cast<double>(level) - 0.5 - step.lambda) / step.kappa);
      for (int64_t near = a - 2; near <= a + 2; ++near) ASSERT_EQ(apply(found, step.levels, near), wanted(step, near));
    }
  }
}

TEST(NemoRequantisation, CountsEveryAccumulatorOnWhichItDiffers) {
  Random random(13);
  int inexact = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Problem problem = random_problem(random);
    const Requantisation found = nemo_requantisation(problem.step, problem.accumulator);
    const auto [differing, worst] = walk(problem, found);
    ASSERT_EQ(found.differing, differing) << "problem " << i;
    ASSERT_EQ(found.worst, worst) << "problem " << i;
    inexact += differing != 0;
  }
  EXPECT_GT(inexact, 2'000);
}

TEST(NemoRequantisation, TakesZeroAndExtremeFactorsAsTheyAre) {
  const Interval interval{-100, 100};
  for (const double kappa : {0.0, 5e-324, -5e-324, 1e-30, 0x1p40})
    for (const double lambda : {0.0, 7.25, -1e9}) {
      const Problem problem{{.kappa = kappa, .lambda = lambda, .levels = {-8, 7}}, interval};
      const Requantisation found = nemo_requantisation(problem.step, interval);
      const auto [differing, worst] = walk(problem, found);
      EXPECT_EQ(found.differing, differing) << kappa << " " << lambda;
    }
  try {
    nemo_requantisation({.kappa = 1e300, .lambda = 0, .levels = {0, 1}}, interval);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "quant: requantisation: NEMO's rule needs more than 64 bits (expected the exact rule)");
  }
}

TEST(NemoRequantisation, FloorsItsParameters) {
  const RealStep step{.kappa = 0.3, .lambda = 0, .rounding = Rounding::Floor, .levels = {0, 255}};
  const Requantisation found = nemo_requantisation(step, {0, 1000}, 32);
  EXPECT_EQ(found.shift, 7);
  EXPECT_EQ(found.multiplier, 38);
  EXPECT_EQ(found.addend, 0);
  const auto [differing, worst] = walk({step, {0, 1000}}, found);
  EXPECT_EQ(found.differing, differing);
  EXPECT_EQ(found.worst, worst);
  EXPECT_GT(differing, 0);
}

TEST(Certify, SeesADeliberatelyCoarseRequantisation) {
  const RealStep step{.kappa = 0.1, .lambda = 0, .levels = {0, 255}};
  Requantisation coarse{.multiplier = 1, .addend = 4, .shift = 3};
  certify(coarse, step, {0, 2000});
  const auto [differing, worst] = walk({step, {0, 2000}}, coarse);
  EXPECT_EQ(coarse.differing, differing);
  EXPECT_EQ(coarse.worst, worst);
  EXPECT_GT(coarse.differing, 1000);
}

TEST(Thresholds, AreTheFirstAccumulatorsOfEachLevel) {
  const RealStep step{.kappa = 0.5, .lambda = 0.25, .rounding = Rounding::HalfEven, .levels = {0, 3}};
  // 0.5a + 0.25 reaches 0.5 never exactly: levels 1, 2, 3 from a = 1, 3, 5.
  EXPECT_EQ(thresholds(step, {-10, 10}), (std::vector<int64_t>{1, 3, 5}));
  const RealStep ties{.kappa = 0.5, .lambda = 0, .rounding = Rounding::HalfEven, .levels = {0, 3}};
  // 0.5 -> 0, 1 -> 1, 1.5 -> 2, 2 -> 2, 2.5 -> 2, 3 -> 3
  EXPECT_EQ(thresholds(ties, {-10, 10}), (std::vector<int64_t>{2, 3, 6}));
}

TEST(SolveRequantisation, RefusesWhatIsNotANumberAndWidthsThatAreNone) {
  try {
    solve_requantisation({.kappa = std::nan(""), .lambda = 0, .levels = {0, 1}}, {0, 1});
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "quant: requantisation: kappa nan, lambda 0.000000 (expected finite numbers)");
  }
  const auto message = [](Widths widths) -> std::string {
    try {
      solve_requantisation({.kappa = 1, .lambda = 0, .levels = {0, 1}}, {0, 1}, widths);
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message({.multiplier = 40}), "quant: requantisation: 40 multiplier bits (expected 2 to 32)");
  EXPECT_EQ(message({.product = 7}), "quant: requantisation: 7 product bits (expected 8 to 64)");
  EXPECT_EQ(message({.shift = 4, .least_shift = 5}),
            "quant: requantisation: shifts from 5 to 4 (expected a range within 0 to 62)");
}

TEST(SolveRequantisation, StaysNearWhenTheProductIsNarrowerThanTheMultiplier) {
  Random random(11);
  for (int i = 0; i < 100; ++i) {
    const RealStep step{.kappa = std::ldexp(1 + random.uniform(), -6),
                        .lambda = 8 * random.uniform(),
                        .rounding = Rounding::Floor,
                        .levels = {0, 255}};
    const Problem problem{step, {-4000, 12000}};
    const Widths narrow{.multiplier = 32, .shift = 31, .product = 20};
    const Requantisation found = solve_requantisation(step, problem.accumulator, narrow);
    const auto [differing, worst] = walk(problem, found);
    ASSERT_EQ(found.differing, differing) << i;
    ASSERT_EQ(found.worst, worst) << i;
    // 12000 m < 2^19 leaves m of 21 and more: half of its unit is 1/42 of 255 levels, and one is rounding.
    ASSERT_LE(found.worst, 7) << i;
    for (int64_t a : {problem.accumulator.low, problem.accumulator.high})
      ASSERT_LT(std::abs(a * found.multiplier + found.addend), int64_t{1} << 19);
  }
}

TEST(SolveRequantisation, CountsAKappaTooSmallForTheShift) {
  // kappa 2^31 is below 1/2: only multipliers 0 and 1 are near.
  const RealStep step{.kappa = 0x1p-36, .lambda = 0.25, .rounding = Rounding::Floor, .levels = {0, 15}};
  const Interval wide{0, int64_t{1} << 38};
  Requantisation found = solve_requantisation(step, wide, {.multiplier = 8, .shift = 31, .product = 64});
  EXPECT_GE(found.multiplier, 0);
  const Requantisation claimed = found;
  certify(found, step, wide);
  EXPECT_EQ(claimed.differing, found.differing);
  EXPECT_GT(found.differing, 0);
}

TEST(SolveRequantisation, TakesExtremeExponentsAsTheyAre) {
  constexpr Interval wide{-1000, 1000};
  for (const double kappa : {1e300, -1e300, 5e-324, -5e-324, 0x1p60, -0x1p60})
    for (const double lambda : {0.0, 3.25, 1e300, -1e300, 5e-324}) {
      const Problem problem{{.kappa = kappa, .lambda = lambda, .levels = {-8, 7}}, wide};
      const Requantisation found = solve_requantisation(problem.step, wide);
      int64_t differing = 0;
      for (int64_t a = wide.low; a <= wide.high; ++a)
        differing += apply(problem.step, a) != apply(found, problem.step.levels, a);
      EXPECT_EQ(found.differing, differing) << kappa << " " << lambda;
    }
}

TEST(Certify, CountsTheVectorsOfPlainRounding) {
  // shared/conformance requant_precision_vs_D: m = round(r 2^d) of the rational r = 153/4000, clipped to 255. The
  // double 0.03825 is not r; an offset far below 1/4000 gives floor(r q) for every q of the interval.
  const RealStep step{.kappa = 0.03825, .lambda = 1e-6, .rounding = Rounding::Floor, .levels = {0, 255}};
  for (int64_t q = 0; q <= 65535; ++q) ASSERT_EQ(apply(step, q), std::min<int64_t>(255, q * 153 / 4000));
  struct Row {
    int shift;
    int64_t multiplier, differing;
  };
  for (const Row& row :
       {Row{8, 10, 6058}, Row{12, 157, 1785}, Row{16, 2507, 86}, Row{19, 20054, 1}, Row{24, 641729, 0}}) {
    Requantisation plain{.multiplier = row.multiplier, .addend = 0, .shift = row.shift};
    certify(plain, step, {0, 65535});
    EXPECT_EQ(plain.differing, row.differing) << "shift " << row.shift;
  }
}

TEST(NemoRequantisation, ChoosesTheShiftsOfTheVectors) {
  // shared/conformance nemo_D_rule (D_raw): factor 32, kappa = eps_in / eps_out.
  struct Row {
    double in, out;
    int shift;
  };
  for (const Row& row : {Row{1e-5, 0.02, 16}, Row{0.003, 0.02, 8}, Row{1e-8, 0.02, 26}}) {
    const RealStep step{.kappa = row.in / row.out, .lambda = 0, .rounding = Rounding::Floor, .levels = {0, 255}};
    EXPECT_EQ(nemo_requantisation(step, {0, 1000}).shift, row.shift) << row.in;
  }
}
