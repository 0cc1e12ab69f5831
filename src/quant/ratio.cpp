#include "quant/ratio.hpp"

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>

#include "base/interval.hpp"
#include "base/rescale.hpp"

namespace nibble::quant {
namespace {

using Big = boost::multiprecision::cpp_int;

/// numerator / denominator, both positive.
struct Fraction {
  Big numerator = 1, denominator = 1;
};

void multiply(Big& product, int& exponent, double factor) {
  int own = 0;
  const double mantissa = std::frexp(factor, &own);
  product *= static_cast<int64_t>(std::ldexp(mantissa, 53));
  exponent += own - 53;
}

Fraction fraction_of(const Ratio& ratio) {
  Fraction f;
  int exponent = 0, under = 0;
  for (double factor : ratio.over) multiply(f.numerator, exponent, factor);
  for (double factor : ratio.under) multiply(f.denominator, under, factor);
  exponent -= under;
  if (exponent >= 0)
    f.numerator <<= static_cast<unsigned>(exponent);
  else
    f.denominator <<= static_cast<unsigned>(-exponent);
  return f;
}

/// The smallest integer at or above numerator / denominator, denominator > 0.
Big ceiling(const Big& numerator, const Big& denominator) {
  Big quotient = numerator / denominator;
  if (quotient * denominator < numerator) ++quotient;
  return quotient;
}

/// The smallest a with round_half_even(kappa a) >= j: kappa a > j - 1/2, or is it and j is even.
Big first_reaching(const Fraction& kappa, int64_t j) {
  const Big numerator = (2 * Big(j) - 1) * kappa.denominator, denominator = 2 * kappa.numerator;
  Big first = ceiling(numerator, denominator);
  if (j % 2 != 0 && first * denominator == numerator) ++first;
  return first;
}

}  // namespace

double Ratio::value() const {
  double product = 1;
  for (double factor : over) product *= factor;
  for (double factor : under) product /= factor;
  return product;
}

Staircase staircase(const Ratio& ratio, int64_t offset, const Grid& grid, Interval arguments) {
  const Fraction kappa = fraction_of(ratio);
  Staircase result{grid.low, {}, {}};
  for (int64_t level = grid.low + 1; level <= grid.high; ++level) {
    const Big at = first_reaching(kappa, level - grid.zero_point) - offset;
    if (at > arguments.high) break;
    if (at <= arguments.low)
      result.first = level;
    else
      result.at.push_back(static_cast<int64_t>(at));
  }
  return result;
}

std::vector<int64_t> rounded_sums(double a, Interval x, double b, Interval y, double unit) {
  // unit = divisor * 2^exponent; a power of two leaves a float32's digits as they are.
  int exponent = 0;
  const auto divisor = static_cast<int64_t>(std::ldexp(std::frexp(unit, &exponent), 53));
  const double kappa[] = {std::ldexp(a, 53 - exponent), std::ldexp(b, 53 - exponent)};
  const Interval held = range_of(ElementType::Int32);
  std::vector<int64_t> sums;
  for (int64_t i = x.low; i <= x.high; ++i)
    for (int64_t j = y.low; j <= y.high; ++j) {
      const int64_t terms[] = {i, j};
      sums.push_back(std::clamp(rescaled(kappa, 0, terms, Rounding::HalfEven, divisor), held.low, held.high));
    }
  return sums;
}

}  // namespace nibble::quant
