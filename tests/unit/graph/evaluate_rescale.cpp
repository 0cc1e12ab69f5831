#include <gtest/gtest.h>

#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <random>

#include "unit/graph/evaluated.hpp"

using namespace nibble;
using namespace nibble::graph;

namespace {

using Rational = boost::multiprecision::cpp_rational;
using Big = boost::multiprecision::cpp_int;

constexpr int64_t most = 1'000'000'000'000;

Rescale rescale(double kappa, double lambda, Rounding rounding, int64_t zero_point = 0) {
  return {{kappa}, {lambda}, rounding, zero_point, -most, most};
}

int64_t evaluated_at(const Rescale& op, int64_t x) {
  return evaluated(op, {integers({}, {x})}).as<int64_t>()[0];
}

Big floor_of(const Rational& x) {
  const Big n = numerator(x), d = denominator(x);
  Big quotient = n / d;
  if (n < 0 && quotient * d != n) --quotient;
  return quotient;
}

Big rounded(const Rational& x, Rounding rounding) {
  if (rounding == Rounding::Floor) return floor_of(x);
  const Rational shifted = x + Rational(1, 2);
  const Big up = floor_of(shifted);
  const bool tie = shifted == Rational(up);
  return rounding == Rounding::HalfEven && tie && up % 2 != 0 ? up - 1 : up;
}

/// The formula above Rescale in ops.hpp, in rational numbers.
int64_t by_formula(const Rescale& op, int64_t x) {
  const Rational u = (Rational(op.kappa[0]) * Rational(x) + Rational(op.lambda[0])) / Rational(op.divisor_of(0));
  const Big y = rounded(u, op.rounding) + op.zero_point;
  return y < op.low ? op.low : y > op.high ? op.high : static_cast<int64_t>(y);
}

class Problems {
 public:
  int64_t integer(int64_t low, int64_t high) { return std::uniform_int_distribution(low, high)(random_); }
  double real(int least, int greatest) {
    const double mantissa = std::ldexp(static_cast<double>(integer(-(int64_t{1} << 53), int64_t{1} << 53)), -53);
    return std::ldexp(mantissa, static_cast<int>(integer(least, greatest)));
  }
  Rounding rounding() { return static_cast<Rounding>(integer(0, 2)); }
  /// kappa * x + lambda = half / 2 exactly.
  Rescale tie(int64_t x) {
    const double kappa = std::ldexp(static_cast<double>(integer(-100000, 100000)), -static_cast<int>(integer(0, 12)));
    const double target = static_cast<double>(integer(-2000, 2000)) / 2;
    return rescale(kappa, target - kappa * static_cast<double>(x), rounding(), integer(-128, 255));
  }

 private:
  std::mt19937_64 random_{20};
};

TEST(Rescale, DividesByWholeNumbersExactly) {
  Problems problems;
  for (int i = 0; i < 20000; ++i) {
    const int64_t divisor = problems.integer(1, 40), x = problems.integer(-3000, 3000);
    Rescale op = rescale(static_cast<double>(problems.integer(-9, 9)), static_cast<double>(problems.integer(-50, 50)),
                         problems.rounding());
    op.divisor = {divisor};
    EXPECT_EQ(evaluated_at(op, x), by_formula(op, x)) << op.kappa[0] << " " << x << " " << divisor;
  }
}

/// kappa of the first input for each channel, then of the second, which broadcasts.
TEST(Rescale, OfSeveralInputsRoundsTheirSumOnce) {
  const Rescale op{{0.5, 0.25, 0.5, -1}, {0, 0.5}, Rounding::HalfEven, 1, -100, 100};
  const Tensor y = evaluated(op, {integers({1, 2, 2}, {1, 2, 3, 5}), integers({2}, {2, 7})});
  // channel 0: 0.5 + 1 = 1.5, 1 + 3.5 = 4.5; channel 1: 0.75 - 2 + 0.5, 1.25 - 7 + 0.5
  EXPECT_EQ(y.to_integers(), (std::vector<int64_t>{3, 5, 0, -4}));
}

TEST(Rescale, OfSeveralInputsIsExactBesideATie) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 2000; ++i) {
    const auto a = static_cast<int64_t>(random() % 512) - 256, b = static_cast<int64_t>(random() % 512) - 256;
    const double kappa = std::ldexp(static_cast<double>(random() % (1 << 24)), -24), other = 1.0 / 3;
    // lambda brings the sum to a tie but for the last bits of a double.
    const double lambda = 0.5 - (kappa * static_cast<double>(a) + other * static_cast<double>(b));
    const Rational exact = Rational(kappa) * a + Rational(other) * b + Rational(lambda);
    for (Rounding rounding : {Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven})
      EXPECT_EQ(
          evaluated(Rescale{{kappa, other}, {lambda}, rounding, 0, -most, most}, {integers({}, {a}), integers({}, {b})})
              .as<int64_t>()[0],
          static_cast<int64_t>(rounded(exact, rounding)));
  }
}

}  // namespace

