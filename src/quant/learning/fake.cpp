#include "quant/learning/fake.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "quant/learning/instruction_sets.hpp"

namespace nibble::quant {
namespace {

constexpr size_t lanes = 16, block = 256;
constexpr float residues = 252;  // even: zero has a code of its own
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

template <Rounding rounding>
NIBBLE_INLINE Code code_of(float x, const Rung& rung, const Constants& c) {
  const float residue = -rung.rest * c.inverse;
  float code = (residue - residue_least<rounding>)*residues + 1.5f;
  code = x < c.begin ? 0.0f : code;
  code = x >= c.end ? 255.0f : code;
  return static_cast<Code>(static_cast<int32_t>(code));
}

/// What is given: y or the codes, or both.
template <Rounding rounding, bool valued, bool coded>
NIBBLE_INLINE void forward(const float* __restrict x, size_t count, const Constants& constants, float* __restrict y,
                           Code* __restrict codes) {
  const Constants c = constants;
  for (size_t i = 0; i < count; ++i) {
    const float value = x[i];
    const Rung rung = rung_of<rounding>(value, c);
    if constexpr (valued) y[i] = rung.level * c.scale;
    if constexpr (coded) codes[i] = code_of<rounding>(value, rung, c);
  }
}

/// The codes of gain * a + shift.
template <Rounding rounding>
NIBBLE_INLINE void normed_codes(const float* __restrict a, size_t count, float gain, float shift,
                                const Constants& constants, Code* __restrict codes) {
  const Constants c = constants;
  for (size_t i = 0; i < count; ++i) {
    const float value = gain * a[i] + shift;
    codes[i] = code_of<rounding>(value, rung_of<rounding>(value, c), c);
  }
}

/// What is summed: GradientSums, then NormedSums' own two.
enum Sum { below, inside, above, all_inside, by_normed, sums_of_quantiser = all_inside, all_sums = by_normed + 1 };

/// Sums in lanes of their own, added in order: the same bits whatever the vectors' width.
template <size_t count>
struct Lanes {
  double of[count][lanes] = {};

  double total(Sum sum) const {
    double all = 0;
    for (double lane : of[sum]) all += lane;
    return all;
  }
  GradientSums of_quantiser() const { return {total(below), total(inside), total(above)}; }
};

/// The terms of a block of elements, on their way into the sums.
template <size_t count>
struct Terms {
  float of[count][block];
};

/// Pairwise within the block, in double among blocks.
NIBBLE_INLINE void add(double* __restrict sums, float* __restrict terms) {
  for (size_t half = block / 2; half >= lanes; half /= 2)
    for (size_t i = 0; i < half; ++i) terms[i] += terms[i + half];
  for (size_t k = 0; k < lanes; ++k) sums[k] += static_cast<double>(terms[k]);
}

template <size_t kinds, class Each>
NIBBLE_INLINE void in_blocks(size_t count, Lanes<kinds>& sums, Each each) {
  Terms<kinds> terms;
  for (size_t begin = 0; begin < count; begin += block) {
    const size_t size = count - begin < block ? count - begin : block;
    each(begin, size, terms);
    for (size_t k = 0; k < kinds; ++k) {
      for (size_t i = size; i < block; ++i) terms.of[k][i] = 0;
      add(sums.of[k], terms.of[k]);
    }
  }
}

constexpr float code_step = 1 / residues;
template <Rounding rounding>
constexpr float code_least = residue_least<rounding> - code_step;

template <Rounding rounding>
struct FromCodes {
  const float* g;
  const Code* codes;
  float* dx;

  NIBBLE_INLINE void operator()(size_t begin, size_t size, Terms<sums_of_quantiser>& terms) const {
    const float* __restrict from = g + begin;
    const Code* __restrict code = codes + begin;
    float* __restrict to = dx + begin;
    for (size_t i = 0; i < size; ++i) {
      const auto one = static_cast<int32_t>(code[i]);
      const float value = from[i], passes = one == 0 || one == 255 ? 0.0f : value;
      to[i] = passes;
      terms.of[below][i] = one == 0 ? value : 0.0f;
      terms.of[above][i] = one == 255 ? value : 0.0f;
      terms.of[inside][i] = passes * (static_cast<float>(one) * code_step + code_least<rounding>);
    }
  }
};

template <Rounding rounding>
struct NormedFromCodes {
  const float* g;
  const Code* codes;
  const float* a;
  float gain, shift;

