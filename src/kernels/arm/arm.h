#ifndef NIBBLE_KERNELS_ARM_H
#define NIBBLE_KERNELS_ARM_H
#include "kernels/element.h"

/* What the sets for Armv8-A share. A convolution is: windows (where the inputs of an output position lie), sums (the
 * accumulators of 16 output channels, which is all that the sets differ in), and what becomes of these. */

/* How many output positions are taken at a time at most; of as many the windows fit the scratch (items.c). */
#define NIBBLE_ARM_POSITIONS 32
/* How many times 4 columns of weights of less than a byte are unpacked at a time. */
#define NIBBLE_ARM_PIECE 64

/* Of each position: where its window begins, how many bytes lie between its segments, where it writes and where its
 * residual lies. */
typedef struct nibble_arm_windows {
  int count;
  const int8_t* x[NIBBLE_ARM_POSITIONS];
  int64_t gap[NIBBLE_ARM_POSITIONS];
  int64_t y[NIBBLE_ARM_POSITIONS], r[NIBBLE_ARM_POSITIONS];
} nibble_arm_windows;

/* What becomes of the sums of 16 channels: bytes at once, where the stage is FLOAT or a PRODUCT32 that the high words of
 * products give, and there is no residual; _PART where the block is the last and not all 16 are there. Else they are
 * kept for nibble_arm_finish. Ways to signed bytes are odd. */
enum nibble_arm_way {
  NIBBLE_ARM_KEEP = 0,
  NIBBLE_ARM_I8,
  NIBBLE_ARM_U8,
  NIBBLE_ARM_I8_PRODUCT,
  NIBBLE_ARM_U8_PRODUCT,
  NIBBLE_ARM_I8_PART,
  NIBBLE_ARM_U8_PART,
  NIBBLE_ARM_I8_PRODUCT_PART,
  NIBBLE_ARM_U8_PRODUCT_PART
};
/* PRODUCT32 of 16 channels as ((v * m + b) >> 32) >> -s: m and b are the stage's, times 2^(32 - d) where d < 32. */
typedef struct nibble_arm_products {
  int32_t m[16], s[16];
  int64_t b[16];
} nibble_arm_products;
typedef struct nibble_arm_target {
  int way, whole_way; /* of this block; of a whole block */
  int clips;          /* whether [low, high] is less than all bytes */
  int64_t rows;
  const float *a, *b; /* 16 each */
  nibble_arm_products* products;
  const uint8_t* clip; /* 16 times low, 16 times high */
  uint8_t* y;          /* channel 0 of the block */
  int32_t (*sums)[16];
} nibble_arm_target;
/* What a target's pointers may point to: a and b of a stage of one channel, products, the clip. */
typedef struct nibble_arm_repeated {
  float a[16], b[16];
  nibble_arm_products products; /* of a block */
  uint8_t clip[32];
} nibble_arm_repeated;

/* bias[row] + sum over `segments` of `quads` * 4 bytes of x * w, of each position and the 16 rows of a block of weights
 * (BLOCKED, 8 bits); x is signed. */
typedef struct nibble_arm_block {
  const int8_t* weights;
  const int32_t* bias;
  int64_t segments, quads;
} nibble_arm_block;
typedef void (*nibble_arm_sums)(const nibble_arm_windows* windows, const nibble_arm_block* block,
                                const nibble_arm_target* target);

/* Whether nibble_arm_conv takes these parameters: BLOCKED weights, bytes, no groups, 32 bits of sum. */
int nibble_arm_takes_conv(const nibble_conv* p);
int nibble_arm_conv(const nibble_conv* p, const nibble_call* call, nibble_arm_sums sums);

/* The sums of positions from `first` on by dot products, where the processor has them. */
int nibble_arm_has_dot(void);
void nibble_arm_dot_sums_from(const nibble_arm_windows* windows, int first, const nibble_arm_block* block,
                              const nibble_arm_target* target);

/* Columns 4 * from to 4 * (from + count) of 16 rows, of the block of BLOCKED weights that begins at `block`: in `to`, of
 * 64 * count bytes, or where they lie. May read 15 bytes beyond. */
