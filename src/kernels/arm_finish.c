#include "kernels/arm.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

/* One channel after another: every form and type. */
static void finish_any(const nibble_conv* p, const nibble_call* call, const nibble_arm_windows* windows, int64_t from,
                       int64_t rows, int32_t (*sums)[16], int* fault) {
  for (int i = 0; i < windows->count; ++i)
    for (int64_t k = 0; k < rows; ++k) {
      const int64_t q = nibble_staged(&p->stage, sums[i][k], from + k, fault);
      const int64_t r = p->sum_form ? nibble_load(call->in[1], p->r_type, windows->r[i] + from + k) : 0;
      nibble_store(call->out, p->y_type, windows->y[i] + from + k, nibble_summed(p, q, r));
    }
}

static int within(int32_t type, int64_t low, int64_t high) {
  return type == NIBBLE_I8   ? low >= INT8_MIN && high <= INT8_MAX && low <= high
         : type == NIBBLE_U8 ? low >= 0 && high <= UINT8_MAX && low <= high
                             : 0;
}

/* Four vectors of integers saturated to bytes of a type. */
static inline uint8x16_t narrowed(int32x4x4_t v, int is_signed) {
  const int16x8_t low = vqmovn_high_s32(vqmovn_s32(v.val[0]), v.val[1]);
  const int16x8_t high = vqmovn_high_s32(vqmovn_s32(v.val[2]), v.val[3]);
  return is_signed ? vreinterpretq_u8_s8(vqmovn_high_s16(vqmovn_s16(low), high))
                   : vqmovun_high_s16(vqmovun_s16(low), high);
}

static inline uint8x16_t clipped(uint8x16_t y, uint8x16_t low, uint8x16_t high, int is_signed) {
  if (!is_signed) return vminq_u8(vmaxq_u8(y, low), high);
  return vreinterpretq_u8_s8(
      vminq_s8(vmaxq_s8(vreinterpretq_s8_u8(y), vreinterpretq_s8_u8(low)), vreinterpretq_s8_u8(high)));
}

static inline void store_bytes(uint8_t* to, uint8x16_t y, int64_t rows) {
  if (rows == 16) {
    vst1q_u8(to, y);
  } else {
    uint8_t bytes[16];
    vst1q_u8(bytes, y);
    memcpy(to, bytes, (size_t)rows);
  }
}

static inline float32x4x4_t floats_of(const uint8_t* bytes, int is_signed) {
  const uint8x16_t b = vld1q_u8(bytes);
  float32x4x4_t f;
  if (is_signed) {
    const int16x8_t low = vmovl_s8(vget_low_s8(vreinterpretq_s8_u8(b))), high = vmovl_high_s8(vreinterpretq_s8_u8(b));
    f.val[0] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), f.val[1] = vcvtq_f32_s32(vmovl_high_s16(low));
    f.val[2] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), f.val[3] = vcvtq_f32_s32(vmovl_high_s16(high));
  } else {
    const uint16x8_t low = vmovl_u8(vget_low_u8(b)), high = vmovl_high_u8(b);
    f.val[0] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))), f.val[1] = vcvtq_f32_u32(vmovl_high_u16(low));
    f.val[2] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))), f.val[3] = vcvtq_f32_u32(vmovl_high_u16(high));
  }
  return f;
}

/* What a stage's four vectors of channels are multiplied by, shifted by and clipped to. */
typedef struct channels16 {
  float a[16], b[16];
  int32_t m[16];
  int64_t add[16], shift[16];
} channels16;

static void read_floats(const nibble_stage* stage, int64_t from, channels16* c) {
  const float *a = stage->a, *b = stage->b;
  for (int k = 0; k < 16; ++k) {
    c->a[k] = a[stage->channels > 1 ? from + k : 0];
    c->b[k] = b[stage->channels > 1 ? from + k : 0];
  }
}

static void read_products(const nibble_stage* stage, int64_t from, channels16* c) {
  for (int k = 0; k < 16; ++k) {
    const int64_t at = stage->channels > 1 ? from + k : 0;
    c->m[k] = ((const int32_t*)stage->a)[at];
    c->add[k] = ((const int64_t*)stage->b)[at];
    c->shift[k] = -(int64_t)((const uint8_t*)stage->d)[at];
  }
}

static inline int32x4x4_t float_staged(const int32_t* sums, const float32x4x4_t* a, const float32x4x4_t* b) {
  int32x4x4_t v;
  for (int k = 0; k < 4; ++k)
    v.val[k] = vcvtnq_s32_f32(vfmaq_f32(b->val[k], vcvtq_f32_s32(vld1q_s32(sums + 4 * k)), a->val[k]));
  return v;
}

static inline int32x4x4_t product_staged(const int32_t* sums, const channels16* c) {
  int32x4x4_t v;
  for (int k = 0; k < 4; ++k) {
    const int32x4_t s = vld1q_s32(sums + 4 * k), m = vld1q_s32(c->m + 4 * k);
    int64x2_t low = vaddq_s64(vmull_s32(vget_low_s32(s), vget_low_s32(m)), vld1q_s64(c->add + 4 * k));
    int64x2_t high = vaddq_s64(vmull_high_s32(s, m), vld1q_s64(c->add + 4 * k + 2));
    low = vshlq_s64(low, vld1q_s64(c->shift + 4 * k));
    high = vshlq_s64(high, vld1q_s64(c->shift + 4 * k + 2));
    v.val[k] = vqmovn_high_s64(vqmovn_s64(low), high);
  }
  return v;
}

