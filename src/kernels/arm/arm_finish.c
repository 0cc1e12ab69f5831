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

/* Whether what the stage gives, and the sum with the residual, become bytes by lanes. q is clipped to the stage's limits
 * before the sum, whatever y's type: floats hold it up to 2^24 (sum_form 2), words all of it (sum_form 1). */
static int becomes_bytes(const nibble_conv* p) {
  const int64_t low = p->stage.low, high = p->stage.high, whole = (int64_t)1 << 24;
  if (p->sum_form == 0) return nibble_arm_within(p->y_type, low, high);
  if ((p->r_type != NIBBLE_I8 && p->r_type != NIBBLE_U8) || low > high) return 0;
  if (!nibble_arm_within(p->y_type, p->sum_low, p->sum_high)) return 0;
  if (p->sum_form == 2) return low >= -whole && high <= whole;
  return low >= INT32_MIN && high <= INT32_MAX && p->sum_a >= INT32_MIN && p->sum_a <= INT32_MAX &&
         p->sum_b >= INT32_MIN && p->sum_b <= INT32_MAX;
}

/* The residual's sum: limits of q and constants. */
typedef struct float_sum {
  float32x4_t low, high, c;
  float a, b;
} float_sum;
typedef struct word_sum {
  int32x4_t low, high;
  int32_t a, b;
  int64x2_t c, shift;
} word_sum;
typedef struct residual {
  int is_signed;
  float_sum floats;
  word_sum words;
} residual;

static residual residual_of(const nibble_conv* p) {
  const nibble_stage* s = &p->stage;
  const float_sum floats = {vdupq_n_f32((float)s->low), vdupq_n_f32((float)s->high), vdupq_n_f32(p->sum_fc), p->sum_fa,
                            p->sum_fb};
  const word_sum words = {vdupq_n_s32((int32_t)s->low),
                          vdupq_n_s32((int32_t)s->high),
                          (int32_t)p->sum_a,
                          (int32_t)p->sum_b,
                          vdupq_n_s64(p->sum_c),
                          vdupq_n_s64(-nibble_clip(p->sum_shift, 0, 63))};
  const residual r = {p->r_type == NIBBLE_I8, floats, words};
  return r;
}

/* Of four channels, sum_form 2. */
NIBBLE_ARM_INLINE int32x4_t summed_in_floats(const float_sum* s, int32x4_t q, int32x4_t r) {
  const float32x4_t clipped = vminq_f32(vmaxq_f32(vcvtq_f32_s32(q), s->low), s->high);
  return vcvtnq_s32_f32(vfmaq_n_f32(vfmaq_n_f32(s->c, vcvtq_f32_s32(r), s->b), clipped, s->a));
}

/* Of four channels, sum_form 1, saturated to 32 bits. */
NIBBLE_ARM_INLINE int32x4_t summed_in_words(const word_sum* s, int32x4_t q, int32x4_t r) {
  const int32x4_t clipped = vminq_s32(vmaxq_s32(q, s->low), s->high);
  const int64x2_t low = vmlal_n_s32(vmlal_n_s32(s->c, vget_low_s32(clipped), s->a), vget_low_s32(r), s->b);
  const int64x2_t high = vmlal_high_n_s32(vmlal_high_n_s32(s->c, clipped, s->a), r, s->b);
  return vqmovn_high_s64(vqmovn_s64(vshlq_s64(low, s->shift)), vshlq_s64(high, s->shift));
}

NIBBLE_ARM_INLINE int32x4_t summed(const residual* s, int form, int32x4_t q, int16x4_t r) {
  return form == 2 ? summed_in_floats(&s->floats, q, vmovl_s16(r)) : summed_in_words(&s->words, q, vmovl_s16(r));
}

NIBBLE_ARM_INLINE nibble_arm_ints with_residual(const residual* s, int form, nibble_arm_ints q, const uint8_t* r) {
  const uint8x16_t bytes = vld1q_u8(r);
  const int8x16_t signed_bytes = vreinterpretq_s8_u8(bytes);
  const int16x8_t low =
      s->is_signed ? vmovl_s8(vget_low_s8(signed_bytes)) : vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes)));
  const int16x8_t high = s->is_signed ? vmovl_high_s8(signed_bytes) : vreinterpretq_s16_u16(vmovl_high_u8(bytes));
  const nibble_arm_ints y = {summed(s, form, q.a, vget_low_s16(low)), summed(s, form, q.b, vget_high_s16(low)),
                             summed(s, form, q.c, vget_low_s16(high)), summed(s, form, q.d, vget_high_s16(high))};
  return y;
}

NIBBLE_ARM_INLINE void finish_bytes(const nibble_conv* p, const nibble_call* call, const nibble_arm_windows* windows,
                                    int64_t from, int64_t rows, int32_t (*sums)[16], int floats, int sum_form) {
  const residual s = residual_of(p);
  const uint8_t* r = sum_form ? (const uint8_t*)call->in[1] + from : NULL;
  uint8_t* y = (uint8_t*)call->out + from;
  uint8_t clip[32];
  nibble_arm_channels c;
  nibble_arm_read_channels(&p->stage, from, rows, &c);
  memset(clip, (uint8_t)(sum_form ? p->sum_low : p->stage.low), 16);
  memset(clip + 16, (uint8_t)(sum_form ? p->sum_high : p->stage.high), 16);
  for (int i = 0; i < windows->count; ++i) {
    nibble_arm_ints v = nibble_arm_staged(nibble_arm_load(sums[i]), &c, floats);
    if (sum_form) v = with_residual(&s, sum_form, v, r + windows->r[i]);
    nibble_arm_store(y + windows->y[i],
                     p->y_type == NIBBLE_I8 ? nibble_arm_bytes(v, clip, 1, 1) : nibble_arm_bytes(v, clip, 1, 0), rows);
  }
}

void nibble_arm_finish(const nibble_conv* p, const nibble_call* call, const nibble_arm_windows* windows, int64_t from,
                       int32_t (*sums)[16], int* fault) {
  const nibble_stage* s = &p->stage;
  const int64_t rows = p->out_channels - from < 16 ? p->out_channels - from : 16;
  const int floats = s->form == NIBBLE_STAGE_FLOAT;
  if ((floats || s->form == NIBBLE_STAGE_PRODUCT32) && becomes_bytes(p)) switch (2 * p->sum_form + floats) {
      case 0: finish_bytes(p, call, windows, from, rows, sums, 0, 0); break;
      case 1: finish_bytes(p, call, windows, from, rows, sums, 1, 0); break;
      case 2: finish_bytes(p, call, windows, from, rows, sums, 0, 1); break;
      case 3: finish_bytes(p, call, windows, from, rows, sums, 1, 1); break;
      case 4: finish_bytes(p, call, windows, from, rows, sums, 0, 2); break;
      default: finish_bytes(p, call, windows, from, rows, sums, 1, 2); break;
    }
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
