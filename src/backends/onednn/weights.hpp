#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/kernels.h"

/// Weights of a convolution out of a program's formats, and in what oneDNN sums without an error.
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

/// What oneDNN's arithmetic asks of weights for u8 activations.
struct Arithmetic {
  /// Products are added by twos in 16 bits that saturate (vpmaddubsw), whichever two of an output channel.
  bool pairs = true;
};

/// The fewest parts, at most 4, that add up to the weights and of which each is summed without an error: every sum stays
/// within 2^24, since oneDNN takes sums through floats, and no pair saturates. None where 4 do not suffice.
std::optional<std::vector<std::vector<int8_t>>> exact_parts(const Weights& weights, Arithmetic arithmetic);

}  // namespace nibble::backends