const int8_t* nibble_arm_unpacked(const nibble_conv* p, const uint8_t* block, int64_t from, int64_t count, int8_t* to);
/* Where a block's weights begin, of `quads` times 4 columns; its bias. */
const uint8_t* nibble_arm_weights_of(const nibble_conv* p, int64_t block, int64_t quads);
const int32_t* nibble_arm_bias_of(const nibble_conv* p, int64_t block);
/* to = bias + 128 * the sum of the weights, of a block's 16 rows: what x lacks that is flipped to signed by 0x80. */
void nibble_arm_correct_bias(const nibble_conv* p, int64_t block, int64_t quads, int32_t* to);
/* Whether weights of less than a byte may be -128. */
int nibble_arm_reaches_lowest(const nibble_conv* p);

/* Depthwise, BLOCKED weights. */
int nibble_arm_takes_depthwise(const nibble_conv* p);
nibble_kernel nibble_arm_depthwise(const nibble_conv* p, const char** kernel_name);

/* Pools, pointwise functions, reductions and moves of bytes, or NULL. */
nibble_kernel nibble_arm_move(const nibble_move* p, const char** kernel_name);
nibble_kernel nibble_arm_pool(const nibble_pool* p, const char** kernel_name);
nibble_kernel nibble_arm_pointwise(const nibble_pointwise* p, const char** kernel_name);
nibble_kernel nibble_arm_reduce(const nibble_reduce* p, const char** kernel_name);

/* What becomes of the sums, whatever the block; then of a block, kept in `sums`. */
void nibble_arm_aim(const nibble_conv* p, nibble_arm_target* target, nibble_arm_repeated* repeated);
void nibble_arm_aim_at(const nibble_conv* p, const nibble_call* call, int64_t block, int32_t (*sums)[16],
                       nibble_arm_target* target);
/* Stages, sums with the residual and stores what was kept: 16 channels from `from` on, of out_channels. */
void nibble_arm_finish(const nibble_conv* p, const nibble_call* call, const nibble_arm_windows* windows, int64_t from,
                       int32_t (*sums)[16], int* fault);
/* The same as a nibble_finisher: NIBBLE_TILE positions at most. */
int nibble_arm_finish_tile(const nibble_conv* p, const nibble_call* call, const int32_t* v, int64_t count,
                           int64_t channel, const int64_t* y, const int64_t* r);
/* Whether low and high are bytes of a type. */
int nibble_arm_within(int32_t type, int64_t low, int64_t high);

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
NIBBLE_ARM_INLINE int32x4_t nibble_arm_float_staged(int32x4_t v, float32x4_t a, float32x4_t b) {
  return vcvtnq_s32_f32(vfmaq_f32(b, vcvtq_f32_s32(v), a));
}
NIBBLE_ARM_INLINE nibble_arm_ints nibble_arm_floats_staged(nibble_arm_ints v, const float* a, const float* b) {
  const float32x4x4_t m = vld1q_f32_x4(a), add = vld1q_f32_x4(b);
  const nibble_arm_ints q = {
      nibble_arm_float_staged(v.a, m.val[0], add.val[0]), nibble_arm_float_staged(v.b, m.val[1], add.val[1]),
      nibble_arm_float_staged(v.c, m.val[2], add.val[2]), nibble_arm_float_staged(v.d, m.val[3], add.val[3])};
  return q;
}

/* A stage's numbers of 16 channels: FLOAT a, b; PRODUCT32 m, add and minus the shift. */
typedef struct nibble_arm_channels {
  float a[16], b[16];
  int32_t m[16];
  int64_t add[16], shift[16];
} nibble_arm_channels;
/* Of channels [from, from + count), the others zero; of the only one, 16 times. */
void nibble_arm_read_channels(const nibble_stage* stage, int64_t from, int64_t count, nibble_arm_channels* c);

/* (v * m + add) >> d, saturated to 32 bits, of channels k to k + 3. */
NIBBLE_ARM_INLINE int32x4_t nibble_arm_product_staged(int32x4_t v, const nibble_arm_channels* c, int k) {
  const int32x4_t m = vld1q_s32(c->m + k);
  const int64x2_t low = vaddq_s64(vmull_s32(vget_low_s32(v), vget_low_s32(m)), vld1q_s64(c->add + k));
  const int64x2_t high = vaddq_s64(vmull_high_s32(v, m), vld1q_s64(c->add + k + 2));
  return vqmovn_high_s64(vqmovn_s64(vshlq_s64(low, vld1q_s64(c->shift + k))),
                         vshlq_s64(high, vld1q_s64(c->shift + k + 2)));
}

