#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/kernels.h"

/// Weights of a convolution out of a program's formats.
namespace nibble::backends {

/// [out channel][tap][channel of the group], taps in the order depth, height, width.
struct Weights {
  int64_t outs = 0, taps = 0, ins = 0;
  std::vector<int32_t> numbers;

  int64_t at(int64_t out, int64_t tap, int64_t in) const {
    return numbers[static_cast<size_t>((out * taps + tap) * ins + in)];
  }
  /// Of one tap, over the group's channels.
  int64_t sum(int64_t out, int64_t tap) const;
};

/// None where a weight does not fit int8.
std::optional<Weights> weights_of(const nibble_conv& conv);

}  // namespace nibble::backends
