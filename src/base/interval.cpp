#include "base/interval.hpp"

#include <algorithm>
#include <cstdint>

#include "base/error.hpp"

namespace nibble {

Interval hull(Interval a, Interval b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

Interval hull(std::span<const Interval> ranges) {
  ensure(!ranges.empty(), "a hull is of one range or more");
  Interval all = ranges.front();
  for (const Interval& range : ranges) all = hull(all, range);
  return all;
}

Interval range_of(ElementType type) {
  switch (type) {
    case ElementType::Bool: return {0, 1};
    case ElementType::Int8: return {INT8_MIN, INT8_MAX};
    case ElementType::UInt8: return {0, UINT8_MAX};
    case ElementType::Int16: return {INT16_MIN, INT16_MAX};
    case ElementType::UInt16: return {0, UINT16_MAX};
    case ElementType::Int32: return {INT32_MIN, INT32_MAX};
    case ElementType::Int64: return {INT64_MIN, INT64_MAX};
    case ElementType::Float32:
    case ElementType::Float64: break;
  }
  throw InternalError("a type of reals has no range of integers");
}

}  // namespace nibble
