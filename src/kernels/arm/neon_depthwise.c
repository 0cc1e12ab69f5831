#include "kernels/arm/arm.h"

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

/* As signed_x; x goes on by the pitch in the same instruction. */
NIBBLE_ARM_INLINE int8x16_t next_x(const uint8_t** x, int64_t pitch, int flips) {
  uint8x16_t v;
  __asm__("ld1 {%[v].16b}, [%[x]], %[pitch]"
          : [v] "=w"(v), [x] "+r"(*x)
          : [pitch] "r"(pitch), "m"(*(const uint8_t(*)[16]) * x));
  return vreinterpretq_s8_u8(flips ? veorq_u8(v, vdupq_n_u8(0x80)) : v);
}

/* Bias of 16 channels, made up for the flip: 128 * the sum of the taps' weights. */
static const int32_t* bias_of(const nibble_conv* p, int64_t block, const int8_t* weights, int64_t quads,
                              int32_t* corrected) {
  const int32_t* bias = p->bias ? (const int32_t*)p->bias + 16 * block : nibble_arm_zeros;
  if (p->x_type == NIBBLE_I8) return bias;
  for (int k = 0; k < 16; ++k) {
    corrected[k] = bias[k];
    for (int64_t i = 0; i < 4 * quads; ++i) corrected[k] += 128 * weights[64 * (i / 4) + 4 * k + i % 4];
  }
  return corrected;
}

/* ---- 3 x 3, strides 1 and 2: columns slide through registers ---------------------------------------------------- */

/* Up to 16 outputs of one row, whose windows start at column `start`: rows outside x point to `zero`, pitch 0. */
typedef struct run3 {
  const uint8_t* row[3];
  int64_t pitch[3], start, columns, stride;
  const uint8_t* zero;
} run3;

typedef struct column3 {
  int8x16_t a, b, c;
} column3;

/* Written out, as compilers copy halves of registers about: products of a tap into v %[s] and %[t], or onto them; those
 * widened onto the sums. */
#define TAP(x, w) "smull %[s].8h, %[" x "].8b, %[" w "].8b\n smull2 %[t].8h, %[" x "].16b, %[" w "].16b\n"
#define AND_TAP(x, w) "smlal %[s].8h, %[" x "].8b, %[" w "].8b\n smlal2 %[t].8h, %[" x "].16b, %[" w "].16b\n"
#define WIDEN                                                            \
  "saddw %[a].4s, %[a].4s, %[s].4h\n saddw2 %[b].4s, %[b].4s, %[s].8h\n" \
  "saddw %[c].4s, %[c].4s, %[t].4h\n saddw2 %[d].4s, %[d].4s, %[t].8h\n"
#define BY_PAIRS(x, w, z, u) TAP(x, w) AND_TAP(z, u) WIDEN
#define BY_EACH(x, w, z, u) TAP(x, w) WIDEN TAP(z, u) WIDEN
#define NINE(TWO)                                                                                \
  "ldp %q[a], %q[b], [%[bias]]\n ldp %q[c], %q[d], [%[bias], #32]\n" TWO("x0", "w0", "x1", "w1") \
      TWO("x2", "w2", "x3", "w3") TWO("x4", "w4", "x5", "w5") TWO("x6", "w6", "x7", "w7") TAP("x8", "w8") WIDEN
#define NINE_TAPS(TWO)                                                                                                \
  __asm__(                                                                                                            \
      NINE(TWO)                                                                                                       \
      : [a] "=&w"(r.a), [b] "=&w"(r.b), [c] "=&w"(r.c), [d] "=&w"(r.d), [s] "=&w"(s), [t] "=&w"(t)                    \
      : [bias] "r"(bias),                                                                                             \
        "m"(*(const int32_t(*)[16])bias), [w0] "w"(w[0]), [w1] "w"(w[1]), [w2] "w"(w[2]), [w3] "w"(w[3]),             \
        [w4] "w"(w[4]), [w5] "w"(w[5]), [w6] "w"(w[6]), [w7] "w"(w[7]), [w8] "w"(w[8]), [x0] "w"(x.a), [x1] "w"(y.a), \
        [x2] "w"(z.a), [x3] "w"(x.b), [x4] "w"(y.b), [x5] "w"(z.b), [x6] "w"(x.c), [x7] "w"(y.c), [x8] "w"(z.c))

NIBBLE_ARM_INLINE nibble_arm_ints nine_taps(const int32_t* bias, const int8x16_t* w, column3 x, column3 y, column3 z,
                                            int pairs) {
  nibble_arm_ints r;
  int16x8_t s, t;
  if (pairs)
    NINE_TAPS(BY_PAIRS);
  else
    NINE_TAPS(BY_EACH);
  return r;
}

