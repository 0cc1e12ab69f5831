#include "kernels/kernels.h"
#if defined(__ARM_FEATURE_MVE)
#include "kernels/cortex_m/mve_spot.h"
#include "kernels/cortex_m/mve_taps.h"

enum { most_channels = 64 }; /* whose sums stand on the stack */

/* What one call needs of the step. */
typedef struct job {
  const nibble_conv* p;
  const nibble_call* call;
  nibble_mve_walk walk;
  nibble_mve_stage stage;
  const int8_t* weights; /* sixteen channels after sixteen */
  const int32_t* bias;
  const uint8_t* outside; /* zero points */
  int32_t taps, from, to;
  int32_t offsets[NIBBLE_MVE_MOST_TAPS];
  int staged, wide, fault;
} job;

static int32_t weight(const nibble_conv* p, int32_t tap, int32_t c) {
  const int32_t bits = p->w_bits, per_byte = 8 / bits, row = (p->out_channels * bits + 7) / 8;
  const uint8_t* at = (const uint8_t*)p->weights + tap * row;
  return p->w_low + p->w_step * (at[c / per_byte] >> (c % per_byte * bits) & ((1 << bits) - 1));
}

/* For each sixteen channels, sixteen for each tap; returns whether one is -128. Beyond the channels stand zeros. */
static int lay_weights(const nibble_conv* p, int32_t taps, int8_t* to) {
  int8x16_t least = vdupq_n_s8(0);
  for (int32_t c = 0; c < p->out_channels; c += 16)
    for (int32_t t = 0; t < taps; ++t, to += 16) {
      const mve_pred16_t there = vctp8q((uint32_t)(p->out_channels - c));
      int8x16_t row;
      if (p->w_bits == 8) {
        row = vldrbq_z_s8((const int8_t*)p->weights + t * p->out_channels + c, there);
      } else {
        for (int32_t k = 0; k < 16; ++k) to[k] = (int8_t)(c + k < p->out_channels ? weight(p, t, c + k) : 0);
        row = vld1q_s8(to);
      }
      vst1q_s8(to, row);
      least = vminq_s8(least, row);
    }
  return vminvq_s8(127, least) == -128;
}

/* bias + 128 * the sum of the weights. */
static void add_for_unsigned(const nibble_conv* p, const int8_t* weights, int32_t taps, int32_t* bias) {
  const int32_t* own = p->bias;
  for (int32_t c = 0; c < p->out_channels; ++c) {
    const int8_t* w = weights + c / 16 * 16 * taps + c % 16;
    int32_t sum = 0;
    for (int32_t t = 0; t < taps; ++t) sum += w[16 * t];
    bias[c] = (int32_t)((uint32_t)own[c] + ((uint32_t)sum << 7));
  }
}

/* Where the taps lie from a window's first on. */
static void offsets_of(const nibble_conv* p, int32_t* offsets) {
  for (int32_t d = 0; d < p->kernel[0]; ++d)
    for (int32_t h = 0; h < p->kernel[1]; ++h)
      for (int32_t w = 0; w < p->kernel[2]; ++w)
        *offsets++ = d * p->dilation[0] * (int32_t)p->x_stride[1] + h * p->dilation[1] * (int32_t)p->x_stride[2] +
                     w * p->dilation[2] * (int32_t)p->x_stride[3];
}

/* Where each tap of the window has channel 0: in x, or outside it in the row of zero points. */
static void taps_of(const job* j, const nibble_mve_spot* s, const uint8_t** at) {
  const nibble_conv* p = j->p;
  const uint8_t* x = (const uint8_t*)j->call->in[0] + s->x;
  const int32_t* offset = j->offsets;
  if (nibble_mve_is_inside(&j->walk, s)) {
    for (int32_t t = 0; t < j->taps; ++t) at[t] = x + offset[t];
    return;
  }
  for (int32_t d = 0; d < p->kernel[0]; ++d)
    for (int32_t h = 0; h < p->kernel[1]; ++h) {
      const int inside = nibble_tap_at(p, &s->from, 0, d) >= 0 && nibble_tap_at(p, &s->from, 1, h) >= 0;
      int32_t column = s->column * p->stride[2] - p->pad[2];
      for (int32_t w = 0; w < p->kernel[2]; ++w, column += p->dilation[2], ++offset)
        *at++ = inside && column >= 0 && column < p->in[2] ? x + *offset : j->outside;
    }
}