  NIBBLE_INLINE void operator()(size_t begin, size_t size, Terms<all_sums>& terms) const {
    const float* __restrict from = g + begin;
    const Code* __restrict code = codes + begin;
    const float* __restrict of = a + begin;
    const float by = gain, beside = shift;
    for (size_t i = 0; i < size; ++i) {
      const auto one = static_cast<int32_t>(code[i]);
      const float value = from[i], passes = one == 0 || one == 255 ? 0.0f : value;
      terms.of[below][i] = one == 0 ? value : 0.0f;
      terms.of[above][i] = one == 255 ? value : 0.0f;
      terms.of[inside][i] = passes * (static_cast<float>(one) * code_step + code_least<rounding>);
      terms.of[all_inside][i] = passes;
      terms.of[by_normed][i] = passes * (by * of[i] + beside);
    }
  }
};

/// dz = gain * (dy - mean - slope * normed), dy the gradient that passes.
NIBBLE_INLINE void normed_gradient(const float* __restrict g, const Code* __restrict codes, const float* __restrict a,
                                   size_t count, const NormedGradient& how, float* __restrict dz) {
  const NormedGradient h = how;
  for (size_t i = 0; i < count; ++i) {
    const auto one = static_cast<int32_t>(codes[i]);
    const float passes = one == 0 || one == 255 ? 0.0f : g[i];
    dz[i] = h.gain * (passes - h.mean - h.slope * (h.normed.gain * a[i] + h.normed.shift));
  }
}

/// Of integers below 2^24, in lanes.
NIBBLE_INLINE void moments(const float* __restrict a, size_t count, double* __restrict sums,
                           double* __restrict squares) {
  size_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (size_t k = 0; k < lanes; ++k) {
      const auto x = static_cast<double>(a[i + k]);
      sums[k] += x, squares[k] += x * x;
    }
  for (size_t k = 0; i < count; ++i, ++k) {
    const auto x = static_cast<double>(a[i]);
    sums[k] += x, squares[k] += x * x;
  }
}

template <Rounding rounding>
struct FromInput {
  const float* g;
  const float* x;
  Constants constants;
  float* dx;

