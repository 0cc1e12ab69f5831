#ifndef NIBBLE_KERNELS_UNROLLED_UNROLLED_END_H
#define NIBBLE_KERNELS_UNROLLED_UNROLLED_END_H
/* From sums to what is stored. */
#include <string.h>

#include "kernels/portable/finish.h"
#include "kernels/unrolled/unrolled.h"

/* PRODUCT32 to bytes with shifts of 32 and more, of which the upper word of a sum is all that is left; sums stored as
 * they are; or as any kernel does. */
enum nibble_unrolled_ending { NIBBLE_UNROLLED_ANY, NIBBLE_UNROLLED_RAW, NIBBLE_UNROLLED_UPPER, NIBBLE_UNROLLED_SUMMED };

typedef struct nibble_unrolled_end {
  enum nibble_unrolled_ending ending;
  const int32_t* factor;
  const int64_t* addend;
  const uint8_t* shift;
  int32_t mask; /* 0 where one channel's constants serve all; else -1 */
  int32_t low, high;
} nibble_unrolled_end;

/* The residual's sum is of 32 bits whatever the bytes. */
static inline int nibble_unrolled_sums_narrowly(const nibble_conv* p) {
  const int64_t limit = INT32_MAX, factor = 1 << 21;
  if (p->sum_form != 1 || !nibble_is_byte(p->r_type) || p->sum_shift < 0 || p->sum_shift > 31) return 0;
  if (p->stage.low < -256 || p->stage.high > 256 || p->sum_low < -limit || p->sum_high > limit) return 0;
  return p->sum_a > -factor && p->sum_a < factor && p->sum_b > -factor && p->sum_b < factor && p->sum_c > -limit / 4 &&
         p->sum_c < limit / 4;
}

static inline void nibble_unrolled_end_of(const nibble_conv* p, int32_t from, int32_t to, nibble_unrolled_end* e) {
  const nibble_stage* s = &p->stage;
  e->ending = NIBBLE_UNROLLED_ANY;
  e->factor = s->a;
  e->addend = s->b;
  e->shift = s->d;
  e->mask = s->channels > 1 ? -1 : 0;
  if (s->form == NIBBLE_STAGE_NONE && p->y_type == NIBBLE_I32 && p->sum_form == 0 && s->low <= INT32_MIN &&
      s->high >= INT32_MAX)
    e->ending = NIBBLE_UNROLLED_RAW;
  if (s->form != NIBBLE_STAGE_PRODUCT32 || !nibble_is_byte(p->y_type) || s->low < INT32_MIN || s->high > INT32_MAX)
    return;
  if (p->sum_form != 0 && !nibble_unrolled_sums_narrowly(p)) return;
  for (int32_t o = from; o < to; ++o)
    if (e->shift[o & e->mask] < 32 || e->shift[o & e->mask] > 63) return;
  e->low = (int32_t)s->low;
  e->high = (int32_t)s->high;
  e->ending = p->sum_form != 0 ? NIBBLE_UNROLLED_SUMMED : NIBBLE_UNROLLED_UPPER;
}

static inline int32_t nibble_unrolled_clip(int32_t v, int32_t low, int32_t high) {
  return v < low ? low : v > high ? high : v;
}

/* Floor of v / 2^shift, shift below 32. */
static inline int32_t nibble_unrolled_down(int32_t v, int32_t shift) {
  return v >= 0 ? v >> shift : ~(~v >> shift);
}

/* Stores the sum of channel o at y + o; the residual is at r + o. */
static inline void nibble_unrolled_store(const nibble_conv* p, const nibble_call* call, const nibble_unrolled_end* e,
                                         uint32_t sum, int32_t o, int32_t y, int32_t r, int* fault) {
  int32_t q;
  if (e->ending < NIBBLE_UNROLLED_UPPER) {
    if (e->ending == NIBBLE_UNROLLED_RAW)
      ((int32_t*)call->out)[y + o] = (int32_t)sum;
    else
      nibble_finish_sum(p, call, (int32_t)sum, o, y, r, fault);
    return;
  }
  {
    const int32_t c = o & e->mask;
    const uint64_t t = (uint64_t)((int64_t)(int32_t)sum * e->factor[c]) + (uint64_t)e->addend[c];
    q = nibble_unrolled_down((int32_t)(uint32_t)(t >> 32), e->shift[c] - 32);
  }
  q = nibble_unrolled_clip(q, e->low, e->high);
  if (e->ending == NIBBLE_UNROLLED_SUMMED) {
    const uint8_t byte = ((const uint8_t*)call->in[1])[r + o];
    const int32_t other = p->r_type == NIBBLE_I8 ? (int8_t)byte : byte;
    q = q * (int32_t)p->sum_a + other * (int32_t)p->sum_b + (int32_t)p->sum_c;
    q = nibble_unrolled_clip(nibble_unrolled_down(q, p->sum_shift), (int32_t)p->sum_low, (int32_t)p->sum_high);
  }
  ((uint8_t*)call->out)[y + o] = (uint8_t)q;
}

#endif