/* Sums of one position's channels [c, c + whole sixteens). */
static void sums_of(const job* j, const uint8_t* const* at, int32_t c, int32_t count, int32_t* sums) {
  const int is_signed = j->p->x_type == NIBBLE_I8;
  const nibble_mve_taps taps = {j->weights + c * j->taps,  c, sums, j->bias + c, at, j->taps / 2, j->taps % 2,
                                c + (count + 15) / 16 * 16};
  if (j->wide)
    (is_signed ? nibble_mve_wide_signed : nibble_mve_wide_unsigned)(&taps);
  else
    (is_signed ? nibble_mve_any_signed : nibble_mve_any_unsigned)(&taps);
}

/* The same of `positions` side by side, all inside x, with windows of 3 x 3. */
static void nine_of(const job* j, const nibble_mve_spot* s, int32_t positions, int32_t c, int32_t count,
                    int32_t* sums) {
  const int32_t sixteens = (count + 15) / 16, right = j->offsets[1], third = j->offsets[2];
  const nibble_mve_nine nine = {j->weights + c * 9,
                                (const uint8_t*)j->call->in[0] + s->x + c,
                                sums,
                                j->bias + c,
                                right,
                                j->offsets[3] - third,
                                16 - j->offsets[8],
                                sixteens,
                                j->walk.x_step - 16 * sixteens,
                                positions};
  (j->p->x_type == NIBBLE_I8 ? nibble_mve_nine_signed : nibble_mve_nine_unsigned)(&nine);
}

/* Four channels of `lanes` positions, y_step and r_step apart, from sums to bytes. */
NIBBLE_INLINE void end_four(const job* j, const nibble_mve_spot* s, const int32_t* sums, int32_t step, int32_t c,
                            int32_t lanes, int residual, int whole, mve_pred16_t mask) {
  const nibble_mve_product by = nibble_mve_product_of(&j->stage, c);
  uint8_t* y = (uint8_t*)j->call->out + s->y + c;
  const uint8_t* r = residual ? (const uint8_t*)j->call->in[1] + s->r + c : NULL;
#pragma GCC unroll 3
  for (int32_t i = 0; i < lanes; ++i, sums += step, y += j->walk.y_step) {
    const int32x4_t v = nibble_mve_ended(&j->stage, vldrwq_s32(sums), &by, r);
    if (whole)
      vstrbq_s32((int8_t*)y, v);
    else
      vstrbq_p_s32((int8_t*)y, v, mask);
    if (residual) r += j->walk.r_step;
  }
}

NIBBLE_INLINE void end_all(const job* j, const nibble_mve_spot* s, const int32_t* sums, int32_t step, int32_t first,
                           int32_t count, int32_t lanes, int residual) {
  int32_t c = 0;
  for (; c + 4 <= count; c += 4) end_four(j, s, sums + c, step, first + c, lanes, residual, 1, 0);
  if (c < count) end_four(j, s, sums + c, step, first + c, lanes, residual, 0, vctp32q((uint32_t)(count - c)));
}