/* The clip of the stage and, with a residual, sum and clip, of bytes. */
typedef struct tail {
  uint8x16_t low, high, sum_low, sum_high;
  float32x4_t float_low, float_high, fc;
  float fa, fb;
  int is_signed, r_signed;
} tail;

static tail tail_of(const nibble_conv* p) {
  tail t;
  t.low = vdupq_n_u8((uint8_t)p->stage.low), t.high = vdupq_n_u8((uint8_t)p->stage.high);
  t.sum_low = vdupq_n_u8((uint8_t)p->sum_low), t.sum_high = vdupq_n_u8((uint8_t)p->sum_high);
  t.float_low = vdupq_n_f32((float)p->stage.low), t.float_high = vdupq_n_f32((float)p->stage.high);
  t.fa = p->sum_fa, t.fb = p->sum_fb, t.fc = vdupq_n_f32(p->sum_fc);
  t.is_signed = p->y_type == NIBBLE_I8, t.r_signed = p->r_type == NIBBLE_I8;
  return t;
}

static inline uint8x16_t with_residual(const tail* t, int32x4x4_t v, const uint8_t* r) {
  const float32x4x4_t f = floats_of(r, t->r_signed);
  for (int k = 0; k < 4; ++k) {
    const float32x4_t q = vminq_f32(vmaxq_f32(vcvtq_f32_s32(v.val[k]), t->float_low), t->float_high);
    v.val[k] = vcvtnq_s32_f32(vfmaq_n_f32(vfmaq_n_f32(t->fc, f.val[k], t->fb), q, t->fa));
  }
  return clipped(narrowed(v, t->is_signed), t->sum_low, t->sum_high, t->is_signed);
}

static void finish_floats(const nibble_conv* p, const nibble_call* call, const nibble_arm_windows* windows,
                          int64_t from, int64_t rows, int32_t (*sums)[16]) {
  const tail t = tail_of(p);
  channels16 c;
  float32x4x4_t a, b;
  uint8_t* y = (uint8_t*)call->out + from;
  read_floats(&p->stage, from, &c);
  for (int k = 0; k < 4; ++k) a.val[k] = vld1q_f32(c.a + 4 * k), b.val[k] = vld1q_f32(c.b + 4 * k);
  if (p->sum_form) {
    const uint8_t* r = (const uint8_t*)call->in[1] + from;
    for (int i = 0; i < windows->count; ++i)
      store_bytes(y + windows->y[i], with_residual(&t, float_staged(sums[i], &a, &b), r + windows->r[i]), rows);
  } else if (t.is_signed) {
    for (int i = 0; i < windows->count; ++i)
      store_bytes(y + windows->y[i], clipped(narrowed(float_staged(sums[i], &a, &b), 1), t.low, t.high, 1), rows);
  } else {
    for (int i = 0; i < windows->count; ++i)
      store_bytes(y + windows->y[i], clipped(narrowed(float_staged(sums[i], &a, &b), 0), t.low, t.high, 0), rows);
  }
}

static void finish_products(const nibble_conv* p, const nibble_call* call, const nibble_arm_windows* windows,
                            int64_t from, int64_t rows, int32_t (*sums)[16]) {
  const tail t = tail_of(p);
  channels16 c;
  uint8_t* y = (uint8_t*)call->out + from;
  read_products(&p->stage, from, &c);
  for (int i = 0; i < windows->count; ++i) {
    const int32x4x4_t v = product_staged(sums[i], &c);
    store_bytes(y + windows->y[i],
                p->sum_form ? with_residual(&t, v, (const uint8_t*)call->in[1] + from + windows->r[i])
                            : clipped(narrowed(v, t.is_signed), t.low, t.high, t.is_signed),
                rows);
  }
}

static void finish_sums(const nibble_conv* p, const nibble_call* call, const nibble_arm_windows* windows, int64_t from,
                        int64_t rows, int32_t (*sums)[16]) {
  for (int i = 0; i < windows->count; ++i)
    memcpy((int32_t*)call->out + windows->y[i] + from, sums[i], (size_t)rows * sizeof(int32_t));
  (void)p;
}

void nibble_arm_finish(const nibble_conv* p, const nibble_call* call, const nibble_arm_windows* windows, int64_t block,
                       int32_t (*sums)[16], int* fault) {
  const nibble_stage* s = &p->stage;
  const int64_t from = 16 * block, rows = p->out_channels - from < 16 ? p->out_channels - from : 16;
  const int bytes = within(p->y_type, s->low, s->high) &&
                    (p->sum_form == 0 || (p->sum_form == 2 && within(p->y_type, p->sum_low, p->sum_high) &&
                                          (p->r_type == NIBBLE_I8 || p->r_type == NIBBLE_U8)));
  if (bytes && s->form == NIBBLE_STAGE_FLOAT)
    finish_floats(p, call, windows, from, rows, sums);
  else if (bytes && s->form == NIBBLE_STAGE_PRODUCT32)
    finish_products(p, call, windows, from, rows, sums);
  else if (s->form == NIBBLE_STAGE_NONE && p->y_type == NIBBLE_I32 && !p->sum_form && s->low <= INT32_MIN &&
           s->high >= INT32_MAX)
    finish_sums(p, call, windows, from, rows, sums);
  else
    finish_any(p, call, windows, from, rows, sums, fault);
}
#endif
