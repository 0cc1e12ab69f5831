#include "quant/rescaling.hpp"

#include <algorithm>
#include <cmath>

#include "base/rescale.hpp"
#include "quant/learning/instruction_sets.hpp"

namespace nibble::quant {
namespace {

constexpr size_t block = 256;

/// Numbers of a channel as the loops read them.
struct Constants {
  double lambda, divisor, half, zero_point, low, high, error;
};

/// One block: levels, and which elements are so near to a step that a double does not decide (and whether any is). The
/// error is that of nibble::rescaled's own test.
template <bool divides, class Element>
NIBBLE_INLINE bool levels(const double* __restrict kappa, const Element* const* a, size_t operands, size_t at,
                          size_t count, const Constants& constants, float* __restrict y, float* __restrict near) {
  const Constants c = constants;
  double sums[block], sizes[block];
  for (size_t i = 0; i < count; ++i) sums[i] = c.lambda, sizes[i] = __builtin_fabs(c.lambda);
  for (size_t k = 0; k < operands; ++k) {
    const Element* __restrict from = a[k] + at;
    const double factor = kappa[k];
    for (size_t i = 0; i < count; ++i) {
      const double product = factor * static_cast<double>(from[i]);
      sums[i] += product, sizes[i] += __builtin_fabs(product);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    const double sum = divides ? sums[i] / c.divisor : sums[i], size = divides ? sizes[i] / c.divisor : sizes[i];
    const double shifted = sum + c.half, down = __builtin_floor(shifted), beyond = shifted - down;
    const double slack = c.error * size + 0x1p-50 * __builtin_fabs(shifted) + 0x1p-900;
    near[i] = beyond <= slack || 1 - beyond <= slack ? 1.0f : 0.0f;
    double level = down + c.zero_point;
    level = level < c.low ? c.low : level;
    level = level > c.high ? c.high : level;
    y[i] = static_cast<float>(level);
  }
  // A sum of floats would have an order.
  uint32_t any = 0;
  for (size_t i = 0; i < count; ++i) any |= __builtin_bit_cast(uint32_t, near[i]);
  return any != 0;
}

#define NIBBLE_RESCALING(set, attribute)                                                                    \
  namespace set {                                                                                           \
  attribute bool levels_of_floats(const double* kappa, const float* const* a, size_t operands, size_t at,   \
                                  size_t count, const Constants& c, float* y, float* near) {                \
    return c.divisor == 1 ? levels<false>(kappa, a, operands, at, count, c, y, near)                        \
                          : levels<true>(kappa, a, operands, at, count, c, y, near);                        \
  }                                                                                                         \
  attribute bool levels_of_doubles(const double* kappa, const double* const* a, size_t operands, size_t at, \
                                   size_t count, const Constants& c, float* y, float* near) {               \
    return c.divisor == 1 ? levels<false>(kappa, a, operands, at, count, c, y, near)                        \
                          : levels<true>(kappa, a, operands, at, count, c, y, near);                        \
  }                                                                                                         \
  }
NIBBLE_INSTRUCTION_SETS(NIBBLE_RESCALING)

bool levels_of(const double* kappa, const float* const* a, size_t operands, size_t at, size_t count, const Constants& c,
               float* y, float* near) {
  static const auto chosen = NIBBLE_CHOOSE(levels_of_floats);
  return chosen(kappa, a, operands, at, count, c, y, near);
}
bool levels_of(const double* kappa, const double* const* a, size_t operands, size_t at, size_t count,
               const Constants& c, float* y, float* near) {
  static const auto chosen = NIBBLE_CHOOSE(levels_of_doubles);
  return chosen(kappa, a, operands, at, count, c, y, near);
}

}  // namespace

template <class Element>
void rescale(const Rescaling& how, std::span<const Element* const> a, size_t count, float* y) {
  const Constants c{how.lambda,
                    static_cast<double>(how.divisor),
                    how.rounding == Rounding::Floor ? 0.0 : 0.5,
                    static_cast<double>(how.zero_point),
                    static_cast<double>(how.low),
                    static_cast<double>(how.high),
                    0x1p-50 * static_cast<double>(how.kappa.size())};
  float near[block];
  std::vector<int64_t> operands(a.size());
  for (size_t begin = 0; begin < count; begin += block) {
    const size_t size = std::min(block, count - begin);
    if (!levels_of(how.kappa.data(), a.data(), a.size(), begin, size, c, y + begin, near)) continue;
    for (size_t i = 0; i < size; ++i) {
      if (near[i] == 0) continue;
      for (size_t k = 0; k < a.size(); ++k) operands[k] = static_cast<int64_t>(a[k][begin + i]);
      const int64_t level = rescaled(how.kappa, how.lambda, operands, how.rounding, how.divisor);
      y[begin + i] = static_cast<float>(std::clamp(level + how.zero_point, how.low, how.high));
    }
  }
}

template void rescale(const Rescaling&, std::span<const float* const>, size_t, float*);
template void rescale(const Rescaling&, std::span<const double* const>, size_t, float*);

}  // namespace nibble::quant