#define NEXT_COLUMN(column)                  \
  if ((uint64_t)at < columns) {              \
    column.a = next_x(&row0, pitch0, flips); \
    column.b = next_x(&row1, pitch1, flips); \
    column.c = next_x(&row2, pitch2, flips); \
  } else {                                   \
    column.a = column.b = column.c = zero;   \
  }                                          \
  ++at;
#define OUTPUT(a, b, c)                                                          \
  nibble_arm_put(target, way, windows, i++, nine_taps(bias, w, a, b, c, pairs)); \
  if (i == count) return;

NIBBLE_ARM_INLINE void three_by_three_of(const run3* run, int64_t offset, const int8_t* weights, const int32_t* bias,
                                         const nibble_arm_windows* windows, const nibble_arm_target* target, int way,
                                         int flips, int pairs) {
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

typedef void (*three_by_three)(const run3* run, int64_t offset, const int8_t* weights, const int32_t* bias,
                               const nibble_arm_windows* windows, const nibble_arm_target* target);
#define THREE_BY_THREE(name, way, flips, pairs)                                                 \
  static void name(const run3* run, int64_t offset, const int8_t* weights, const int32_t* bias, \
                   const nibble_arm_windows* windows, const nibble_arm_target* target) {        \
    three_by_three_of(run, offset, weights, bias, windows, target, way, flips, pairs);          \
  }
THREE_BY_THREE(i8_to_i8, NIBBLE_ARM_I8, 0, 1)
THREE_BY_THREE(u8_to_u8, NIBBLE_ARM_U8, 1, 1)
THREE_BY_THREE(i8_to_any, target->way, 0, 1)
THREE_BY_THREE(u8_to_any, target->way, 1, 1)
THREE_BY_THREE(i8_by_each, target->way, 0, 0)
THREE_BY_THREE(u8_by_each, target->way, 1, 0)

/* A block that is not whole is kept: the fastest are for whole ones. */
static three_by_three three_by_three_for(int way, int flips, int pairs) {
  if (!pairs) return flips ? u8_by_each : i8_by_each;
  if (flips) return way == NIBBLE_ARM_U8 ? u8_to_u8 : u8_to_any;
  return way == NIBBLE_ARM_I8 ? i8_to_i8 : i8_to_any;
}

/* ---- any other: a pointer a tap --------------------------------------------------------------------------------- */

NIBBLE_ARM_INLINE int8x16_t x_at(const uint8_t* pointer, const uint8_t* zero, int64_t offset, int flips) {
  return signed_x(pointer + (pointer == zero ? 0 : offset), flips);
}

NIBBLE_ARM_INLINE void any_taps(const uint8_t* const* pointers, int64_t offset, const uint8_t* zero, int64_t quads,
                                const int8_t* weights, const int32_t* bias, const nibble_arm_windows* windows,
                                const nibble_arm_target* target, int way, int flips, int pairs) {
  for (int i = 0; i < windows->count; ++i) {
    nibble_arm_ints s = nibble_arm_load(bias);
    for (int64_t q = 0; q < quads; ++q, pointers += 4) {
      const int8x16x4_t w = vld4q_s8(weights + 64 * q);
      const int8x16_t x0 = x_at(pointers[0], zero, offset, flips), x1 = x_at(pointers[1], zero, offset, flips);
      const int8x16_t x2 = x_at(pointers[2], zero, offset, flips), x3 = x_at(pointers[3], zero, offset, flips);
      s = two_taps(s, x0, w.val[0], x1, w.val[1], pairs);
      s = two_taps(s, x2, w.val[2], x3, w.val[3], pairs);
    }
    nibble_arm_put(target, way, windows, i, s);
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
  three_by_three of_run, of_rest;
  nibble_arm_aim(p, &target);
  of_run = three_by_three_for(target.whole_way, flips, pairs);
  of_rest = three_by_three_for(NIBBLE_ARM_KEEP, flips, pairs);
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
      int32_t corrected[16];
      const int32_t* bias = bias_of(p, b, weights, quads, corrected);
      int32_t sums[NIBBLE_ARM_POSITIONS][16];
      nibble_arm_aim_at(p, call, b, sums, &target);
      if (three)
        (target.way == target.whole_way ? of_run : of_rest)(&run, 16 * b, weights, bias, &windows, &target);
      else
        any_taps(pointers, 16 * b, zero, quads, weights, bias, &windows, &target, target.way, flips, pairs);
      if (target.way == NIBBLE_ARM_KEEP) nibble_arm_finish(p, call, &windows, 16 * b, sums, &fault);
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
