#include "quant/scale.hpp"

#include <cmath>

namespace nibble::quant {

double shortened(double scale) {
  int exponent = 0;
  const double mantissa = std::frexp(scale, &exponent);
  return std::ldexp(std::ceil(std::ldexp(mantissa, 12)), exponent - 12);
}

}  // namespace nibble::quant
