#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/shape.hpp"

namespace nibble {

enum class ElementType : uint8_t { Float32, Float64, Int8, UInt8, Int16, UInt16, Int32, Int64, Bool };

std::string_view to_string(ElementType type);
/// Throws UserError on an unknown name.
ElementType element_type(std::string_view name);
size_t size_of(ElementType type);
bool is_real(ElementType type);

// clang-format off
template <class T> struct element_type_of;
template <> struct element_type_of<float> { static constexpr auto value = ElementType::Float32; };
template <> struct element_type_of<double> { static constexpr auto value = ElementType::Float64; };
template <> struct element_type_of<int8_t> { static constexpr auto value = ElementType::Int8; };
template <> struct element_type_of<uint8_t> { static constexpr auto value = ElementType::UInt8; };
template <> struct element_type_of<int16_t> { static constexpr auto value = ElementType::Int16; };
template <> struct element_type_of<uint16_t> { static constexpr auto value = ElementType::UInt16; };
template <> struct element_type_of<int32_t> { static constexpr auto value = ElementType::Int32; };
template <> struct element_type_of<int64_t> { static constexpr auto value = ElementType::Int64; };
template <> struct element_type_of<bool> { static constexpr auto value = ElementType::Bool; };
// clang-format on

/// A dense row-major array that owns its elements. Bool is held as one byte, 0 or 1.
class Tensor {
 public:
  /// A float32 tensor of shape [0].
  Tensor() : Tensor(ElementType::Float32, {0}) {}
  /// Zeros. Throws UserError on a shape that is not static or too large. A template, so that the `{}` of a scalar's
  /// shape is never taken for an element type.
  template <std::same_as<ElementType> Type>
  Tensor(Type type, Shape shape) : type_(type), shape_(std::move(shape)) {
    allocate();
  }
  /// Throws InternalError when the number of values is not the shape's.
  template <class T>
  Tensor(Shape shape, const std::vector<T>& values) : Tensor(element_type_of<T>::value, std::move(shape)) {
    ensure(values.size() == size(), "a tensor's values fill its shape");
    std::copy(values.begin(), values.end(), as<T>().begin());
  }

  ElementType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  size_t rank() const { return shape_.size(); }
  size_t size() const { return bytes_.size() / size_of(type_); }
  std::span<std::byte> bytes() { return bytes_; }
  std::span<const std::byte> bytes() const { return bytes_; }

  /// The elements as T. Throws InternalError when T is not the element type (uint8_t also reads Bool).
  template <class T>
  std::span<T> as() {
    check_type(element_type_of<T>::value);
    return {reinterpret_cast<T*>(bytes_.data()), size()};
  }
  template <class T>
  std::span<const T> as() const {
    check_type(element_type_of<T>::value);
    return {reinterpret_cast<const T*>(bytes_.data()), size()};
  }

  /// The elements converted. Reals to integers must be integers that fit, or an InternalError says which is not;
  /// integers that do not fit the new type, likewise.
  Tensor cast(ElementType type) const;
  std::vector<double> to_reals() const;
  std::vector<int64_t> to_integers() const;

  /// The same elements under another static shape of the same count (else UserError).
  Tensor reshaped(Shape shape) const;

  bool operator==(const Tensor& other) const = default;

 private:
  void allocate();
  void check_type(ElementType asked) const;

  ElementType type_;
  Shape shape_;
  std::vector<std::byte> bytes_;
};

/// Calls f with a value-initialised element of the C++ type of `type` (uint8_t for Bool).
template <class F>
decltype(auto) with_element_type(ElementType type, F&& f) {
  switch (type) {
    case ElementType::Float32: return f(float{});
    case ElementType::Float64: return f(double{});
    case ElementType::Int8: return f(int8_t{});
    case ElementType::UInt8: return f(uint8_t{});
    case ElementType::Int16: return f(int16_t{});
    case ElementType::UInt16: return f(uint16_t{});
    case ElementType::Int32: return f(int32_t{});
    case ElementType::Int64: return f(int64_t{});
    case ElementType::Bool: return f(uint8_t{});
  }
  throw InternalError("an element type is one of the enumeration");
}

}  // namespace nibble
