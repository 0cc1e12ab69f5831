#include "quant/learning/noise.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.hpp"
#include "quant/learning/instruction_sets.hpp"

namespace nibble::quant {
namespace {

constexpr size_t block = 64;

/// e^x to two units in the last place, for x in [-87, 88]; beyond, as at the end.
NIBBLE_INLINE float exponential(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float n = __builtin_floorf(x * 1.44269504f + 0.5f);
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  const float series =
      1 + r * (1 + r * (0.5f + r * (1 / 6.0f + r * (1 / 24.0f + r * (1 / 120.0f + r * (1 / 720.0f))))));
  return series * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

/// A density and its integral, of deviation 1.
template <Noise noise>
NIBBLE_INLINE float density(float z) {
  const float size = z < 0 ? -z : z;
  if constexpr (noise == Noise::Uniform) return size <= 1 ? 0.5f : 0.0f;
  if constexpr (noise == Noise::Triangular) return size <= 1 ? 1 - size : 0.0f;
  if constexpr (noise == Noise::Normal) return 0.398942280f * exponential(-0.5f * z * z);
  if constexpr (noise == Noise::Logistic) {
    const float e = exponential(-size), sum = 1 + e;
    return e / (sum * sum);
  }
}

template <Noise noise>
NIBBLE_INLINE float distribution(float z) {
  const float size = z < 0 ? -z : z;
  float tail = 0;  // above |z|
  if constexpr (noise == Noise::Uniform) tail = size <= 1 ? 0.5f - 0.5f * size : 0.0f;
  if constexpr (noise == Noise::Triangular) tail = size <= 1 ? 0.5f * (1 - size) * (1 - size) : 0.0f;
  if constexpr (noise == Noise::Normal) {
    // Abramowitz and Stegun, 7.1.26: within 1.5e-7.
    const float t = 1 / (1 + 0.3275911f * 0.707106781f * size);
    tail = 0.5f * t *
           (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f)))) *
           exponential(-0.5f * z * z);
  }
  if constexpr (noise == Noise::Logistic) {
    const float e = exponential(-size);
    tail = e / (1 + e);
  }
  return z < 0 ? tail : 1 - tail;
}

/// Beyond so many deviations a distribution is 0 or 1 in float32.
double reach_of(Noise noise) {
  switch (noise) {
    case Noise::Uniform:
    case Noise::Triangular: return 1;
    case Noise::Normal: return 5.5;
    case Noise::Logistic: return 17;
  }
  throw InternalError("a noise is one of the enumeration");
}

/// What the loops read. Threshold j, of `count`, is passed where x / scale - first exceeds j.
struct Constants {
  float scale, inverse, least;
  float first;         ///< the lowest threshold, and the noise's mean
  float sharpness;     ///< 1 / deviation
  float count, reach;  ///< reach: levels around x / scale in which a threshold is neither certain nor out of reach
  int32_t near;        ///< how many thresholds lie there; all of them where all are looked at
  bool all;

  Constants(const Steps& steps, const Annealed& noise) {
    scale = steps.scale, inverse = 1 / scale, least = static_cast<float>(steps.least());
    const double offset = steps.rounding == Rounding::Floor ? 1 : 0.5;
    first = static_cast<float>(steps.least() + offset + noise.mean);
    sharpness = static_cast<float>(1 / noise.deviation);
    const int32_t thresholds = steps.high - steps.low;
    count = static_cast<float>(thresholds);
    const double width = reach_of(noise.noise) * noise.deviation;
    reach = static_cast<float>(width);
    const double around = std::ceil(2 * width) + 2;
    all = around >= thresholds;
    near = all ? thresholds : static_cast<int32_t>(around);
  }
};

/// Where a block's elements are among the thresholds.
struct Places {
  float position[block];  ///< x / scale - first
  float from[block];      ///< the first threshold that is looked at

  NIBBLE_INLINE Places(const float* x, size_t size, const Constants& c) {
    for (size_t i = 0; i < size; ++i) {
      position[i] = x[i] * c.inverse - c.first;
      const float low = __builtin_floorf(position[i] - c.reach);
      const float inside = low < 0 ? 0.0f : low;
      from[i] = c.all ? 0.0f : inside > c.count ? c.count : inside;
    }
  }
};

template <Noise noise>
NIBBLE_INLINE void expectation(const Places& at, size_t size, const Constants& c, float* __restrict level) {
  for (size_t i = 0; i < size; ++i) level[i] = at.from[i];
  for (int32_t d = 0; d < c.near; ++d)
    for (size_t i = 0; i < size; ++i) {
      const float j = at.from[i] + static_cast<float>(d);
      const float passed = distribution<noise>((at.position[i] - j) * c.sharpness);
      level[i] += j < c.count ? passed : 0.0f;
    }
}

template <Noise noise>
NIBBLE_INLINE void mode(const Places& at, size_t size, const Constants& c, float* __restrict level) {
  float before[block], most[block];
  for (size_t i = 0; i < size; ++i) level[i] = at.from[i], before[i] = 1, most[i] = -1;
  for (int32_t d = 0; d <= c.near; ++d)
    for (size_t i = 0; i < size; ++i) {
      const float j = at.from[i] + static_cast<float>(d);
      float passed = distribution<noise>((at.position[i] - j) * c.sharpness);
      passed = j < c.count && d < c.near ? passed : 0.0f;
      const float likely = before[i] - passed;
      const bool better = likely > most[i] && j <= c.count;
      most[i] = better ? likely : most[i];
      level[i] = better ? j : level[i];
      before[i] = passed;
    }
}

