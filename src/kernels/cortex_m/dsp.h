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

/* Positions whose windows are widened before any of their channels: an even number, or one where there is but one. More of
 * them spare widening the weights again; how much scratch that is worth depends on how much x takes, and is little for a
 * row of an image alone, which is a part of it. (Not on the output channels, of which a call may have but some.) */
enum { NIBBLE_DSP_MOST = 36 };
static inline int64_t nibble_dsp_window(const nibble_conv* p) {
  const int64_t count = (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2] * p->in_channels, per_word = 32 / p->w_bits;
  return (count + per_word - 1) / per_word * per_word;
}
static inline int32_t nibble_dsp_tile(const nibble_conv* p) {
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2], bytes = 2 * nibble_dsp_window(p);
  const int64_t x = (int64_t)p->batch * p->in[0] * p->in[1] * p->in[2] * p->in_channels;
  const int row = p->out[1] == 1 && p->out[2] > 1 && p->x_stride[2] != 0;
  int32_t tile = positions < NIBBLE_DSP_MOST ? ((int32_t)positions + 1) / 2 * 2 : NIBBLE_DSP_MOST;
  for (; tile > 4; tile -= 2) {
    const int64_t few = tile <= 12 ? 3072 : 1536, much = x < 1024 ? x : x <= 5120 && !row ? 5120 : few;
    if (tile * bytes <= much) break;
  }
  return positions == 1 ? 1 : tile;
}

/* Whether positions lie side by side, and each is its own window. */
static inline int nibble_dsp_is_flat(const nibble_conv* p) {
  int64_t beside = p->in_channels;
  for (int k = 2; k >= 0; --k) {
    if (p->kernel[k] != 1 || p->pad[k] != 0 || p->stride[k] != 1 || p->in[k] != p->out[k]) return 0;
    if (p->in[k] == 1) continue;
    if (p->x_stride[k + 1] != beside || p->y_stride[k + 1] * p->in_channels != beside * p->y_stride[3]) return 0;
    if (p->sum_form != 0 && p->r_stride[k + 1] * p->in_channels != beside * p->r_stride[3]) return 0;
    beside *= p->in[k];
  }
  return p->batch == 1;
}

/* How each goes through memory (kernels.h). The windows of a tile are widened, weight words whole, before any channel is
 * computed; one position's are all there is to read. */
static inline nibble_order nibble_conv_dsp_order(const nibble_conv* p) {
  const int64_t tile = nibble_dsp_tile(p), window = nibble_dsp_window(p), per_word = 32 / p->w_bits;
  const int64_t bytes = p->in_channels % per_word == 0 ? 0 : window;
  /* Windows, two rows of weights, sums, pairs of positions. */
  nibble_order order = {tile, 1, 2 * tile * window + 4 * window + 8 * tile + 12 * tile + bytes, 0};
  if (tile == 1) order.scratch = 2 * window + bytes;
  /* A window of 16 bits over its bytes, behind which it stays by a word of weights. */
  if (tile == 1 && bytes == 0 && nibble_is_pointwise(p)) order.over_input = window + per_word;
  return order;
}

/* Depthwise windows of 3 x 3 have kernels of their own (dsp_three.h). */
static inline int nibble_dsp_is_three(const nibble_conv* p) {
  return p->kernel[0] == 1 && p->in[0] == 1 && p->out[0] == 1 && p->pad[0] == 0 && p->kernel[1] == 3 &&
         p->kernel[2] == 3 && p->dilation[1] == 1 && p->dilation[2] == 1 && p->stride[2] <= 2 && p->out_channels >= 4;
}
/* Rows of positions that are computed channel by channel. */
static inline int32_t nibble_three_rows(const nibble_conv* p) {
  return p->out[1] < 2 ? 1 : 2;
}
/* Words of two columns that as many positions of a row read, an even number of them. */
static inline int32_t nibble_three_words(const nibble_conv* p, int32_t columns) {
  return (columns + 1) / 2 * p->stride[2] + 1;
}
/* Constants are laid out before the first position; beside them stand rows of x of four channels, or a row of zero points. */
static inline nibble_order nibble_depthwise_dsp_order(const nibble_conv* p) {
  const int64_t channels = ((int64_t)p->out_channels + 3) / 4 * 4;
  nibble_order order = {1, 0, channels * (1 + 2 * (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2]), 0};
  if (nibble_dsp_is_three(p)) {
    const int64_t rows = nibble_three_rows(p), read = (rows - 1) * p->stride[1] + 3;
    order.block = rows * p->out[2];
    order.scratch = 40 * (int64_t)p->out_channels + 16 * read * nibble_three_words(p, p->out[2]);
  }
  return order;
}

int nibble_conv_dsp(const void* parameters, const nibble_call* call);
int nibble_depthwise_dsp(const void* parameters, const nibble_call* call);

#endif
