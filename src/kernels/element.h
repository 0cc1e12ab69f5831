#ifndef NIBBLE_KERNELS_ELEMENT_H
#define NIBBLE_KERNELS_ELEMENT_H
#include <math.h>
#include <stddef.h>

#include "kernels/kernels.h"

/* What the reference kernels share: elements of any type, the arithmetic of the stages. Integers are 64 bits; sums and
 * products that the program's bounds do not exclude wrap, as unsigned ones do. */

static inline int64_t nibble_load(const void* from, int32_t type, int64_t at) {
  switch (type) {
    case NIBBLE_I8: return ((const int8_t*)from)[at];
    case NIBBLE_U8: return ((const uint8_t*)from)[at];
    case NIBBLE_I16: return ((const int16_t*)from)[at];
    case NIBBLE_U16: return ((const uint16_t*)from)[at];
    case NIBBLE_I32: return ((const int32_t*)from)[at];
    case NIBBLE_I64: return ((const int64_t*)from)[at];
    default: return 0;
  }
}

static inline void nibble_store(void* to, int32_t type, int64_t at, int64_t value) {
  switch (type) {
    case NIBBLE_I8: ((int8_t*)to)[at] = (int8_t)value; break;
    case NIBBLE_U8: ((uint8_t*)to)[at] = (uint8_t)value; break;
    case NIBBLE_I16: ((int16_t*)to)[at] = (int16_t)value; break;
    case NIBBLE_U16: ((uint16_t*)to)[at] = (uint16_t)value; break;
    case NIBBLE_I32: ((int32_t*)to)[at] = (int32_t)value; break;
    case NIBBLE_I64: ((int64_t*)to)[at] = value; break;
    default: break;
  }
}

static inline int64_t nibble_size_of(int32_t type) {
  return type <= NIBBLE_U8 ? 1 : type <= NIBBLE_U16 ? 2 : type == NIBBLE_I32 ? 4 : 8;
}

static inline int64_t nibble_add(int64_t a, int64_t b) {
  return (int64_t)((uint64_t)a + (uint64_t)b);
}
static inline int64_t nibble_subtract(int64_t a, int64_t b) {
  return (int64_t)((uint64_t)a - (uint64_t)b);
}
static inline int64_t nibble_multiply(int64_t a, int64_t b) {
  return (int64_t)((uint64_t)a * (uint64_t)b);
}

static inline int64_t nibble_clip(int64_t x, int64_t low, int64_t high) {
  return x < low ? low : x > high ? high : x;
}

/* Floor of x / 2^shift, for any shift >= 0. Written so that C99 defines it. */
static inline int64_t nibble_shift_down(int64_t x, int64_t shift) {
  const int64_t by = shift > 63 ? 63 : shift;
  return x >= 0 ? x >> by : ~(~x >> by);
}

/* Integers of 128 bits in two's complement, without a compiler's help. */
typedef struct nibble_wide {
  int64_t high;
  uint64_t low;
} nibble_wide;

nibble_wide nibble_wide_product(int64_t a, int64_t b);
nibble_wide nibble_wide_sum(nibble_wide a, nibble_wide b);
nibble_wide nibble_wide_of(int64_t a);
/* a * 2^shift, shift 0 to 127 */
nibble_wide nibble_wide_shift_up(nibble_wide a, int64_t shift);
/* -1, 0, 1 */
int nibble_wide_sign(nibble_wide a);
/* floor(a / 2^shift), clipped to 64 bits */
int64_t nibble_wide_shift_down(nibble_wide a, int64_t shift);
/* floor(a / d), d > 0, clipped to 64 bits */
int64_t nibble_wide_floor(nibble_wide a, nibble_wide d);

/* The stage of an accumulator. *fault is set, or left. */
int64_t nibble_staged(const nibble_stage* stage, int64_t value, int64_t channel, int* fault);

/* What a convolution with a residual r gives for q, of its stage: kernels.h, sum_form. */
int64_t nibble_summed(const nibble_conv* p, int64_t q, int64_t r);

/* floor(sqrt(x)) */
uint64_t nibble_root(uint64_t x);

#endif
