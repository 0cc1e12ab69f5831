#pragma once
#include <limits>

#include "quant/learning/algorithm.hpp"

namespace nibble::quant {

/// PACT: the clip bound, scale * reach, is learned. Source: Choi et al. 2018.
struct Pact : StraightThrough {
  static constexpr std::string_view name = "pact", learns = "bound";
  static constexpr bool both_bounds = true;

  float learned_from_scale(double scale, double reach) const { return static_cast<float>(scale * reach); }

  /// The largest whose bound does not exceed the learned one, so that the bound itself falls on the highest level.
  float scale_of_learned(double learned, double reach) const {
    float scale = at_most(within_float(learned / reach));
    // The quotient itself was rounded: the bound must not lie beyond the learned one.
    while (static_cast<double>(scale) * reach > learned && learned > 0) scale = std::nextafter(scale, 0.0f);
    return static_cast<float>(within_float(static_cast<double>(scale)));
  }

  ///     (least * below + most * above) / reach
  double gradient(const GradientSums& sums, const Steps& steps, double /*count*/, std::span<double> /*state*/) const {
    return steps.least() / steps.reach() * sums.below + steps.most() / steps.reach() * sums.above;
  }

  friend bool operator==(const Pact&, const Pact&) = default;

 private:
  /// The largest float32 number that is at most x.
  static float at_most(double x) {
    const auto near = static_cast<float>(x);
    return static_cast<double>(near) > x ? std::nextafter(near, -std::numeric_limits<float>::infinity()) : near;
  }
};

}  // namespace nibble::quant
