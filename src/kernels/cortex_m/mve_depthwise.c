#include "kernels/kernels.h"
#if defined(__ARM_FEATURE_MVE)
#include "kernels/cortex_m/mve_spot.h"
#include "kernels/cortex_m/mve_taps.h"

enum { most_channels = NIBBLE_MVE_PLANE, lanes_at_once = NIBBLE_MVE_LANES }; /* whose sums stand on the stack */

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
  int inside[lanes_at_once]; /* windows of 3 x 3 in x */
  int staged, wide, fault;
  void (*nine)(const nibble_mve_nine*);
  void (*planes)(const nibble_mve_end*);
} job;

/* Sixteen weights of a tap from channel c on, a multiple of sixteen. Beyond the last whatever. */
static int8x16_t sixteen_of(const nibble_conv* p, int32_t tap, int32_t c) {
  const int32_t bits = p->w_bits, row = (p->out_channels * bits + 7) / 8, first = c * bits / 8;
  const uint8_t* at = (const uint8_t*)p->weights + tap * row + first;
  const uint32_t there = (uint32_t)(row - first);
  uint8x16_t codes;
  if (bits == 8) return vldrbq_z_s8((const int8_t*)at, vctp8q(there));
  if (bits == 4) {
    const uint16x8_t v = vldrbq_z_u16(at, vctp16q(there));
    codes = vreinterpretq_u8_u16(
        vorrq_u16(vandq_u16(v, vdupq_n_u16(0x000f)), vandq_u16(vshlq_n_u16(v, 4), vdupq_n_u16(0x0f00))));
  } else if (bits == 2) {
    const uint32x4_t v = vldrbq_z_u32(at, vctp32q(there));
    const uint32x4_t pairs =
        vorrq_u32(vandq_u32(v, vdupq_n_u32(0x000f)), vandq_u32(vshlq_n_u32(v, 12), vdupq_n_u32(0x000f0000)));
    codes = vreinterpretq_u8_u32(vorrq_u32(vandq_u32(pairs, vdupq_n_u32(0x00030003)),
                                           vandq_u32(vshlq_n_u32(pairs, 6), vdupq_n_u32(0x03000300))));
  } else {
    codes = vpselq_u8(vdupq_n_u8(1), vdupq_n_u8(0), (mve_pred16_t)(at[0] | (there > 1 ? at[1] : 0) << 8));
  }
  return vreinterpretq_s8_u8(vmlaq_n_u8(vdupq_n_u8((uint8_t)p->w_low), codes, (uint8_t)p->w_step));
}

/* For each sixteen channels, sixteen for each tap; returns whether one is -128. */
static int lay_weights(const nibble_conv* p, int32_t taps, int8_t* to) {
  int8x16_t least = vdupq_n_s8(0);
  for (int32_t c = 0; c < p->out_channels; c += 16)
    for (int32_t t = 0; t < taps; ++t, to += 16) {
      const int8x16_t row = sixteen_of(p, t, c);
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
      const int inside = nibble_mve_meets(p, s, 0, d) && nibble_mve_meets(p, s, 1, h);
      int32_t column = s->column * p->stride[2] - p->pad[2];
      for (int32_t w = 0; w < p->kernel[2]; ++w, column += p->dilation[2], ++offset)
        *at++ = inside && column >= 0 && column < p->in[2] ? x + *offset : j->outside;
    }
}

/* Sums of one position's channels [c, c + whole sixteens). */
static void sums_of(const job* j, const nibble_mve_spot* s, int32_t c, int32_t count, int32_t* sums) {
  const uint8_t* at[NIBBLE_MVE_MOST_TAPS];
  const int is_signed = j->p->x_type == NIBBLE_I8;
  const nibble_mve_taps taps = {j->weights + c * j->taps,  c, sums, j->bias + c, at, j->taps / 2, j->taps % 2,
                                c + (count + 15) / 16 * 16};
  taps_of(j, s, at);
  if (j->wide)
    (is_signed ? nibble_mve_wide_signed : nibble_mve_wide_unsigned)(&taps);
  else
    (is_signed ? nibble_mve_any_signed : nibble_mve_any_unsigned)(&taps);
}

