#ifndef NIBBLE_KERNELS_CORTEX_M_DSP_ENDINGS_H
#define NIBBLE_KERNELS_CORTEX_M_DSP_ENDINGS_H
#include "kernels/cortex_m/dsp_words.h"

/* From sums to bytes: PRODUCT32, whose sum is taken from its upper word on, and a
 * residual of bytes. */

enum nibble_ends_mode { NIBBLE_ENDS_ANY, NIBBLE_ENDS_U8, NIBBLE_ENDS_I8, NIBBLE_ENDS_CLIP, NIBBLE_ENDS_RESIDUAL };

typedef struct nibble_ends {
  enum nibble_ends_mode mode;
  int32_t sum_a, sum_b, sum_shift, r_sign; /* r_sign 0x80: residuals are signed, which sum_c then knows */
  int64_t sum_c;
  int32_t up; /* sums are 2^up times what they stand for, so that every channel's upper word is all that it takes */
} nibble_ends;

static int64_t nibble_magnitude(int64_t x) {
  return x < 0 ? -x : x;
}

/* The residual's constants, where all of the sum is below 2^62 and, shifted, of 32 bits; else 0. */
static int nibble_begin_residual(nibble_ends* e, const nibble_conv* p) {
  const int64_t a = nibble_magnitude(p->sum_a), b = nibble_magnitude(p->sum_b);
  const int64_t low = nibble_magnitude(p->stage.low), high = nibble_magnitude(p->stage.high),
                q = low > high ? low : high;
  if (a > INT32_MAX || b > INT32_MAX || q > (1 << 29) || p->sum_shift > 31) return 0;
  if (p->sum_low < INT32_MIN || p->sum_high > INT32_MAX) return 0;
  if (p->sum_c <= INT64_MIN / 4 || nibble_magnitude(p->sum_c) + a * q + 256 * b >= INT64_C(1) << (31 + p->sum_shift))
    return 0;
  e->r_sign = p->r_type == NIBBLE_I8 ? 0x80 : 0;
  e->sum_a = (int32_t)p->sum_a;
  e->sum_b = (int32_t)p->sum_b;
  e->sum_c = p->sum_c - e->r_sign * p->sum_b;
  e->sum_shift = p->sum_shift;
  return 1;
}

/* Whether sums of at most `most`, times 2^up, take their channel's upper word alone: a shift below 32 is then made 32, for
 * the sum fits 64 bits, since shifted it fits 32. */
static int nibble_reaches_upper(const nibble_stage* s, int32_t o, int32_t up, int64_t most) {
  const nibble_product by = nibble_product_of(s, o);
  const int32_t more = (int32_t)by.shift + up < 32 ? 32 - (int32_t)by.shift - up : 0;
  if (by.factor < INT32_MIN >> more || by.factor > INT32_MAX >> more) return 0;
  return up == 0 || (nibble_magnitude(by.addend) < INT64_C(1) << (60 - up) &&
                     nibble_magnitude(by.factor) * most < INT64_C(1) << (60 - up));
}

/* The largest magnitude of an element with a weight, times `count`, biases beside it; -1: more than 2^30. */
static int64_t nibble_most(const nibble_conv* p, int64_t count) {
  const int32_t low = p->w_bits == 8 ? -128 : p->w_low,
                high = p->w_bits == 8 ? 128 : p->w_low + p->w_step * ((1 << p->w_bits) - 1);
  const int64_t least = nibble_magnitude(low), greatest = nibble_magnitude(high);
  const int64_t most = 255 * (least > greatest ? least : greatest) * count;
  return most < INT64_C(1) << 30 ? most : -1;
}

/* Of channels [from, to), of `count` products each, one of whose factors is of 16 bits and may be 2^up times what it is as
 * long as that is at most `widest`. */
static void nibble_begin_ends(nibble_ends* e, const nibble_conv* p, int32_t from, int32_t to, int32_t count,
                              int32_t widest) {
  const nibble_stage* s = &p->stage;
  const enum nibble_ending ending = nibble_ending_of(p);
  const int64_t most = nibble_most(p, count);
  e->mode = NIBBLE_ENDS_ANY;
  e->up = 0;
  if (ending == NIBBLE_END_ANY || (ending == NIBBLE_END_RESIDUAL && !nibble_begin_residual(e, p))) return;
  for (int32_t o = from; o < (s->channels > 1 ? to : from + 1); ++o)
    while (!nibble_reaches_upper(s, o, e->up, most)) {
      ++e->up;
      if (most < 0 || most << e->up >= INT64_C(1) << 31 || widest << e->up > INT16_MAX) {
        e->up = 0;
        return;
      }
      o = from; /* All channels again. */
    }
  e->mode = ending == NIBBLE_END_RESIDUAL               ? NIBBLE_ENDS_RESIDUAL
            : ending == NIBBLE_END_U8                   ? NIBBLE_ENDS_U8
            : s->low == INT8_MIN && s->high == INT8_MAX ? NIBBLE_ENDS_I8
                                                        : NIBBLE_ENDS_CLIP;
}

/* Channel o's constants for 2^up times sums without its bias, the shift less 32. */
NIBBLE_INLINE nibble_product nibble_upper_product(const nibble_conv* p, const nibble_ends* e, int32_t o) {
  nibble_product by = nibble_product_of(&p->stage, o);
  by.addend = nibble_add(by.addend, (int64_t)by.factor * ((const int32_t*)p->bias)[o]);
  if (e->up != 0) {
    by.addend = (int64_t)((uint64_t)by.addend << e->up);
    by.shift += (uint32_t)e->up;
  }
  if (by.shift < 32) {
    by.addend = (int64_t)((uint64_t)by.addend << (32 - by.shift));
    by.factor = (int32_t)((uint32_t)by.factor << (32 - by.shift));
    by.shift = 32;
  }
  by.shift -= 32;
  return by;
}

NIBBLE_INLINE int32_t nibble_scaled(int32_t sum, const nibble_product* by) {
  uint32_t low = (uint32_t)by->addend, high = (uint32_t)((uint64_t)by->addend >> 32);
  __asm__("smlal %0, %1, %2, %3" : "+r"(low), "+r"(high) : "r"(sum), "r"(by->factor));
  return (int32_t)high >> by->shift;
}

/* A sum and a residual's byte to the step's. */
NIBBLE_INLINE int32_t nibble_summed(const nibble_ends* e, const nibble_conv* p, int32_t sum, const nibble_product* by,
                                    uint8_t residual) {
  const int32_t q = nibble_clip_to(nibble_scaled(sum, by), (int32_t)p->stage.low, (int32_t)p->stage.high);
  const int32_t other = residual ^ e->r_sign, up = 32 - e->sum_shift;
  uint32_t below = (uint32_t)e->sum_c, above = (uint32_t)((uint64_t)e->sum_c >> 32);
  __asm__("smlal %0, %1, %2, %3" : "+r"(below), "+r"(above) : "r"(q), "r"(e->sum_a));
  __asm__("smlal %0, %1, %2, %3" : "+r"(below), "+r"(above) : "r"(other), "r"(e->sum_b));
  /* up may be 32, which gives 0. */
  __asm__("lsr %0, %0, %2\n\tlsl %1, %1, %3\n\torr %0, %0, %1" : "+r"(below), "+r"(above) : "r"(e->sum_shift), "r"(up));
  return nibble_clip_to((int32_t)below, (int32_t)p->sum_low, (int32_t)p->sum_high);
}

#endif
