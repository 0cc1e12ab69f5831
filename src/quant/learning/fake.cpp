#include "quant/learning/fake.hpp"

#include <bit>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "quant/learning/instruction_sets.hpp"

namespace nibble::quant {
namespace {

constexpr size_t lanes = 16, block = 256;
constexpr float residues = 253;
/// Below it, a level and a half has 12 digits.
constexpr int32_t most_levels = 1 << 11;

/// The smallest float32 number that is at least x.
float at_least(double x) {
  const auto near = static_cast<float>(x);
  return static_cast<double>(near) < x ? std::nextafter(near, std::numeric_limits<float>::infinity()) : near;
}

/// Steps as the loops read them. scale = head + tail, each of 12 digits.
struct Constants {
  float scale, inverse, head, tail;
  float origin, low, high;
  float begin, end;  ///< x: gradients pass from begin up to end

  explicit Constants(const Steps& steps) {
    scale = steps.scale, inverse = 1 / scale;
    head = std::bit_cast<float>(std::bit_cast<uint32_t>(scale) & 0xfffff000u);
    tail = scale - head;
    origin = static_cast<float>(steps.origin);
    low = static_cast<float>(steps.low), high = static_cast<float>(steps.high);
    begin = at_least(steps.least() * static_cast<double>(scale));
    end = at_least(steps.end * static_cast<double>(scale));
  }
};

/// An element's level and x - level * scale.
struct Rung {
  float level, rest;
};

/// The product with the inverse is within 2^-12 of a quotient in the range, so it names the right k or the one below.
/// Whether x has passed the threshold t * scale between them is then decided exactly: t has 12 digits, so its products
/// with head and tail are float32 numbers, and near the threshold x - t * head is one, too.
template <Rounding rounding>
NIBBLE_INLINE Rung rung_of(float x, const Constants& c) {
  constexpr float offset = rounding == Rounding::Floor ? 1.0f : 0.5f, margin = 0.001f;
  float u = x * c.inverse - c.origin;
  u = u < c.low ? c.low : u;
  u = u > c.high ? c.high : u;
  float k = __builtin_floorf(u + (1 - offset - margin));
  const float t = k + (c.origin + offset), beyond = x - t * c.head, threshold = t * c.tail;
  if constexpr (rounding == Rounding::HalfEven) {
    const float odd = k - 2 * __builtin_floorf(k * 0.5f);
    k += beyond > threshold ? 1.0f : beyond == threshold ? odd : 0.0f;
  } else {
    k += beyond >= threshold ? 1.0f : 0.0f;
  }
  k = k < c.low ? c.low : k;
  k = k > c.high ? c.high : k;
  const float level = k + c.origin;
  return {level, (x - level * c.head) - level * c.tail};
}

/// Residues k + origin - x / scale lie in [-1/2, 1/2], or in (-1, 0] where x is rounded down.
template <Rounding rounding>
constexpr float residue_least = rounding == Rounding::Floor ? -1.0f : -0.5f;

/// What is given: y or the codes, or both.
template <Rounding rounding, bool valued, bool coded>
NIBBLE_INLINE void forward(const float* __restrict x, size_t count, const Constants& constants, float* __restrict y,
                           Code* __restrict codes) {
  const Constants c = constants;
  for (size_t i = 0; i < count; ++i) {
    const float value = x[i];
    const Rung rung = rung_of<rounding>(value, c);
    if constexpr (valued) y[i] = rung.level * c.scale;
    if constexpr (coded) {
      const float residue = -rung.rest * c.inverse;
      float code = (residue - residue_least<rounding>)*residues + 1.5f;
      code = value < c.begin ? 0.0f : code;
      code = value >= c.end ? 255.0f : code;
      codes[i] = static_cast<Code>(static_cast<int32_t>(code));
    }
  }
}

/// Sums in lanes of their own, added in order: the same bits whatever the vectors' width.
struct Lanes {
  double below[lanes] = {}, inside[lanes] = {}, above[lanes] = {};

