#include "verbs/layout.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "base/error.hpp"
#include "kernels/packed/packed.h"
#include "lab/loaded_program.hpp"

namespace nibble::verbs {
namespace {

/// In the order of nibble_type.
constexpr const char* type_names[] = {"int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "int64_t",
                                      "double", "uint4",   "int4",    "uint2",    "int2"};

/// Calls f(number of the element in the tensor's order, where it stands) for each.
template <class F>
void each_place(const program::Value& value, int64_t first, F&& f) {
  const int64_t count = element_count(value.extents);
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, at = first;
    for (size_t axis = value.extents.size(); axis-- > 0; rest /= value.extents[axis])
      at += rest % value.extents[axis] * value.strides[axis];
    f(static_cast<size_t>(i), static_cast<size_t>(at));
  }
}

/// Packed words as bytes.
std::vector<uint8_t> unpacked(const std::vector<uint8_t>& words, int32_t type) {
  std::vector<uint8_t> bytes;
  const auto count = static_cast<int64_t>(words.size() / 4) * nibble_per_word(type);
  for (int64_t i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(nibble_load_packed(words.data(), type, i)));
  return bytes;
}

program::Value in_tile(program::Value value) {
  value.type = nibble_in_tile(value.type);
  return value;
}

}  // namespace

program::Value dense(program::Value value) {
  std::vector<size_t> order(value.extents.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return std::abs(value.strides[a]) > std::abs(value.strides[b]); });
  int64_t stride = 1;
  for (size_t k = order.size(); k-- > 0; stride *= value.extents[order[k]]) value.strides[order[k]] = stride;
  return value;
}

std::vector<uint8_t> bytes_of(const Tensor& tensor, const program::Value& value) {
  const Tensor typed = tensor.cast(lab::element_of(value.type));
  const size_t size = size_of(typed.type());
  std::vector<uint8_t> bytes;
  each_place(value, 0, [&](size_t i, size_t at) {
    if (bytes.size() < (at + 1) * size) bytes.resize((at + 1) * size);
    std::memcpy(bytes.data() + at * size, typed.bytes().data() + i * size, size);
  });
  return bytes;
}

Tensor tensor_of(const std::vector<uint8_t>& bytes, const program::Value& value, const std::string& place,
                 int64_t first) {
  if (nibble_is_packed(value.type)) return tensor_of(unpacked(bytes, value.type), in_tile(value), place, first);
  Tensor tensor(lab::element_of(value.type), value.extents);
  const size_t size = size_of(tensor.type());
  each_place(value, first, [&](size_t i, size_t at) {
    if (at >= bytes.size() / size)
      fail("verbs", place, std::to_string(bytes.size()) + " bytes of '" + value.name + "'", "every element");
    std::memcpy(tensor.bytes().data() + i * size, bytes.data() + at * size, size);
  });
  if (is_real(tensor.type())) return tensor.cast(ElementType::Float64);
  Tensor integers = tensor.cast(ElementType::Int64);
  for (int64_t& q : integers.as<int64_t>()) q -= value.held;
  return integers;
}

program::Value value_from_json(const Json& json, const std::string& place) {
  const Section section(json, "verbs", place);
  program::Value value;
  value.name = section.text("name");
  const auto type = std::find(std::begin(type_names), std::end(type_names), section.text("type"));
  if (type == std::end(type_names)) section.refuse("type", "a type of C");
  value.type = static_cast<int32_t>(type - std::begin(type_names)) + 1;
  if (section.has("held")) section.whole("held", value.held, -128, 128);
  const Json &extents = section.part("extents"), &strides = section.part("strides");
  if (!extents.is_array() || !strides.is_array() || extents.size() != strides.size())
    section.refuse("strides", "one for each extent");
  for (size_t axis = 0; axis < extents.size(); ++axis) {
    const auto extent = whole_number(extents[axis]), stride = whole_number(strides[axis]);
    if (!extent || *extent < 0 || *extent > INT32_MAX) section.refuse("extents", "whole numbers");
    if (!stride || *stride < -INT32_MAX || *stride > INT32_MAX) section.refuse("strides", "whole numbers");
    value.extents.push_back(*extent);
    value.strides.push_back(*stride);
  }
  return value;
}

}  // namespace nibble::verbs
