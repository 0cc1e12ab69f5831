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

int nibble_conv_dsp(const void* parameters, const nibble_call* call);
int nibble_depthwise_dsp(const void* parameters, const nibble_call* call);

#endif
