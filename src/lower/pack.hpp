#pragma once
#include <cstdint>
#include <functional>
#include <vector>

namespace nibble::lower {

/// The matrix of a linear op's weights, a row an output channel, as kernels.h's BLOCKED lays it out.
struct Matrix {
  int64_t rows = 0;
  /// Columns come in segments, each padded to a multiple of 4.
  int64_t segments = 1, segment = 0;
  std::function<int64_t(int64_t row, int64_t segment, int64_t at)> at;

  int64_t padded_segment() const { return (segment + 3) / 4 * 4; }
  int64_t columns() const { return segments * padded_segment(); }
};

std::vector<int8_t> blocked(const Matrix& matrix);

/// For each block of 16 rows: whether two products u8 * w side by side may leave 16 bits, for u8 up to `most`.
std::vector<uint8_t> pairs_that_saturate(const std::vector<int8_t>& blocked, const Matrix& matrix, int64_t most);

/// Weights of few levels, low + step * stored, in bits of a byte.
struct Packing {
  int bits = 8;  ///< 8: as they are
  int low = 0, step = 1;
};

/// The fewest bits of 1, 2, 4 and 8 that hold every value's level. A 0 among them is a level of its own.
Packing packing_of(const std::vector<int8_t>& values);

/// Low bits first; every `row` values begin on a byte.
std::vector<uint8_t> packed(const std::vector<int8_t>& values, const Packing& packing, int64_t row);

}  // namespace nibble::lower
