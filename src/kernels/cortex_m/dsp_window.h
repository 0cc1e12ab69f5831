#ifndef NIBBLE_KERNELS_CORTEX_M_DSP_WINDOW_H
#define NIBBLE_KERNELS_CORTEX_M_DSP_WINDOW_H
#include "kernels/cortex_m/dsp_words.h"

/* Windows of a convolution, widened to 16 bits once before they meet every row of weights. A word of weights holds E =
 * 32 / w_bits of them; a shift and a mask (of 8 bits a sign extension) take weights k and k + E / 2 out of it as two
 * halves, so a window's halves stand in this order: for each word of weights, for k from 0 to E / 2 - 1, a word of
 * elements k and k + E / 2. Two words of four elements lie side by side, and `step` words from the next two: NIBBLE_PAIRED
 * where two windows lie side by side, else NIBBLE_ALONE. Beyond its end a window is zeros. */

enum { NIBBLE_ALONE = 2, NIBBLE_PAIRED = 4 };

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
    for (const uint8_t* end = x + count; x < end;) {
      const uint32_t word = nibble_word(x), even = nibble_even(word, is_signed), odd = nibble_odd(word, is_signed);
      x += 4;
      if (step == NIBBLE_PAIRED)
        __asm__ volatile("strd %1, %2, [%0], #16" : "+r"(to) : "r"(even), "r"(odd) : "memory");
      else
        __asm__ volatile("strd %1, %2, [%0], #8" : "+r"(to) : "r"(even), "r"(odd) : "memory");
    }
    return to;
  }
  int32_t added = *sum;
  for (const uint8_t* const all = x + count; x != all; x += half)
    for (const uint8_t* const end = x + half; x != end; x += 4, to += 2 * step) {
      const uint32_t a = nibble_word(x), b = nibble_word(x + half);
      const uint32_t a_even = nibble_even(a, is_signed), b_even = nibble_even(b, is_signed);
      const uint32_t a_odd = nibble_odd(a, is_signed), b_odd = nibble_odd(b, is_signed);
      added = nibble_both(a_even, 0x00010001u, added);
      added = nibble_both(a_odd, 0x00010001u, added);
      added = nibble_both(b_even, 0x00010001u, added);
      added = nibble_both(b_odd, 0x00010001u, added);
      to[0] = nibble_lows(a_even, b_even);
      to[1] = nibble_lows(a_odd, b_odd);
      to[step] = nibble_highs(a_even, b_even);
      to[step + 1] = nibble_highs(a_odd, b_odd);
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
#define NIBBLE_WIDEN(is_signed)                                                                     \
  (w->step != NIBBLE_PAIRED ? nibble_widen(x, count, w->bits, w->step, is_signed, w->lane, &w->sum) \
   : w->bits == 8           ? nibble_widen(x, count, 8, NIBBLE_PAIRED, is_signed, w->lane, &w->sum) \
   : w->bits == 4           ? nibble_widen(x, count, 4, NIBBLE_PAIRED, is_signed, w->lane, &w->sum) \
                            : nibble_widen(x, count, w->bits, NIBBLE_PAIRED, is_signed, w->lane, &w->sum))
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
  for (int32_t i = 0; i < count; i += 4, w->lane += w->step)
    w->lane[0] = w->lane[1] = ((uint32_t)value & 0xffffu) * 0x00010001u;
}

/* A window's halves times a factor. */
static void nibble_scale_lane(uint32_t* lane, int32_t quads, int32_t step, int32_t factor) {
  for (uint32_t* const end = lane + quads * step; lane != end; lane += step) {
    lane[0] = nibble_times(lane[0], factor);
    lane[1] = nibble_times(lane[1], factor);
  }
}

/* The window of a position into a lane. `bytes` has room for a window in bytes. With weights w_low + w_step * stored it
 * meets what is stored; returned is the sum of its elements, 0 of 8 bits. */
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
  return bits == 8 ? 0 : w.sum;
}

