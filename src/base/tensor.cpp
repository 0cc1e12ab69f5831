#include "base/tensor.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace nibble {
namespace {

struct TypeRow {
  ElementType type;
  std::string_view name;
  size_t size;
};
constexpr std::array<TypeRow, 9> types{{{ElementType::Float32, "float32", 4},
                                        {ElementType::Float64, "float64", 8},
                                        {ElementType::Int8, "int8", 1},
                                        {ElementType::UInt8, "uint8", 1},
                                        {ElementType::Int16, "int16", 2},
                                        {ElementType::UInt16, "uint16", 2},
                                        {ElementType::Int32, "int32", 4},
                                        {ElementType::Int64, "int64", 8},
                                        {ElementType::Bool, "bool", 1}}};

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_integral_v<To>) {
    bool fits = true;
    if constexpr (std::is_floating_point_v<From>)
      fits = value == std::floor(value) && value >= static_cast<From>(std::numeric_limits<To>::min()) &&
             value < static_cast<From>(std::numeric_limits<To>::max()) + 1;
    else
      fits = std::in_range<To>(value);
    if (!fits) throw InternalError("a cast keeps every value: " + std::to_string(value) + " does not fit");
  }
  return static_cast<To>(value);
}

template <class To>
std::vector<To> converted(const Tensor& tensor) {
  std::vector<To> values(tensor.size());
  with_element_type(tensor.type(), [&](auto from) {
    const auto* source = reinterpret_cast<const decltype(from)*>(tensor.bytes().data());
    std::transform(source, source + values.size(), values.begin(), convert<To, decltype(from)>);
  });
  return values;
}

}  // namespace

std::string_view to_string(ElementType type) {
  return types.at(static_cast<size_t>(type)).name;
}

ElementType element_type(std::string_view name) {
  for (const TypeRow& row : types)
    if (row.name == name) return row.type;
  fail("base", "element type", "'" + std::string(name) + "'", "float32, float64, int8 ... int64 or bool");
}

size_t size_of(ElementType type) {
  return types.at(static_cast<size_t>(type)).size;
}

bool is_real(ElementType type) {
  return type == ElementType::Float32 || type == ElementType::Float64;
}

void Tensor::allocate() {
  bytes_.resize(static_cast<size_t>(element_count(shape_)) * size_of(type_));
}

void Tensor::check_type(ElementType asked) const {
  const bool fine = asked == type_ || (asked == ElementType::UInt8 && type_ == ElementType::Bool);
  if (!fine)
    throw InternalError("a tensor of " + std::string(to_string(type_)) + " is not read as " +
                        std::string(to_string(asked)));
}

Tensor Tensor::cast(ElementType type) const {
  if (type == type_) return *this;
  Tensor result(type, shape_);
  with_element_type(type_, [&](auto from) {
    with_element_type(type, [&](auto to) {
      const auto* source = reinterpret_cast<const decltype(from)*>(bytes_.data());
      auto* target = reinterpret_cast<decltype(to)*>(result.bytes_.data());
      for (size_t i = 0, count = size(); i < count; ++i) target[i] = convert<decltype(to)>(source[i]);
    });
  });
  return result;
}

std::vector<double> Tensor::to_reals() const {
  return converted<double>(*this);
}

std::vector<int64_t> Tensor::to_integers() const {
  return converted<int64_t>(*this);
}

Tensor Tensor::reshaped(Shape shape) const {
  if (element_count(shape) != static_cast<int64_t>(size()))
    fail("base", "reshape", to_string(shape_), "as many elements as " + to_string(shape));
  Tensor result = *this;
  result.shape_ = std::move(shape);
  return result;
}

}  // namespace nibble