/* FLOAT or PRODUCT32, without the clip. */
NIBBLE_ARM_INLINE nibble_arm_ints nibble_arm_staged(nibble_arm_ints v, const nibble_arm_channels* c, int floats) {
  if (floats) return nibble_arm_floats_staged(v, c->a, c->b);
  {
    const nibble_arm_ints q = {nibble_arm_product_staged(v.a, c, 0), nibble_arm_product_staged(v.b, c, 4),
                               nibble_arm_product_staged(v.c, c, 8), nibble_arm_product_staged(v.d, c, 12)};
    return q;
  }
}

/* Saturated to bytes and clipped to [clip[0], clip[16]]. */
NIBBLE_ARM_INLINE uint8x16_t nibble_arm_bytes(nibble_arm_ints v, const uint8_t* clip, int clips, int is_signed) {
  const int16x8_t low = vqmovn_high_s32(vqmovn_s32(v.a), v.b), high = vqmovn_high_s32(vqmovn_s32(v.c), v.d);
  if (is_signed) {
    const int8x16_t y = vqmovn_high_s16(vqmovn_s16(low), high);
    if (!clips) return vreinterpretq_u8_s8(y);
    return vreinterpretq_u8_s8(
        vminq_s8(vmaxq_s8(y, vld1q_s8((const int8_t*)clip)), vld1q_s8((const int8_t*)clip + 16)));
  } else {
    const uint8x16_t y = vqmovun_high_s16(vqmovun_s16(low), high);
    return clips ? vminq_u8(vmaxq_u8(y, vld1q_u8(clip)), vld1q_u8(clip + 16)) : y;
  }
}

NIBBLE_ARM_INLINE void nibble_arm_store(uint8_t* to, uint8x16_t y, int64_t rows) {
  uint8x8_t left = vget_low_u8(y);
  if (rows == 16) {
    vst1q_u8(to, y);
    return;
  }
  if (rows & 8) {
    vst1_u8(to, left);
    left = vget_high_u8(y);
    to += 8;
  }
  if (rows & 4) {
    const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(left), 0);
    memcpy(to, &four, 4);
    left = vext_u8(left, left, 4);
    to += 4;
  }
  if (rows & 2) {
    const uint16_t two = vget_lane_u16(vreinterpret_u16_u8(left), 0);
    memcpy(to, &two, 2);
    left = vext_u8(left, left, 2);
    to += 2;
  }
  if (rows & 1) *to = vget_lane_u8(left, 0);
}
NIBBLE_ARM_INLINE int nibble_arm_is_part(int way) {
  return way >= NIBBLE_ARM_I8_PART;
}
NIBBLE_ARM_INLINE int nibble_arm_is_signed(int way) {
  return way % 2 == 1;
}
NIBBLE_ARM_INLINE int nibble_arm_is_product(int way) {
  return way == NIBBLE_ARM_I8_PRODUCT || way == NIBBLE_ARM_U8_PRODUCT || way >= NIBBLE_ARM_I8_PRODUCT_PART;
}
NIBBLE_ARM_INLINE void nibble_arm_store_by(int way, uint8_t* to, uint8x16_t y, int64_t rows) {
  if (nibble_arm_is_part(way))
    nibble_arm_store(to, y, rows);
  else
    vst1q_u8(to, y);
}

NIBBLE_ARM_INLINE int32x4_t nibble_arm_high_staged(int32x4_t v, const nibble_arm_products* p, int k) {
  const int32x4_t m = vld1q_s32(p->m + k);
  const int64x2_t low = vmlal_s32(vld1q_s64(p->b + k), vget_low_s32(v), vget_low_s32(m));
  const int64x2_t high = vmlal_high_s32(vld1q_s64(p->b + k + 2), v, m);
  return vshlq_s32(vuzp2q_s32(vreinterpretq_s32_s64(low), vreinterpretq_s32_s64(high)), vld1q_s32(p->s + k));
}
/* What the stage gives for a way that is not KEEP, without the clip. */
NIBBLE_ARM_INLINE nibble_arm_ints nibble_arm_staged_by(const nibble_arm_target* t, int way, nibble_arm_ints v) {
  if (!nibble_arm_is_product(way)) return nibble_arm_floats_staged(v, t->a, t->b);
  {
    const nibble_arm_ints q = {nibble_arm_high_staged(v.a, t->products, 0), nibble_arm_high_staged(v.b, t->products, 4),
                               nibble_arm_high_staged(v.c, t->products, 8),
                               nibble_arm_high_staged(v.d, t->products, 12)};
    return q;
  }
}