  GradientSums total() const {
    GradientSums sums;
    for (size_t k = 0; k < lanes; ++k) sums += {below[k], inside[k], above[k]};
    return sums;
  }
};

/// The terms of a block of elements, on their way into the sums.
struct Terms {
  float below[block], inside[block], above[block];
};

/// Pairwise within the block, in double among blocks.
NIBBLE_INLINE void add(double* __restrict sums, float* __restrict terms) {
  for (size_t half = block / 2; half >= lanes; half /= 2)
    for (size_t i = 0; i < half; ++i) terms[i] += terms[i + half];
  for (size_t k = 0; k < lanes; ++k) sums[k] += static_cast<double>(terms[k]);
}

template <class Each>
NIBBLE_INLINE void in_blocks(size_t count, Lanes& sums, Each each) {
  Terms terms;
  for (size_t begin = 0; begin < count; begin += block) {
    const size_t size = count - begin < block ? count - begin : block;
    each(begin, size, terms);
    for (size_t i = size; i < block; ++i) terms.below[i] = terms.inside[i] = terms.above[i] = 0;
    add(sums.below, terms.below);
    add(sums.inside, terms.inside);
    add(sums.above, terms.above);
  }
}

template <Rounding rounding>
struct FromCodes {
  const float* g;
  const Code* codes;
  float* dx;

  NIBBLE_INLINE void operator()(size_t begin, size_t size, Terms& terms) const {
    constexpr float step = 1 / residues, least = residue_least<rounding> - step;
    const float* __restrict from = g + begin;
    const Code* __restrict code = codes + begin;
    float* __restrict to = dx + begin;
    for (size_t i = 0; i < size; ++i) {
      const auto one = static_cast<int32_t>(code[i]);
      const float value = from[i];
      const float below = one == 0 ? value : 0.0f, above = one == 255 ? value : 0.0f;
      const float inside = one == 0 || one == 255 ? 0.0f : value;
      to[i] = inside;
      terms.below[i] = below;
      terms.above[i] = above;
      terms.inside[i] = inside * (static_cast<float>(one) * step + least);
    }
  }
};

template <Rounding rounding>
struct FromInput {
  const float* g;
  const float* x;
  Constants constants;
  float* dx;

