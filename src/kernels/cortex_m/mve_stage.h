#ifndef NIBBLE_KERNELS_CORTEX_M_MVE_STAGE_H
#define NIBBLE_KERNELS_CORTEX_M_MVE_STAGE_H
/* From sums to bytes, four channels at a time. Only for cores with Helium. */
#include <arm_mve.h>
#include <string.h>

#include "kernels/cortex_m/helium.h"
#include "kernels/cortex_m/mve_end.h"
#include "kernels/portable/finish.h"

#define NIBBLE_INLINE static inline __attribute__((always_inline))

/* PRODUCT32 to bytes, with a residual of bytes whose sum fits 32 bits, or none. */
typedef struct nibble_mve_stage {
  const int32_t* factor;
  const int64_t* addend;
  const uint8_t* shift;
  int32_t upper; /* all shifts are 32 and more: what is written out takes them */
  int32_t mask;  /* 0 where one channel's constants, repeated, serve all; else -1 */
  int32_t low, high;
  int32_t sum_a, sum_b, sum_c, sum_shift, sum_low, sum_high;
  int32_t r_signed;
  /* one channel's, for as many as are ended at once */
  int64_t addends[NIBBLE_MVE_PLANE];
  int32_t factors[NIBBLE_MVE_PLANE];
  uint8_t shifts[NIBBLE_MVE_PLANE];
} nibble_mve_stage;

static inline int64_t nibble_mve_magnitude(int64_t x) {
  return x < 0 ? -(x + 1) : x;
}

/* The residual's sum fits 32 bits whatever the bytes. */
static inline int nibble_mve_takes_residual(const nibble_conv* p) {
  const int64_t low = nibble_mve_magnitude(p->stage.low), high = nibble_mve_magnitude(p->stage.high);
  const int64_t q = (low > high ? low : high) + 1, limit = (int64_t)1 << 31;
  const int64_t a = nibble_mve_magnitude(p->sum_a), b = nibble_mve_magnitude(p->sum_b),
                c = nibble_mve_magnitude(p->sum_c);
  if (p->sum_form != 1 || !nibble_is_byte(p->r_type) || p->sum_shift < 0 || p->sum_shift > 31) return 0;
  if (p->sum_low < INT32_MIN || p->sum_high > INT32_MAX || a >= limit || b >= limit || c >= limit || q > 65536)
    return 0;
  return (a + 1) * q + (b + 1) * 256 + c + 1 < limit;
}

/* Whether sums of channels [from, to) become bytes that way; 0: one by one, as any kernel does. */
static int nibble_mve_stage_of(const nibble_conv* p, int32_t from, int32_t to, nibble_mve_stage* to_stage) {
  const nibble_stage* s = &p->stage;
  const int one = s->channels <= 1;
  memset(to_stage, 0, sizeof *to_stage);
  if (s->form != NIBBLE_STAGE_PRODUCT32 || !nibble_is_byte(p->y_type)) return 0;
  if (s->low < INT32_MIN || s->high > INT32_MAX || (p->sum_form != 0 && !nibble_mve_takes_residual(p))) return 0;
  to_stage->factor = s->a;
  to_stage->addend = s->b;
  to_stage->shift = s->d;
  to_stage->upper = 1;
  for (int32_t o = one ? 0 : from; o < (one ? 1 : to); ++o) {
    if (to_stage->shift[o] > 63) return 0;
    if (to_stage->shift[o] < 32) to_stage->upper = 0;
  }
  to_stage->mask = one ? 0 : -1;
  if (one) {
    for (int i = 0; i < NIBBLE_MVE_PLANE; ++i) {
      to_stage->factors[i] = to_stage->factor[0];
      to_stage->addends[i] = to_stage->addend[0];
      to_stage->shifts[i] = to_stage->shift[0];
    }
    to_stage->factor = to_stage->factors;
    to_stage->addend = to_stage->addends;
    to_stage->shift = to_stage->shifts;
  }
  to_stage->low = (int32_t)s->low;
  to_stage->high = (int32_t)s->high;
  to_stage->r_signed = p->r_type == NIBBLE_I8;
  to_stage->sum_a = (int32_t)p->sum_a;
  to_stage->sum_b = (int32_t)p->sum_b;
  to_stage->sum_c = (int32_t)p->sum_c;
  to_stage->sum_shift = p->sum_shift;
  to_stage->sum_low = (int32_t)p->sum_low;
  to_stage->sum_high = (int32_t)p->sum_high;
  return 1;
}

/* Four channels' constants. */
typedef struct nibble_mve_product {
  int32x4_t factor, high, shift;
  uint32x4_t low;
} nibble_mve_product;

NIBBLE_INLINE nibble_mve_product nibble_mve_product_of(const nibble_mve_stage* s, int32_t channel) {
  const int32_t c = channel & s->mask;
  const uint32x4x2_t words = vld2q_u32((const uint32_t*)(const void*)(s->addend + c));
  nibble_mve_product r;
  r.factor = vldrwq_s32(s->factor + c);
  r.low = words.val[0];
  r.high = vreinterpretq_s32_u32(words.val[1]);
  r.shift = vreinterpretq_s32_u32(vldrbq_u32(s->shift + c));
  return r;
}

/* (v * factor + addend) >> shift: the carry out of the lower words is the top bit of half their sum. Shifts by 32 and
 * more leave nothing of a word that is not negative, and those to the left by less than 0 shift to the right. */
NIBBLE_INLINE int32x4_t nibble_mve_scaled(int32x4_t v, const nibble_mve_product* by) {
  const uint32x4_t product = vreinterpretq_u32_s32(vmulq_s32(v, by->factor));
  const uint32x4_t low = vaddq_u32(product, by->low), half = vhaddq_u32(product, by->low);
  const int32x4_t upper = vaddq_s32(vmulhq_s32(v, by->factor), by->high);
  const int32x4_t high = vaddq_s32(upper, vreinterpretq_s32_u32(vshrq_n_u32(half, 31)));
  const int32x4_t left = vsubq_s32(vdupq_n_s32(32), by->shift);
  return vorrq_s32(vshlq_s32(high, left), vreinterpretq_s32_u32(vshlq_u32(low, vnegq_s32(by->shift))));
}

NIBBLE_INLINE int32x4_t nibble_mve_clipped(int32x4_t v, int32_t low, int32_t high) {
  return vminq_s32(vmaxq_s32(v, vdupq_n_s32(low)), vdupq_n_s32(high));
}

/* What four sums become, with the residuals at r. */
NIBBLE_INLINE int32x4_t nibble_mve_ended(const nibble_mve_stage* s, int32x4_t v, const nibble_mve_product* by,
                                         const uint8_t* r) {
  int32x4_t q = nibble_mve_clipped(nibble_mve_scaled(v, by), s->low, s->high);
  if (r != NULL) {
    const int32x4_t other = s->r_signed ? vldrbq_s32((const int8_t*)r) : vreinterpretq_s32_u32(vldrbq_u32(r));
    q = vmlaq_n_s32(vdupq_n_s32(s->sum_c), q, s->sum_a);
    q = vmlaq_n_s32(q, other, s->sum_b);
    q = nibble_mve_clipped(vshlq_r_s32(q, -s->sum_shift), s->sum_low, s->sum_high);
  }
  return q;
}

#endif
