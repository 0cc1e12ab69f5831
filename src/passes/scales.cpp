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

}  // namespace nibble::passes
