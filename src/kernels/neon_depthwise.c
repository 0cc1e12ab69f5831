#include "kernels/arm.h"

#if defined(__aarch64__)

/* Depthwise convolution: 16 channels side by side. Products of two taps are summed in 16 bits, then widened; where two
 * weights of a pair may both be -128 each product is widened by itself (`pairs` 0). Unsigned x is flipped to signed by
 * 0x80; the bias makes up for it. */

#define MAX_POINTERS 1024

int nibble_arm_takes_depthwise(const nibble_conv* p) {
  const int bytes = p->x_type == NIBBLE_I8 || p->x_type == NIBBLE_U8;
  const int64_t low = p->x_type == NIBBLE_U8 ? 0 : -128;
  const int64_t taps = (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2];
  return p->w_format == NIBBLE_BLOCKED && p->w_bits == 8 && p->acc_type == NIBBLE_I32 && p->groups > 1 &&
         p->groups == p->in_channels && p->groups == p->out_channels && bytes && p->zero_point >= low &&
         p->zero_point <= low + 255 && taps <= MAX_POINTERS - 3;
}

NIBBLE_ARM_INLINE nibble_arm_ints widened(nibble_arm_ints s, int16x8_t low, int16x8_t high) {
  const nibble_arm_ints v = {vaddw_s16(s.a, vget_low_s16(low)), vaddw_high_s16(s.b, low),
                             vaddw_s16(s.c, vget_low_s16(high)), vaddw_high_s16(s.d, high)};
  return v;
}

NIBBLE_ARM_INLINE nibble_arm_ints one_tap(nibble_arm_ints s, int8x16_t x, int8x16_t w) {
  return widened(s, vmull_s8(vget_low_s8(x), vget_low_s8(w)), vmull_high_s8(x, w));
}

NIBBLE_ARM_INLINE nibble_arm_ints two_taps(nibble_arm_ints s, int8x16_t x, int8x16_t w, int8x16_t z, int8x16_t u,
                                           int pairs) {
  if (!pairs) return one_tap(one_tap(s, x, w), z, u);
  return widened(s, vmlal_s8(vmull_s8(vget_low_s8(x), vget_low_s8(w)), vget_low_s8(z), vget_low_s8(u)),
                 vmlal_high_s8(vmull_high_s8(x, w), z, u));
}

NIBBLE_ARM_INLINE int8x16_t signed_x(const uint8_t* x, int flips) {
  const uint8x16_t v = vld1q_u8(x);
  return vreinterpretq_s8_u8(flips ? veorq_u8(v, vdupq_n_u8(0x80)) : v);
}

/* Bias of 16 channels, made up for the flip: 128 * the sum of the taps' weights. */
static nibble_arm_ints bias_of(const nibble_conv* p, int64_t block, const int8_t* weights, int64_t quads) {
  const int32_t* bias = p->bias ? (const int32_t*)p->bias + 16 * block : nibble_arm_zeros;
  int32_t sums[16];
  if (p->x_type == NIBBLE_I8) return nibble_arm_load(bias);
  for (int k = 0; k < 16; ++k) {
    sums[k] = bias[k];
    for (int64_t i = 0; i < 4 * quads; ++i) sums[k] += 128 * weights[64 * (i / 4) + 4 * k + i % 4];
  }
  return nibble_arm_load(sums);
}

/* ---- 3 x 3, strides 1 and 2: columns slide through registers ---------------------------------------------------- */

/* Up to 16 outputs of one row, whose windows start at column `start`: rows outside x point to `zero`, pitch 0. */
typedef struct run3 {
  const uint8_t* row[3];
  int64_t pitch[3], start, columns, stride;
  const uint8_t* zero;
} run3;

typedef struct column3 {
  int8x16_t v[3];
} column3;

NIBBLE_ARM_INLINE nibble_arm_ints nine_taps(nibble_arm_ints s, const int8x16_t* w, column3 a, column3 b, column3 c,
                                            int pairs) {
  s = two_taps(s, a.v[0], w[0], b.v[0], w[1], pairs);
  s = two_taps(s, c.v[0], w[2], a.v[1], w[3], pairs);
  s = two_taps(s, b.v[1], w[4], c.v[1], w[5], pairs);
  s = two_taps(s, a.v[2], w[6], b.v[2], w[7], pairs);
  return one_tap(s, c.v[2], w[8]);
}

#define NEXT_COLUMN(column)                              \
  if ((uint64_t)at < columns) {                          \
    column.v[0] = signed_x(row0, flips), row0 += pitch0; \
    column.v[1] = signed_x(row1, flips), row1 += pitch1; \
    column.v[2] = signed_x(row2, flips), row2 += pitch2; \
  } else {                                               \
    column.v[0] = column.v[1] = column.v[2] = zero;      \
  }                                                      \
  ++at;
#define OUTPUT(a, b, c)                                                     \
  nibble_arm_put(target, windows, i++, nine_taps(bias, w, a, b, c, pairs)); \
  if (i == count) return;

