#pragma once
#include "backends/weights.hpp"

/// Weights in what oneDNN sums without an error.
namespace nibble::backends {

/// What oneDNN's arithmetic asks of weights for u8 activations.
struct Arithmetic {
  /// Products are added by twos in 16 bits that saturate (vpmaddubsw), whichever two of an output channel.
  bool pairs = true;
};

/// The fewest parts, at most 4, that add up to the weights and of which each is summed without an error: every sum stays
/// within 2^24, since oneDNN takes sums through floats, and no pair saturates. None where 4 do not suffice.
std::optional<std::vector<std::vector<int8_t>>> exact_parts(const Weights& weights, Arithmetic arithmetic);

}  // namespace nibble::backends
