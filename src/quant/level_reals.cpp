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

/// One block of at most `block` elements.
template <class Element>
NIBBLE_INLINE void reals(const Factor* factors, const Element* const* a, size_t operands, size_t at, size_t count,
                         double shift, double low, double high, float* __restrict y) {
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

template <class Element>
auto chosen() {
  if constexpr (std::is_same_v<Element, float>)
    return NIBBLE_CHOOSE(reals_of_floats);
  else
    return NIBBLE_CHOOSE(reals_of_doubles);
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

}  // namespace nibble::quant
