#ifndef NIBBLE_KERNELS_CORTEX_M_DSP_WINDOW_H
#define NIBBLE_KERNELS_CORTEX_M_DSP_WINDOW_H
#include "kernels/cortex_m/dsp_words.h"

/* Windows of a convolution, widened to 16 bits once before they meet every row of weights. A word of weights holds E =
 * 32 / w_bits of them; a shift and a mask (of 8 bits a sign extension) take weights k and k + E / 2 out of it as two
 * halves, so a window's halves stand in this order: for each word of weights, for k from 0 to E / 2 - 1, one word for
 * each of the `step` (NIBBLE_LANES, or 1) positions, of elements k and k + E / 2. Beyond its end a window is zeros. */

enum { NIBBLE_LANES = 4 };

/* How many words of weights `count` elements meet. */
NIBBLE_INLINE int32_t nibble_weight_words(int32_t count, int32_t bits) {
  return (count * bits + 31) / 32;
}

/* x[count], a whole number of words of weights, into a lane at `to`; returns where the lane goes on. Of packed weights
 * *sum grows by the elements. */
NIBBLE_INLINE uint32_t* nibble_widen(const uint8_t* x, int32_t count, int32_t bits, int32_t step, int is_signed,
                                     uint32_t* to, int32_t* sum) {
  const int32_t half = 16 / bits;
  if (bits == 8) {
#pragma GCC unroll 4
    for (const uint8_t* end = x + count; x < end; x += 4, to += 2 * step) {
      const uint32_t word = nibble_word(x);
      to[0] = nibble_even(word, is_signed);
      to[step] = nibble_odd(word, is_signed);
    }
    return to;
  }
  int32_t added = *sum;
  for (const uint8_t* const all = x + count; x != all; x += half)
    for (const uint8_t* const end = x + half; x != end; x += 4, to += 4 * step) {
      const uint32_t a = nibble_word(x), b = nibble_word(x + half);
      const uint32_t a_even = nibble_even(a, is_signed), b_even = nibble_even(b, is_signed);
      const uint32_t a_odd = nibble_odd(a, is_signed), b_odd = nibble_odd(b, is_signed);
      added = nibble_both(a_even, 0x00010001u, added);
      added = nibble_both(a_odd, 0x00010001u, added);
      added = nibble_both(b_even, 0x00010001u, added);
      added = nibble_both(b_odd, 0x00010001u, added);
      to[0] = nibble_lows(a_even, b_even);
      to[step] = nibble_lows(a_odd, b_odd);
      to[2 * step] = nibble_highs(a_even, b_even);
      to[3 * step] = nibble_highs(a_odd, b_odd);
    }
  *sum = added;
  return to;
}

/* A window that is being built: in its lane where whole taps are whole words of weights, else side by side in `bytes`
 * first. */
typedef struct nibble_window {
  uint32_t* lane;
  uint8_t* bytes;
  int32_t bits, step;
  int is_signed, direct;
  int32_t sum; /* of the elements, where weights are packed */
} nibble_window;

/* The usual widths and steps as constants. */
#define NIBBLE_WIDEN(is_signed)                                                                    \
  (w->step != NIBBLE_LANES ? nibble_widen(x, count, w->bits, w->step, is_signed, w->lane, &w->sum) \
   : w->bits == 8          ? nibble_widen(x, count, 8, NIBBLE_LANES, is_signed, w->lane, &w->sum)  \
   : w->bits == 4          ? nibble_widen(x, count, 4, NIBBLE_LANES, is_signed, w->lane, &w->sum)  \
                           : nibble_widen(x, count, w->bits, NIBBLE_LANES, is_signed, w->lane, &w->sum))
static inline void nibble_window_take(nibble_window* w, const uint8_t* x, int32_t count) {
  if (!w->direct) {
    uint8_t* to = w->bytes;
    w->bytes += count;
    for (; w->bytes - to >= 4; to += 4, x += 4) memcpy(to, x, 4);
    while (to < w->bytes) *to++ = *x++;
  } else if (w->is_signed) {
    w->lane = NIBBLE_WIDEN(1);
  } else {
    w->lane = NIBBLE_WIDEN(0);
  }
}
#undef NIBBLE_WIDEN

static inline void nibble_window_fill(nibble_window* w, int32_t value, int32_t count) {
  if (!w->direct) {
    memset(w->bytes, (int)(uint8_t)value, (size_t)count);
    w->bytes += count;
    return;
  }
  w->sum += count * value;
  for (int32_t i = 0; i < count; i += 2, w->lane += w->step) *w->lane = ((uint32_t)value & 0xffffu) * 0x00010001u;
}

/* Both halves times a factor; they stay halves. */
NIBBLE_INLINE uint32_t nibble_times(uint32_t halves, int32_t factor) {
  const uint32_t low = (uint32_t)nibble_low_product(halves, (uint32_t)factor, 0);
  return nibble_lows(low, (uint32_t)(((int32_t)halves >> 16) * factor));
}

/* The window of a position into a lane. `bytes` has room for a window in bytes. With weights w_low + w_step * stored a
 * window is multiplied by w_step and meets what is stored; returned is what w_low adds. */
static inline int32_t nibble_build_window(const nibble_conv* p, const uint8_t* x, const nibble_spot* s, int32_t count,
                                          int32_t step, uint8_t* bytes, uint32_t* lane) {
  const int32_t bits = p->w_bits, per_word = 32 / bits, whole = nibble_weight_words(count, bits) * per_word;
  const int32_t channels = p->in_channels, tap = p->dilation[2] * (int32_t)p->x_stride[3];
  const int32_t first = s->at[2] * p->stride[2] - p->pad[2];
  const int dense = tap == channels && p->dilation[2] == 1 && first >= 0 && first + p->kernel[2] <= p->in[2];
  nibble_window w = {lane, bytes, bits, step, p->x_type == NIBBLE_I8, 0, 0};
  w.direct = channels % per_word == 0;
  for (int32_t d = 0; d < p->kernel[0]; ++d)
    for (int32_t h = 0; h < p->kernel[1]; ++h) {
      const int inside = nibble_tap_at(p, s, 0, d) >= 0 && nibble_tap_at(p, s, 1, h) >= 0;
      const int32_t row =
          (int32_t)s->x + d * p->dilation[0] * (int32_t)p->x_stride[1] + h * p->dilation[1] * (int32_t)p->x_stride[2];
      if (!inside)
        nibble_window_fill(&w, (int32_t)p->zero_point, channels * p->kernel[2]);
      else if (dense)
        nibble_window_take(&w, x + row, channels * p->kernel[2]);
      else
        for (int32_t t = 0; t < p->kernel[2]; ++t)
          if (nibble_tap_at(p, s, 2, t) < 0)
            nibble_window_fill(&w, (int32_t)p->zero_point, channels);
          else
            nibble_window_take(&w, x + row + t * tap, channels);
    }
  if (!w.direct) {
    memset(w.bytes, 0, (size_t)(whole - count));
    w.direct = 1;
    nibble_window_take(&w, bytes, whole);
  }
  if (bits == 8) return 0;
  if (p->w_step != 1)
    for (int32_t i = 0; i < whole / 2; ++i) lane[i * step] = nibble_times(lane[i * step], p->w_step);
  return (int32_t)((uint32_t)w.sum * (uint32_t)p->w_low);
}

#endif
