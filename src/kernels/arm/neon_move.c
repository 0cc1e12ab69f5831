#include "kernels/arm/arm.h"
#include "kernels/portable/pixels.h"

#if defined(__aarch64__)

static void interleave(uint8_t* y, const uint8_t* x, int64_t plane, int channels, int64_t count) {
  for (int64_t i = 0; i < count; i += 16, x += 16, y += 16 * channels) {
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
}

static int pixels(const void* parameters, const nibble_call* call) {
  return nibble_move_pixels(parameters, call, interleave);
}

nibble_kernel nibble_arm_move(const nibble_move* p, const char** kernel_name) {
  if (!nibble_is_of_pixels(p)) return NULL;
  *kernel_name = "pixels";
  return pixels;
}
#endif