/* The sums of position i, by `way`, which is the target's. */
NIBBLE_ARM_INLINE void nibble_arm_put(const nibble_arm_target* t, int way, const nibble_arm_windows* windows, int i,
                                      nibble_arm_ints v) {
  if (way == NIBBLE_ARM_KEEP) {
    nibble_arm_keep(t->sums[i], v);
  } else {
    const nibble_arm_ints q = nibble_arm_staged_by(t, way, v);
    nibble_arm_store_by(way, t->y + windows->y[i], nibble_arm_bytes(q, t->clip, t->clips, nibble_arm_is_signed(way)),
                        t->rows);
  }
}

/* Two positions' sums in v16-v19 and v20-v23 to integers in v4-v11, written out: FLOAT. */
#define NIBBLE_ARM_FLOATS_OF_TWO                                                                                      \
  "ld1 {v0.4s-v3.4s}, [%[a]]\n ld1 {v4.4s-v7.4s}, [%[b]]\n ld1 {v8.4s-v11.4s}, [%[b]]\n"                              \
  "scvtf v16.4s, v16.4s\n scvtf v17.4s, v17.4s\n scvtf v18.4s, v18.4s\n scvtf v19.4s, v19.4s\n"                       \
  "scvtf v20.4s, v20.4s\n scvtf v21.4s, v21.4s\n scvtf v22.4s, v22.4s\n scvtf v23.4s, v23.4s\n"                       \
  "fmla v4.4s, v16.4s, v0.4s\n fmla v5.4s, v17.4s, v1.4s\n fmla v6.4s, v18.4s, v2.4s\n fmla v7.4s, v19.4s, v3.4s\n"   \
  "fmla v8.4s, v20.4s, v0.4s\n fmla v9.4s, v21.4s, v1.4s\n fmla v10.4s, v22.4s, v2.4s\n fmla v11.4s, v23.4s, v3.4s\n" \
  "fcvtns v4.4s, v4.4s\n fcvtns v5.4s, v5.4s\n fcvtns v6.4s, v6.4s\n fcvtns v7.4s, v7.4s\n"                           \
  "fcvtns v8.4s, v8.4s\n fcvtns v9.4s, v9.4s\n fcvtns v10.4s, v10.4s\n fcvtns v11.4s, v11.4s\n"

/* The same, PRODUCT32 by high words: of four channels the sums s, which become integers in `to`. */
#define NIBBLE_ARM_HIGH(s, m, low, high)                                          \
  "smlal v" low ".2d, v" s ".2s, v" m ".2s\n smlal2 v" high ".2d, v" s ".4s, v" m \
  ".4s\n"                                                                         \
  "uzp2 v" s ".4s, v" low ".4s, v" high ".4s\n"
#define NIBBLE_ARM_PRODUCTS_OF_TWO \
  "ld1 {v0.4s-v3.4s}, [%[m]]\n ld1 {v4.2d-v7.2d}, [%[b]]\n ld1 {v8.2d-v11.2d}, [%[more]]\n"                         \
  NIBBLE_ARM_HIGH("16", "0", "4", "5") NIBBLE_ARM_HIGH("17", "1", "6", "7")                                         \
  NIBBLE_ARM_HIGH("18", "2", "8", "9") NIBBLE_ARM_HIGH("19", "3", "10", "11")                                       \
  "ld1 {v4.2d-v7.2d}, [%[b]]\n ld1 {v8.2d-v11.2d}, [%[more]]\n"                                                     \
  NIBBLE_ARM_HIGH("20", "0", "4", "5") NIBBLE_ARM_HIGH("21", "1", "6", "7")                                         \
  NIBBLE_ARM_HIGH("22", "2", "8", "9") NIBBLE_ARM_HIGH("23", "3", "10", "11")                                       \
  "ld1 {v0.4s-v3.4s}, [%[s]]\n"                                                                                     \
  "sshl v4.4s, v16.4s, v0.4s\n sshl v5.4s, v17.4s, v1.4s\n sshl v6.4s, v18.4s, v2.4s\n sshl v7.4s, v19.4s, v3.4s\n"   \
  "sshl v8.4s, v20.4s, v0.4s\n sshl v9.4s, v21.4s, v1.4s\n sshl v10.4s, v22.4s, v2.4s\n sshl v11.4s, v23.4s, v3.4s\n"

