#include "kernels/arm/arm.h"

#if defined(__aarch64__)

const int32_t nibble_arm_zeros[16] = {0};

int nibble_arm_within(int32_t type, int64_t low, int64_t high) {
  return type == NIBBLE_I8   ? low >= INT8_MIN && high <= INT8_MAX && low <= high
         : type == NIBBLE_U8 ? low >= 0 && high <= UINT8_MAX && low <= high
                             : 0;
}

void nibble_arm_read_channels(const nibble_stage* stage, int64_t from, int64_t count, nibble_arm_channels* c) {
  memset(c, 0, sizeof *c);
  for (int64_t k = 0; k < (stage->channels > 1 ? count : 16); ++k) {
    const int64_t at = stage->channels > 1 ? from + k : 0;
    if (stage->form == NIBBLE_STAGE_FLOAT) {
      c->a[k] = ((const float*)stage->a)[at];
      c->b[k] = ((const float*)stage->b)[at];
    } else {
      c->m[k] = ((const int32_t*)stage->a)[at];
      c->add[k] = ((const int64_t*)stage->b)[at];
      c->shift[k] = -(int64_t)((const uint8_t*)stage->d)[at];
    }
  }
}

/* Whether (v * m + b) * 2^max(32 - d, 0) fits 64 bits for any v, at every channel. */
static int high_words_do(const nibble_stage* s) {
  const int64_t most = (int64_t)1 << 31, far = (int64_t)1 << 62;
  for (int32_t c = 0; c < (s->channels > 1 ? s->channels : 1); ++c) {
    const int64_t m = ((const int32_t*)s->a)[c], b = ((const int64_t*)s->b)[c];
    const int d = ((const uint8_t*)s->d)[c], up = d < 32 ? 32 - d : 0;
    if (d > 62 || b >= far >> up || b <= -(far >> up)) return 0;
    if (m != 0 && (m >= most >> up || -m >= most >> up)) return 0; /* 0: a channel that is a constant, by d = 0 too */
  }
  return 1;
}

void nibble_arm_aim(const nibble_conv* p, nibble_arm_target* t, nibble_arm_repeated* repeated) {
  const nibble_stage* s = &p->stage;
  const int bytes = p->sum_form == 0 && nibble_arm_within(p->y_type, s->low, s->high);
  const int product = bytes && s->form == NIBBLE_STAGE_PRODUCT32 && high_words_do(s);
  const int to_signed = p->y_type == NIBBLE_I8;
  t->whole_way = NIBBLE_ARM_KEEP;
  t->a = repeated->a;
  t->b = repeated->b;
  t->products = &repeated->products;
  t->clip = repeated->clip;
  t->clips = s->high - s->low < 255;
  if (product) t->whole_way = to_signed ? NIBBLE_ARM_I8_PRODUCT : NIBBLE_ARM_U8_PRODUCT;
  if (bytes && s->form == NIBBLE_STAGE_FLOAT) t->whole_way = to_signed ? NIBBLE_ARM_I8 : NIBBLE_ARM_U8;
  if (t->whole_way == NIBBLE_ARM_KEEP) return;
  memset(repeated->clip, (uint8_t)s->low, 16);
  memset(repeated->clip + 16, (uint8_t)s->high, 16);
  for (int k = 0; k < 16 && s->channels <= 1 && !product; ++k) {
    repeated->a[k] = *(const float*)s->a;
    repeated->b[k] = *(const float*)s->b;
  }
}