/* What nine_of needs for channels [c, c + count). */
static void set_nine(const job* j, int32_t positions, int32_t c, int32_t count, nibble_mve_nine* nine) {
  const int32_t sixteens = (count + 15) / 16;
  nine->weights = j->weights + c * 9;
  nine->bias = j->bias + c;
  nine->right = j->offsets[1];
  nine->down = j->offsets[3] - j->offsets[2];
  nine->up = 16 - j->offsets[8];
  nine->sixteens = sixteens;
  nine->next = j->walk.x_step - 16 * sixteens;
  nine->positions = positions;
  nine->plane = 4 * most_channels - 64 * sixteens;
}

/* Sums of `positions` side by side, all inside x, with windows of 3 x 3. */
static void nine_of(const job* j, const nibble_mve_spot* s, int32_t positions, int32_t c, int32_t count,
                    int32_t* sums) {
  nibble_mve_nine nine;
  set_nine(j, positions, c, count, &nine);
  nine.x = (const uint8_t*)j->call->in[0] + s->x + c;
  nine.sums = sums;
  j->nine(&nine);
}

/* Four channels of a position, from sums to bytes; `there`: which of the four there are. */
static void end_four(const job* j, const nibble_mve_spot* s, const int32_t* sums, int32_t c, mve_pred16_t there) {
  const nibble_mve_product by = nibble_mve_product_of(&j->stage, c);
  const uint8_t* r = j->p->sum_form != 0 ? (const uint8_t*)j->call->in[1] + s->r + c : NULL;
  vstrbq_p_s32((int8_t*)j->call->out + s->y + c, nibble_mve_ended(&j->stage, vldrwq_s32(sums), &by, r), there);
}

/* Fields of whole fours of channels from c on, but for sums and where they go. */
static void set_end(const job* j, int32_t c, int32_t count, nibble_mve_end* e) {
  const nibble_mve_stage* by = &j->stage;
  e->factor = by->factor + (c & by->mask);
  e->addend = by->addend + (c & by->mask);
  e->shift = by->shift + (c & by->mask);
  e->low = by->low;
  e->high = by->high;
  e->fours = count / 4;
}

/* Stores the sums of channels [first, first + count) of three positions, or of one. */
static void end(job* j, const nibble_mve_spot* s, const int32_t* sums, int32_t first, int32_t count, int32_t lanes) {
  const nibble_conv* p = j->p;
  int32_t done = 0;
  if (j->staged && (j->stage.upper || lanes > 1) && p->sum_form == 0 && count >= 4) {
    uint8_t* const y = (uint8_t*)j->call->out + first;
    nibble_mve_end rows;
    set_end(j, first, count, &rows);
    rows.sums = sums;
    for (int32_t i = 0; i < lanes_at_once; ++i) rows.y[i] = y + s[lanes > 1 ? i : 0].y;
    done = count / 4 * 4;
    if (lanes == 1)
      nibble_mve_one_to_any(&rows);
    else
      j->planes(&rows);
  }
  if (done == count) return;
  for (int32_t i = 0; i < lanes; ++i, ++s, sums += most_channels)
    for (int32_t c = done; c < count; c += 4)
      if (j->staged)
        end_four(j, s, sums + c, first + c, vctp32q((uint32_t)(count - c)));
      else
        for (int32_t k = c; k < count && k < c + 4; ++k)
          nibble_finish_sum(p, j->call, sums[k], first + k, s->y, s->r, &j->fault);
}

/* All channels of three positions, or of one. */
static void positions_of(job* j, const nibble_mve_spot* s, int32_t lanes) {
  const int row = lanes > 1 && j->inside[0] && j->inside[1] && j->inside[2] && s[2].column == s[0].column + 2;
  int32_t sums[lanes_at_once * most_channels];
  for (int32_t c = j->from; c < j->to; c += most_channels) {
    const int32_t count = j->to - c < most_channels ? j->to - c : most_channels;
    for (int32_t i = 0; i < (row ? 1 : lanes); ++i)
      if (j->inside[i])
        nine_of(j, &s[i], row ? lanes : 1, c, count, sums + i * most_channels);
      else
        sums_of(j, &s[i], c, count, sums + i * most_channels);
    end(j, s, sums, c, count, lanes);
  }
}

