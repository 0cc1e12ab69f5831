#include "app/tasks/fixed_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace nibble::app {

int64_t reach_of(const program::Port& port) {
  return std::max({port.high - port.low, std::abs(port.low - port.zero_point), std::abs(port.high - port.zero_point)});
}

nibble_factor factor_of(double real, int64_t reach, const std::string& what, const std::string& place) {
  int exponent = 0;
  std::frexp(real, &exponent);
  const int shift = std::clamp(30 - exponent, 1, 61);
  const double mantissa = std::ldexp(real, shift);
  if (!(std::abs(mantissa) * static_cast<double>(reach) <= 0x1p61))
    fail("app", place, what + " of " + fmt::format("{:.6g}", real) + " for integers up to " + std::to_string(reach),
         "a product of at most 61 bits");
  return {std::llround(mantissa), shift};
}

nibble_integers integers_of(const program::Port& port, const std::string& place) {
  static constexpr int32_t bytes[] = {0, -1, 1, -2, 2, -4};  // by nibble_type
  if (port.value.type < 1 || port.value.type > 5)
    fail("app", place, "output '" + port.value.name + "' of 64 bits", "integers of at most 32");
  for (const int64_t stride : port.value.strides)
    if (stride < 0) fail("app", place, "output '" + port.value.name + "' that lies backwards", "one that does not");
  return {bytes[port.value.type], static_cast<int32_t>(port.zero_point)};
}

double scale_of(const program::Port& port, const std::string& place) {
  if (port.scale.size() > 1)
    fail("app", place, "output '" + port.value.name + "' of " + std::to_string(port.scale.size()) + " scales", "one");
  return port.scale.empty() ? 1.0 : port.scale[0];
}

float real_of(double scale, int64_t level) {
  return static_cast<float>(scale * static_cast<double>(level));
}

int64_t least_that(const program::Port& port, const std::function<bool(int64_t)>& passes) {
  int64_t low = port.low - port.zero_point, high = port.high - port.zero_point + 1;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (passes(middle))
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

}  // namespace nibble::app
