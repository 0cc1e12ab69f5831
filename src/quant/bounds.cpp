#include "quant/bounds.hpp"

#include <algorithm>
#include <bit>

namespace nibble::quant {

int signed_bits(Interval interval) {
  const auto bits = [](int64_t x) {
    return static_cast<int>(std::bit_width(static_cast<uint64_t>(x < 0 ? ~x : x))) + 1;
  };
  return std::max(bits(interval.low), bits(interval.high));
}

}  // namespace nibble::quant
