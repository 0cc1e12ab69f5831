#include "quant/learning/hard_concrete.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace nibble::quant {
namespace {

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

}  // namespace

double HardConcrete::closed(double phi) const {
  return sigmoid(temperature * std::log(-low / high) - phi);
}

double HardConcrete::drawn(double phi, double u) const {
  const double s = sigmoid((std::log(u) - std::log1p(-u) + phi) / temperature);
  return std::clamp(s * (high - low) + low, 0.0, 1.0);
}

int64_t bits_of_gates(const HardConcrete& gate, std::span<const double> phi, std::span<const int64_t> bits) {
  ensure(bits.size() == phi.size() + 1, "each gate adds bits to those before");
  constexpr double closed_at_most = 0.34;
  size_t open = 0;
  while (open < phi.size() && gate.closed(phi[open]) < closed_at_most) ++open;
  return bits[open];
}

}  // namespace nibble::quant
