#ifndef NIBBLE_KERNELS_CORTEX_M_HELIUM_H
#define NIBBLE_KERNELS_CORTEX_M_HELIUM_H
#include "kernels/portable/portable.h"

/* Kernels for Arm cores with Helium (Cortex-M55 and later): 8-bit activations, best signed ones, FOLDED weights of 8, 4, 2
 * and 1 bits, sums of 32 bits. What each takes is a question about its parameters that any machine can answer.
 */

enum { NIBBLE_MVE_LANES = 3, NIBBLE_MVE_MOST_TAPS = 64 };

/* Elements from one window in scratch to the next: of packed weights, whole sixteens of bytes of them. */
static inline int32_t nibble_mve_window(const nibble_conv* p) {
  const int32_t count = p->kernel[0] * p->kernel[1] * p->kernel[2] * p->in_channels;
  const int32_t chunk = p->w_bits == 8 ? 1 : 128 / p->w_bits;
  return (count + chunk - 1) / chunk * chunk;
}
/* Where biases for unsigned x stand in scratch, behind windows and, of packed weights, one more as it lies in x. */
static inline int32_t nibble_mve_biases_at(const nibble_conv* p) {
  const int32_t positions = p->batch * p->out[0] * p->out[1] * p->out[2];
  const int32_t windows = (positions < NIBBLE_MVE_LANES ? 1 : NIBBLE_MVE_LANES) + (p->w_bits == 8 ? 0 : 1);
  return (windows * nibble_mve_window(p) + 3) / 4 * 4;
}
static inline int nibble_mve_takes_conv(const nibble_conv* p) {
  return p->groups == 1 && nibble_portable_takes_conv(p) &&
         (p->x_type == NIBBLE_I8 || nibble_mve_biases_at(p) + 4 * (int64_t)p->out_channels <= nibble_folded_scratch(p));
}
static inline int nibble_mve_takes_depthwise(const nibble_conv* p) {
  const int32_t taps = p->kernel[0] * p->kernel[1] * p->kernel[2];
  return p->groups > 1 && nibble_portable_takes_conv(p) && taps <= NIBBLE_MVE_MOST_TAPS &&
         (p->x_type == NIBBLE_I8 || taps >= 4);
}
/* Bytes, the last axis side by side, a sum that fits whatever they are. */
static inline int nibble_mve_takes_reduce(const nibble_reduce* p) {
  int64_t count = 1;
  for (int32_t k = 0; k < p->reduced_rank; ++k) count *= p->reduced[k];
  return nibble_portable_takes_reduce(p) && p->rank >= 1 && p->reduced_rank >= 1 && p->x_stride[p->rank - 1] == 1 &&
         p->zero_point >= -256 && p->zero_point <= 256 && count > 0;
}

/* How each goes through memory (kernels.h), and what stands in for it where there are no such instructions: that takes
 * positions two by two, or one by one. Windows are copied, three at a time. */
static inline nibble_order nibble_conv_mve_order(const nibble_conv* p) {
  const int64_t biases = p->x_type == NIBBLE_U8 ? 4 * (int64_t)p->out_channels : 0;
  nibble_order order = nibble_conv_portable_order(p);
  order.block = 2 * NIBBLE_MVE_LANES;
  order.early = 0;
  if (order.scratch < nibble_mve_biases_at(p) + biases) order.scratch = nibble_mve_biases_at(p) + biases;
  return order;
}
/* Sums of 64 channels of three positions are made before these are stored. Weights are laid out before the first. */
static inline nibble_order nibble_depthwise_mve_order(const nibble_conv* p) {
  const int64_t channels = ((int64_t)p->out_channels + 15) / 16 * 16;
  const int64_t taps = (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2];
  const nibble_order order = {NIBBLE_MVE_LANES, 0, channels * (p->x_type == NIBBLE_U8 ? 5 + taps : 1 + taps), 0};
  return order;
}
/* Sixteen channels are summed before they are stored. */
static inline nibble_order nibble_reduce_mve_order(const nibble_reduce* p) {
  const nibble_order order = {p->extent[p->rank - 1], 0, 0, 0};
  return order;
}

int nibble_conv_mve(const void* parameters, const nibble_call* call);
int nibble_depthwise_mve(const void* parameters, const nibble_call* call);
int nibble_reduce_mve(const void* parameters, const nibble_call* call);

#endif
