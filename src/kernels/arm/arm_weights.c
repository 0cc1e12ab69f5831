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

/* Neighbouring columns are summed in 16 bits, which a piece does not leave: 64 times two of at most 128. */
void nibble_arm_correct_bias(const nibble_conv* p, int64_t block, int64_t quads, int32_t* to) {
  const uint8_t* weights = nibble_arm_weights_of(p, block, quads);
  const int32_t* bias = nibble_arm_bias_of(p, block);
  int8_t buffer[64 * NIBBLE_ARM_PIECE];
  int32x4_t sums[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
  for (int64_t from = 0; from < quads; from += NIBBLE_ARM_PIECE) {
    const int64_t count = quads - from < NIBBLE_ARM_PIECE ? quads - from : NIBBLE_ARM_PIECE;
    const int8_t* w = nibble_arm_unpacked(p, weights, from, count, buffer);
    int16x8_t a = vdupq_n_s16(0), b = a, c = a, d = a;
    for (const int8_t* end = w + 64 * count; w != end; w += 64) {
      const int8x16x4_t v = vld1q_s8_x4(w);
      a = vpadalq_s8(a, v.val[0]), b = vpadalq_s8(b, v.val[1]);
      c = vpadalq_s8(c, v.val[2]), d = vpadalq_s8(d, v.val[3]);
    }
    sums[0] = vpadalq_s16(sums[0], a), sums[1] = vpadalq_s16(sums[1], b);
    sums[2] = vpadalq_s16(sums[2], c), sums[3] = vpadalq_s16(sums[3], d);
  }
  for (int k = 0; k < 4; ++k) vst1q_s32(to + 4 * k, vaddq_s32(vld1q_s32(bias + 4 * k), vshlq_n_s32(sums[k], 7)));
}

int nibble_arm_reaches_lowest(const nibble_conv* p) {
  const int64_t most = p->w_low + (int64_t)p->w_step * ((1 << p->w_bits) - 1);
  return p->w_low <= INT8_MIN || most <= INT8_MIN;
}
#endif
