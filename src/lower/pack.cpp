#include "lower/pack.hpp"

#include <algorithm>
#include <numeric>

namespace nibble::lower {

std::vector<int8_t> blocked(const Matrix& matrix) {
  const int64_t columns = matrix.columns(), blocks = (matrix.rows + 15) / 16;
  std::vector<int8_t> packed(static_cast<size_t>(blocks * columns * 16), 0);
  for (int64_t row = 0; row < matrix.rows; ++row)
    for (int64_t s = 0; s < matrix.segments; ++s)
      for (int64_t i = 0; i < matrix.segment; ++i) {
        const int64_t column = s * matrix.padded_segment() + i;
        const int64_t at = ((row / 16 * (columns / 4) + column / 4) * 16 + row % 16) * 4 + column % 4;
        packed[static_cast<size_t>(at)] = static_cast<int8_t>(matrix.at(row, s, i));
      }
  return packed;
}

std::vector<uint8_t> pairs_that_saturate(const std::vector<int8_t>& packed, const Matrix& matrix, int64_t most) {
  const auto block = static_cast<size_t>(matrix.columns() * 16);
  std::vector<uint8_t> result(static_cast<size_t>((matrix.rows + 15) / 16), 0);
  for (size_t i = 0; i < packed.size(); i += 2) {
    const int64_t a = packed[i], b = packed[i + 1];
    const int64_t high = (std::max<int64_t>(a, 0) + std::max<int64_t>(b, 0)) * most;
    const int64_t low = (std::min<int64_t>(a, 0) + std::min<int64_t>(b, 0)) * most;
    if (high > INT16_MAX || low < INT16_MIN) result[i / block] = 1;
  }
  return result;
}

Packing packing_of(const std::vector<int8_t>& values) {
  if (values.empty()) return {};
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  int step = 0;
  for (int8_t value : values) step = std::gcd(step, value - *least);
  step = std::max(step, 1);
  const int levels = (*most - *least) / step + 1;
  const int bits = levels <= 2 ? 1 : levels <= 4 ? 2 : levels <= 16 ? 4 : 8;
  return bits == 8 ? Packing{} : Packing{bits, *least, step};
}

std::vector<uint8_t> packed(const std::vector<int8_t>& values, const Packing& packing, int64_t row) {
  std::vector<uint8_t> bytes;
  const int per_byte = 8 / packing.bits;
  for (size_t begin = 0; begin < values.size(); begin += static_cast<size_t>(row)) {
    int filled = 0;
    for (size_t i = begin; i < std::min(values.size(), begin + static_cast<size_t>(row)); ++i) {
      if (filled % per_byte == 0) bytes.push_back(0);
      const int level = (values[i] - packing.low) / packing.step;
      bytes.back() = static_cast<uint8_t>(bytes.back() | level << (filled % per_byte * packing.bits));
      ++filled;
    }
  }
  return bytes;
}

}  // namespace nibble::lower
