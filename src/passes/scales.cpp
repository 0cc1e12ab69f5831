#include "passes/scales.hpp"

#include <bit>
#include <cmath>

namespace nibble::passes {

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

std::optional<Quotient> quotient_of(double ratio) {
  constexpr double most = 0x1p16, tolerance = 0x1p-51;
  double rest = std::abs(ratio), before = 0, divisor = 1;
  if (rest == 0 || !std::isfinite(rest)) return {};
  // Continued fractions: the divisors of the best approximations, in order.
  for (int step = 0; step < 32 && divisor <= most; ++step) {
    const double multiple = ratio * divisor, whole = std::nearbyint(multiple);
    if (std::abs(multiple - whole) <= tolerance * std::abs(multiple) && whole != 0 && std::abs(whole) <= 0x1p20) {
      const auto integer = static_cast<int64_t>(divisor);
      if (std::has_single_bit(static_cast<uint64_t>(integer)) && multiple == whole) return {};
      return Quotient{static_cast<int64_t>(whole), integer};
    }
    rest -= std::floor(rest);
    if (rest == 0) return {};
    rest = 1 / rest;
    const double next = std::floor(rest) * divisor + before;
    before = divisor;
    divisor = next;
  }
  return {};
}

}  // namespace nibble::passes
