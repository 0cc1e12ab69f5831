#include "base/rescale.hpp"

#include <gtest/gtest.h>

#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>

#include "base/random.hpp"

using namespace nibble;

namespace {

using Rational = boost::multiprecision::cpp_rational;
using Big = boost::multiprecision::cpp_int;

constexpr int64_t limit = int64_t{1} << 62;

Big floor_of(const Rational& x) {
  const Big n = numerator(x), d = denominator(x);
  const Big quotient = n / d;
  return n < 0 && quotient * d != n ? quotient - 1 : quotient;
}

/// The docstring of rescaled, in rational numbers.
int64_t by_definition(double kappa, double lambda, int64_t a, Rounding rounding) {
  const Rational u = Rational(kappa) * a + Rational(lambda);
  const Rational shifted = rounding == Rounding::Floor ? u : Rational(u + Rational(1, 2));
  Big result = floor_of(shifted);
  const bool tie = rounding == Rounding::HalfEven && shifted == Rational(result);
  if (tie && result % 2 != 0) --result;
  return result > limit ? limit : result < -limit ? -limit : static_cast<int64_t>(result);
}

class Numbers {
 public:
  Rounding rounding() { return static_cast<Rounding>(random_.below(3)); }
  /// An integer of up to `bits` bits, every length alike.
  int64_t integer(uint64_t bits) {
    const auto magnitude = static_cast<int64_t>(random_.bits() >> 1 >> (63 - random_.below(bits + 1)));
    return random_.below(2) ? -magnitude : magnitude;
  }
  double real(int least, int greatest) {
    const int exponent = least + static_cast<int>(random_.below(static_cast<uint64_t>(greatest - least)));
    return std::ldexp(static_cast<double>(integer(53)), exponent - 53);
  }
  /// Few bits, so that products meet halves exactly.
  double dyadic() { return std::ldexp(static_cast<double>(integer(12)), -static_cast<int>(random_.below(14))); }

 private:
  Random random_{62};
};

void expect_definition(double kappa, double lambda, int64_t a, Rounding rounding) {
  ASSERT_EQ(rescaled(kappa, lambda, a, rounding), by_definition(kappa, lambda, a, rounding))
      << std::hexfloat << kappa << " * " << a << " + " << lambda << ", " << to_string(rounding);
}

}  // namespace

TEST(Rescaled, EqualsRationalArithmeticOnNetworksNumbers) {
  Numbers numbers;
  for (int i = 0; i < 60'000; ++i)
    expect_definition(numbers.real(-30, 2), numbers.real(-2, 20), numbers.integer(33), numbers.rounding());
}

TEST(Rescaled, EqualsRationalArithmeticOnTiesAndBesideThem) {
  Numbers numbers;
  for (int i = 0; i < 10'000; ++i) {
    const double kappa = numbers.dyadic();
    const int64_t a = numbers.integer(14);
    // Exact: all of it has fewer than 53 bits.
    const double tie = static_cast<double>(numbers.integer(12)) + 0.5 - kappa * static_cast<double>(a);
    for (const double lambda : {tie, std::nextafter(tie, -INFINITY), std::nextafter(tie, INFINITY)})
      expect_definition(kappa, lambda, a, numbers.rounding());
  }
}

TEST(Rescaled, EqualsRationalArithmeticOnExponentsOfAnySize) {
  Numbers numbers;
  for (int i = 0; i < 10'000; ++i)
    expect_definition(numbers.real(-1074, 1020), numbers.real(-1074, 1020), numbers.integer(63), numbers.rounding());
}

TEST(Rescaled, EqualsRationalArithmeticWhereTheDoublesRoundingBecomesUnsure) {
  // Sums around 2^52, the last that the double's own rounding may decide.
  Numbers numbers;
  for (int i = 0; i < 10'000; ++i) {
    const int64_t a = (int64_t{1} << 51) + numbers.integer(50);
    expect_definition(1 + numbers.real(-52, -1), numbers.real(-2, 52), a, numbers.rounding());
  }
}

TEST(Rescaled, SaturatesAtTheSixtySecondPowerOfTwo) {
  for (const Rounding rounding : {Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven}) {
    EXPECT_EQ(rescaled(1, 0, INT64_MAX, rounding), limit);
    EXPECT_EQ(rescaled(1, 0, INT64_MIN, rounding), -limit);
    EXPECT_EQ(rescaled(-1, 0, INT64_MIN, rounding), limit);
    EXPECT_EQ(rescaled(1, 0, limit, rounding), limit);
    EXPECT_EQ(rescaled(1, 0, limit - 1, rounding), limit - 1);
    EXPECT_EQ(rescaled(1, 1, limit - 1, rounding), limit);
    EXPECT_EQ(rescaled(1, 2, limit - 1, rounding), limit);
    EXPECT_EQ(rescaled(1, -1, 1 - limit, rounding), -limit);
    EXPECT_EQ(rescaled(1, -2, 1 - limit, rounding), -limit);
    EXPECT_EQ(rescaled(1.7e308, 1.7e308, INT64_MAX, rounding), limit);
    EXPECT_EQ(rescaled(-1.7e308, -1.7e308, INT64_MAX, rounding), -limit);
    // Both infinite as doubles, and exactly opposite.
    EXPECT_EQ(rescaled(0x1p1023, -0x1p1023, 1, rounding), 0);
  }
}

TEST(Rescaled, GivesTheRoundedOffsetWhereTheSlopeOrTheInputIsZero) {
  for (const int64_t a : {int64_t{0}, int64_t{7}, INT64_MIN}) {
    EXPECT_EQ(rescaled(0, -0.5, a, Rounding::Floor), -1);
    EXPECT_EQ(rescaled(-0.0, -0.5, a, Rounding::HalfUp), 0);
    EXPECT_EQ(rescaled(0, 1.5, a, Rounding::HalfEven), 2);
    EXPECT_EQ(rescaled(0, 0, a, Rounding::Floor), 0);
  }
  EXPECT_EQ(rescaled(1e308, 2.5, 0, Rounding::HalfEven), 2);
  EXPECT_EQ(rescaled(5e-324, 0, -1, Rounding::Floor), -1);
}
