#pragma once
#include <cstdint>
#include <span>

/// Bayesian Bits: gates that decide, by a stretched concrete distribution, how many bits a quantiser has. Source: van
/// Baalen et al. 2020; Louizos et al. 2018.
namespace nibble::quant {

/// The gate min(1, max(0, s (high - low) + low)) with s = sigmoid((logit(u) + phi) / temperature), u uniform.
struct HardConcrete {
  double low = -0.1, high = 1.1;
  double temperature = 0.5;

  /// The probability that the gate is 0.
  double closed(double phi) const;
  /// The gate at u in (0, 1).
  double drawn(double phi, double u) const;
};

/// The bits of a quantiser after training: bits[0], and the next for every gate in turn that is 0 with a probability
/// below 0.34, up to the first that is not. One gate less than bits.
int64_t bits_of_gates(const HardConcrete& gate, std::span<const double> phi, std::span<const int64_t> bits);

}  // namespace nibble::quant