/// splitmix64's mixing of a counter: uniform in [0, 1), 24 bits.
NIBBLE_INLINE float drawn(uint64_t key, uint64_t index) {
  uint64_t z = key + index * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return static_cast<float>(static_cast<int32_t>(z >> 40)) * 0x1p-24f;
}

template <Noise noise>
NIBBLE_INLINE void random(const Places& at, size_t size, const Constants& c, uint64_t key, uint64_t first,
                          float* __restrict level) {
  float chance[block];
  for (size_t i = 0; i < size; ++i) chance[i] = drawn(key, first + i), level[i] = at.from[i];
  for (int32_t d = 0; d < c.near; ++d)
    for (size_t i = 0; i < size; ++i) {
      const float j = at.from[i] + static_cast<float>(d);
      const float passed = distribution<noise>((at.position[i] - j) * c.sharpness);
      level[i] += passed > chance[i] && j < c.count ? 1.0f : 0.0f;
    }
}

template <Noise noise>
NIBBLE_INLINE void forward(const float* x, size_t count, const Constants& constants, Draw draw, uint64_t key,
                           uint64_t first, float* y) {
  const Constants c = constants;
  float level[block];
  for (size_t begin = 0; begin < count; begin += block) {
    const size_t size = count - begin < block ? count - begin : block;
    const Places at(x + begin, size, c);
    if (draw == Draw::Expectation)
      expectation<noise>(at, size, c, level);
    else if (draw == Draw::Mode)
      mode<noise>(at, size, c, level);
    else
      random<noise>(at, size, c, key, first + begin, level);
    for (size_t i = 0; i < size; ++i)
      y[begin + i] = x[begin + i] == x[begin + i] ? (level[i] + c.least) * c.scale : x[begin + i];
  }
}

template <Noise noise>
NIBBLE_INLINE void backward(const float* g, const float* x, size_t count, const Constants& constants, float* dx) {
  const Constants c = constants;
  float sum[block];
  for (size_t begin = 0; begin < count; begin += block) {
    const size_t size = count - begin < block ? count - begin : block;
    const Places at(x + begin, size, c);
    for (size_t i = 0; i < size; ++i) sum[i] = 0;
    for (int32_t d = 0; d < c.near; ++d)
      for (size_t i = 0; i < size; ++i) {
        const float j = at.from[i] + static_cast<float>(d);
        const float dense = density<noise>((at.position[i] - j) * c.sharpness);
        sum[i] += j < c.count ? dense : 0.0f;
      }
    for (size_t i = 0; i < size; ++i) dx[begin + i] = g[begin + i] * (sum[i] * c.sharpness);
  }
}

/// The loops of one instruction set.
struct Kernels {
  void (*forward)(const float* x, size_t count, const Constants& constants, Draw draw, uint64_t key, uint64_t first,
                  float* y);
  void (*backward)(const float* g, const float* x, size_t count, const Constants& constants, float* dx);
};

#define NIBBLE_DEFINE(set, attributes)                                                                                \
  namespace set {                                                                                                     \
  template <Noise noise>                                                                                              \
  attributes void run_forward(const float* x, size_t count, const Constants& constants, Draw draw, uint64_t key,      \
                              uint64_t first, float* y) {                                                             \
    forward<noise>(x, count, constants, draw, key, first, y);                                                         \
  }                                                                                                                   \
  template <Noise noise>                                                                                              \
  attributes void run_backward(const float* g, const float* x, size_t count, const Constants& constants, float* dx) { \
    backward<noise>(g, x, count, constants, dx);                                                                      \
  }                                                                                                                   \
  template <Noise noise>                                                                                              \
  constexpr Kernels kernels{run_forward<noise>, run_backward<noise>};                                                 \
  }
NIBBLE_INSTRUCTION_SETS(NIBBLE_DEFINE)
#undef NIBBLE_DEFINE

const Kernels& kernels_of(Noise noise) {
  switch (noise) {
    case Noise::Uniform: return NIBBLE_CHOOSE(kernels<Noise::Uniform>);
    case Noise::Triangular: return NIBBLE_CHOOSE(kernels<Noise::Triangular>);
    case Noise::Normal: return NIBBLE_CHOOSE(kernels<Noise::Normal>);
    case Noise::Logistic: return NIBBLE_CHOOSE(kernels<Noise::Logistic>);
  }
  throw InternalError("a noise is one of the enumeration");
}

}  // namespace

void anneal(std::span<const float> x, const Steps& steps, const Annealed& noise, uint64_t key, uint64_t first,
            std::span<float> y) {
  ensure(x.size() == y.size(), "spans are of one length");
  if (noise.deviation <= 0) return fake_quantise(x, steps, y);
  kernels_of(noise.noise).forward(x.data(), x.size(), Constants(steps, noise), noise.draw, key, first, y.data());
}

void anneal_backward(std::span<const float> g, std::span<const float> x, const Steps& steps, const Annealed& noise,
                     std::span<float> dx) {
  ensure(g.size() == x.size() && g.size() == dx.size(), "spans are of one length");
  if (noise.deviation <= 0) {
    std::fill(dx.begin(), dx.end(), 0.0f);
    return;
  }
  kernels_of(noise.noise).backward(g.data(), x.data(), g.size(), Constants(steps, noise), dx.data());
}

}  // namespace nibble::quant