/* `threes` of positions inside from s on, by what is written out alone. */
__attribute__((noinline)) static void run_line(const job* j, const nibble_mve_spot* s, int32_t threes) {
  int32_t sums[lanes_at_once * most_channels];
  const uint8_t* x = (const uint8_t*)j->call->in[0] + s->x;
  uint8_t* y = (uint8_t*)j->call->out + s->y;
  const int32_t x_step = 3 * j->walk.x_step, y_step = j->walk.y_step, whole = j->to - j->from <= most_channels;
  nibble_mve_nine nine;
  nibble_mve_end e;
  nine.sums = sums;
  e.sums = sums;
  if (whole) {
    set_nine(j, lanes_at_once, j->from, j->to - j->from, &nine);
    set_end(j, j->from, j->to - j->from, &e);
  }
  for (; threes > 0; --threes, x += x_step, y += 3 * y_step)
    for (int32_t c = j->from; c < j->to; c += most_channels) {
      const int32_t count = j->to - c < most_channels ? j->to - c : most_channels;
      if (!whole) {
        set_nine(j, lanes_at_once, c, count, &nine);
        set_end(j, c, count, &e);
      }
      nine.x = x + c;
      e.y[0] = y + c;
      e.y[1] = y + c + y_step;
      e.y[2] = y + c + 2 * y_step;
      j->nine(&nine);
      j->planes(&e);
    }
}

int nibble_depthwise_mve(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int32_t positions = p->batch * p->out[0] * p->out[1] * p->out[2];
  const int32_t channels = (p->out_channels + 15) / 16 * 16;
  const int32_t begin = p->split ? 0 : (int32_t)call->begin, last = p->split ? positions : (int32_t)call->end;
  uint8_t* outside = call->scratch;
  int8_t* weights = (int8_t*)call->scratch + channels;
  nibble_mve_spot s, spots[lanes_at_once];
  int nine, line;
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
  nine = j.taps == 9 && p->kernel[1] == 3 && p->kernel[2] == 3 && !j.wide;
  line = nine && j.staged && p->sum_form == 0 && (j.to - j.from) % 4 == 0;
  j.nine = p->x_type == NIBBLE_I8 ? nibble_mve_nine_signed : nibble_mve_nine_unsigned;
  j.planes = !j.stage.upper                                 ? nibble_mve_planes_of_any_shift
             : p->stage.low == -128 && p->stage.high == 127 ? nibble_mve_planes_to_i8
                                                            : nibble_mve_planes_to_any;
  nibble_mve_walk_over(p, &j.walk);
  nibble_mve_spot_at(&j.walk, begin, &s);
  for (int32_t item = begin; item < last;) {
    const int32_t threes = line ? nibble_mve_threes(&j.walk, &s, item, last) : 0;
    const int32_t lanes = last - item < lanes_at_once ? 1 : lanes_at_once;
    if (threes > 0) {
      run_line(&j, &s, threes);
      item += threes * lanes_at_once;
      if (item < last) nibble_mve_spot_on(&j.walk, item, threes * lanes_at_once, &s);
      continue;
    }
    for (int32_t i = 0; i < lanes; ++i) {
      spots[i] = s;
      j.inside[i] = nine && nibble_mve_is_inside(&j.walk, &s);
      if (++item < last) nibble_mve_spot_next(&j.walk, item, &s);
    }
    positions_of(&j, spots, lanes);
  }
  return j.fault;
}
#else
#include "kernels/cortex_m/helium.h"

/* Elsewhere the same integers, so that what is written for such a core can be tried on any machine. */
int nibble_depthwise_mve(const void* parameters, const nibble_call* call) {
  return nibble_depthwise_portable(parameters, call);
}
#endif
