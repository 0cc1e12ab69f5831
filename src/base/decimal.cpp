#include "base/decimal.hpp"

#include <charconv>
#include <cmath>
#include <iterator>

namespace nibble {

double decimal_of(float number) {
  if (!std::isfinite(number)) return number;
  char digits[32];
  const auto written = std::to_chars(std::begin(digits), std::end(digits), number);
  double wide = number;
  std::from_chars(std::begin(digits), written.ptr, wide);
  return wide;
}

}  // namespace nibble
