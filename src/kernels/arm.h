#ifndef NIBBLE_KERNELS_ARM_H
#define NIBBLE_KERNELS_ARM_H
#include "kernels/element.h"

/* What the sets for Armv8-A share. A convolution is: windows (where the inputs of an output position lie), sums (the
 * accumulators of 16 output channels, which is all that the sets differ in), and what becomes of these. */

/* How many output positions are taken at a time: as many windows fit the scratch (items.c). */
#define NIBBLE_ARM_POSITIONS 16

/* Of each position: where its window begins, how far its segments' beginnings are apart, where it writes and where its
 * residual lies. */
typedef struct nibble_arm_windows {
  int count;
  const int8_t* x[NIBBLE_ARM_POSITIONS];
  int64_t step[NIBBLE_ARM_POSITIONS];
  int64_t y[NIBBLE_ARM_POSITIONS], r[NIBBLE_ARM_POSITIONS];
} nibble_arm_windows;

/* What becomes of the sums of 16 channels (`rows` of them are there): bytes at once, where the stage is FLOAT and there
 * is no residual, by way of NIBBLE_ARM_I8 and NIBBLE_ARM_U8; else they are kept for nibble_arm_finish. */
enum nibble_arm_way { NIBBLE_ARM_KEEP = 0, NIBBLE_ARM_I8, NIBBLE_ARM_U8 };
typedef struct nibble_arm_target {
  int way;
  int64_t rows;
  const float *a, *b; /* 16 each */
  uint8_t clip[32];   /* 16 times low, 16 times high */
  float repeated[32]; /* a and b of a stage of one channel */
  uint8_t* y;         /* channel 0 of the block */
  int32_t (*sums)[16];
} nibble_arm_target;

/* bias[row] + sum over `segments` of `quads` * 4 bytes of x * w, of each position and the 16 rows of a block of weights
 * (BLOCKED, 8 bits); x is signed. */
typedef struct nibble_arm_block {
  const int8_t* weights;
  const int32_t* bias;
  int64_t segments, quads;
} nibble_arm_block;
typedef void (*nibble_arm_sums)(const nibble_arm_windows* windows, const nibble_arm_block* block,
                                const nibble_arm_target* target);

/* Whether nibble_arm_conv takes these parameters: BLOCKED weights of 8 bits, bytes, no groups, 32 bits of sum. */
int nibble_arm_takes_conv(const nibble_conv* p);
int nibble_arm_conv(const nibble_conv* p, const nibble_call* call, nibble_arm_sums sums);

/* Depthwise, BLOCKED weights of 8 bits. */
int nibble_arm_takes_depthwise(const nibble_conv* p);
nibble_kernel nibble_arm_depthwise(const nibble_conv* p, const char** kernel_name);

/* What becomes of the sums, whatever the block; then of a block, kept in `sums`. */
void nibble_arm_aim(const nibble_conv* p, nibble_arm_target* target);
void nibble_arm_aim_at(const nibble_conv* p, const nibble_call* call, int64_t block, int32_t (*sums)[16],
                       nibble_arm_target* target);
/* Stages, sums with the residual and stores what was kept. */
void nibble_arm_finish(const nibble_conv* p, const nibble_call* call, const nibble_arm_windows* windows, int64_t block,
                       int32_t (*sums)[16], int* fault);

/* 16 zeros: the bias where there is none. */
extern const int32_t nibble_arm_zeros[16];

#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

#define NIBBLE_ARM_INLINE static inline __attribute__((always_inline))

/* Of 16 channels. Members, not an array: they live in registers. */
typedef struct nibble_arm_ints {
  int32x4_t a, b, c, d;
} nibble_arm_ints;

NIBBLE_ARM_INLINE nibble_arm_ints nibble_arm_load(const int32_t* from) {
  const nibble_arm_ints v = {vld1q_s32(from), vld1q_s32(from + 4), vld1q_s32(from + 8), vld1q_s32(from + 12)};
  return v;
}
NIBBLE_ARM_INLINE void nibble_arm_keep(int32_t* to, nibble_arm_ints v) {
  vst1q_s32(to, v.a);
  vst1q_s32(to + 4, v.b);
  vst1q_s32(to + 8, v.c);
  vst1q_s32(to + 12, v.d);
}

/* rint(fma((float)v, a, b)) */
NIBBLE_ARM_INLINE int32x4_t nibble_arm_float_staged(int32x4_t v, const float* a, const float* b) {
  return vcvtnq_s32_f32(vfmaq_f32(vld1q_f32(b), vcvtq_f32_s32(v), vld1q_f32(a)));
}
NIBBLE_ARM_INLINE nibble_arm_ints nibble_arm_floats_staged(nibble_arm_ints v, const float* a, const float* b) {
  const nibble_arm_ints q = {nibble_arm_float_staged(v.a, a, b), nibble_arm_float_staged(v.b, a + 4, b + 4),
                             nibble_arm_float_staged(v.c, a + 8, b + 8), nibble_arm_float_staged(v.d, a + 12, b + 12)};
  return q;
}

/* Saturated to bytes and clipped to [clip[0], clip[16]]. */
NIBBLE_ARM_INLINE uint8x16_t nibble_arm_bytes(nibble_arm_ints v, const uint8_t* clip, int is_signed) {
  const int16x8_t low = vqmovn_high_s32(vqmovn_s32(v.a), v.b), high = vqmovn_high_s32(vqmovn_s32(v.c), v.d);
  if (is_signed) {
    const int8x16_t y = vqmovn_high_s16(vqmovn_s16(low), high);
    return vreinterpretq_u8_s8(
        vminq_s8(vmaxq_s8(y, vld1q_s8((const int8_t*)clip)), vld1q_s8((const int8_t*)clip + 16)));
  }
  return vminq_u8(vmaxq_u8(vqmovun_high_s16(vqmovun_s16(low), high), vld1q_u8(clip)), vld1q_u8(clip + 16));
}

NIBBLE_ARM_INLINE void nibble_arm_store(uint8_t* to, uint8x16_t y, int64_t rows) {
  if (rows == 16) {
    vst1q_u8(to, y);
  } else {
    uint8_t bytes[16];
    vst1q_u8(bytes, y);
    memcpy(to, bytes, (size_t)rows);
  }
}

/* The sums of position i, by the target's way. */
NIBBLE_ARM_INLINE void nibble_arm_put(const nibble_arm_target* t, const nibble_arm_windows* windows, int i,
                                      nibble_arm_ints v) {
  if (t->way == NIBBLE_ARM_KEEP) {
    nibble_arm_keep(t->sums[i], v);
  } else {
    const nibble_arm_ints q = nibble_arm_floats_staged(v, t->a, t->b);
    const uint8x16_t y = t->way == NIBBLE_ARM_I8 ? nibble_arm_bytes(q, t->clip, 1) : nibble_arm_bytes(q, t->clip, 0);
    nibble_arm_store(t->y + windows->y[i], y, t->rows);
  }
}
#endif
#endif