static void set_products(const nibble_stage* s, int64_t from, nibble_arm_products* to) {
  const int64_t each = s->channels > 1;
  for (int64_t k = 0; k < 16; k += 4) {
    const int64_t at = each ? from + k : 0;
    const uint8_t* d = (const uint8_t*)s->d + at;
    const int32_t shifts[4] = {d[0], d[each], d[2 * each], d[3 * each]};
    const int32x4_t left = vsubq_s32(vdupq_n_s32(32), vld1q_s32(shifts)), zero = vdupq_n_s32(0);
    const int32x4_t up = vmaxq_s32(left, zero);
    const int32_t* a = (const int32_t*)s->a + at;
    const int64_t* b = (const int64_t*)s->b + at;
    const int32x4_t m = each ? vld1q_s32(a) : vdupq_n_s32(*a);
    const int64x2_t low = each ? vld1q_s64(b) : vdupq_n_s64(*b), high = each ? vld1q_s64(b + 2) : low;
    vst1q_s32(to->m + k, vshlq_s32(m, up));
    vst1q_s32(to->s + k, vminq_s32(left, zero));
    vst1q_s64(to->b + k, vshlq_s64(low, vmovl_s32(vget_low_s32(up))));
    vst1q_s64(to->b + k + 2, vshlq_s64(high, vmovl_high_s32(up)));
  }
}

void nibble_arm_aim_at(const nibble_conv* p, const nibble_call* call, int64_t block, int32_t (*sums)[16],
                       nibble_arm_target* t) {
  const int64_t from = 16 * block, left = p->out_channels - from;
  t->sums = sums;
  t->way = t->whole_way;
  t->rows = left < 16 ? left : 16;
  if (t->way == NIBBLE_ARM_KEEP) return;
  if (left < 16) t->way += NIBBLE_ARM_I8_PART - NIBBLE_ARM_I8;
  t->y = (uint8_t*)call->out + from;
  if (nibble_arm_is_product(t->way)) {
    set_products(&p->stage, from, t->products);
  } else if (p->stage.channels > 1) {
    t->a = (const float*)p->stage.a + from;
    t->b = (const float*)p->stage.b + from;
  }
}

/* One channel after another: every form and type. */
static void finish_any(const nibble_conv* p, const nibble_call* call, const nibble_arm_windows* windows, int64_t from,
                       int64_t rows, int32_t (*sums)[16], int* fault) {
  for (int i = 0; i < windows->count; ++i)
    for (int64_t k = 0; k < rows; ++k) {
      const int64_t q = nibble_staged(&p->stage, sums[i][k], from + k, fault);
      const int64_t r = p->sum_form ? nibble_load(call->in[1], p->r_type, windows->r[i] + from + k) : 0;
      nibble_store(call->out, p->y_type, windows->y[i] + from + k, nibble_conv_summed(p, q, r));
    }
}

/* The residual sum of four channels, q clipped to the stage's limits before. */
typedef struct residual {
  float32x4_t low, high, c;
  float a, b;
} residual;

NIBBLE_ARM_INLINE int32x4_t summed(const residual* s, int32x4_t q, int16x4_t r) {
  const float32x4_t clipped = vminq_f32(vmaxq_f32(vcvtq_f32_s32(q), s->low), s->high);
  return vcvtnq_s32_f32(vfmaq_n_f32(vfmaq_n_f32(s->c, vcvtq_f32_s32(vmovl_s16(r)), s->b), clipped, s->a));
}

NIBBLE_ARM_INLINE nibble_arm_ints with_residual(const residual* s, nibble_arm_ints q, const uint8_t* r, int is_signed) {
  const uint8x16_t bytes = vld1q_u8(r);
  const int8x16_t signed_bytes = vreinterpretq_s8_u8(bytes);
  const int16x8_t low =
      is_signed ? vmovl_s8(vget_low_s8(signed_bytes)) : vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes)));
  const int16x8_t high = is_signed ? vmovl_high_s8(signed_bytes) : vreinterpretq_s16_u16(vmovl_high_u8(bytes));
  const nibble_arm_ints y = {summed(s, q.a, vget_low_s16(low)), summed(s, q.b, vget_high_s16(low)),
                             summed(s, q.c, vget_low_s16(high)), summed(s, q.d, vget_high_s16(high))};
  return y;
}

