#pragma once
#include <numbers>

#include "quant/learning/algorithm.hpp"

namespace nibble::quant {

/// The gradient of log2 of a threshold over its moving deviation. Source: Jain et al. 2020, appendix.
struct GradientVariance {
  double variance = 0, weight = 1;  ///< weight: what of the start is still in the variance
  /// The normalised gradient; moves the variance first.
  double normalise(double gradient, double momentum, bool saturated) {
    constexpr double epsilon = 1e-5;
    variance = momentum * variance + (1 - momentum) * gradient * gradient;
    weight *= momentum;
    const double normalised = gradient / (std::sqrt(variance / (1 - weight)) + epsilon);
    return saturated ? std::tanh(normalised) : normalised;
  }
};

/// TQT: log2 of the threshold is learned, the threshold being scale * reach or, with powers of two, scale times the
/// power of two above reach. Source: Jain et al. 2020.
struct Tqt : StraightThrough {
  static constexpr std::string_view name = "tqt", learns = "threshold";
  static constexpr bool stays_positive = false;

  bool power_of_two = false;  ///< scales are powers of two
  bool normalised = false;    ///< the gradient over its moving deviation ...
  bool saturated = false;     ///< ... and through tanh
  double momentum = 0.9;      ///< of that moving variance

  float learned_from_scale(double scale, double reach) const {
    return static_cast<float>(std::log2(scale * levels_to_threshold(reach)));
  }

  float scale_of_learned(double learned, double reach) const {
    const double log2_threshold = power_of_two ? std::ceil(learned) : learned;
    return static_cast<float>(within_float(std::exp2(log2_threshold) / levels_to_threshold(reach)));
  }

  ///     ln 2 * scale * (least * below + inside + most * above)
  double gradient(const GradientSums& sums, const Steps& steps, double /*count*/, std::span<double> state) const {
    const double plain = std::numbers::ln2 * static_cast<double>(steps.scale) * gradient_by_scale(sums, steps);
    if (state.empty()) return plain;
    GradientVariance moving{state[0], state[1]};
    const double result = moving.normalise(plain, momentum, saturated);
    state[0] = moving.variance, state[1] = moving.weight;
    return result;
  }

  /// GradientVariance.
  std::vector<double> state_at_start() const { return normalised ? std::vector<double>{0, 1} : std::vector<double>{}; }

  template <class Self, class Visit>
  static void options(Self& self, Visit&& visit) {
    visit("power_of_two", self.power_of_two);
    visit("normalised", self.normalised);
    visit("saturated", self.saturated, Beside{"normalised", self.normalised});
    visit("momentum", self.momentum, Limits{0, std::nextafter(1.0, 0.0), "a number in [0, 1)"},
          Beside{"normalised", self.normalised});
  }

  friend bool operator==(const Tqt&, const Tqt&) = default;

 private:
  double levels_to_threshold(double reach) const {
    return power_of_two ? std::exp2(std::ceil(std::log2(reach + 0.5))) : reach;
  }
};

}  // namespace nibble::quant
