#include "kernels/arm/arm.h"
#include "kernels/portable/portable.h"

#if defined(__aarch64__)

/* Planes of bytes that become pixels: y[.., i, c] = x[.. + i + c * plane], of 2 to 4 channels side by side. */

static int takes(const nibble_move* p) {
  const int last = p->rank - 1;
  return p->rank >= 2 && p->listed == 0 && p->x_type == p->y_type && nibble_size_of(p->x_type) == 1 &&
         p->extent[last] >= 2 && p->extent[last] <= 4 && p->y_stride[last] == 1 &&
         p->y_stride[last - 1] == p->extent[last] && p->x_stride[last - 1] == 1;
}

/* `count` pixels; the planes are read up to 15 bytes beyond. */
static void interleave(uint8_t* y, const uint8_t* x, int64_t plane, int channels, int64_t count) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16, x += 16, y += 16 * channels) {
    const uint8x16_t a = vld1q_u8(x), b = vld1q_u8(x + plane);
    if (channels == 2) {
      const uint8x16x2_t two = {{a, b}};
      vst2q_u8(y, two);
    } else if (channels == 3) {
      const uint8x16x3_t three = {{a, b, vld1q_u8(x + 2 * plane)}};
      vst3q_u8(y, three);
    } else {
      const uint8x16x4_t four = {{a, b, vld1q_u8(x + 2 * plane), vld1q_u8(x + 3 * plane)}};
      vst4q_u8(y, four);
    }
  }
  for (; i < count; ++i, ++x)
    for (int c = 0; c < channels; ++c) *y++ = x[c * plane];
}

static int pixels(const void* parameters, const nibble_call* call) {
  const nibble_move* p = parameters;
  const int last = p->rank - 1, channels = p->extent[last];
  /* Whole pixels; what is left at both ends goes element by element. */
  int64_t first = (call->begin + channels - 1) / channels;
  const int64_t end = call->end / channels;
  nibble_call part = *call;
  if (first > end) return nibble_move_portable(p, call);
  part.end = first * channels;
  nibble_move_portable(p, &part);
  while (first < end) {
    int64_t at[NIBBLE_MAX_RANK] = {0}, count;
    nibble_place(first, p->extent, last, at);
    count = p->extent[last - 1] - at[last - 1] < end - first ? p->extent[last - 1] - at[last - 1] : end - first;
    interleave((uint8_t*)call->out + nibble_offset(at, p->y_stride, last),
               (const uint8_t*)call->in[0] + nibble_offset(at, p->x_stride, last), p->x_stride[last], channels, count);
    first += count;
  }
  part.begin = end * channels;
  part.end = call->end;
  return nibble_move_portable(p, &part);
}

nibble_kernel nibble_arm_move(const nibble_move* p, const char** kernel_name) {
  if (!takes(p)) return NULL;
  *kernel_name = "pixels";
  return pixels;
}
#endif
