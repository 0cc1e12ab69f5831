#include "quant/rescaling.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "base/rescale.hpp"
#include "quant/learning/instruction_sets.hpp"

namespace nibble::quant {
namespace {

constexpr size_t block = 256;

NIBBLE_INLINE float size_of(float x) {
  return __builtin_fabsf(x);
}
NIBBLE_INLINE double size_of(double x) {
  return __builtin_fabs(x);
}
NIBBLE_INLINE float whole_below(float x) {
  return __builtin_floorf(x);
}
NIBBLE_INLINE double whole_below(double x) {
  return __builtin_floor(x);
}

/// Numbers of a channel as the loops read them. A level below `least` is low, above `most` high, whatever the fraction.
template <class Real>
struct Constants {
  Real lambda, divisor, half, zero_point, low, high, least, most;
  Real error;  ///< of a sum, relative to the sum of its terms' sizes
  Real last;   ///< of what is rounded, relative to it
  Real slack;  ///< of one term, where its level is between least and most

  /// `unit`: of a rounding. Each factor, product and addition rounds once, then the division and the half's addition.
  Constants(const Rescaling& how, double unit)
      : lambda(static_cast<Real>(how.lambda)),
        divisor(static_cast<Real>(how.divisor)),
        half(how.rounding == Rounding::Floor ? 0 : Real(0.5)),
        zero_point(static_cast<Real>(how.zero_point)),
        low(static_cast<Real>(how.low)),
        high(static_cast<Real>(how.high)),
        least(static_cast<Real>(how.low - how.zero_point + 1)),
        most(static_cast<Real>(how.high - how.zero_point)),
        error(static_cast<Real>(unit * 2 * static_cast<double>(2 + how.kappa.size()))),
        last(static_cast<Real>(unit * 4)) {
    // Of lambda + product = sum: neither is larger than the other two together.
    const Real reach = std::max(size_of(least), size_of(most)) + 2;
    slack = error * (reach + 2 * size_of(lambda) / divisor) + last * reach + Real(0x1p-100);
  }
};

/// What is rounded down, of one term.
template <bool divides, class Real>
NIBBLE_INLINE Real argument_of(Real kappa, Real a, const Constants<Real>& c) {
  const Real sum = c.lambda + kappa * a;
  return (divides ? sum / c.divisor : sum) + c.half;
}

/// Whether it is so near to a step that Real does not decide.
template <class Real>
NIBBLE_INLINE bool is_near(Real argument, Real beyond, Real slack, const Constants<Real>& c) {
  // Without jumps, which a vector has none of.
  const int close = int{beyond <= slack} | int{1 - beyond <= slack};
  return (close & int{argument + slack >= c.least} & int{argument - slack <= c.most}) != 0;
}

/// A block of one term, as `levels`.
template <bool divides, class Real>
NIBBLE_INLINE bool levels_of_one(Real kappa, const Real* __restrict a, size_t count, const Constants<Real>& constants,
                                 float* __restrict y, float* __restrict near) {
  const Constants<Real> c = constants;
  uint32_t any = 0;
  for (size_t i = 0; i < count; ++i) {
    const Real argument = argument_of<divides>(kappa, a[i], c), down = whole_below(argument);
    any |= is_near(argument, argument - down, c.slack, c) ? 1u : 0u;
    Real level = down + c.zero_point;
    level = level < c.low ? c.low : level;
    level = level > c.high ? c.high : level;
    y[i] = static_cast<float>(level);
  }
  if (any == 0) return false;
  for (size_t i = 0; i < count; ++i) {
    const Real argument = argument_of<divides>(kappa, a[i], c);
    near[i] = is_near(argument, argument - whole_below(argument), c.slack, c) ? 1.0f : 0.0f;
  }
  return true;
}

/// One block: levels, and whether any element is so near to a step that Real does not decide; then which.
template <bool divides, class Real>
NIBBLE_INLINE bool levels(const Real* __restrict kappa, const Real* const* a, size_t operands, size_t at, size_t count,
                          const Constants<Real>& constants, float* __restrict y, float* __restrict near) {
  if (operands == 1) return levels_of_one<divides>(kappa[0], a[0] + at, count, constants, y, near);
  const Constants<Real> c = constants;
  Real sums[block], sizes[block];
  const Real start = c.lambda < 0 ? -c.lambda : c.lambda;
  for (size_t i = 0; i < count; ++i) sums[i] = c.lambda, sizes[i] = start;
  for (size_t k = 0; k < operands; ++k) {
    const Real* __restrict from = a[k] + at;
    const Real factor = kappa[k];
    for (size_t i = 0; i < count; ++i) {
      const Real product = factor * from[i];
      sums[i] += product, sizes[i] += size_of(product);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    const Real sum = divides ? sums[i] / c.divisor : sums[i], size = divides ? sizes[i] / c.divisor : sizes[i];
    const Real shifted = sum + c.half, down = whole_below(shifted), beyond = shifted - down;
    const Real slack = c.error * size + c.last * size_of(shifted) + Real(0x1p-100);
    near[i] = is_near(shifted, beyond, slack, c) ? 1.0f : 0.0f;
    Real level = down + c.zero_point;
    level = level < c.low ? c.low : level;
    level = level > c.high ? c.high : level;
    y[i] = static_cast<float>(level);
  }
  // A sum of floats would have an order.
  uint32_t any = 0;
  for (size_t i = 0; i < count; ++i) any |= __builtin_bit_cast(uint32_t, near[i]);
  return any != 0;
}

#define NIBBLE_OF(set, attribute, name, Real)                                                            \
  attribute bool name(const Real* kappa, const Real* const* a, size_t operands, size_t at, size_t count, \
                      const Constants<Real>& c, float* y, float* near) {                                 \
    return c.divisor == 1 ? levels<false>(kappa, a, operands, at, count, c, y, near)                     \
                          : levels<true>(kappa, a, operands, at, count, c, y, near);                     \
  }
#define NIBBLE_RESCALING(set, attribute)               \
  namespace set {                                      \
  NIBBLE_OF(set, attribute, levels_of_floats, float)   \
  NIBBLE_OF(set, attribute, levels_of_doubles, double) \
  }
NIBBLE_INSTRUCTION_SETS(NIBBLE_RESCALING)

template <class Real>
auto chosen() {
  if constexpr (std::is_same_v<Real, float>)
    return NIBBLE_CHOOSE(levels_of_floats);
  else
    return NIBBLE_CHOOSE(levels_of_doubles);
}

}  // namespace

template <class Element>
void rescale(const Rescaling& how, std::span<const Element* const> a, size_t count, float* y) {
  static const auto levels_of = chosen<Element>();
  const Constants<Element> c(how, std::is_same_v<Element, float> ? 0x1p-24 : 0x1p-53);
  const std::vector<Element> kappa(how.kappa.begin(), how.kappa.end());
  // A float32 may not hold what a double does.
  const auto held = [](Element x) { return std::isfinite(x) && std::abs(x) < Element(0x1p100); };
  const bool decides = std::all_of(kappa.begin(), kappa.end(), held) && held(c.lambda);
  float near[block];
  std::vector<int64_t> operands(a.size());
  for (size_t begin = 0; begin < count; begin += block) {
    const size_t size = std::min(block, count - begin);
    if (decides && !levels_of(kappa.data(), a.data(), a.size(), begin, size, c, y + begin, near)) continue;
    for (size_t i = 0; i < size; ++i) {
      if (decides && near[i] == 0) continue;
      for (size_t k = 0; k < a.size(); ++k) operands[k] = static_cast<int64_t>(a[k][begin + i]);
      const int64_t level = rescaled(how.kappa, how.lambda, operands, how.rounding, how.divisor);
      y[begin + i] = static_cast<float>(std::clamp(level + how.zero_point, how.low, how.high));
    }
  }
}

template void rescale(const Rescaling&, std::span<const float* const>, size_t, float*);
template void rescale(const Rescaling&, std::span<const double* const>, size_t, float*);

}  // namespace nibble::quant
