#include "kernels/arm/arm_depthwise.h"

#if defined(__aarch64__)

/* Depthwise convolution: 16 channels side by side. Products of two taps are summed in 16 bits, then widened; where a
 * channel has two weights of -128 each product is widened by itself (`pairs` 0). Unsigned x is flipped to signed by 0x80;
 * the bias makes up for it. */

#define MAX_POINTERS 1024

int nibble_arm_takes_depthwise(const nibble_conv* p) {
  const int bytes = p->x_type == NIBBLE_I8 || p->x_type == NIBBLE_U8;
  const int64_t low = p->x_type == NIBBLE_U8 ? 0 : -128;
  const int64_t taps = (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2];
  return p->w_format == NIBBLE_BLOCKED && p->acc_type == NIBBLE_I32 && p->groups > 1 && p->groups == p->in_channels &&
         p->groups == p->out_channels && bytes && p->zero_point >= low && p->zero_point <= low + 255 &&
         taps <= (p->w_bits == 8 ? MAX_POINTERS : 4 * NIBBLE_ARM_PIECE) - 3;
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

NIBBLE_ARM_INLINE int8x16_t x_at(const uint8_t* pointer, const uint8_t* zero, int64_t offset, int flips) {
  return nibble_arm_signed_x(pointer + (pointer == zero ? 0 : offset), flips);
}

/* Windows of any shape: a pointer a tap, four quads at a time. */
NIBBLE_ARM_INLINE void any_taps(const uint8_t* const* pointers, int64_t offset, const uint8_t* zero, int64_t quads,
                                const int8_t* weights, const int32_t* bias, const nibble_arm_windows* windows,
                                const nibble_arm_target* target, int flips, int pairs) {
  for (int i = 0; i < windows->count; ++i) {
    nibble_arm_ints s = nibble_arm_load(bias);
    for (int64_t q = 0; q < quads; ++q, pointers += 4) {
      const int8x16x4_t w = vld4q_s8(weights + 64 * q);
      const int8x16_t x0 = x_at(pointers[0], zero, offset, flips), x1 = x_at(pointers[1], zero, offset, flips);
      const int8x16_t x2 = x_at(pointers[2], zero, offset, flips), x3 = x_at(pointers[3], zero, offset, flips);
      s = two_taps(s, x0, w.val[0], x1, w.val[1], pairs);
      s = two_taps(s, x2, w.val[2], x3, w.val[3], pairs);
    }
    nibble_arm_put(target, target->way, windows, i, s);
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

/* Adds `count` positions from o on, of one row: where they write and where their residuals lie. */
static void add_offsets(const nibble_conv* p, const place* o, int count, nibble_arm_windows* windows) {
  int64_t y = o->batch * p->y_stride[0], r = o->batch * p->r_stride[0];
  for (int k = 0; k < 3; ++k) {
    y += o->at[k] * p->y_stride[k + 1];
    r += o->at[k] * p->r_stride[k + 1];
  }
  for (; count > 0; --count, y += p->y_stride[3], r += p->r_stride[3]) {
    windows->y[windows->count] = y;
    windows->r[windows->count++] = r;
  }
}

/* The beginning of row `height` of the plane at `depth`, or NULL where it is outside. */
static const uint8_t* row_of(const nibble_conv* p, const uint8_t* x, int64_t batch, int64_t depth, int64_t height) {
  if (depth < 0 || depth >= p->in[0] || height < 0 || height >= p->in[1]) return NULL;
  return x + batch * p->x_stride[0] + depth * p->x_stride[1] + height * p->x_stride[2];
}

static nibble_arm_run run_of(const nibble_conv* p, const uint8_t* x, const place* o, int count, const uint8_t* zero) {
  nibble_arm_run run;
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
  run.count = count;
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

/* How many positions from o on are taken at once, of one row. */
static int count_at(const nibble_conv* p, const place* o, int64_t most) {
  const int64_t row = p->out[2] - o->at[2];
  return (int)(row < most ? row : most);
}

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* ---- 3 x 3 and any other ------------------------------------------------------------------------------------------ */

typedef struct work {
  const nibble_conv* p;
  const uint8_t* x;
  int64_t quads, item, last, first_block, last_block;
  const int32_t* corrected; /* of these blocks, where x is flipped */
  uint8_t zero[16];
  nibble_arm_target target;
} work;

static work work_of(const nibble_conv* p, const nibble_call* call) {
  work w;
  w.p = p;
  w.x = call->in[0];
  w.quads = ((int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2] + 3) / 4;
  w.item = p->split ? 0 : call->begin;
  w.last = p->split ? (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2] : call->end;
  w.first_block = p->split ? call->begin : 0;
  w.last_block = p->split ? call->end : (p->out_channels + 15) / 16;
  w.corrected = p->x_type == NIBBLE_U8 ? call->scratch : NULL;
  for (int64_t b = w.first_block; b < w.last_block && w.corrected != NULL; ++b)
    nibble_arm_correct_bias(p, b, w.quads, (int32_t*)call->scratch + 16 * (b - w.first_block));
  vst1q_u8(w.zero, vdupq_n_u8((uint8_t)p->zero_point));

  return w;
}

static int by_three(const nibble_conv* p, const nibble_call* call, int flips) {
  work w = work_of(p, call);
  nibble_arm_repeated repeated;
  int fault = NIBBLE_FINE;
  nibble_arm_aim(p, &w.target, &repeated);
  while (w.item < w.last) {
    nibble_arm_windows windows;
    nibble_arm_runs runs;
    runs.count = windows.count = 0;
    runs.zero = w.zero;
    while (w.item < w.last && windows.count < NIBBLE_ARM_POSITIONS) {
      const place o = place_of(p, w.item);
      const int count = count_at(p, &o, smaller(w.last - w.item, NIBBLE_ARM_POSITIONS - windows.count));
      runs.run[runs.count++] = run_of(p, w.x, &o, count, w.zero);
      add_offsets(p, &o, count, &windows);
      w.item += count;
    }
    for (int64_t b = w.first_block; b < w.last_block; ++b) {
      int8_t buffer[64 * NIBBLE_ARM_PIECE];
      const int8_t* weights = nibble_arm_unpacked(p, nibble_arm_weights_of(p, b, w.quads), 0, w.quads, buffer);
      const int32_t* bias = w.corrected ? w.corrected + 16 * (b - w.first_block) : nibble_arm_bias_of(p, b);
      int32_t sums[NIBBLE_ARM_POSITIONS][16];
      nibble_arm_aim_at(p, call, b, sums, &w.target);
      nibble_arm_three_by_three_for(w.target.way, w.target.rows, flips)(&runs, 16 * b, weights, bias, &windows,
                                                                        &w.target);
      if (w.target.way == NIBBLE_ARM_KEEP) nibble_arm_finish(p, call, &windows, 16 * b, sums, &fault);
    }
  }
  return fault;
}

NIBBLE_ARM_INLINE int by_pointers(const nibble_conv* p, const nibble_call* call, int flips, int pairs) {
  const uint8_t* pointers[MAX_POINTERS];
  work w = work_of(p, call);
  nibble_arm_repeated repeated;
  int fault = NIBBLE_FINE;
  nibble_arm_aim(p, &w.target, &repeated);
  while (w.item < w.last) {
    place o = place_of(p, w.item);
    const int64_t most = smaller(NIBBLE_ARM_POSITIONS, MAX_POINTERS / (4 * w.quads));
    const int count = count_at(p, &o, smaller(w.last - w.item, most));
    nibble_arm_windows windows;
    windows.count = 0;
    add_offsets(p, &o, count, &windows);
    for (int i = 0; i < count; ++i, ++o.at[2]) point(p, w.x, &o, w.zero, w.quads, pointers + 4 * w.quads * i);
    for (int64_t b = w.first_block; b < w.last_block; ++b) {
      int8_t buffer[64 * NIBBLE_ARM_PIECE];
      const int8_t* weights = nibble_arm_unpacked(p, nibble_arm_weights_of(p, b, w.quads), 0, w.quads, buffer);
      const int32_t* bias = w.corrected ? w.corrected + 16 * (b - w.first_block) : nibble_arm_bias_of(p, b);
      int32_t sums[NIBBLE_ARM_POSITIONS][16];
      nibble_arm_aim_at(p, call, b, sums, &w.target);
      any_taps(pointers, 16 * b, w.zero, w.quads, weights, bias, &windows, &w.target, flips, pairs);
      if (w.target.way == NIBBLE_ARM_KEEP) nibble_arm_finish(p, call, &windows, 16 * b, sums, &fault);
    }
    w.item += count;
  }
  return fault;
}

static int three_by_three(const void* p, const nibble_call* call) {
  return by_three(p, call, ((const nibble_conv*)p)->x_type == NIBBLE_U8);
}
static int signed_by_pairs(const void* p, const nibble_call* call) {
  return by_pointers(p, call, 0, 1);
}
static int unsigned_by_pairs(const void* p, const nibble_call* call) {
  return by_pointers(p, call, 1, 1);
}
static int any_by_each(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  return p->x_type == NIBBLE_U8 ? by_pointers(p, call, 1, 0) : by_pointers(p, call, 0, 0);
}

/* Whether no channel has two weights of -128. */
static int pairs_fit(const nibble_conv* p, int64_t quads) {
  const int8_t* w = p->weights;
  if (p->w_bits != 8) return !nibble_arm_reaches_lowest(p);
  for (int64_t channel = 0; channel < p->out_channels; ++channel) {
    int lowest = 0;
    for (int64_t i = 0; i < 4 * quads; ++i)
      lowest += w[(channel / 16 * quads + i / 4) * 64 + channel % 16 * 4 + i % 4] == INT8_MIN;
    if (lowest > 1) return 0;
  }
  return 1;
}

nibble_kernel nibble_arm_depthwise(const nibble_conv* p, const char** kernel_name) {
  const int64_t quads = ((int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2] + 3) / 4;
  if (!pairs_fit(p, quads)) {
    *kernel_name = "depthwise_by_each";
    return any_by_each;
  }
  if (p->kernel[0] == 1 && p->kernel[1] == 3 && p->kernel[2] == 3 && p->dilation[1] == 1 && p->dilation[2] == 1 &&
      p->stride[2] <= 2) {
    *kernel_name = "depthwise_three_by_three";
    return three_by_three;
  }
  *kernel_name = "depthwise_by_pairs";
  return p->x_type == NIBBLE_U8 ? unsigned_by_pairs : signed_by_pairs;
}
#endif
