#include "quant/level_reals.hpp"

#include <algorithm>
#include <type_traits>

#include "quant/learning/instruction_sets.hpp"

namespace nibble::quant {
namespace {

constexpr size_t block = 256;

/// Numbers of one operand.
struct Factor {
  double scale, zero;
};

/// Of one operand, any number of elements.
template <class Element>
NIBBLE_INLINE void reals_of_one(Factor factor, const Element* __restrict a, size_t count, double shift, double low,
                                double high, float* __restrict y) {
  for (size_t i = 0; i < count; ++i) {
    const double sum = shift + (static_cast<double>(a[i]) - factor.zero) * factor.scale;
    const double above = sum < low ? low : sum;
    y[i] = static_cast<float>(above > high ? high : above);
  }
}

/// One block of at most `block` elements.
template <class Element>
NIBBLE_INLINE void reals(const Factor* factors, const Element* const* a, size_t operands, size_t at, size_t count,
                         double shift, double low, double high, float* __restrict y) {
  if (operands == 1) return reals_of_one(factors[0], a[0] + at, count, shift, low, high, y);
  double sums[block];
  for (size_t i = 0; i < count; ++i) sums[i] = shift;
  for (size_t k = 0; k < operands; ++k) {
    const Element* __restrict from = a[k] + at;
    const Factor factor = factors[k];
    for (size_t i = 0; i < count; ++i) sums[i] += (static_cast<double>(from[i]) - factor.zero) * factor.scale;
  }
  for (size_t i = 0; i < count; ++i) {
    const double above = sums[i] < low ? low : sums[i];
    y[i] = static_cast<float>(above > high ? high : above);
  }
}

#define NIBBLE_OF(attribute, name, Element)                                                                     \
  attribute void name(const Factor* factors, const Element* const* a, size_t operands, size_t at, size_t count, \
                      double shift, double low, double high, float* y) {                                        \
    reals(factors, a, operands, at, count, shift, low, high, y);                                                \
  }
#define NIBBLE_REALS(set, attribute)             \
  namespace set {                                \
  NIBBLE_OF(attribute, reals_of_floats, float)   \
  NIBBLE_OF(attribute, reals_of_doubles, double) \
  }
NIBBLE_INSTRUCTION_SETS(NIBBLE_REALS)
#undef NIBBLE_OF

/// clip(round(u), low, high) = round(clip(u, low, high)) for whole low and high.
template <Rounding rounding, class In, class Out>
NIBBLE_INLINE void levels(const Levels& how, const In* __restrict x, size_t count, Out* __restrict y) {
  const Levels h = how;
  for (size_t i = 0; i < count; ++i) {
    double u = static_cast<double>(x[i]) / h.scale;
    u = u < h.low ? h.low : u;
    u = u > h.high ? h.high : u;
    double level = rounding == Rounding::HalfEven ? __builtin_nearbyint(u) : __builtin_floor(u);
    // floor(u + 0.5) would round the sum itself.
    if constexpr (rounding == Rounding::HalfUp) level += u - level >= 0.5 ? 1.0 : 0.0;
    y[i] = static_cast<Out>(h.gain * level + h.shift);
  }
}

#define NIBBLE_OF(attribute, name, In, Out)                                         \
  attribute void name(const Levels& how, const In* x, size_t count, Out* y) {       \
    switch (how.rounding) {                                                         \
      case Rounding::Floor: return levels<Rounding::Floor>(how, x, count, y);       \
      case Rounding::HalfUp: return levels<Rounding::HalfUp>(how, x, count, y);     \
      case Rounding::HalfEven: return levels<Rounding::HalfEven>(how, x, count, y); \
    }                                                                               \
  }
#define NIBBLE_LEVELS(set, attribute)                      \
  namespace set {                                          \
  NIBBLE_OF(attribute, floats_of_floats, float, float)     \
  NIBBLE_OF(attribute, doubles_of_floats, float, double)   \
  NIBBLE_OF(attribute, floats_of_doubles, double, float)   \
  NIBBLE_OF(attribute, doubles_of_doubles, double, double) \
  }
NIBBLE_INSTRUCTION_SETS(NIBBLE_LEVELS)

template <class Element>
auto chosen() {
  if constexpr (std::is_same_v<Element, float>)
    return NIBBLE_CHOOSE(reals_of_floats);
  else
    return NIBBLE_CHOOSE(reals_of_doubles);
}

template <class In, class Out>
auto chosen_quantiser() {
  if constexpr (std::is_same_v<In, float>) {
    if constexpr (std::is_same_v<Out, float>)
      return NIBBLE_CHOOSE(floats_of_floats);
    else
      return NIBBLE_CHOOSE(doubles_of_floats);
  } else if constexpr (std::is_same_v<Out, float>) {
    return NIBBLE_CHOOSE(floats_of_doubles);
  } else {
    return NIBBLE_CHOOSE(doubles_of_doubles);
  }
}

}  // namespace

template <class Element>
void reals_of_levels(const LevelReals& how, std::span<const Element* const> a, size_t count, float* y) {
  static const auto reals_of = chosen<Element>();
  std::vector<Factor> factors;
  for (size_t k = 0; k < a.size(); ++k) factors.push_back({how.scale[k], how.zero[k]});
  for (size_t begin = 0; begin < count; begin += block)
    reals_of(factors.data(), a.data(), a.size(), begin, std::min(block, count - begin), how.shift, how.low, how.high,
             y + begin);
}

template void reals_of_levels(const LevelReals&, std::span<const float* const>, size_t, float*);
template void reals_of_levels(const LevelReals&, std::span<const double* const>, size_t, float*);

Levels levels_on(const Grid& grid, Rounding rounding, size_t channel) {
  const auto zero = static_cast<double>(grid.zero_point);
  return {grid.scale_of(channel),
          static_cast<double>(grid.low) - zero,
          static_cast<double>(grid.high) - zero,
          1,
          zero,
          rounding};
}

template <class In, class Out>
void levels_of_reals(const Levels& how, const In* x, size_t count, Out* y) {
  static const auto levels_of = chosen_quantiser<In, Out>();
  levels_of(how, x, count, y);
}

template void levels_of_reals(const Levels&, const float*, size_t, float*);
template void levels_of_reals(const Levels&, const float*, size_t, double*);
template void levels_of_reals(const Levels&, const double*, size_t, float*);
template void levels_of_reals(const Levels&, const double*, size_t, double*);

}  // namespace nibble::quant
