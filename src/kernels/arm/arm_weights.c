#include "kernels/arm/arm.h"

#if defined(__aarch64__)

const int8_t* nibble_arm_unpacked(const nibble_conv* p, const uint8_t* block, int64_t from, int64_t count, int8_t* to) {
  const int bits = p->w_bits;
  const uint8_t* packed = block + from * 64 * bits / 8;
  uint8_t source[16];
  int8_t shift[16];
  if (bits == 8) return (const int8_t*)packed;
  for (int k = 0; k < 16; ++k) {
    source[k] = (uint8_t)(k * bits / 8);
    shift[k] = (int8_t)(-(k * bits % 8));
  }
  {
    const uint8x16_t sources = vld1q_u8(source), mask = vdupq_n_u8((uint8_t)((1 << bits) - 1));
    const int8x16_t shifts = vld1q_s8(shift), low = vdupq_n_s8((int8_t)p->w_low), step = vdupq_n_s8((int8_t)p->w_step);
    for (int64_t i = 0; i < 4 * count; ++i, packed += 2 * bits) {
      const uint8x16_t codes = vandq_u8(vshlq_u8(vqtbl1q_u8(vld1q_u8(packed), sources), shifts), mask);
      vst1q_s8(to + 16 * i, vmlaq_s8(low, vreinterpretq_s8_u8(codes), step));
    }
  }
  return to;
}

const uint8_t* nibble_arm_weights_of(const nibble_conv* p, int64_t block, int64_t quads) {
  return (const uint8_t*)p->weights + block * quads * 64 * p->w_bits / 8;
}

const int32_t* nibble_arm_bias_of(const nibble_conv* p, int64_t block) {
  return p->bias ? (const int32_t*)p->bias + 16 * block : nibble_arm_zeros;
}

void nibble_arm_correct_bias(const nibble_conv* p, int64_t block, int64_t quads, int32_t* to) {
  const uint8_t* weights = nibble_arm_weights_of(p, block, quads);
  const int32_t* bias = nibble_arm_bias_of(p, block);
  int8_t buffer[64 * NIBBLE_ARM_PIECE];
  int32x4_t a = vdupq_n_s32(0), b = a, c = a, d = a;
  for (int64_t from = 0; from < quads; from += NIBBLE_ARM_PIECE) {
    const int64_t count = quads - from < NIBBLE_ARM_PIECE ? quads - from : NIBBLE_ARM_PIECE;
    const int8_t* w = nibble_arm_unpacked(p, weights, from, count, buffer);
    for (int64_t q = 0; q < count; ++q, w += 64) {
      a = vpadalq_s16(a, vpaddlq_s8(vld1q_s8(w)));
      b = vpadalq_s16(b, vpaddlq_s8(vld1q_s8(w + 16)));
      c = vpadalq_s16(c, vpaddlq_s8(vld1q_s8(w + 32)));
      d = vpadalq_s16(d, vpaddlq_s8(vld1q_s8(w + 48)));
    }
  }
  vst1q_s32(to, vaddq_s32(vld1q_s32(bias), vshlq_n_s32(a, 7)));
  vst1q_s32(to + 4, vaddq_s32(vld1q_s32(bias + 4), vshlq_n_s32(b, 7)));
  vst1q_s32(to + 8, vaddq_s32(vld1q_s32(bias + 8), vshlq_n_s32(c, 7)));
  vst1q_s32(to + 12, vaddq_s32(vld1q_s32(bias + 12), vshlq_n_s32(d, 7)));
}

int nibble_arm_reaches_lowest(const nibble_conv* p) {
  const int64_t most = p->w_low + (int64_t)p->w_step * ((1 << p->w_bits) - 1);
  return p->w_low <= INT8_MIN || most <= INT8_MIN;
}
#endif
