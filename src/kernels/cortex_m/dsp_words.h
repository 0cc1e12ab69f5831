#ifndef NIBBLE_KERNELS_CORTEX_M_DSP_WORDS_H
#define NIBBLE_KERNELS_CORTEX_M_DSP_WORDS_H
/* Words of four bytes and of two halves. Only for cores with the DSP extension. */
#include <string.h>

#include "kernels/cortex_m/dsp.h"
#include "kernels/portable/finish.h"

#define NIBBLE_INLINE static inline __attribute__((always_inline))

NIBBLE_INLINE uint32_t nibble_word(const void* from) {
  uint32_t word;
  memcpy(&word, from, sizeof word);
  return word;
}

/* Fewer than four bytes; above them zeros. */
NIBBLE_INLINE uint32_t nibble_word_part(const uint8_t* from, int32_t count) {
  uint32_t word = 0;
  for (int32_t i = 0; i < count; ++i) word |= (uint32_t)from[i] << (8 * i);
  return word;
}

/* Bytes 0 and 2, bytes 1 and 3, as halves. */
NIBBLE_INLINE uint32_t nibble_even(uint32_t word, int is_signed) {
  uint32_t halves;
  if (is_signed)
    __asm__("sxtb16 %0, %1" : "=r"(halves) : "r"(word));
  else
    __asm__("uxtb16 %0, %1" : "=r"(halves) : "r"(word));
  return halves;
}
NIBBLE_INLINE uint32_t nibble_odd(uint32_t word, int is_signed) {
  uint32_t halves;
  if (is_signed)
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(word));
  else
    __asm__("uxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(word));
  return halves;
}

/* The low halves of a and b, the high halves of a and b. */
NIBBLE_INLINE uint32_t nibble_lows(uint32_t a, uint32_t b) {
  uint32_t halves;
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(halves) : "r"(a), "r"(b));
  return halves;
}
NIBBLE_INLINE uint32_t nibble_highs(uint32_t a, uint32_t b) {
  uint32_t halves;
  __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(halves) : "r"(b), "r"(a));
  return halves;
}

/* sum + low * low + high * high, modulo 2^32; the low or the high product alone. */
NIBBLE_INLINE int32_t nibble_both(uint32_t a, uint32_t b, int32_t sum) {
  int32_t result;
  __asm__("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}
NIBBLE_INLINE int32_t nibble_low_product(uint32_t a, uint32_t b, int32_t sum) {
  int32_t result;
  __asm__("smlabb %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}
NIBBLE_INLINE int32_t nibble_high_product(uint32_t a, uint32_t b, int32_t sum) {
  int32_t result;
  __asm__("smlatt %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}

/* Both halves times a factor; they stay halves. */
NIBBLE_INLINE uint32_t nibble_times(uint32_t halves, int32_t factor) {
  const uint32_t low = (uint32_t)nibble_low_product(halves, (uint32_t)factor, 0);
  return nibble_lows(low, (uint32_t)(((int32_t)halves >> 16) * factor));
}

/* The position after s. */
static inline void nibble_spot_next(const nibble_conv* p, nibble_spot* s, int32_t next) {
  if (s->at[2] + 1 == p->out[2]) {
    *s = nibble_spot_of(p, next);
    return;
  }
  ++s->at[2];
  s->x += p->stride[2] * p->x_stride[3];
  s->y += p->y_stride[3];
  s->r += p->r_stride[3];
}

/* ---- from sums to bytes ---- */

/* How a step's sums are stored: by PRODUCT32 to bytes without or with a residual of bytes, else as any kernel does. */
enum nibble_ending { NIBBLE_END_ANY, NIBBLE_END_CLIP, NIBBLE_END_U8, NIBBLE_END_RESIDUAL };

NIBBLE_INLINE enum nibble_ending nibble_ending_of(const nibble_conv* p) {
  const nibble_stage* s = &p->stage;
  if (s->form != NIBBLE_STAGE_PRODUCT32 || !nibble_is_byte(p->y_type)) return NIBBLE_END_ANY;
  if (s->low < INT32_MIN || s->high > INT32_MAX) return NIBBLE_END_ANY;
  if (p->sum_form == 1)
    return nibble_is_byte(p->r_type) && p->sum_a == (int32_t)p->sum_a && p->sum_b == (int32_t)p->sum_b &&
                   p->sum_shift >= 0
               ? NIBBLE_END_RESIDUAL
               : NIBBLE_END_ANY;
  if (s->low == 0 && s->high == 255) return NIBBLE_END_U8;
  return NIBBLE_END_CLIP;
}

/* Floor of t / 2^shift, which 32 bits hold. */
NIBBLE_INLINE int32_t nibble_shifted(int64_t t, uint32_t shift) {
  const uint32_t high = (uint32_t)((uint64_t)t >> 32), low = (uint32_t)t;
  if (shift >= 32) return (int32_t)high >> (shift - 32);
  return shift == 0 ? (int32_t)low : (int32_t)(high << (32 - shift) | low >> shift);
}

/* The constants of an output channel. */
typedef struct nibble_product {
  int64_t addend;
  int32_t factor;
  uint32_t shift;
} nibble_product;

NIBBLE_INLINE nibble_product nibble_product_of(const nibble_stage* s, int32_t o) {
  const int32_t c = s->channels > 1 ? o : 0;
  const nibble_product r = {((const int64_t*)s->b)[c], ((const int32_t*)s->a)[c], ((const uint8_t*)s->d)[c]};
  return r;
}

NIBBLE_INLINE int32_t nibble_clip_to(int32_t v, int32_t low, int32_t high) {
  return v < low ? low : v > high ? high : v;
}

/* Stores the sum of channel o at y + o; `ending` is a constant. */
NIBBLE_INLINE void nibble_end(const nibble_conv* p, const nibble_call* call, enum nibble_ending ending,
                              const nibble_product* by, int32_t sum, int32_t o, int32_t y, int32_t r, int* fault) {
  int32_t q;
  if (ending == NIBBLE_END_ANY) {
    nibble_finish_sum(p, call, sum, o, y, r, fault);
    return;
  }
  q = nibble_shifted(by->addend + (int64_t)sum * by->factor, by->shift);
  q = nibble_clip_to(q, (int32_t)p->stage.low, (int32_t)p->stage.high);
  if (ending == NIBBLE_END_RESIDUAL) {
    const uint8_t* residual = call->in[1];
    const int32_t other = p->r_type == NIBBLE_I8 ? (int8_t)residual[r + o] : residual[r + o];
    /* Factors of 32 bits are the rule: nibble_ending_of leaves others to the general way. */
    const int64_t t = p->sum_c + (int64_t)q * (int32_t)p->sum_a + (int64_t)other * (int32_t)p->sum_b;
    const int64_t whole = t >> (p->sum_shift > 63 ? 63 : p->sum_shift);
    q = (int32_t)(whole < p->sum_low ? p->sum_low : whole > p->sum_high ? p->sum_high : whole);
  }
  ((uint8_t*)call->out)[y + o] = (uint8_t)q;
}

#endif
