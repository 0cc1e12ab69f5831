#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.hpp"

namespace nibble {

/// How a real number becomes an integer. floor: ⌊u⌋; half_up: ⌊u + 1/2⌋ (our nearest); half_even: ties to even (ONNX).
enum class Rounding : uint8_t { Floor, HalfUp, HalfEven };

std::string_view to_string(Rounding rounding);
/// "floor", "half_up" or "half_even"; throws UserError otherwise.
Rounding rounding_named(std::string_view name);
double round_by(double u, Rounding rounding);

/// Closed range of integers.
struct Interval {
  int64_t low = 0;
  int64_t high = 0;
  bool contains(int64_t x) const { return low <= x && x <= high; }
  bool operator==(const Interval&) const = default;
};

/// What the integers of a tensor stand for: real = scale * (q - zero_point), q in [low, high].
///
/// `scale` is positive, dimension real units per level, one for the tensor or one for each index along `axis`; always
/// exactly representable in float32, so that every dialect carries it unchanged. In NUMERICS.md's letters: eps = scale,
/// z = low - zero_point, n = high - low + 1. Real zero is on the grid: low <= zero_point <= high wherever a padding or
/// a ReLU meets it.
struct Grid {
  std::vector<double> scale{1.0};
  int axis = -1;  ///< -1: one scale for the tensor
  int64_t zero_point = 0;
  int64_t low = 0;
  int64_t high = 255;

  int64_t levels() const { return high - low + 1; }
  /// ⌈log2(levels)⌉: the bits that the levels need.
  int bits() const;
  bool per_channel() const { return axis >= 0; }
  double scale_of(size_t channel) const { return scale[per_channel() ? channel : 0]; }
  /// clip(round(x / scale) + zero_point, low, high). NaN is the caller's error.
  int64_t quantise(double x, size_t channel, Rounding rounding) const;
  double real(int64_t q, size_t channel) const { return scale_of(channel) * static_cast<double>(q - zero_point); }
  /// The smallest of int8, uint8, int16, uint16, int32 that holds [low, high].
  ElementType container() const;
  bool operator==(const Grid&) const = default;
};

/// Throws UserError ("<place>: ...") unless scales are positive, finite and float32, axis and levels make sense.
void check_grid(const Grid& grid, std::string_view room, std::string_view place);

}  // namespace nibble
