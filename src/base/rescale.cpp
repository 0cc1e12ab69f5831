#include "base/rescale.hpp"

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>

namespace nibble {
namespace {

using Big = boost::multiprecision::cpp_int;

struct Dyadic {
  int64_t mantissa;
  int exponent;  ///< value = mantissa * 2^exponent
};

Dyadic dyadic(double x) {
  if (x == 0) return {0, 0};
  int exponent = 0;
  const double fraction = std::frexp(x, &exponent);
  return {static_cast<int64_t>(std::ldexp(fraction, 53)), exponent - 53};
}

/// round(numerator / 2^bits)
Big rounded(const Big& numerator, unsigned bits, Rounding rounding) {
  const Big denominator = Big(1) << bits;
  Big quotient = numerator / denominator;
  Big remainder = numerator - quotient * denominator;
  if (remainder < 0) {
    remainder += denominator;
    --quotient;
  }
  const Big twice = 2 * remainder;
  const bool up = rounding == Rounding::HalfUp     ? twice >= denominator
                  : rounding == Rounding::HalfEven ? twice > denominator || (twice == denominator && quotient % 2 != 0)
                                                   : false;
  return up ? quotient + 1 : quotient;
}

constexpr int64_t limit = int64_t{1} << 62;

int64_t rescaled_exactly(double kappa, double lambda, int64_t a, Rounding rounding) {
  const Dyadic k = dyadic(kappa);
  const Dyadic l = dyadic(lambda);
  const Big product = Big(k.mantissa) * a;
  const int least = product == 0 ? l.exponent : l.mantissa == 0 ? k.exponent : std::min(k.exponent, l.exponent);
  Big sum = 0;
  if (product != 0) sum += product << static_cast<unsigned>(k.exponent - least);
  if (l.mantissa != 0) sum += Big(l.mantissa) << static_cast<unsigned>(l.exponent - least);
  const Big result =
      least >= 0 ? sum << static_cast<unsigned>(least) : rounded(sum, static_cast<unsigned>(-least), rounding);
  if (result >= limit) return limit;
  if (result <= -limit) return -limit;
  return static_cast<int64_t>(result);
}

}  // namespace

int64_t rescaled(double kappa, double lambda, int64_t a, Rounding rounding) {
  constexpr double exact_integers = 0x1p52;
  const double product = kappa * static_cast<double>(a);
  const double t = product + lambda;
  // Conversion of a, product and sum round once each: 2^-53 relative, with room to spare.
  const double error = 0x1p-50 * (std::abs(product) + std::abs(lambda)) + 0x1p-1000;
  if (std::abs(t) + std::abs(product) + std::abs(lambda) < exact_integers) {
    const double shifted = rounding == Rounding::Floor ? t : t + 0.5;
    const double down = std::floor(shifted);
    const double slack = error + 0x1p-50 * std::abs(shifted);
    if (shifted - down > slack && down + 1 - shifted > slack) return static_cast<int64_t>(down);
  }
  return rescaled_exactly(kappa, lambda, a, rounding);
}

}  // namespace nibble
