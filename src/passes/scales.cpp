#include "passes/scales.hpp"

#include <bit>
#include <cmath>

namespace nibble::passes {

double shortened(double scale) {
  int exponent = 0;
  const double mantissa = std::frexp(scale, &exponent);
  return std::ldexp(std::ceil(std::ldexp(mantissa, 12)), exponent - 12);
}

double float_product(double a, double b) {
  return static_cast<double>(static_cast<float>(a * b));
}

double exact_at(double ratio, int64_t zero) {
  if (zero == 0 || ratio == 0) return ratio;
  const auto taken = static_cast<int>(std::bit_width(static_cast<uint64_t>(std::abs(zero))));
  int exponent = 0;
  const double mantissa = std::frexp(ratio, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(mantissa, 53 - taken)), exponent - 53 + taken);
}

bool is_rounded_quotient(double ratio) {
  constexpr double most = 0x1p16, tolerance = 0x1p-43;
  double rest = std::abs(ratio), before = 0, divisor = 1;
  if (rest == 0 || !std::isfinite(rest)) return false;
  // Continued fractions: the divisors of the best approximations, in order.
  for (int step = 0; step < 32 && divisor <= most; ++step) {
    const double multiple = std::abs(ratio) * divisor;
    if (std::abs(multiple - std::nearbyint(multiple)) <= tolerance * multiple && multiple >= 0.5)
      return !std::has_single_bit(static_cast<uint64_t>(divisor));
    rest -= std::floor(rest);
    if (rest == 0) return false;
    rest = 1 / rest;
    const double next = std::floor(rest) * divisor + before;
    before = divisor;
    divisor = next;
  }
  return false;
}

}  // namespace nibble::passes
