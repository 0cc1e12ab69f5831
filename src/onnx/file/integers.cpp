#include "onnx/file/integers.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/interval.hpp"

namespace nibble::onnx {
int64_t integer_of(double real, const std::string& place) {
  constexpr double limit = 0x1p63;
  if (!(real >= -limit && real < limit) || real != std::floor(real))
    fail("onnx", place, fmt::format("{}", real), "an integer: the dialect holds nothing else");
  return static_cast<int64_t>(real);
}

Interval range_in_file(ElementType type) {
  if (type == ElementType::Bool) return range_of(ElementType::UInt8);
  return range_of(is_real(type) || type == ElementType::Int64 ? ElementType::Int32 : type);
}

Tensor narrowest_integers(const Tensor& tensor, const std::string& place) {
  std::vector<int64_t> values;
  if (is_real(tensor.type()))
    for (double real : tensor.to_reals())
      values.push_back(integer_of(real, place + ": element " + std::to_string(values.size())));
  else
    values = tensor.to_integers();
  Interval range;
  for (int64_t value : values) range = hull(range, {value, value});
  return Tensor(tensor.shape(), values).cast(Grid{.low = range.low, .high = range.high}.container());
}

}  // namespace nibble::onnx