/* Stores the sums of channels [first, first + count) of `lanes` positions from s on. */
static void end(job* j, const nibble_mve_spot* s, const int32_t* sums, int32_t step, int32_t first, int32_t count,
                int32_t lanes) {
  const nibble_conv* p = j->p;
  if (j->staged && p->sum_form == 0 && lanes == NIBBLE_MVE_LANES) {
    end_all(j, s, sums, step, first, count, NIBBLE_MVE_LANES, 0);
    return;
  }
  for (int32_t i = 0; i < lanes; ++i) {
    nibble_mve_spot at = *s;
    at.y += i * j->walk.y_step;
    at.r += i * j->walk.r_step;
    if (j->staged)
      end_all(j, &at, sums + i * step, step, first, count, 1, p->sum_form != 0);
    else
      for (int32_t c = 0; c < count; ++c)
        nibble_finish_sum(p, j->call, sums[i * step + c], first + c, at.y, at.r, &j->fault);
  }
}

/* Positions from s on: three where all are in its row and inside, else one; returns how many. */
static int32_t positions_of(job* j, const nibble_mve_spot* s, int32_t left) {
  const int nine = j->taps == 9 && j->p->kernel[1] == 3 && j->p->kernel[2] == 3 && !j->wide;
  const int inside = nibble_mve_is_inside(&j->walk, s);
  const int three = nine && inside && left >= 3 && s->left >= 2 && s->column + 2 <= j->walk.last;
  const int32_t lanes = three ? NIBBLE_MVE_LANES : 1;
  int32_t sums[NIBBLE_MVE_LANES * most_channels];
  const uint8_t* at[NIBBLE_MVE_MOST_TAPS];
  if (!nine || !inside) taps_of(j, s, at);
  for (int32_t c = j->from; c < j->to; c += most_channels) {
    const int32_t count = j->to - c < most_channels ? j->to - c : most_channels;
    if (nine && inside)
      nine_of(j, s, lanes, c, count, sums);
    else
      sums_of(j, at, c, count, sums);
    end(j, s, sums, (count + 15) / 16 * 16, c, count, lanes);
  }
  return lanes;
}

int nibble_depthwise_mve(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int32_t positions = p->batch * p->out[0] * p->out[1] * p->out[2];
  const int32_t channels = (p->out_channels + 15) / 16 * 16;
  const int32_t begin = p->split ? 0 : (int32_t)call->begin, last = p->split ? positions : (int32_t)call->end;
  uint8_t* outside = call->scratch;
  int8_t* weights = (int8_t*)call->scratch + channels;
  nibble_mve_spot s;
  job j;
  j.p = p;
  j.call = call;
  j.taps = p->kernel[0] * p->kernel[1] * p->kernel[2];
  j.from = p->split ? (int32_t)call->begin * 16 : 0;
  j.to = p->split && call->end * 16 < p->out_channels ? (int32_t)call->end * 16 : p->out_channels;
  j.weights = weights;
  j.bias = p->bias;
  j.outside = outside;
  j.fault = NIBBLE_FINE;
  memset(outside, (int)(uint8_t)p->zero_point, (size_t)channels);
  j.wide = lay_weights(p, j.taps, weights);
  if (p->x_type == NIBBLE_U8) {
    int32_t* bias = (int32_t*)call->scratch + (channels + channels * j.taps) / 4;
    add_for_unsigned(p, weights, j.taps, bias);
    j.bias = bias;
  }
  offsets_of(p, j.offsets);
  j.staged = nibble_mve_stage_of(p, j.from, j.to, &j.stage);
  nibble_mve_walk_over(p, &j.walk);
  nibble_mve_spot_at(&j.walk, begin, &s);
  for (int32_t item = begin; item < last;)
    for (int32_t lanes = positions_of(&j, &s, last - item); lanes > 0 && ++item < last; --lanes)
      nibble_mve_spot_next(&j.walk, item, &s);
  return j.fault;
}
#else
#include "kernels/cortex_m/helium.h"

/* Elsewhere the same integers, so that what is written for such a core can be tried on any machine. */
int nibble_depthwise_mve(const void* parameters, const nibble_call* call) {
  return nibble_depthwise_portable(parameters, call);
}
#endif
