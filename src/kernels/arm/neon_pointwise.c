#include "kernels/arm/arm.h"

#if defined(__aarch64__)

/* Pointwise functions of bytes, 16 elements at a time, to bytes by FLOAT or PRODUCT32; a table of bytes. */

/* The output as rows of `width` elements side by side: axes that lie end to end are one. Operands have step 1 or 0. */
typedef struct rows {
  int rank;
  int64_t width, extent[NIBBLE_MAX_RANK], y[NIBBLE_MAX_RANK], x[2][NIBBLE_MAX_RANK];
  int64_t step[2], size[2]; /* size: bytes of an element */
  int channel_axis;         /* of the axes before the last; -1: none; rank: along a row */
} rows;

/* Whether axis k goes on where axis k + 1 ends, for y and both operands. */
static int goes_on(const nibble_pointwise* p, int k, int64_t width) {
  int fits = p->y_stride[k] == width;
  for (int i = 0; i < 2; ++i) {
    const int64_t* s = p->x_stride + i * NIBBLE_MAX_RANK;
    fits = fits && s[k] == s[p->rank - 1] * width;
  }
  return fits;
}

static rows rows_of(const nibble_pointwise* p) {
  rows r;
  int last = p->rank - 1;
  const int any_channel = p->stage.channels <= 1 || p->channel_axis < 0;
  memset(&r, 0, sizeof r);
  r.width = p->extent[last];
  r.channel_axis = any_channel ? -1 : p->channel_axis;
  while (any_channel && last > 0 && goes_on(p, last - 1, r.width)) r.width *= p->extent[--last];
  r.rank = last;
  if (r.channel_axis == p->rank - 1) r.channel_axis = r.rank;
  for (int k = 0; k < r.rank; ++k) {
    r.extent[k] = p->extent[k];
    r.y[k] = p->y_stride[k];
    for (int i = 0; i < 2; ++i) r.x[i][k] = p->x_stride[i * NIBBLE_MAX_RANK + k];
  }
  for (int i = 0; i < 2; ++i) {
    r.step[i] = p->x_stride[i * NIBBLE_MAX_RANK + p->rank - 1];
    r.size[i] = nibble_size_of(p->x_type[i]);
  }
  return r;
}

NIBBLE_ARM_INLINE nibble_arm_ints widened(const uint8_t* from, int64_t step, int is_signed) {
  const uint8x16_t v = step ? vld1q_u8(from) : vdupq_n_u8(*from);
  nibble_arm_ints w;
  if (is_signed) {
    const int16x8_t low = vmovl_s8(vget_low_s8(vreinterpretq_s8_u8(v))), high = vmovl_high_s8(vreinterpretq_s8_u8(v));
    w.a = vmovl_s16(vget_low_s16(low)), w.b = vmovl_high_s16(low);
    w.c = vmovl_s16(vget_low_s16(high)), w.d = vmovl_high_s16(high);
  } else {
    const uint16x8_t low = vmovl_u8(vget_low_u8(v)), high = vmovl_high_u8(v);
    w.a = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low))), w.b = vreinterpretq_s32_u32(vmovl_high_u16(low));
    w.c = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high))), w.d = vreinterpretq_s32_u32(vmovl_high_u16(high));
  }
  return w;
}

NIBBLE_ARM_INLINE nibble_arm_ints values(const uint8_t* from, int64_t step, int32_t type) {
  if (type == NIBBLE_I32) {
    const int32x4_t one = vld1q_dup_s32((const int32_t*)(const void*)from);
    const nibble_arm_ints same = {one, one, one, one};
    return step ? nibble_arm_load((const int32_t*)(const void*)from) : same;
  }
  return type == NIBBLE_I8 ? widened(from, step, 1) : widened(from, step, 0);
}

NIBBLE_ARM_INLINE int32x4_t float_sum(const float* f, int32x4_t x, int32x4_t z) {
  const float32x4_t b = vfmaq_n_f32(vdupq_n_f32(f[2]), vcvtq_f32_s32(z), f[1]);
  return vcvtnq_s32_f32(vfmaq_n_f32(b, vcvtq_f32_s32(x), f[0]));
}

