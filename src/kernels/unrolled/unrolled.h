#ifndef NIBBLE_KERNELS_UNROLLED_UNROLLED_H
#define NIBBLE_KERNELS_UNROLLED_UNROLLED_H
#include "kernels/portable/portable.h"

/* Kernels in C99 for scalar cores with some thirty registers (RV32IMC): 8-bit activations, FOLDED weights of 8, 4, 2 and 1
 * bits, sums of 32 bits. What each takes is a question about its parameters that any machine can answer.
 *
 * A convolution reads the windows of four positions, in order, before it writes any output of these. A depthwise one
 * writes four channels of a position once it has read those of its window. */

static inline int nibble_unrolled_takes_conv(const nibble_conv* p) {
  return p->groups == 1 && nibble_portable_takes_conv(p);
}
static inline int nibble_unrolled_takes_depthwise(const nibble_conv* p) {
  return p->groups > 1 && nibble_portable_takes_conv(p) && p->kernel[0] * p->kernel[1] * p->kernel[2] <= 64;
}

int nibble_conv_unrolled(const void* parameters, const nibble_call* call);
int nibble_depthwise_unrolled(const void* parameters, const nibble_call* call);

#endif