/* Windows that lie in x wholly, rows of the kernel as runs of bytes. */
typedef struct nibble_inside {
  int possible, is_signed, whole; /* whole: rows are words of weights */
  int32_t bits, rows, wide, down; /* of weights; bytes of a row, from one to the next */
  int32_t low[2], high[2];        /* heights and columns of positions whose windows lie in x */
  int32_t count;                  /* whole words of weights */
  uint8_t* bytes;                 /* a window, zeros behind it */
} nibble_inside;

static void nibble_begin_inside(nibble_inside* n, const nibble_conv* p, int32_t count, uint8_t* bytes) {
  n->possible = p->kernel[0] == 1 && p->in[0] == 1 && p->pad[0] == 0 &&
                (p->kernel[2] == 1 || (p->dilation[2] == 1 && p->x_stride[3] == p->in_channels));
  n->is_signed = p->x_type == NIBBLE_I8;
  n->bits = p->w_bits;
  n->whole = p->in_channels * p->w_bits % 32 == 0;
  n->rows = p->kernel[1];
  n->wide = p->kernel[2] * p->in_channels;
  n->down = p->dilation[1] * (int32_t)p->x_stride[2];
  n->count = nibble_weight_words(count, p->w_bits) * 32 / p->w_bits;
  n->bytes = bytes;
  for (int k = 0; k < 2; ++k) {
    const int32_t reach = (p->kernel[k + 1] - 1) * p->dilation[k + 1], stride = p->stride[k + 1];
    n->low[k] = (p->pad[k + 1] + stride - 1) / stride;
    n->high[k] = p->in[k + 1] + p->pad[k + 1] - reach <= 0 ? -1 : (p->in[k + 1] + p->pad[k + 1] - reach - 1) / stride;
  }
  if (n->possible && !n->whole) memset(bytes + count, 0, (size_t)(n->count - count));
}

NIBBLE_INLINE int nibble_is_inside(const nibble_inside* n, const nibble_spot* s) {
  return s->at[1] >= n->low[0] && s->at[1] <= n->high[0] && s->at[2] >= n->low[1] && s->at[2] <= n->high[1];
}

/* x[count] into a lane of a pair. */
NIBBLE_INLINE uint32_t* nibble_widen_some(const nibble_inside* n, const uint8_t* x, int32_t count, uint32_t* lane,
                                          int32_t* sum) {
  if (n->bits == 8)
    return n->is_signed ? nibble_widen(x, count, 8, NIBBLE_PAIRED, 1, lane, sum)
                        : nibble_widen(x, count, 8, NIBBLE_PAIRED, 0, lane, sum);
  if (n->bits == 4)
    return n->is_signed ? nibble_widen(x, count, 4, NIBBLE_PAIRED, 1, lane, sum)
                        : nibble_widen(x, count, 4, NIBBLE_PAIRED, 0, lane, sum);
  return n->is_signed ? nibble_widen(x, count, n->bits, NIBBLE_PAIRED, 1, lane, sum)
                      : nibble_widen(x, count, n->bits, NIBBLE_PAIRED, 0, lane, sum);
}

/* The window from x on into a lane of a pair; returns what nibble_build_window does. */
static int32_t nibble_take_inside(const nibble_inside* n, const uint8_t* x, uint32_t* lane) {
  int32_t sum = 0;
  uint8_t* to = n->bytes;
  for (int32_t row = 0; row < n->rows; ++row, x += n->down) {
    if (n->whole) {
      lane = nibble_widen_some(n, x, n->wide, lane, &sum);
      continue;
    }
    const uint8_t* from = x;
    uint8_t* const end = to + n->wide;
    for (; end - to >= 4; to += 4, from += 4) memcpy(to, from, 4);
    while (to < end) *to++ = *from++;
  }
  if (!n->whole) nibble_widen_some(n, n->bytes, n->count, lane, &sum);
  return sum;
}

#endif
