#include "base/shape.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace nibble {

int64_t element_count(const Shape& shape) {
  return element_count(shape, any);
}

int64_t element_count(const Shape& shape, int64_t batch) {
  // Strides are products of extents beside a 0, so that one hides no other.
  int64_t count = 1;
  bool empty = false;
  for (int64_t extent : shape) {
    if (extent == any) extent = batch;
    if (extent < 0) fail("base", "shape " + to_string(shape), "extent " + std::to_string(extent), "at least 0");
    empty |= extent == 0;
    if (__builtin_mul_overflow(count, std::max<int64_t>(extent, 1), &count) || count > largest_tensor)
      fail("base", "shape " + to_string(shape), "too many elements", "at most " + std::to_string(largest_tensor));
  }
  return empty ? 0 : count;
}

bool is_static(const Shape& shape) {
  return std::none_of(shape.begin(), shape.end(), [](int64_t extent) { return extent == any; });
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i) text += ", ";
    text += shape[i] == any ? "N" : std::to_string(shape[i]);
  }
  return text + "]";
}

std::vector<int64_t> strides_of(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

Shape broadcast(const Shape& a, const Shape& b) {
  const size_t rank = std::max(a.size(), b.size());
  Shape result(rank);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t x = i + a.size() < rank ? 1 : a[i + a.size() - rank];
    const int64_t y = i + b.size() < rank ? 1 : b[i + b.size() - rank];
    if (x == y || y == 1)
      result[i] = x;
    else if (x == 1)
      result[i] = y;
    else if (x == any || y == any)
      result[i] = x == any ? y : x;
    else
      fail("base", "shapes " + to_string(a) + " and " + to_string(b), "do not broadcast",
           "equal extents, or 1, from the right");
  }
  return result;
}

int64_t normalise_axis(int64_t axis, size_t rank) {
  const auto extent = static_cast<int64_t>(rank);
  if (axis < -extent || axis >= extent)
    fail("base", "axis", std::to_string(axis), std::to_string(-extent) + " to " + std::to_string(extent - 1));
  return axis < 0 ? axis + extent : axis;
}

}  // namespace nibble