NIBBLE_ARM_INLINE void three_by_three(const run3* run, int64_t offset, const int8_t* weights, nibble_arm_ints bias,
                                      const nibble_arm_windows* windows, const nibble_arm_target* target, int flips,
                                      int pairs) {
  const int8x16x4_t w0 = vld4q_s8(weights), w1 = vld4q_s8(weights + 64), w2 = vld4q_s8(weights + 128);
  const int8x16_t w[9] = {w0.val[0], w0.val[1], w0.val[2], w0.val[3], w1.val[0],
                          w1.val[1], w1.val[2], w1.val[3], w2.val[0]};
  const int8x16_t zero = signed_x(run->zero, flips);
  const int64_t pitch0 = run->pitch[0], pitch1 = run->pitch[1], pitch2 = run->pitch[2];
  const uint64_t columns = (uint64_t)run->columns;
  const uint8_t* row0 = run->row[0] + (pitch0 ? offset : 0);
  const uint8_t* row1 = run->row[1] + (pitch1 ? offset : 0);
  const uint8_t* row2 = run->row[2] + (pitch2 ? offset : 0);
  int64_t at = run->start;
  const int count = windows->count;
  int i = 0;
  column3 a, b, c;
  NEXT_COLUMN(a)
  if (run->stride == 1) {
    NEXT_COLUMN(b)
    for (;;) {
      NEXT_COLUMN(c) OUTPUT(a, b, c) NEXT_COLUMN(a) OUTPUT(b, c, a) NEXT_COLUMN(b) OUTPUT(c, a, b)
    }
  }
  for (;;) {
    NEXT_COLUMN(b) NEXT_COLUMN(c) OUTPUT(a, b, c) NEXT_COLUMN(b) NEXT_COLUMN(a) OUTPUT(c, b, a)
  }
}

/* ---- any other: a pointer a tap --------------------------------------------------------------------------------- */

NIBBLE_ARM_INLINE int8x16_t x_at(const uint8_t* pointer, const uint8_t* zero, int64_t offset, int flips) {
  return signed_x(pointer + (pointer == zero ? 0 : offset), flips);
}

NIBBLE_ARM_INLINE void any_taps(const uint8_t* const* pointers, int64_t offset, const uint8_t* zero, int64_t quads,
                                const int8_t* weights, nibble_arm_ints bias, const nibble_arm_windows* windows,
                                const nibble_arm_target* target, int flips, int pairs) {
  for (int i = 0; i < windows->count; ++i) {
    nibble_arm_ints s = bias;
    for (int64_t q = 0; q < quads; ++q, pointers += 4) {
      const int8x16x4_t w = vld4q_s8(weights + 64 * q);
      const int8x16_t x0 = x_at(pointers[0], zero, offset, flips), x1 = x_at(pointers[1], zero, offset, flips);
      const int8x16_t x2 = x_at(pointers[2], zero, offset, flips), x3 = x_at(pointers[3], zero, offset, flips);
      s = two_taps(s, x0, w.val[0], x1, w.val[1], pairs);
      s = two_taps(s, x2, w.val[2], x3, w.val[3], pairs);
    }
    nibble_arm_put(target, windows, i, s);
  }
}

/* ---- positions ---------------------------------------------------------------------------------------------------- */

typedef struct place {
  int64_t batch, at[3];
} place;

static place place_of(const nibble_conv* p, int64_t item) {
  place o;
  for (int k = 2; k >= 0; --k) {
    o.at[k] = item % p->out[k];
    item /= p->out[k];
  }
  o.batch = item;
  return o;
}

/* Where `count` positions from o on, of one row, write and where their residuals lie. */
static void offsets_of(const nibble_conv* p, const place* o, int count, nibble_arm_windows* windows) {
  int64_t y = o->batch * p->y_stride[0], r = o->batch * p->r_stride[0];
  for (int k = 0; k < 3; ++k) {
    y += o->at[k] * p->y_stride[k + 1];
    r += o->at[k] * p->r_stride[k + 1];
  }
  windows->count = count;
  for (int i = 0; i < count; ++i) {
    windows->y[i] = y + i * p->y_stride[3];
    windows->r[i] = r + i * p->r_stride[3];
  }
}

/* The beginning of row `height` of the plane at `depth`, or NULL where it is outside. */
static const uint8_t* row_of(const nibble_conv* p, const uint8_t* x, int64_t batch, int64_t depth, int64_t height) {
  if (depth < 0 || depth >= p->in[0] || height < 0 || height >= p->in[1]) return NULL;
  return x + batch * p->x_stride[0] + depth * p->x_stride[1] + height * p->x_stride[2];
}

static run3 run_of(const nibble_conv* p, const uint8_t* x, const place* o, const uint8_t* zero) {
  run3 run;
  const int64_t start = o->at[2] * p->stride[2] - p->pad[2];
  for (int k = 0; k < 3; ++k) {
    const uint8_t* row =
        row_of(p, x, o->batch, o->at[0] * p->stride[0] - p->pad[0], o->at[1] * p->stride[1] - p->pad[1] + k);
    run.row[k] = row == NULL ? zero : row + (start > 0 ? start : 0) * p->x_stride[3];
    run.pitch[k] = row == NULL ? 0 : p->x_stride[3];
  }
  run.start = start;
  run.columns = p->in[2];
  run.stride = p->stride[2];
  run.zero = zero;
  return run;
}