/* (x * s[0] + s[1]) >> s[2], all in 32 bits */
NIBBLE_ARM_INLINE int32x4_t weighted(int32x4_t x, const int64_t* s) {
  const int32x4_t shift = vdupq_n_s32(-(int32_t)(s[2] > 31 ? 31 : s[2]));
  return vshlq_s32(vmlaq_n_s32(vdupq_n_s32((int32_t)s[1]), x, (int32_t)s[0]), shift);
}

NIBBLE_ARM_INLINE int32x4_t function(const nibble_pointwise* p, int op, int32x4_t x, int32x4_t z) {
  switch (op) {
    case NIBBLE_RELU: return vmaxq_s32(x, vdupq_n_s32(0));
    case NIBBLE_NEG: return vnegq_s32(x);
    case NIBBLE_ABS: return vabsq_s32(x);
    case NIBBLE_ADD: return vaddq_s32(x, z);
    case NIBBLE_SUB: return vsubq_s32(x, z);
    case NIBBLE_MUL: return vmulq_s32(x, z);
    case NIBBLE_MIN: return vminq_s32(x, z);
    case NIBBLE_MAX: return vmaxq_s32(x, z);
    case NIBBLE_FLOAT_SUM: return float_sum(p->f, x, z);
    case NIBBLE_WEIGHTED: return vaddq_s32(weighted(x, p->s), weighted(z, p->s + 3));
    default: return x;
  }
}

typedef struct run {
  const uint8_t* x[2];
  uint8_t* y;
  int64_t from, count, channel; /* elements of the row; its channel, or -1: along the row */
} run;

NIBBLE_ARM_INLINE void run_through(const nibble_pointwise* p, const rows* r, const run* at, const uint8_t* clip, int op,
                                   int form) {
  const int64_t stage_from = at->channel < 0 ? at->from : at->channel;
  const int binary = op >= NIBBLE_ADD;
  nibble_arm_channels c;
  if (at->channel >= 0 && form != NIBBLE_STAGE_NONE) {
    nibble_stage one = p->stage;
    nibble_arm_read_channels(&one, stage_from, 1, &c);
    for (int k = 1; k < 16; ++k)
      c.a[k] = c.a[0], c.b[k] = c.b[0], c.m[k] = c.m[0], c.add[k] = c.add[0], c.shift[k] = c.shift[0];
  }
  for (int64_t i = 0; i < at->count; i += 16) {
    const int64_t left = at->count - i < 16 ? at->count - i : 16;
    const nibble_arm_ints v = values(at->x[0] + i * r->step[0] * r->size[0], r->step[0], p->x_type[0]);
    const nibble_arm_ints u = binary ? values(at->x[1] + i * r->step[1] * r->size[1], r->step[1], p->x_type[1]) : v;
    const nibble_arm_ints f = {function(p, op, v.a, u.a), function(p, op, v.b, u.b), function(p, op, v.c, u.c),
                               function(p, op, v.d, u.d)};
    nibble_arm_ints q = f;
    if (at->channel < 0 && form != NIBBLE_STAGE_NONE) nibble_arm_read_channels(&p->stage, stage_from + i, left, &c);
    if (form != NIBBLE_STAGE_NONE) q = nibble_arm_staged(f, &c, form == NIBBLE_STAGE_FLOAT);
    nibble_arm_store(at->y + i,
                     p->y_type == NIBBLE_I8 ? nibble_arm_bytes(q, clip, 1, 1) : nibble_arm_bytes(q, clip, 1, 0), left);
  }
}

static void look_up(const uint8_t* table, const uint8_t* x, uint8_t* y, int64_t count) {
  const uint8x16x4_t t0 = vld1q_u8_x4(table), t1 = vld1q_u8_x4(table + 64);
  const uint8x16x4_t t2 = vld1q_u8_x4(table + 128), t3 = vld1q_u8_x4(table + 192);
  const uint8x16_t quarter = vdupq_n_u8(64);
  for (int64_t i = 0; i < count; i += 16) {
    const uint8x16_t i0 = vld1q_u8(x + i), i1 = vsubq_u8(i0, quarter), i2 = vsubq_u8(i1, quarter);
    const uint8x16_t first = vqtbx4q_u8(vqtbl4q_u8(t0, i0), t1, i1);
    nibble_arm_store(y + i, vqtbx4q_u8(vqtbx4q_u8(first, t2, i2), t3, vsubq_u8(i2, quarter)),
                     count - i < 16 ? count - i : 16);
  }
}

