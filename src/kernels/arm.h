#ifndef NIBBLE_KERNELS_ARM_H
#define NIBBLE_KERNELS_ARM_H
#include "kernels/element.h"

/* What the sets for Armv8-A share. A convolution without groups is: windows (where the bytes of an output position's
 * inputs lie), sums (the accumulators of 16 output channels, which is all that the sets differ in), stages. */

/* How many output positions are taken at a time: as many windows fit the scratch (items.c). */
#define NIBBLE_ARM_POSITIONS 16

/* Of each position: where its window begins, how far its segments' beginnings are apart, where it writes and where its
 * residual lies. */
typedef struct nibble_arm_windows {
  int count;
  const int8_t* x[NIBBLE_ARM_POSITIONS];
  int64_t step[NIBBLE_ARM_POSITIONS];
  int64_t y[NIBBLE_ARM_POSITIONS], r[NIBBLE_ARM_POSITIONS];
} nibble_arm_windows;

/* sums[i][row] = bias[row] + sum over `segments` of `quads` * 4 bytes of x * w, for `count` positions and the 16 rows
 * of a block of weights (BLOCKED, 8 bits); x is signed. */
typedef struct nibble_arm_block {
  const int8_t* weights;
  const int32_t* bias;
  int64_t segments, quads;
} nibble_arm_block;
typedef void (*nibble_arm_sums)(const nibble_arm_windows* windows, const nibble_arm_block* block, int32_t (*sums)[16]);

/* Whether nibble_arm_conv takes these parameters: BLOCKED weights of 8 bits, bytes, no groups, 32 bits of sum. */
int nibble_arm_takes_conv(const nibble_conv* p);
int nibble_arm_conv(const nibble_conv* p, const nibble_call* call, nibble_arm_sums sums);

/* Stages, sums with the residual and stores what became of `count` positions' 16 channels from 16 * block on. */
void nibble_arm_finish(const nibble_conv* p, const nibble_call* call, const nibble_arm_windows* windows, int64_t block,
                       int32_t (*sums)[16], int* fault);
/* Depthwise, BLOCKED weights of 8 bits. */
int nibble_arm_takes_depthwise(const nibble_conv* p);
nibble_kernel nibble_arm_depthwise(const nibble_conv* p, const char** kernel_name);

/* A row of 16 zeros: the bias where there is none. */
extern const int32_t nibble_arm_zeros[16];

#endif
