#include "onnx/file/integers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nibble::onnx {
int64_t integer_of(double real, const std::string& place) {
  constexpr double limit = 0x1p63;
  if (!(real >= -limit && real < limit) || real != std::floor(real))
    fail("onnx", place, fmt::format("{}", real), "an integer: the dialect holds nothing else");
  return static_cast<int64_t>(real);
}

Interval range_of_type(ElementType type) {
  switch (type) {
    case ElementType::Int8: return {INT8_MIN, INT8_MAX};
    case ElementType::Bool:
    case ElementType::UInt8: return {0, UINT8_MAX};
    case ElementType::Int16: return {INT16_MIN, INT16_MAX};
    case ElementType::UInt16: return {0, UINT16_MAX};
    default: return {INT32_MIN, INT32_MAX};
  }
}

Tensor narrowest_integers(const Tensor& tensor, const std::string& place) {
  std::vector<int64_t> values;
  if (is_real(tensor.type()))
    for (double real : tensor.to_reals())
      values.push_back(integer_of(real, place + ": element " + std::to_string(values.size())));
  else
    values = tensor.to_integers();
  Interval range;
  for (int64_t value : values) range = {std::min(range.low, value), std::max(range.high, value)};
  return Tensor(tensor.shape(), values).cast(Grid{.low = range.low, .high = range.high}.container());
}

}  // namespace nibble::onnx