/* Integers to bytes in v16 and v20: narrowing and clip (nibble_arm_bytes). `narrow` is sqxtn or sqxtun, `min` and `max`
 * of bytes. */
#define NIBBLE_ARM_BYTES_OF_TWO(narrow, max, min)                                                    \
  "sqxtn v4.4h, v4.4s\n sqxtn v6.4h, v6.4s\n sqxtn v8.4h, v8.4s\n sqxtn v10.4h, v10.4s\n"            \
  "sqxtn2 v4.8h, v5.4s\n sqxtn2 v6.8h, v7.4s\n sqxtn2 v8.8h, v9.4s\n sqxtn2 v10.8h, v11.4s\n" narrow \
  " v16.8b, v4.8h\n " narrow " v20.8b, v8.8h\n " narrow "2 v16.16b, v6.8h\n " narrow                 \
  "2 v20.16b, v10.8h\n"                                                                              \
  "cbz %[clips], 1f\n ld1 {v0.16b, v1.16b}, [%[clip]]\n " max " v16.16b, v16.16b, v0.16b\n " max     \
  " v20.16b, v20.16b, v0.16b\n " min " v16.16b, v16.16b, v1.16b\n " min " v20.16b, v20.16b, v1.16b\n 1:\n"

/* The sums of positions i and i + 1. */
NIBBLE_ARM_INLINE void nibble_arm_put_two(const nibble_arm_target* t, int way, const nibble_arm_windows* windows, int i,
                                          nibble_arm_ints v, nibble_arm_ints u) {
  register int32x4_t v16 __asm__("v16") = v.a, v17 __asm__("v17") = v.b, v18 __asm__("v18") = v.c,
                         v19 __asm__("v19") = v.d;
  register int32x4_t v20 __asm__("v20") = u.a, v21 __asm__("v21") = u.b, v22 __asm__("v22") = u.c,
                         v23 __asm__("v23") = u.d;
#define BYTES(INTEGERS, narrow, max, min)                                                                          \
  __asm__(INTEGERS NIBBLE_ARM_BYTES_OF_TWO(narrow, max, min)                                                       \
          : "+w"(v16), "+w"(v17), "+w"(v18), "+w"(v19), "+w"(v20), "+w"(v21), "+w"(v22), "+w"(v23)                 \
          : [a] "r"(t->a), [b] "r"(product ? (const void*)t->products->b : (const void*)t->b),                     \
            [more] "r"(t->products->b + 8), [m] "r"(t->products->m), [s] "r"(t->products->s), [clip] "r"(t->clip), \
            [clips] "r"((int64_t)t->clips)                                                                         \
          : "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11")
  const int product = nibble_arm_is_product(way);
  if (way == NIBBLE_ARM_KEEP) {
    nibble_arm_keep(t->sums[i], v);
    nibble_arm_keep(t->sums[i + 1], u);
    return;
  }
  if (nibble_arm_is_signed(way) && product)
    BYTES(NIBBLE_ARM_PRODUCTS_OF_TWO, "sqxtn", "smax", "smin");
  else if (nibble_arm_is_signed(way))
    BYTES(NIBBLE_ARM_FLOATS_OF_TWO, "sqxtn", "smax", "smin");
  else if (product)
    BYTES(NIBBLE_ARM_PRODUCTS_OF_TWO, "sqxtun", "umax", "umin");
  else
    BYTES(NIBBLE_ARM_FLOATS_OF_TWO, "sqxtun", "umax", "umin");
#undef BYTES
  nibble_arm_store_by(way, t->y + windows->y[i], vreinterpretq_u8_s32(v16), t->rows);
  nibble_arm_store_by(way, t->y + windows->y[i + 1], vreinterpretq_u8_s32(v20), t->rows);
}
#endif
#endif
