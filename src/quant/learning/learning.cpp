#include "quant/learning/learning.hpp"

#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.hpp"

namespace nibble::quant {
namespace {

/// Positive, and so far from the ends of float32's range that products with levels and inverses stay inside.
double within_float(double scale) {
  return std::fmin(std::fmax(scale, 0x1p-96), 0x1p96);
}

/// The largest float32 number that is at most x.
float at_most(double x) {
  const auto near = static_cast<float>(x);
  return static_cast<double>(near) > x ? std::nextafter(near, -std::numeric_limits<float>::infinity()) : near;
}

/// Of TQT, from which the scale is the threshold over the levels up to it.
double levels_to_threshold(double reach, bool power_of_two) {
  return power_of_two ? std::exp2(std::ceil(std::log2(reach + 0.5))) : reach;
}

}  // namespace

float learned_from_scale(const Learning& learning, double scale, double reach) {
  switch (learning.algorithm) {
    case Algorithm::Pact: return static_cast<float>(scale * reach);
    case Algorithm::Tqt:
      return static_cast<float>(std::log2(scale * levels_to_threshold(reach, learning.power_of_two)));
    case Algorithm::Lsq:
    case Algorithm::Ste:
    case Algorithm::Ana:
    case Algorithm::Inq: return static_cast<float>(scale);
  }
  throw InternalError("an algorithm is one of the enumeration");
}

float scale_of_learned(const Learning& learning, double learned, double reach) {
  switch (learning.algorithm) {
    case Algorithm::Pact: {
      float scale = at_most(within_float(learned / reach));
      // The quotient itself was rounded: the bound must not lie beyond the learned one.
      while (static_cast<double>(scale) * reach > learned && learned > 0) scale = std::nextafter(scale, 0.0f);
      return static_cast<float>(within_float(static_cast<double>(scale)));
    }
    case Algorithm::Tqt: {
      const double log2_threshold = learning.power_of_two ? std::ceil(learned) : learned;
      return static_cast<float>(
          within_float(std::exp2(log2_threshold) / levels_to_threshold(reach, learning.power_of_two)));
    }
    case Algorithm::Lsq:
    case Algorithm::Ste:
    case Algorithm::Ana:
    case Algorithm::Inq: return static_cast<float>(within_float(learned));
  }
  throw InternalError("an algorithm is one of the enumeration");
}

double gradient_of_learned(const Learning& learning, const GradientSums& sums, const Steps& steps, double count) {
  const double by_scale = steps.least() * sums.below + sums.inside + steps.most() * sums.above;
  switch (learning.algorithm) {
    case Algorithm::Pact: return steps.least() / steps.reach() * sums.below + steps.most() / steps.reach() * sums.above;
    case Algorithm::Tqt: return std::numbers::ln2 * static_cast<double>(steps.scale) * by_scale;
    case Algorithm::Lsq: return by_scale / std::sqrt(count * steps.reach());
    case Algorithm::Ste:
    case Algorithm::Ana:
    case Algorithm::Inq: return 0;
  }
  throw InternalError("an algorithm is one of the enumeration");
}

Steps steps_between(double low, double high, int64_t levels, Rounding rounding) {
  ensure(low <= 0 && high >= 0 && levels >= 2 && levels < 2048, "an asymmetric quantiser's bounds enclose zero");
  const auto steps_up = static_cast<double>(levels - 1);
  Steps steps;
  steps.scale = static_cast<float>(within_float((high - low) / steps_up));
  const double below = std::fmin(std::floor(-low / static_cast<double>(steps.scale) + 0.5), steps_up);
  steps.low = -static_cast<int32_t>(below);
  steps.high = steps.low + static_cast<int32_t>(levels - 1);
  steps.rounding = rounding;
  steps.end = steps.most();
  return steps;
}

double GradientVariance::normalise(double gradient, double momentum, bool saturated) {
  constexpr double epsilon = 1e-5;
  variance = momentum * variance + (1 - momentum) * gradient * gradient;
  weight *= momentum;
  const double normalised = gradient / (std::sqrt(variance / (1 - weight)) + epsilon);
  return saturated ? std::tanh(normalised) : normalised;
}

}  // namespace nibble::quant
