#ifndef NIBBLE_KERNELS_ARM_DEPTHWISE_H
#define NIBBLE_KERNELS_ARM_DEPTHWISE_H
#include "kernels/arm/arm.h"

#if defined(__aarch64__)

/* Depthwise convolution with windows of 3 x 3, strides 1 and 2: runs of outputs along rows. Rows of x outside it are
 * `zero`, with pitch 0. */
typedef struct nibble_arm_run {
  const uint8_t* row[3];
  int64_t pitch[3];
  int64_t start, columns, stride; /* the first window's first column; columns of x; the stride */
  int count;
} nibble_arm_run;

typedef struct nibble_arm_runs {
  nibble_arm_run run[NIBBLE_ARM_POSITIONS];
  int count;
  const uint8_t* zero;
} nibble_arm_runs;

/* 16 channels from `offset` on, of all runs: their positions are those of `windows`, in this order. */
typedef void (*nibble_arm_three_by_three)(const nibble_arm_runs* runs, int64_t offset, const int8_t* weights,
                                          const int32_t* bias, const nibble_arm_windows* windows,
                                          const nibble_arm_target* target);
/* For a block's way and how many of its rows are there; x is flipped by 0x80 or not. Sums of two products fit 16 bits where no channel has two weights of -128. */
nibble_arm_three_by_three nibble_arm_three_by_three_for(int way, int64_t rows, int flips);

NIBBLE_ARM_INLINE int8x16_t nibble_arm_signed_x(const uint8_t* x, int flips) {
  const uint8x16_t v = vld1q_u8(x);
  return vreinterpretq_s8_u8(flips ? veorq_u8(v, vdupq_n_u8(0x80)) : v);
}
#endif
#endif
