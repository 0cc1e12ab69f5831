#include "quant/sum_requantisation.hpp"

#include <gtest/gtest.h>

#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>

#include "base/random.hpp"

/// Every combination of operands, against rational arithmetic written independently.
namespace nibble::quant {
namespace {
using Rational = boost::multiprecision::cpp_rational;

int64_t floor_of(const Rational& x) {
  const boost::multiprecision::cpp_int n = numerator(x), d = denominator(x);
  boost::multiprecision::cpp_int quotient = n / d;
  if (n < 0 && quotient * d != n) --quotient;
  return static_cast<int64_t>(quotient);
}

int64_t asked(const SumStep& step, const std::vector<int64_t>& a) {
  Rational u(step.lambda);
  for (size_t i = 0; i < a.size(); ++i) u += Rational(step.kappa[i]) * a[i];
  int64_t level = floor_of(u);
  const Rational beyond = u - level;
  if (step.rounding == Rounding::HalfUp) level += beyond >= Rational(1, 2);
  if (step.rounding == Rounding::HalfEven)
    level += beyond > Rational(1, 2) || (beyond == Rational(1, 2) && level % 2 != 0);
  return std::clamp(level + step.zero_point, step.levels.low, step.levels.high);
}

/// Differences and the worst of them over all pairs.
std::pair<int64_t, int64_t> walked(const SumStep& step, const SumRequantisation& found,
                                   const std::vector<Interval>& operands) {
  int64_t differing = 0, worst = 0;
  for (int64_t a = operands[0].low; a <= operands[0].high; ++a)
    for (int64_t b = operands[1].low; b <= operands[1].high; ++b) {
      const int64_t off = std::abs(quant::apply(found, step.levels, {a, b}) - asked(step, {a, b}));
      differing += off != 0;
      worst = std::max(worst, off);
    }
  return {differing, worst};
}

double between(Random& random, double low, double high) {
  return low + (high - low) * random.uniform();
}

TEST(SumRequantisation, OfTwoEightBitBranchesIsExactOnEveryPair) {
  Random random(1);
  for (int trial = 0; trial < 6; ++trial) {
    const auto rounding = static_cast<Rounding>(trial % 3);
    const std::vector<Interval> operands{{0, 255}, {-128, 127}};
    const SumStep step{{between(random, 0.01, 1.5), between(random, -1.5, 1.5)},
                       between(random, -40, 40),
                       rounding,
                       trial % 2 == 0 ? 0 : 131,
                       {0, 255}};
    const SumRequantisation found = solve_sum(step, operands, {}, "here");
    EXPECT_EQ(found.differing, 0);
    EXPECT_EQ(walked(step, found, operands), (std::pair<int64_t, int64_t>(0, 0)));
  }
}

TEST(SumRequantisation, OfNarrowBranchesIsExactWhateverTheirWidths) {
  Random random(2);
  for (int trial = 0; trial < 60; ++trial) {
    const auto high = [&] { return static_cast<int64_t>(1 + random.below(30)); };
    const std::vector<Interval> operands{{-high(), high()}, {0, high()}};
    const SumStep step{{between(random, -2, 2), between(random, 0.001, 0.3)},
                       between(random, -4, 4),
                       static_cast<Rounding>(random.below(3)),
                       3,
                       {-8, 7}};
    const SumRequantisation found = solve_sum(step, operands, {}, "here");
    EXPECT_EQ(walked(step, found, operands), (std::pair<int64_t, int64_t>(found.differing, found.worst)));
    EXPECT_EQ(found.differing, 0);
  }
}

TEST(SumRequantisation, CountsEveryPairOnWhichNarrowMultipliersDiffer) {
  Random random(3);
  int64_t counted = 0;
  for (int trial = 0; trial < 6; ++trial) {
    const std::vector<Interval> operands{{0, 255}, {0, 255}};
    const SumStep step{{between(random, 0.1, 0.9), between(random, 0.1, 0.9)}, 0.3, Rounding::HalfUp, 0, {0, 255}};
    const SumRequantisation found = solve_sum(step, operands, {.multiplier = 8}, "here");
    for (int64_t multiplier : found.multiplier) EXPECT_LT(std::abs(multiplier), 128);
    EXPECT_EQ(walked(step, found, operands), (std::pair<int64_t, int64_t>(found.differing, found.worst)));
    counted += found.differing;
  }
  EXPECT_GT(counted, 0);
}

TEST(SumRequantisation, OfTiesToEvenSaysThatNoMultiplierHasThem) {
  const std::vector<Interval> operands{{0, 15}, {0, 15}};
  const SumStep step{{0.5, 0.25}, 0, Rounding::HalfEven, 0, {0, 15}};
  const SumRequantisation found = solve_sum(step, operands, {}, "here");
  EXPECT_GT(found.differing, 0);
  EXPECT_EQ(found.worst, 1);
  EXPECT_EQ(walked(step, found, operands), (std::pair<int64_t, int64_t>(found.differing, found.worst)));
}

TEST(SumRequantisation, OfThreeBranchesIsExactOnRandomCombinations) {
  Random random(4);
  const std::vector<Interval> operands(3, {0, 255});
  const SumStep step{{between(random, 0.1, 0.9), between(random, 0.01, 0.1), between(random, 0.1, 0.4)},
                     0.25,
                     Rounding::HalfUp,
                     0,
                     {0, 255}};
  const SumRequantisation found = solve_sum(step, operands, {}, "here");
  EXPECT_EQ(found.differing, 0);
  for (int i = 0; i < 200'000; ++i) {
    std::vector<int64_t> a;
    for (int k = 0; k < 3; ++k) a.push_back(static_cast<int64_t>(random.below(256)));
    ASSERT_EQ(quant::apply(found, step.levels, a), quant::apply(step, a));
  }
}

TEST(SumRequantisation, RefusesMoreBranchesThanItCanGoThrough) {
  const auto message = [](const SumStep& step, const std::vector<Interval>& operands) {
    try {
      solve_sum(step, operands, {}, "node 'add'");
    } catch (const UserError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(
      message({std::vector<double>(6, 0.1), 0, Rounding::HalfUp, 0, {0, 255}}, std::vector<Interval>(6, {0, 255})),
      "quant: node 'add': its branches have too many combinations to go through (expected two branches of 16 bits "
      "or four of 8, or {\"add\": \"common\"} for this layer in the policy)");
  EXPECT_EQ(message({{INFINITY, 1}, 0, Rounding::HalfUp, 0, {0, 255}}, {{0, 1}, {0, 1}}),
            "quant: node 'add': kappa or lambda is not finite (expected finite numbers)");
}

}  // namespace
}  // namespace nibble::quant