  NIBBLE_INLINE void operator()(size_t begin, size_t size, Terms<sums_of_quantiser>& terms) const {
    const Constants c = constants;
    const float* __restrict from = g + begin;
    const float* __restrict of = x + begin;
    float* __restrict to = dx + begin;
    for (size_t i = 0; i < size; ++i) {
      const float value = from[i], at = of[i];
      const bool is_below = at < c.begin, is_above = at >= c.end;
      const float passes = is_below || is_above ? 0.0f : value;
      to[i] = passes;
      terms.of[below][i] = is_below ? value : 0.0f;
      terms.of[above][i] = is_above ? value : 0.0f;
      terms.of[inside][i] = passes * (-rung_of<rounding>(at, c).rest * c.inverse);
    }
  }
};

using QuantiserLanes = Lanes<sums_of_quantiser>;
using NormedLanes = Lanes<all_sums>;

/// The loops of one instruction set.
struct Kernels {
  void (*forward)(const float* x, size_t count, const Constants& constants, float* y);
  void (*forward_coded)(const float* x, size_t count, const Constants& constants, float* y, Code* codes);
  void (*codes)(const float* x, size_t count, const Constants& constants, Code* codes);
  void (*normed_codes)(const float* a, size_t count, float gain, float shift, const Constants& constants, Code* codes);
  void (*backward_coded)(const float* g, const Code* codes, size_t count, float* dx, QuantiserLanes& sums);
  void (*backward)(const float* g, const float* x, size_t count, const Constants& constants, float* dx,
                   QuantiserLanes& sums);
  void (*normed_sums)(const float* g, const Code* codes, const float* a, size_t count, float gain, float shift,
                      NormedLanes& sums);
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
  attributes void run_normed_codes(const float* a, size_t count, float gain, float shift, const Constants& constants,  \
                                   Code* codes) {                                                                      \
    normed_codes<rounding>(a, count, gain, shift, constants, codes);                                                   \
  }                                                                                                                    \
  template <Rounding rounding>                                                                                         \
  attributes void run_backward_coded(const float* g, const Code* codes, size_t count, float* dx,                       \
                                     QuantiserLanes& sums) {                                                           \
    in_blocks(count, sums, FromCodes<rounding>{g, codes, dx});                                                         \
  }                                                                                                                    \
  template <Rounding rounding>                                                                                         \
  attributes void run_backward(const float* g, const float* x, size_t count, const Constants& constants, float* dx,    \
                               QuantiserLanes& sums) {                                                                 \
    in_blocks(count, sums, FromInput<rounding>{g, x, constants, dx});                                                  \
  }                                                                                                                    \
  template <Rounding rounding>                                                                                         \
  attributes void run_normed_sums(const float* g, const Code* codes, const float* a, size_t count, float gain,         \
                                  float shift, NormedLanes& sums) {                                                    \
    in_blocks(count, sums, NormedFromCodes<rounding>{g, codes, a, gain, shift});                                       \
  }                                                                                                                    \
  template <Rounding rounding>                                                                                         \
  constexpr Kernels kernels{run_forward<rounding>,      run_forward_coded<rounding>,  run_codes<rounding>,             \
                            run_normed_codes<rounding>, run_backward_coded<rounding>, run_backward<rounding>,          \
                            run_normed_sums<rounding>};                                                                \
  attributes void run_normed_gradient(const float* g, const Code* codes, const float* a, size_t count,                 \
                                      const NormedGradient& how, float* dz) {                                          \
    normed_gradient(g, codes, a, count, how, dz);                                                                      \
  }                                                                                                                    \
  attributes void run_moments(const float* a, size_t count, double* sums, double* squares) {                           \
    moments(a, count, sums, squares);                                                                                  \
  }                                                                                                                    \
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

void code(std::span<const float> a, const Normed& x, const Steps& steps, std::span<Code> codes) {
  ensure(a.size() == codes.size(), "spans are of one length");
  Constants c = constants_of(steps);
  if (x.positive) c.begin = std::max(c.begin, std::numeric_limits<float>::denorm_min());
  kernels_of(steps.rounding).normed_codes(a.data(), a.size(), x.gain, x.shift, c, codes.data());
}

Moments moments_of(std::span<const float> a) {
  double sums[lanes] = {}, squares[lanes] = {};
  NIBBLE_CHOOSE(run_moments)(a.data(), a.size(), sums, squares);
  Moments all;
  for (size_t k = 0; k < lanes; ++k) all.sum += sums[k], all.squares += squares[k];
  return all;
}

NormedSums normed_sums(std::span<const float> g, std::span<const Code> codes, std::span<const float> a,
                       const Normed& normed, Rounding rounding) {
  ensure(g.size() == codes.size() && g.size() == a.size(), "spans are of one length");
  NormedLanes sums;
  kernels_of(rounding).normed_sums(g.data(), codes.data(), a.data(), g.size(), normed.gain, normed.shift, sums);
  return {sums.of_quantiser(), sums.total(all_inside), sums.total(by_normed)};
}

void normed_backward(std::span<const float> g, std::span<const Code> codes, std::span<const float> a,
                     const NormedGradient& how, std::span<float> dz) {
  ensure(g.size() == codes.size() && g.size() == a.size() && g.size() == dz.size(), "spans are of one length");
  NIBBLE_CHOOSE(run_normed_gradient)(g.data(), codes.data(), a.data(), g.size(), how, dz.data());
}

GradientSums fake_quantise_backward(std::span<const float> g, std::span<const Code> codes, const Steps& steps,
                                    std::span<float> dx) {
  ensure(g.size() == codes.size() && g.size() == dx.size(), "spans are of one length");
  QuantiserLanes sums;
  kernels_of(steps.rounding).backward_coded(g.data(), codes.data(), g.size(), dx.data(), sums);
  return sums.of_quantiser();
}

GradientSums fake_quantise_backward(std::span<const float> g, std::span<const float> x, const Steps& steps,
                                    std::span<float> dx) {
  ensure(g.size() == x.size() && g.size() == dx.size(), "spans are of one length");
  QuantiserLanes sums;
  kernels_of(steps.rounding).backward(g.data(), x.data(), g.size(), constants_of(steps), dx.data(), sums);
  return sums.of_quantiser();
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
