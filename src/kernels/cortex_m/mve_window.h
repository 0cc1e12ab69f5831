#ifndef NIBBLE_KERNELS_CORTEX_M_MVE_WINDOW_H
#define NIBBLE_KERNELS_CORTEX_M_MVE_WINDOW_H
/* Windows side by side in signed bytes: of unsigned x, less 128. */
#include "kernels/cortex_m/mve_spot.h"

/* `rows` runs of `count` bytes, `down` apart, to runs `wide` apart; rows is not 0. */
#define NIBBLE_MVE_COPY(flip)                                                       \
  __asm__(                                                                          \
      ".syntax unified\n\t"                                                         \
      "push {r4, r5, r6, r7, lr}\n\tldrd r4, r5, [sp, #20]\n\tvmov.i8 q1, #128\n\t" \
      "1: mov r6, r2\n\tmov r7, r0\n\twlstp.8 lr, r4, 3f\n\t"                       \
      "2: vldrb.8 q0, [r6], #16\n\t" flip                                           \
      "vstrb.8 q0, [r7], #16\n\tletp lr, 2b\n\t"                                    \
      "3: add r2, r2, r3\n\tadd r0, r0, r1\n\tsubs r5, r5, #1\n\tbne 1b\n\t"        \
      "pop {r4, r5, r6, r7, pc}\n\t")
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noinline)) static void nibble_mve_copy(int8_t* to, int32_t wide, const uint8_t* from,
                                                             int32_t down, int32_t count, int32_t rows) {
  NIBBLE_MVE_COPY("");
}
__attribute__((naked, noinline)) static void nibble_mve_copy_less_128(int8_t* to, int32_t wide, const uint8_t* from,
                                                                      int32_t down, int32_t count, int32_t rows) {
  NIBBLE_MVE_COPY("veor q0, q0, q1\n\t");
}
#pragma GCC diagnostic pop

NIBBLE_INLINE void nibble_mve_fill(int8_t* to, int32_t value, int32_t count) {
  __asm__ volatile("vdup.8 q0, %2\n\twlstp.8 lr, %1, 1f\n\t2: vstrb.8 q0, [%0], #16\n\tletp lr, 2b\n\t1:"
                   : "+r"(to)
                   : "r"(count), "r"(value)
                   : "lr", "q0", "memory");
}

/* A window of one plane, whose taps lie side by side in x. */
static void nibble_mve_gather_rows(const nibble_mve_walk* w, const uint8_t* x, const nibble_mve_spot* s, int32_t zero,
                                   int flip, int8_t* to) {
  const nibble_conv* p = w->p;
  const int32_t channels = p->in_channels, wide = channels * p->kernel[2];
  const int32_t down = p->dilation[1] * (int32_t)p->x_stride[2], rows = s->bottom - s->top;
  const uint8_t* from = x + s->x + s->top * down;
  int32_t before = 0, after = 0;
  to += s->top * wide;
  if (!nibble_mve_is_inside(w, s)) {
    const int32_t column = s->column * p->stride[2] - p->pad[2], room = p->in[2] - column;
    before = column >= 0 ? 0 : -column < p->kernel[2] ? -column : p->kernel[2];
    after = room < before ? p->kernel[2] - before : room < p->kernel[2] ? p->kernel[2] - room : 0;
    before *= channels;
    after *= channels;
    nibble_mve_fill(to - s->top * wide, zero, wide * p->kernel[1]);
    if (rows <= 0 || before + after >= wide) return;
  }
  (flip ? nibble_mve_copy_less_128 : nibble_mve_copy)(to + before, wide, from + before, down, wide - before - after,
                                                      rows);
}

/* A window as it lies in x. */
static void nibble_mve_gather(const nibble_mve_walk* w, const uint8_t* x, const nibble_mve_spot* s, int flip,
                              int8_t* to) {
  const nibble_conv* p = w->p;
  const int32_t channels = p->in_channels, tap = p->dilation[2] * (int32_t)p->x_stride[3];
  const int32_t zero = (int32_t)(flip ? p->zero_point - 128 : p->zero_point);
  if (p->kernel[0] == 1 && (tap == channels || p->kernel[2] == 1)) {
    nibble_mve_gather_rows(w, x, s, zero, flip, to);
    return;
  }
  for (int32_t d = 0; d < p->kernel[0]; ++d)
    for (int32_t h = 0; h < p->kernel[1]; ++h) {
      const int row = nibble_mve_meets(p, s, 0, d) && nibble_mve_meets(p, s, 1, h);
      const uint8_t* from =
          x + s->x + d * p->dilation[0] * (int32_t)p->x_stride[1] + h * p->dilation[1] * (int32_t)p->x_stride[2];
      int32_t column = s->column * p->stride[2] - p->pad[2];
      for (int32_t t = 0; t < p->kernel[2]; ++t, from += tap, to += channels, column += p->dilation[2])
        if (row && column >= 0 && column < p->in[2])
          (flip ? nibble_mve_copy_less_128 : nibble_mve_copy)(to, 0, from, 0, channels, 1);
        else
          nibble_mve_fill(to, zero, channels);
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
