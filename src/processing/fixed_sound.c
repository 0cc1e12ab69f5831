#include "processing/fixed_sound.h"

/* A bin of the transform, and later what its magnitude is. */
typedef union bin {
  int32_t z[2];
  uint64_t magnitude;
} bin;

int64_t nibble_sound_index(nibble_sound_padding padding, int64_t count, int64_t i) {
  if (i >= 0 && i < count) return i;
  if (padding != NIBBLE_PAD_MIRRORED) return -1;
  if (count == 1) return 0;
  const int64_t period = 2 * (count - 1); /* as often as it takes where the sound is shorter than the padding */
  i = (i % period + period) % period;
  return i < count ? i : period - i;
}

size_t nibble_fixed_sound_scratch(const nibble_sound_plan* p, int64_t frames) {
  const size_t rows = p->top > 0 && frames > 0 ? (size_t)frames : 1;
  return ((size_t)p->transform / 2 + 1) * sizeof(bin) + (rows * (size_t)p->bands + 1) / 2 * 8;
}

/* The frame's samples under the window, even ones as reals and odd ones as imaginaries, as large as 29 bits hold; by how
 * many bits that is more than in 1/2^30. */
static int32_t load_frame(const nibble_sound_plan* p, const int16_t* samples, int64_t count, int64_t from, bin* out) {
  const int inside = from >= 0 && from + p->window_length <= count;
  int32_t most = 0, more = 0;
  for (int32_t i = 0; i < p->transform; ++i) out[i / 2].z[i % 2] = 0;
  for (int32_t w = 0; w < p->window_length; ++w) {
    const int64_t at = inside ? from + w : nibble_sound_index(p->padding, count, from + w);
    const int32_t z = at < 0 ? 0 : samples[at] * (int32_t)p->window[w], size = z < 0 ? -z : z, i = w + p->before;
    out[i / 2].z[i % 2] = z;
    if (size > most) most = size;
  }
  if (most > 1 << 29) more = -1;
  while (most > 0 && most <= 1 << 28) most *= 2, ++more;
  for (int32_t i = 0; i < p->transform; ++i) {
    int32_t* z = &out[i / 2].z[i % 2];
    *z = more < 0 ? *z / 2 : *z * (1 << more);
  }
  return more;
}

/* x > 0 with its highest bit in bit 63; by how many bits that is more. */
static int32_t normalise(uint64_t* x) {
  int32_t more = 0;
  for (int32_t step = 32; step > 0; step /= 2)
    if (!(*x >> (64 - step))) *x <<= step, more += step;
  return more;
}

static void reorder(bin* z, int32_t count) {
  for (int32_t i = 1, j = 0; i < count; ++i) { /* j: the bits of i from the other end */
    int32_t bit = count / 2;
    for (; j & bit; bit /= 2) j -= bit;
    j += bit;
    if (i < j) {
      const bin held = z[i];
      z[i] = z[j];
      z[j] = held;
    }
  }
}

/* (a + b) / 2, where b is in 1/2^30, rounded half up. */
static int32_t half_sum(int64_t a, int64_t b) {
  return (int32_t)((a * (1 << 30) + b + (1 << 30)) >> 31);
}

/* z by its discrete Fourier transform over `count`: each of the steps halves. */
static void transform(bin* z, int32_t count, const int32_t* turns) {
  reorder(z, count);
  for (int32_t half = 1; half < count; half *= 2)
    for (int32_t k = 0; k < half; ++k) {
      const int32_t* turn = turns + 2 * (int64_t)k * (count / half);
      for (int32_t i = k; i < count; i += 2 * half) {
        int32_t *a = z[i].z, *b = z[i + half].z;
        const int64_t real = (int64_t)b[0] * turn[0] + (int64_t)b[1] * turn[1];
        const int64_t imaginary = (int64_t)b[1] * turn[0] - (int64_t)b[0] * turn[1];
        b[0] = half_sum(a[0], -real);
        b[1] = half_sum(a[1], -imaginary);
        a[0] = half_sum(a[0], real);
        a[1] = half_sum(a[1], imaginary);
      }
    }
}

/* Magnitudes are kept to 2^47, sums of a band to 2^63: squares of 62 bits lose 14, roots of 31 gain 9. */
enum { bits_of_square = 14, bits_of_root = -9 };

/* The square root of 62 bits, times 2^9: its first 16 bits, rounded down. */
static uint64_t root(uint64_t square) {
  if (square == 0) return 0;
  const int32_t more = normalise(&square), odd = more & 1;
  uint32_t left = (uint32_t)(square >> (32 + odd)), result = 0;
  for (uint32_t bit = (uint32_t)1 << 30; bit > 0; bit >>= 2) {
    const uint32_t with = result + bit;
    result >>= 1;
    if (left >= with) {
      left -= with;
      result += bit;
    }
  }
  return (uint64_t)result << (16 - bits_of_root) >> (more - odd) / 2;
}

static uint64_t magnitude(const nibble_sound_plan* p, const int32_t* a, const int32_t* b, int32_t k) {
  const int32_t half = p->transform / 2;
  const int64_t cosine = k == half ? -(1 << 30) : p->turns[2 * k], sine = k == half ? 0 : p->turns[2 * k + 1];
  const int64_t odd_real = (int64_t)a[1] + b[1], odd_imaginary = (int64_t)b[0] - a[0];
  const int64_t real = half_sum((int64_t)a[0] + b[0], odd_real * cosine + odd_imaginary * sine);
  const int64_t imaginary = half_sum((int64_t)a[1] - b[1], odd_imaginary * cosine - odd_real * sine);
  const uint64_t square = (uint64_t)(real * real) + (uint64_t)(imaginary * imaginary);
  return p->power == 2 ? square >> bits_of_square : root(square);
}

