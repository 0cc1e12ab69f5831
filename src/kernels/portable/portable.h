#ifndef NIBBLE_KERNELS_PORTABLE_H
#define NIBBLE_KERNELS_PORTABLE_H
#include "kernels/kernels.h"

/* Kernels in C99 for processors without vectors: 8-bit activations, FOLDED weights, sums of 32 bits. What each takes is a
 * question about its parameters that any machine can answer. */

static inline int nibble_is_byte(int32_t type) {
  return type == NIBBLE_I8 || type == NIBBLE_U8;
}

/* Whole weights, sums of 32 bits; depthwise or without groups. */
static inline int nibble_portable_takes_conv(const nibble_conv* p) {
  return p->w_format == NIBBLE_FOLDED && p->bias && nibble_is_byte(p->x_type) && p->y_type <= NIBBLE_I32 &&
         p->acc_type == NIBBLE_I32 &&
         (p->groups == 1 || (p->groups == p->in_channels && p->groups == p->out_channels)) && p->sum_form < 2;
}
static inline int nibble_portable_takes_pool(const nibble_pool* p) {
  return nibble_is_byte(p->x_type) && nibble_is_byte(p->y_type) && p->op == 0;
}

/* Elements keep their size. */
static inline int nibble_portable_takes_move(const nibble_move* p) {
  return p->rank >= 1 && p->x_type == p->y_type;
}

/* Sums of bytes over one or two axes. */
static inline int nibble_portable_takes_reduce(const nibble_reduce* p) {
  int64_t count = 1;
  for (int32_t k = 0; k < p->reduced_rank; ++k) count *= p->reduced[k];
  return p->op == 0 && nibble_is_byte(p->x_type) && p->reduced_rank <= 2 && count <= 1 << 22;
}

/* A tap alone, which lies inside x at every position: a position is its own window. */
static inline int nibble_is_pointwise(const nibble_conv* p) {
  for (int k = 0; k < 3; ++k)
    if (p->kernel[k] != 1 || p->pad[k] != 0 || (p->out[k] - 1) * p->stride[k] >= p->in[k]) return 0;
  return 1;
}

/* Scratch of FOLDED weights, for the kernels of no set and for those of Helium. Depthwise: a row of zero points, weights of
 * 16 bits. Else four positions' windows of 16 bits, or one's, whole words of weights long (of packed ones whole sixteens of
 * bytes), and a window of bytes; or two windows and two rows of weights in bytes; or three windows and one, and a bias a
 * channel. */
static inline int64_t nibble_folded_scratch(const nibble_conv* p) {
  const int64_t taps = (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2], count = taps * p->in_channels;
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int64_t per_word = p->w_bits == 8 ? 4 : 128 / p->w_bits, window = (count + per_word - 1) / per_word * per_word;
  const int64_t channels = ((int64_t)p->out_channels + 15) / 16 * 16;
  if (p->groups > 1) return channels * (1 + 2 * taps);
  if (positions == 1) return 2 * window + (window > 2 * count ? window : 2 * count);
  return p->x_type != NIBBLE_U8 || 5 * window > 4 * (int64_t)p->out_channels + 4
             ? 9 * window
             : 4 * window + 4 * (int64_t)p->out_channels + 4;
}

/* How each goes through memory (kernels.h). Windows are copied, two at a time, but where one is a tap inside x; packed
 * weights are spread. */
static inline nibble_order nibble_conv_portable_order(const nibble_conv* p) {
  const int64_t taps = (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2], count = taps * p->in_channels;
  const nibble_order order = {2, taps != 1, p->w_bits != 8 ? 4 * count : nibble_is_pointwise(p) ? 0 : 2 * count, 0};
  return order;
}
/* Depthwise convolutions, pools and sums finish a channel before they read the next. */
static inline nibble_order nibble_one_by_one_order(void) {
  const nibble_order order = {1, 0, 0, 0};
  return order;
}

int nibble_conv_portable(const void* parameters, const nibble_call* call);
int nibble_depthwise_portable(const void* parameters, const nibble_call* call);
int nibble_pool_portable(const void* parameters, const nibble_call* call);
int nibble_move_portable(const void* parameters, const nibble_call* call);
int nibble_reduce_portable(const void* parameters, const nibble_call* call);

#endif