  NIBBLE_INLINE void operator()(size_t begin, size_t size, Terms& terms) const {
    const Constants c = constants;
    const float* __restrict from = g + begin;
    const float* __restrict of = x + begin;
    float* __restrict to = dx + begin;
    for (size_t i = 0; i < size; ++i) {
      const float value = from[i], at = of[i];
      const bool is_below = at < c.begin, is_above = at >= c.end;
      const float below = is_below ? value : 0.0f, above = is_above ? value : 0.0f;
      const float inside = is_below || is_above ? 0.0f : value;
      to[i] = inside;
      terms.below[i] = below;
      terms.above[i] = above;
      terms.inside[i] = inside * (-rung_of<rounding>(at, c).rest * c.inverse);
    }
  }
};

/// The loops of one instruction set.
struct Kernels {
  void (*forward)(const float* x, size_t count, const Constants& constants, float* y);
  void (*forward_coded)(const float* x, size_t count, const Constants& constants, float* y, Code* codes);
  void (*codes)(const float* x, size_t count, const Constants& constants, Code* codes);
  void (*backward_coded)(const float* g, const Code* codes, size_t count, float* dx, Lanes& sums);
  void (*backward)(const float* g, const float* x, size_t count, const Constants& constants, float* dx, Lanes& sums);
};

#define NIBBLE_DEFINE(set, attributes)                                                                                 \
  namespace set {                                                                                                      \
  template <Rounding rounding>                                                                                         \
  attributes void run_forward(const float* x, size_t count, const Constants& constants, float* y) {                    \
    forward<rounding, true, false>(x, count, constants, y, nullptr);                                                   \
  }                                                                                                                    \
  template <Rounding rounding>                                                                                         \
  attributes void run_forward_coded(const float* x, size_t count, const Constants& constants, float* y, Code* codes) { \
    forward<rounding, true, true>(x, count, constants, y, codes);                                                      \
  }                                                                                                                    \
  template <Rounding rounding>                                                                                         \
  attributes void run_codes(const float* x, size_t count, const Constants& constants, Code* codes) {                   \
    forward<rounding, false, true>(x, count, constants, nullptr, codes);                                               \
  }                                                                                                                    \
  template <Rounding rounding>                                                                                         \
  attributes void run_backward_coded(const float* g, const Code* codes, size_t count, float* dx, Lanes& sums) {        \
    in_blocks(count, sums, FromCodes<rounding>{g, codes, dx});                                                         \
  }                                                                                                                    \
  template <Rounding rounding>                                                                                         \
  attributes void run_backward(const float* g, const float* x, size_t count, const Constants& constants, float* dx,    \
                               Lanes& sums) {                                                                          \
    in_blocks(count, sums, FromInput<rounding>{g, x, constants, dx});                                                  \
  }                                                                                                                    \
  template <Rounding rounding>                                                                                         \
  constexpr Kernels kernels{run_forward<rounding>, run_forward_coded<rounding>, run_codes<rounding>,                   \
                            run_backward_coded<rounding>, run_backward<rounding>};                                     \
  }
NIBBLE_INSTRUCTION_SETS(NIBBLE_DEFINE)
#undef NIBBLE_DEFINE

const Kernels& kernels_of(Rounding rounding) {
  switch (rounding) {
    case Rounding::Floor: return NIBBLE_CHOOSE(kernels<Rounding::Floor>);
    case Rounding::HalfUp: return NIBBLE_CHOOSE(kernels<Rounding::HalfUp>);
    case Rounding::HalfEven: return NIBBLE_CHOOSE(kernels<Rounding::HalfEven>);
  }
  throw InternalError("a rounding is one of the enumeration");
}

Constants constants_of(const Steps& steps) {
  ensure(steps.scale > 0 && steps.low <= steps.high, "a quantiser has a positive scale and at least one level");
  ensure(steps.high - steps.low < most_levels && -most_levels < steps.low && steps.high < most_levels,
         "a quantiser that learns has fewer than 2048 levels");
  return Constants(steps);
}

}  // namespace

GradientSums& GradientSums::operator+=(const GradientSums& other) {
  below += other.below;
  inside += other.inside;
  above += other.above;
  return *this;
}

void fake_quantise(std::span<const float> x, const Steps& steps, std::span<float> y, std::span<Code> codes) {
  ensure(x.size() == y.size() && (codes.empty() || codes.size() == x.size()), "spans are of one length");
  const Kernels& kernels = kernels_of(steps.rounding);
  if (codes.empty())
    kernels.forward(x.data(), x.size(), constants_of(steps), y.data());
  else
    kernels.forward_coded(x.data(), x.size(), constants_of(steps), y.data(), codes.data());
}

void code(std::span<const float> x, const Steps& steps, std::span<Code> codes) {
  ensure(x.size() == codes.size(), "spans are of one length");
  kernels_of(steps.rounding).codes(x.data(), x.size(), constants_of(steps), codes.data());
}

GradientSums fake_quantise_backward(std::span<const float> g, std::span<const Code> codes, const Steps& steps,
                                    std::span<float> dx) {
  ensure(g.size() == codes.size() && g.size() == dx.size(), "spans are of one length");
  Lanes sums;
  kernels_of(steps.rounding).backward_coded(g.data(), codes.data(), g.size(), dx.data(), sums);
  return sums.total();
}

GradientSums fake_quantise_backward(std::span<const float> g, std::span<const float> x, const Steps& steps,
                                    std::span<float> dx) {
  ensure(g.size() == x.size() && g.size() == dx.size(), "spans are of one length");
  Lanes sums;
  kernels_of(steps.rounding).backward(g.data(), x.data(), g.size(), constants_of(steps), dx.data(), sums);
  return sums.total();
}

Steps steps_of(const Grid& grid, Rounding rounding, size_t channel) {
  Steps steps;
  steps.scale = static_cast<float>(grid.scale_of(channel));
  steps.low = static_cast<int32_t>(grid.low - grid.zero_point);
  steps.high = static_cast<int32_t>(grid.high - grid.zero_point);
  steps.rounding = rounding;
  steps.end = steps.high;
  return steps;
}

}  // namespace nibble::quant
