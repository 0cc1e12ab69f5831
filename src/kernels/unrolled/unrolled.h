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

/* How each goes through memory (kernels.h). Windows are copied but where one is a run of one row of x; positions beyond
 * the last four are taken one by one. */
static inline nibble_order nibble_conv_unrolled_order(const nibble_conv* p) {
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int copied = p->kernel[0] * p->kernel[1] != 1 && positions % 4 == 0;
  const nibble_order order = {4, copied, nibble_folded_scratch(p), 0};
  return order;
}
static inline nibble_order nibble_depthwise_unrolled_order(const nibble_conv* p) {
  const nibble_order order = {1, 0, nibble_folded_scratch(p), 0};
  return order;
}

int nibble_conv_unrolled(const void* parameters, const nibble_call* call);
int nibble_depthwise_unrolled(const void* parameters, const nibble_call* call);

#endif
