#ifndef NIBBLE_KERNELS_CORTEX_M_MVE_WINDOW_H
#define NIBBLE_KERNELS_CORTEX_M_MVE_WINDOW_H
/* Windows side by side in signed bytes: of unsigned x, less 128. */
#include "kernels/cortex_m/mve_spot.h"

NIBBLE_INLINE int8_t* nibble_mve_copy(int8_t* to, const uint8_t* from, int32_t count, int flip) {
  int8_t* at = to;
  if (flip)
    __asm__ volatile(
        "vmov.i8 q1, #128\n\twlstp.8 lr, %2, 1f\n\t"
        "2: vldrb.8 q0, [%1], #16\n\tveor q0, q0, q1\n\tvstrb.8 q0, [%0], #16\n\tletp lr, 2b\n\t1:"
        : "+r"(at), "+r"(from)
        : "r"(count)
        : "lr", "q0", "q1", "memory");
  else
    __asm__ volatile("wlstp.8 lr, %2, 1f\n\t2: vldrb.8 q0, [%1], #16\n\tvstrb.8 q0, [%0], #16\n\tletp lr, 2b\n\t1:"
                     : "+r"(at), "+r"(from)
                     : "r"(count)
                     : "lr", "q0", "memory");
  return to + count;
}

NIBBLE_INLINE int8_t* nibble_mve_fill(int8_t* to, int32_t value, int32_t count) {
  int8_t* at = to;
  __asm__ volatile("vdup.8 q0, %2\n\twlstp.8 lr, %1, 1f\n\t2: vstrb.8 q0, [%0], #16\n\tletp lr, 2b\n\t1:"
                   : "+r"(at)
                   : "r"(count), "r"(value)
                   : "lr", "q0", "memory");
  return to + count;
}

/* Rows of a window of one plane, whose taps lie side by side in x. */
NIBBLE_INLINE void nibble_mve_gather_rows(const nibble_mve_walk* w, const uint8_t* x, const nibble_mve_spot* s,
                                          int32_t zero, int flip, int8_t* to) {
  const nibble_conv* p = w->p;
  const int32_t channels = p->in_channels, wide = channels * p->kernel[2];
  const int32_t down = p->dilation[1] * (int32_t)p->x_stride[2];
  const uint8_t* from = x + s->x + s->top * down;
  int32_t before = 0, after = 0;
  if (s->column < w->first || s->column > w->last) {
    const int32_t column = s->column * p->stride[2] - p->pad[2], room = p->in[2] - column;
    before = column >= 0 ? 0 : -column < p->kernel[2] ? -column : p->kernel[2];
    after = room < before ? p->kernel[2] - before : room < p->kernel[2] ? p->kernel[2] - room : 0;
    before *= channels;
    after *= channels;
  }
  if (s->top > 0) to = nibble_mve_fill(to, zero, s->top * wide);
  for (int32_t h = s->top; h < s->bottom; ++h, from += down) {
    if (before > 0) to = nibble_mve_fill(to, zero, before);
    to = nibble_mve_copy(to, from + before, wide - before - after, flip);
    if (after > 0) to = nibble_mve_fill(to, zero, after);
  }
  if (s->bottom < p->kernel[1]) nibble_mve_fill(to, zero, (p->kernel[1] - s->bottom) * wide);
}

/* A window as it lies in x. */
static void nibble_mve_gather(const nibble_mve_walk* w, const uint8_t* x, const nibble_mve_spot* s, int flip,
                              int8_t* to) {
  const nibble_conv* p = w->p;
  const int32_t channels = p->in_channels, tap = p->dilation[2] * (int32_t)p->x_stride[3];
  const int32_t zero = (int32_t)(flip ? p->zero_point - 128 : p->zero_point);
  if (p->kernel[0] == 1 && (tap == channels || p->kernel[2] == 1)) {
    if (flip)
      nibble_mve_gather_rows(w, x, s, zero, 1, to);
    else
      nibble_mve_gather_rows(w, x, s, zero, 0, to);
    return;
  }
  for (int32_t d = 0; d < p->kernel[0]; ++d)
    for (int32_t h = 0; h < p->kernel[1]; ++h) {
      const int row = nibble_mve_meets(p, s, 0, d) && nibble_mve_meets(p, s, 1, h);
      const uint8_t* from =
          x + s->x + d * p->dilation[0] * (int32_t)p->x_stride[1] + h * p->dilation[1] * (int32_t)p->x_stride[2];
      int32_t column = s->column * p->stride[2] - p->pad[2];
      for (int32_t t = 0; t < p->kernel[2]; ++t, from += tap, column += p->dilation[2])
        to = row && column >= 0 && column < p->in[2] ? nibble_mve_copy(to, from, channels, flip)
                                                     : nibble_mve_fill(to, zero, channels);
    }
}

/* In the order in which packed weights meet them; returns the sum of the elements. x: whole chunks, zeros at the end. */
static int32_t nibble_mve_part(const int8_t* x, int32_t count, int32_t bits, int8_t* to) {
  int32_t sum = 0;
  for (const int8_t* const end = x + count; x < end;) {
    if (bits == 4) {
      const int8x16x2_t v = vld2q_s8(x);
      vst1q_s8(to, v.val[0]);
      vst1q_s8(to + 16, v.val[1]);
      sum = vaddvaq_s8(vaddvaq_s8(sum, v.val[0]), v.val[1]);
      x += 32;
      to += 32;
    } else if (bits == 2) {
      const int8x16x4_t v = vld4q_s8(x);
      for (int k = 0; k < 4; ++k) {
        vst1q_s8(to + 16 * k, v.val[k]);
        sum = vaddvaq_s8(sum, v.val[k]);
      }
      x += 64;
      to += 64;
    } else {
      int8_t fours[128];
      for (int k = 0; k < 8; ++k) sum = vaddvaq_s8(sum, vld1q_s8(x + 16 * k));
      for (int half = 0; half < 2; ++half) {
        const int8x16x4_t v = vld4q_s8(x + 64 * half);
        for (int k = 0; k < 4; ++k) vst1q_s8(fours + 32 * k + 16 * half, v.val[k]);
      }
      for (int k = 0; k < 4; ++k) {
        const int8x16x2_t v = vld2q_s8(fours + 32 * k);
        vst1q_s8(to + 16 * k, v.val[0]);
        vst1q_s8(to + 16 * (k + 4), v.val[1]);
      }
      x += 128;
      to += 128;
    }
  }
  return sum;
}

#endif