/* A row of bytes that is this long is looked up: what the function makes of every byte is computed first. */
static const int64_t worth_a_table = 1024;

NIBBLE_ARM_INLINE void run_or_look_up(const nibble_pointwise* p, const rows* r, const run* at, const uint8_t* clip,
                                      int op, int form) {
  uint8_t all[256], table[256];
  const run every = {{all, all}, table, 0, 256, at->channel};
  if (op >= NIBBLE_ADD || at->channel < 0 || at->count < worth_a_table || r->step[0] != 1 || r->size[0] != 1) {
    run_through(p, r, at, clip, op, form);
    return;
  }
  for (int k = 0; k < 256; ++k) all[k] = (uint8_t)k;
  run_through(p, r, &every, clip, op, form);
  look_up(table, at->x[0], at->y, at->count);
}

/* Calls `each` for the parts of rows that items [begin, end) are. */
#define FOR_EACH_RUN(p, r, call, at, each)                                                                           \
  for (int64_t item = (call)->begin; item < (call)->end;) {                                                          \
    int64_t rest = item / (r).width;                                                                                 \
    run at;                                                                                                          \
    at.from = item % (r).width;                                                                                      \
    at.count = (call)->end - item < (r).width - at.from ? (call)->end - item : (r).width - at.from;                  \
    at.x[0] = (const uint8_t*)(call)->in[0] + at.from * (r).step[0] * (r).size[0];                                   \
    at.x[1] = (call)->in[1] == NULL ? at.x[0] : (const uint8_t*)(call)->in[1] + at.from * (r).step[1] * (r).size[1]; \
    at.y = (uint8_t*)(call)->out + at.from;                                                                          \
    at.channel = (r).channel_axis == (r).rank ? -1 : 0;                                                              \
    for (int k = (r).rank - 1; k >= 0; --k) {                                                                        \
      const int64_t index = rest % (r).extent[k];                                                                    \
      rest /= (r).extent[k];                                                                                         \
      at.y += index * (r).y[k];                                                                                      \
      at.x[0] += index * (r).x[0][k] * (r).size[0];                                                                  \
      if ((call)->in[1] != NULL) at.x[1] += index * (r).x[1][k] * (r).size[1];                                       \
      if (k == (r).channel_axis) at.channel = index;                                                                 \
    }                                                                                                                \
    each;                                                                                                            \
    item += at.count;                                                                                                \
  }

NIBBLE_ARM_INLINE int pointwise(const nibble_pointwise* p, const nibble_call* call, int op, int form) {
  const rows r = rows_of(p);
  uint8_t clip[32];
  memset(clip, (uint8_t)p->stage.low, 16);
  memset(clip + 16, (uint8_t)p->stage.high, 16);
  FOR_EACH_RUN(p, r, call, at, run_or_look_up(p, &r, &at, clip, op, form))
  return NIBBLE_FINE;
}

static int add_by_floats(const void* p, const nibble_call* call) {
  return pointwise(p, call, NIBBLE_ADD, NIBBLE_STAGE_FLOAT);
}
static int weighted_by_floats(const void* p, const nibble_call* call) {
  return pointwise(p, call, NIBBLE_WEIGHTED, NIBBLE_STAGE_FLOAT);
}
static int copy_by_floats(const void* p, const nibble_call* call) {
  return pointwise(p, call, NIBBLE_COPY, NIBBLE_STAGE_FLOAT);
}
static int any_by_floats(const void* p, const nibble_call* call) {
  return pointwise(p, call, ((const nibble_pointwise*)p)->op, NIBBLE_STAGE_FLOAT);
}
static int any_by_products(const void* p, const nibble_call* call) {
  return pointwise(p, call, ((const nibble_pointwise*)p)->op, NIBBLE_STAGE_PRODUCT32);
}