TEST(EvaluateRescale, RoundsTiesAsItsFieldSays) {
  const auto at = [](Rounding rounding, int64_t x) { return evaluated_at(rescale(0.5, 0, rounding), x); };
  EXPECT_EQ(at(Rounding::Floor, 1), 0);
  EXPECT_EQ(at(Rounding::HalfUp, 1), 1);
  EXPECT_EQ(at(Rounding::HalfEven, 1), 0);
  EXPECT_EQ(at(Rounding::HalfEven, 3), 2);
  EXPECT_EQ(at(Rounding::Floor, -1), -1);
  EXPECT_EQ(at(Rounding::HalfUp, -1), 0);
  EXPECT_EQ(at(Rounding::HalfEven, -1), 0);
  EXPECT_EQ(at(Rounding::HalfEven, -3), -2);
}

TEST(EvaluateRescale, IsNotTheRoundingOfADouble) {
  // 0.1 as a double is above 1/10, so ten of them are above 1, though their double sum is not; -1/3 likewise.
  EXPECT_EQ(evaluated_at(rescale(0.1, -1, Rounding::Floor), 10), 0);
  EXPECT_EQ(evaluated_at(rescale(-0.1, 1, Rounding::Floor), 10), -1);
  EXPECT_EQ(evaluated_at(rescale(1.0 / 3, -1, Rounding::Floor), 3), -1);
  EXPECT_EQ(evaluated_at(rescale(0x1p-1074, 0.5, Rounding::HalfUp), -1), 0);
  EXPECT_EQ(evaluated_at(rescale(0x1p-1074, 0.5, Rounding::HalfEven), 1), 1);
  EXPECT_EQ(evaluated_at(rescale(1, 0x1p-60, Rounding::Floor), -1), -1);
  EXPECT_EQ(evaluated_at(rescale(1, -0x1p-60, Rounding::Floor), -1), -2);
}

TEST(EvaluateRescale, ClipsAfterTheZeroPointAndTakesEachChannelsParameters) {
  const Rescale op{{2, -0.5}, {1, 0}, Rounding::HalfUp, 10, 0, 20};
  EXPECT_EQ(evaluated(op, {integers({1, 2, 3}, {-9, 0, 9, -9, 0, 9})}), integers({1, 2, 3}, {0, 11, 20, 15, 10, 6}));
  const Rescale shared{{2}, {1, -1}, Rounding::HalfUp, 0, -20, 20};
  EXPECT_EQ(evaluated(shared, {integers({1, 2, 1}, {3, 3})}), integers({1, 2, 1}, {7, 5}));
}

TEST(EvaluateRescale, ClipsWhatNoIntegerHolds) {
  EXPECT_EQ(evaluated_at(rescale(1e300, 0, Rounding::HalfUp), 3), most);
  EXPECT_EQ(evaluated_at(rescale(1e300, -1e308, Rounding::HalfUp), 3), -most);
  EXPECT_EQ(evaluated_at(rescale(1.7e308, 0, Rounding::HalfUp), -1000), -most);
  EXPECT_EQ(evaluated_at(rescale(0, 0, Rounding::Floor), 7), 0);
}

TEST(EvaluateRescale, EqualsRationalArithmeticOnNetworksNumbers) {
  Problems problems;
  for (int i = 0; i < 60000; ++i) {
    const Rescale op = rescale(problems.real(-30, 2), problems.real(-2, 20), problems.rounding(), 5);
    const int64_t x = problems.integer(-(int64_t{1} << 31), int64_t{1} << 31);
    ASSERT_EQ(evaluated_at(op, x), by_formula(op, x)) << op.kappa[0] << " * " << x << " + " << op.lambda[0];
  }
}

TEST(EvaluateRescale, EqualsRationalArithmeticOnTiesAndBesideThem) {
  Problems problems;
  for (int i = 0; i < 30000; ++i) {
    const int64_t x = problems.integer(-1000000, 1000000);
    Rescale op = problems.tie(x);
    const double lambda = op.lambda[0];
    for (double beside : {lambda, std::nextafter(lambda, -1e300), std::nextafter(lambda, 1e300)}) {
      op.lambda[0] = beside;
      ASSERT_EQ(evaluated_at(op, x), by_formula(op, x)) << op.kappa[0] << " * " << x << " + " << beside;
    }
  }
}

TEST(EvaluateRescale, EqualsRationalArithmeticOnExponentsOfAnySize) {
  Problems problems;
  for (int i = 0; i < 4000; ++i) {
    const Rescale op = rescale(problems.real(-1074, 1020), problems.real(-1074, 1020), problems.rounding());
    const int64_t x = problems.integer(INT64_MIN, INT64_MAX);
    ASSERT_EQ(evaluated_at(op, x), by_formula(op, x)) << op.kappa[0] << " * " << x << " + " << op.lambda[0];
  }
}
