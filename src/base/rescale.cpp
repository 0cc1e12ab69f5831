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

Big rounded(const Big& numerator, const Big& denominator, Rounding rounding) {
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

int64_t rescaled_exactly(std::span<const double> kappa, double lambda, std::span<const int64_t> a, Rounding rounding,
                         int64_t divisor) {
  int least = dyadic(lambda).exponent;
  bool any_term = lambda != 0;
  for (size_t i = 0; i < kappa.size(); ++i) {
    if (kappa[i] == 0 || a[i] == 0) continue;
    const int exponent = dyadic(kappa[i]).exponent;
    least = any_term ? std::min(least, exponent) : exponent;
    any_term = true;
  }
  Big sum = 0;
  const auto add = [&](double factor, int64_t times) {
    const Dyadic term = dyadic(factor);
    if (term.mantissa != 0 && times != 0)
      sum += (Big(term.mantissa) * times) << static_cast<unsigned>(term.exponent - least);
  };
  for (size_t i = 0; i < kappa.size(); ++i) add(kappa[i], a[i]);
  add(lambda, 1);
  const Big numerator = least > 0 ? sum << static_cast<unsigned>(least) : sum;
  const Big result = rounded(numerator, Big(divisor) << static_cast<unsigned>(std::max(-least, 0)), rounding);
  if (result >= limit) return limit;
  if (result <= -limit) return -limit;
  return static_cast<int64_t>(result);
}

}  // namespace

int64_t rescaled(double kappa, double lambda, int64_t a, Rounding rounding, int64_t divisor) {
  return rescaled(std::span(&kappa, 1), lambda, std::span(&a, 1), rounding, divisor);
}

int64_t rescaled(std::span<const double> kappa, double lambda, std::span<const int64_t> a, Rounding rounding,
                 int64_t divisor) {
  constexpr double exact_integers = 0x1p52;
  double t = lambda, magnitude = std::abs(lambda);
  for (size_t i = 0; i < kappa.size(); ++i) {
    const double product = kappa[i] * static_cast<double>(a[i]);
    t += product;
    magnitude += std::abs(product);
  }
  t /= static_cast<double>(divisor);
  magnitude /= static_cast<double>(divisor);
  // Conversion of a, product, each sum and the quotient round once: 2^-53 relative, with room to spare.
  const double error = 0x1p-50 * static_cast<double>(kappa.size()) * magnitude + 0x1p-1000;
  if (std::abs(t) + magnitude < exact_integers) {
    const double shifted = rounding == Rounding::Floor ? t : t + 0.5;
    const double down = std::floor(shifted);
    const double slack = error + 0x1p-50 * std::abs(shifted);
    if (shifted - down > slack && down + 1 - shifted > slack) return static_cast<int64_t>(down);
  }
  return rescaled_exactly(kappa, lambda, a, rounding, divisor);
}

}  // namespace nibble