static void point(const nibble_conv* p, const uint8_t* x, const place* o, const uint8_t* zero, int64_t quads,
                  const uint8_t** pointers) {
  int64_t tap = 0;
  for (int32_t i = 0; i < p->kernel[0]; ++i)
    for (int32_t k = 0; k < p->kernel[1]; ++k) {
      const uint8_t* row = row_of(p, x, o->batch, o->at[0] * p->stride[0] - p->pad[0] + (int64_t)i * p->dilation[0],
                                  o->at[1] * p->stride[1] - p->pad[1] + (int64_t)k * p->dilation[1]);
      for (int32_t j = 0; j < p->kernel[2]; ++j, ++tap) {
        const int64_t column = o->at[2] * p->stride[2] - p->pad[2] + (int64_t)j * p->dilation[2];
        pointers[tap] = row == NULL || column < 0 || column >= p->in[2] ? zero : row + column * p->x_stride[3];
      }
    }
  for (; tap < 4 * quads; ++tap) pointers[tap] = zero;
}

/* How many positions from o on are taken at once. */
static int count_at(const nibble_conv* p, const place* o, int64_t left, int64_t quads, int three) {
  int64_t count = p->out[2] - o->at[2];
  const int64_t most = three ? NIBBLE_ARM_POSITIONS : MAX_POINTERS / (4 * quads);
  if (count > most) count = most;
  if (count > NIBBLE_ARM_POSITIONS) count = NIBBLE_ARM_POSITIONS;
  return (int)(count < left ? count : left);
}

NIBBLE_ARM_INLINE int depthwise(const nibble_conv* p, const nibble_call* call, int flips, int pairs) {
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int64_t quads = ((int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2] + 3) / 4;
  const int64_t last = p->split ? positions : call->end;
  const int64_t first_block = p->split ? call->begin : 0;
  const int64_t last_block = p->split ? call->end : (p->out_channels + 15) / 16;
  const int three = p->kernel[0] == 1 && p->kernel[1] == 3 && p->kernel[2] == 3 && p->dilation[1] == 1 &&
                    p->dilation[2] == 1 && p->stride[2] <= 2;
  const uint8_t* x = call->in[0];
  const uint8_t* pointers[MAX_POINTERS];
  uint8_t zero[16];
  nibble_arm_target target;
  int fault = NIBBLE_FINE, count;
  nibble_arm_aim(p, &target);
  vst1q_u8(zero, vdupq_n_u8((uint8_t)p->zero_point));
  for (int64_t item = p->split ? 0 : call->begin; item < last; item += count) {
    place o = place_of(p, item);
    nibble_arm_windows windows;
    run3 run;
    count = count_at(p, &o, last - item, quads, three);
    offsets_of(p, &o, count, &windows);
    if (three)
      run = run_of(p, x, &o, zero);
    else
      for (int i = 0; i < count; ++i, ++o.at[2]) point(p, x, &o, zero, quads, pointers + 4 * quads * i);
    for (int64_t b = first_block; b < last_block; ++b) {
      const int8_t* weights = (const int8_t*)p->weights + 64 * quads * b;
      const nibble_arm_ints bias = bias_of(p, b, weights, quads);
      int32_t sums[NIBBLE_ARM_POSITIONS][16];
      nibble_arm_aim_at(p, call, b, sums, &target);
      if (three)
        three_by_three(&run, 16 * b, weights, bias, &windows, &target, flips, pairs);
      else
        any_taps(pointers, 16 * b, zero, quads, weights, bias, &windows, &target, flips, pairs);
      if (target.way == NIBBLE_ARM_KEEP) nibble_arm_finish(p, call, &windows, b, sums, &fault);
    }
  }
  return fault;
}

static int signed_by_pairs(const void* p, const nibble_call* call) {
  return depthwise(p, call, 0, 1);
}
static int unsigned_by_pairs(const void* p, const nibble_call* call) {
  return depthwise(p, call, 1, 1);
}
static int any_by_each(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  return p->x_type == NIBBLE_U8 ? depthwise(p, call, 1, 0) : depthwise(p, call, 0, 0);
}

nibble_kernel nibble_arm_depthwise(const nibble_conv* p, const char** kernel_name) {
  const int8_t* w = p->weights;
  const int64_t quads = ((int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2] + 3) / 4;
  const int64_t bytes = ((int64_t)p->out_channels + 15) / 16 * quads * 64;
  for (int64_t i = 0; i < bytes; i += 2)
    if (w[i] == INT8_MIN && w[i + 1] == INT8_MIN) {
      *kernel_name = "depthwise_by_each";
      return any_by_each;
    }
  *kernel_name = "depthwise_by_pairs";
  return p->x_type == NIBBLE_U8 ? unsigned_by_pairs : signed_by_pairs;
}
#endif
