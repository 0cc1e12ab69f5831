#ifndef NIBBLE_KERNELS_ELEMENT_H
#define NIBBLE_KERNELS_ELEMENT_H
#include <math.h>
#include <stddef.h>

#include "kernels/kernels.h"
#ifdef __cplusplus
extern "C" {
#endif

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

/* Reals: F64, or an integer taken as one. */
static inline double nibble_load_real(const void* from, int32_t type, int64_t at) {
  return type == NIBBLE_F64 ? ((const double*)from)[at] : (double)nibble_load(from, type, at);
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

/* Floor of x / 2^shift, for any shift >= 0 (below: x). Written so that C99 defines it. */
static inline int64_t nibble_shift_down(int64_t x, int64_t shift) {
  const int64_t by = nibble_clip(shift, 0, 63);
  return x >= 0 ? x >> by : ~(~x >> by);
}

/* x * 2^shift */
static inline int64_t nibble_shift_up(int64_t x, int64_t shift) {
  return shift < 0 || shift > 63 ? 0 : (int64_t)((uint64_t)x << shift);
}

/* a / b, truncated; 0 and a fault where b is 0. */
static inline int64_t nibble_quotient(int64_t a, int64_t b, int* fault) {
  if (b == 0) {
    *fault = NIBBLE_DIVISION_BY_ZERO;
    return 0;
  }
  return b == -1 ? nibble_subtract(0, a) : a / b;
}

/* A real that is whole; what int32 does not hold (a program's bounds exclude it) is INT32_MIN, as x86 converts it. */
static inline int64_t nibble_whole(float x) {
  return x >= -2147483648.0f && x < 2147483648.0f ? (int64_t)x : INT32_MIN;
}

/* Integers of 128 bits in two's complement, without a compiler's help. */
typedef struct nibble_wide {
  int64_t high;
  uint64_t low;
} nibble_wide;

nibble_wide nibble_wide_product(int64_t a, int64_t b);
nibble_wide nibble_wide_sum(nibble_wide a, nibble_wide b);
nibble_wide nibble_wide_negated(nibble_wide a);
nibble_wide nibble_wide_of(int64_t a);
/* a * 2^shift, shift 0 to 127 */
nibble_wide nibble_wide_shift_up(nibble_wide a, int64_t shift);
/* -1, 0, 1 */
int nibble_wide_sign(nibble_wide a);
/* a within [low, high] */
int64_t nibble_wide_clip(nibble_wide a, int64_t low, int64_t high);
/* floor(a / 2^shift), clipped to 64 bits */
int64_t nibble_wide_shift_down(nibble_wide a, int64_t shift);
/* floor(a / d) and what remains, d > 0 */
nibble_wide nibble_wide_divide(nibble_wide a, nibble_wide d, nibble_wide* rest);
/* floor(a / d), d > 0, clipped to 64 bits */
int64_t nibble_wide_floor(nibble_wide a, nibble_wide d);
/* a / d, d > 0, rounded without an error: 0 floor, 1 half up, 2 half to even */
nibble_wide nibble_wide_rounded(nibble_wide a, nibble_wide d, int64_t rounding);
/* a / d truncated, clipped to 64 bits; 0 and a fault where d is 0 */
int64_t nibble_wide_quotient(nibble_wide a, int64_t d, int* fault);

/* The stage of an accumulator. *fault is set, or left. */
int64_t nibble_staged(const nibble_stage* stage, int64_t value, int64_t channel, int* fault);

/* What a convolution stores of stage's q and the residual r. */
int64_t nibble_conv_summed(const nibble_conv* p, int64_t q, int64_t r);

/* floor(sqrt(x)) */
uint64_t nibble_root(uint64_t x);

/* What the kernels of these kinds do where x is of reals. */
int nibble_conv_reals(const nibble_conv* p, const nibble_call* call);
int nibble_matmul_reals(const nibble_matmul* p, const nibble_call* call);
int nibble_pool_reals(const nibble_pool* p, const nibble_call* call);
int nibble_reduce_reals(const nibble_reduce* p, const nibble_call* call);

/* Where a step's item lies: an index along each of `rank` extents. */
static inline void nibble_place(int64_t item, const int32_t* extents, int32_t rank, int64_t* at) {
  int64_t rest = item;
  for (int32_t k = rank - 1; k >= 0; --k) {
    at[k] = rest % extents[k];
    rest /= extents[k];
  }
}

static inline int64_t nibble_offset(const int64_t* at, const int64_t* strides, int32_t rank) {
  int64_t offset = 0;
  for (int32_t k = 0; k < rank; ++k) offset += at[k] * strides[k];
  return offset;
}

#ifdef __cplusplus
}
#endif
#endif
