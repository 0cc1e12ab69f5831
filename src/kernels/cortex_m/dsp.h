#ifndef NIBBLE_KERNELS_CORTEX_M_DSP_H
#define NIBBLE_KERNELS_CORTEX_M_DSP_H
#include "kernels/portable/portable.h"

/* Kernels for Arm cores with the DSP extension (Cortex-M4, M7, M33 and later): 8-bit activations, FOLDED weights of 8,
 * 4, 2 and 1 bits, sums of 32 bits. What each takes is a question about its parameters that any machine can answer. */

/* Windows hold elements times w_step, in 16 bits. */
static inline int nibble_dsp_takes_conv(const nibble_conv* p) {
  return p->groups == 1 && nibble_portable_takes_conv(p) && p->w_step >= -128 && p->w_step <= 128;
}
static inline int nibble_dsp_takes_depthwise(const nibble_conv* p) {
  return p->groups > 1 && nibble_portable_takes_conv(p) && p->kernel[0] * p->kernel[1] * p->kernel[2] <= 64;
}

/* How each goes through memory (kernels.h). The windows of four positions are widened, weight words whole, before any
 * channel is computed; one position's are all there is to read. */
static inline nibble_order nibble_conv_dsp_order(const nibble_conv* p) {
  const int64_t count = (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2] * p->in_channels;
  const int64_t per_word = 32 / p->w_bits, window = (count + per_word - 1) / per_word * per_word;
  const int alone = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2] == 1;
  const int64_t lanes = alone ? 1 : 4, bytes = p->in_channels % per_word == 0 ? 0 : window;
  nibble_order order = {lanes, 1, 2 * lanes * window + bytes, 0};
  /* A window of 16 bits over its bytes, behind which it stays by a word of weights. */
  if (alone && bytes == 0 && nibble_is_pointwise(p)) order.over_input = window + per_word;
  return order;
}
/* Weights are widened, and a row of zero points written, before the first position. */
static inline nibble_order nibble_depthwise_dsp_order(const nibble_conv* p) {
  const int64_t channels = ((int64_t)p->out_channels + 3) / 4 * 4;
  const nibble_order order = {1, 0, channels * (1 + 2 * (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2]), 0};
  return order;
}

int nibble_conv_dsp(const void* parameters, const nibble_call* call);
int nibble_depthwise_dsp(const void* parameters, const nibble_call* call);

#endif