static int float_sum_clipped(const void* p, const nibble_call* call) {
  return pointwise(p, call, NIBBLE_FLOAT_SUM, NIBBLE_STAGE_NONE);
}
static int any_clipped(const void* p, const nibble_call* call) {
  return pointwise(p, call, ((const nibble_pointwise*)p)->op, NIBBLE_STAGE_NONE);
}

/* ---- a table of 256 bytes ---------------------------------------------------------------------------------------- */

static int table(const void* parameters, const nibble_call* call) {
  const nibble_pointwise* p = parameters;
  const rows r = rows_of(p);
  const int64_t* entries = p->stage.a;
  uint8_t bytes[256];
  for (int k = 0; k < 256; ++k) {
    const int64_t x = p->x_type[0] == NIBBLE_I8 && k > 127 ? k - 256 : k;
    bytes[k] = (uint8_t)entries[x - p->stage.first];
  }
  FOR_EACH_RUN(p, r, call, at, look_up(bytes, at.x[0], at.y, at.count))
  return NIBBLE_FINE;
}

/* ------------------------------------------------------------------------------------------------------------------ */

static int is_byte(int32_t type) {
  return type == NIBBLE_I8 || type == NIBBLE_U8;
}

/* |x * s[0] + s[1]| < 2^30 for bytes x */
static int is_narrow(const int64_t* s) {
  const int64_t most = 1 << 21;
  return s[0] > -most && s[0] < most && s[1] > -(most << 8) && s[1] < most << 8 && s[2] >= 0;
}

/* Whether operand i is bytes, or of 32 bits where it is the only one, side by side or one for all. */
static int takes_operand(const nibble_pointwise* p, int i, int unary) {
  const int64_t step = p->x_stride[i * NIBBLE_MAX_RANK + p->rank - 1];
  return (is_byte(p->x_type[i]) || (unary && p->x_type[i] == NIBBLE_I32)) && (step == 0 || step == 1);
}

static int takes_function(const nibble_pointwise* p) {
  if (p->op == NIBBLE_WEIGHTED) return is_narrow(p->s) && is_narrow(p->s + 3);
  if (p->x_type[0] == NIBBLE_I32) return p->op == NIBBLE_COPY || p->op == NIBBLE_RELU;
  return p->op == NIBBLE_FLOAT_SUM || (p->op <= NIBBLE_MAX && p->op != NIBBLE_DIV);
}

nibble_kernel nibble_arm_pointwise(const nibble_pointwise* p, const char** kernel_name) {
  const nibble_stage* s = &p->stage;
  const int last = p->rank - 1, unary = p->op <= NIBBLE_ABS, low = p->x_type[0] == NIBBLE_I8 ? -128 : 0;
  if (p->rank < 1 || !takes_function(p) || !is_byte(p->y_type) || p->y_stride[last] != 1) return NULL;
  if (!takes_operand(p, 0, unary) || (!unary && !takes_operand(p, 1, unary))) return NULL;
  if (s->form == NIBBLE_STAGE_TABLE) {
    const int whole = is_byte(p->x_type[0]) && s->first <= low && s->first + s->steps >= low + 256;
    if (p->op != NIBBLE_COPY || p->x_stride[last] != 1 || !whole) return NULL;
    *kernel_name = "pointwise_table";
    return table;
  }
  if (!nibble_arm_within(p->y_type, s->low, s->high)) return NULL;
  switch (s->form) {
    case NIBBLE_STAGE_PRODUCT32: *kernel_name = "pointwise_by_products"; return any_by_products;
    case NIBBLE_STAGE_FLOAT:
      *kernel_name = "pointwise_by_floats";
      return p->op == NIBBLE_ADD        ? add_by_floats
             : p->op == NIBBLE_WEIGHTED ? weighted_by_floats
             : p->op == NIBBLE_COPY     ? copy_by_floats
                                        : any_by_floats;
    case NIBBLE_STAGE_NONE:
      *kernel_name = "pointwise_clipped";
      return p->op == NIBBLE_FLOAT_SUM ? float_sum_clipped : any_clipped;
    default: return NULL;
  }
}
#endif