/* The transform of even and odd samples to that of all, in place: bins k and half - k come of the same two. */
static void spectrum_of(const nibble_sound_plan* p, bin* z) {
  const int32_t half = p->transform / 2;
  transform(z, half, p->turns);
  const bin first = z[0];
  z[half].magnitude = magnitude(p, first.z, first.z, half);
  z[0].magnitude = magnitude(p, first.z, first.z, 0);
  for (int32_t k = 1; k <= half - k; ++k) {
    const bin a = z[k], b = z[half - k];
    z[k].magnitude = magnitude(p, a.z, b.z, k);
    z[half - k].magnitude = magnitude(p, b.z, a.z, half - k);
  }
}

/* The binary logarithm of x > 0 in 1/2^20, rounded down. */
static int32_t binary_logarithm(uint64_t x) {
  const int32_t whole = 63 - normalise(&x);
  int32_t fraction = 0;
  uint64_t y = x >> 32; /* of [1, 2) in 1/2^31: squaring doubles the logarithm */
  for (int32_t i = 0; i < 20; ++i) {
    y = y * y >> 31;
    fraction *= 2;
    if (y >> 32) y >>= 1, ++fraction;
  }
  return whole * (1 << 20) + fraction;
}

/* mantissa * 2^exponent, the mantissa below 2^31. */
typedef struct floor_value {
  uint64_t mantissa;
  int32_t exponent;
} floor_value;

/* Of sum * 2^exponent and the floor, in 1/2^20. */
static int32_t floored_logarithm(uint64_t sum, int32_t exponent, floor_value least, int32_t added) {
  int32_t shift = least.exponent - exponent;
  if (shift > 31) {
    sum = shift - 31 < 64 ? sum >> (shift - 31) : 0;
    exponent += shift - 31;
    shift = 31;
  }
  const uint64_t floor = shift >= 0 ? least.mantissa << shift : shift > -64 ? least.mantissa >> -shift : 0;
  const uint64_t value = added ? sum + floor : sum < floor ? floor : sum;
  if (value == 0) return binary_logarithm(least.mantissa) + least.exponent * (1 << 20);
  return binary_logarithm(value) + exponent * (1 << 20);
}

/* Samples divided by the largest are magnitudes divided by it: sums keep their size, the floor is multiplied, and the
 * logarithm becomes less. */
static int32_t by_largest(const nibble_sound_plan* p, const int16_t* samples, int64_t count, floor_value* least) {
  int32_t largest = 0;
  for (int64_t i = 0; i < count; ++i)
    if (samples[i] > largest) largest = samples[i];
  if (largest == 0) return 0;
  for (int32_t i = 0; i < p->power; ++i) {
    least->mantissa *= (uint32_t)largest;
    least->exponent -= 15;
    while (least->mantissa >> 31) least->mantissa >>= 1, ++least->exponent;
  }
  return p->power * (binary_logarithm((uint32_t)largest) - 15 * (1 << 20));
}

static void put_values(const nibble_sound_plan* p, const int32_t* bands, int32_t* out) {
  const int32_t* cosine = p->cosines;
  if (p->coefficients == 0)
    for (int32_t b = 0; b < p->bands; ++b) out[b] = bands[b];
  for (int32_t k = 0; k < p->coefficients; ++k) {
    int64_t sum = 1 << 29;
    for (int32_t b = 0; b < p->bands; ++b) sum += (int64_t)*cosine++ * bands[b];
    out[k] = (int32_t)(sum >> 30);
  }
}

static void hold_within_top(int32_t* bands, int64_t count, int32_t top) {
  int32_t largest = bands[0];
  for (int64_t i = 1; i < count; ++i)
    if (bands[i] > largest) largest = bands[i];
  for (int64_t i = 0; i < count; ++i)
    if (bands[i] < largest - top) bands[i] = largest - top;
}

void nibble_fixed_sound(const nibble_sound_plan* p, const int16_t* samples, int64_t count, int64_t frames,
                        void* scratch, int32_t* out) {
  bin* const z = scratch;
  int32_t* const bands = (int32_t*)(void*)(z + p->transform / 2 + 1);
  const int32_t values = p->coefficients > 0 ? p->coefficients : p->bands;
  floor_value least = {p->floor, p->floor_exponent};
  const int32_t less = p->by_largest ? by_largest(p, samples, count, &least) : 0;
  int32_t doublings = 0;
  while (2 << doublings < p->transform) ++doublings;
  for (int64_t t = 0; t < frames; ++t) {
    int32_t* const row = p->top > 0 ? bands + t * p->bands : bands;
    const int32_t exponent = doublings - 30 - load_frame(p, samples, count, t * p->hop + p->first, z);
    const uint16_t* weight = p->weights;
    spectrum_of(p, z);
    for (int32_t b = 0; b < p->bands; ++b) {
      const bin* bins = z + p->spans[2 * b];
      uint64_t sum = 0;
      for (int32_t k = 0; k < p->spans[2 * b + 1]; ++k) sum += *weight++ * bins[k].magnitude;
      const int32_t unit = p->power * exponent + (p->power == 2 ? bits_of_square : bits_of_root) - p->weight_scale;
      const int64_t logarithm = floored_logarithm(sum, unit, least, p->floor_added) - less;
      row[b] = (int32_t)((logarithm * p->of_logarithm + ((int64_t)1 << 31)) >> 32);
    }
    if (p->top == 0) put_values(p, row, out + t * values);
  }
  if (p->top == 0 || frames == 0) return;
  hold_within_top(bands, frames * p->bands, p->top);
  for (int64_t t = 0; t < frames; ++t) put_values(p, bands + t * p->bands, out + t * values);
}