NIBBLE_ARM_INLINE void finish_bytes(const nibble_conv* p, const nibble_call* call, const nibble_arm_windows* windows,
                                    int64_t from, int64_t rows, int32_t (*sums)[16], int floats, int sum) {
  const residual s = {vdupq_n_f32((float)p->stage.low), vdupq_n_f32((float)p->stage.high), vdupq_n_f32(p->sum_fc),
                      p->sum_fa, p->sum_fb};
  const uint8_t* r = (const uint8_t*)call->in[1] + (sum ? from : 0);
  uint8_t* y = (uint8_t*)call->out + from;
  uint8_t clip[32];
  nibble_arm_channels c;
  nibble_arm_read_channels(&p->stage, from, rows, &c);
  memset(clip, (uint8_t)(sum ? p->sum_low : p->stage.low), 16);
  memset(clip + 16, (uint8_t)(sum ? p->sum_high : p->stage.high), 16);
  for (int i = 0; i < windows->count; ++i) {
    nibble_arm_ints v = nibble_arm_staged(nibble_arm_load(sums[i]), &c, floats);
    if (sum && p->r_type == NIBBLE_I8) v = with_residual(&s, v, r + windows->r[i], 1);
    if (sum && p->r_type != NIBBLE_I8) v = with_residual(&s, v, r + windows->r[i], 0);
    nibble_arm_store(y + windows->y[i],
                     p->y_type == NIBBLE_I8 ? nibble_arm_bytes(v, clip, 1, 1) : nibble_arm_bytes(v, clip, 1, 0), rows);
  }
}

void nibble_arm_finish(const nibble_conv* p, const nibble_call* call, const nibble_arm_windows* windows, int64_t from,
                       int32_t (*sums)[16], int* fault) {
  const nibble_stage* s = &p->stage;
  const int64_t rows = p->out_channels - from < 16 ? p->out_channels - from : 16;
  const int sum = p->sum_form == 2, floats = s->form == NIBBLE_STAGE_FLOAT;
  const int bytes = nibble_arm_within(p->y_type, s->low, s->high) && (floats || s->form == NIBBLE_STAGE_PRODUCT32) &&
                    (p->sum_form == 0 || (sum && nibble_arm_within(p->y_type, p->sum_low, p->sum_high) &&
                                          (p->r_type == NIBBLE_I8 || p->r_type == NIBBLE_U8)));
  if (bytes && floats && sum)
    finish_bytes(p, call, windows, from, rows, sums, 1, 1);
  else if (bytes && floats)
    finish_bytes(p, call, windows, from, rows, sums, 1, 0);
  else if (bytes && sum)
    finish_bytes(p, call, windows, from, rows, sums, 0, 1);
  else if (bytes)
    finish_bytes(p, call, windows, from, rows, sums, 0, 0);
  else if (s->form == NIBBLE_STAGE_NONE && p->y_type == NIBBLE_I32 && !p->sum_form && s->low <= INT32_MIN &&
           s->high >= INT32_MAX)
    for (int i = 0; i < windows->count; ++i)
      memcpy((int32_t*)call->out + windows->y[i] + from, sums[i], (size_t)rows * sizeof(int32_t));
  else
    finish_any(p, call, windows, from, rows, sums, fault);
}

int nibble_arm_finish_tile(const nibble_conv* p, const nibble_call* call, const int32_t* v, int64_t count,
                           int64_t channel, const int64_t* y, const int64_t* r) {
  nibble_arm_windows windows;
  int32_t sums[NIBBLE_ARM_POSITIONS][16];
  int fault = NIBBLE_FINE;
  windows.count = (int)count;
  for (int64_t i = 0; i < count; ++i) {
    windows.y[i] = y[i];
    windows.r[i] = r[i];
    memcpy(sums[i], v + 16 * i, sizeof sums[i]);
  }
  nibble_arm_finish(p, call, &windows, channel, sums, &fault);
  return fault;
}
#endif
