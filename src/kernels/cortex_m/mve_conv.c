#include "kernels/kernels.h"
#if defined(__ARM_FEATURE_MVE)
#include "kernels/cortex_m/mve_end.h"
#include "kernels/cortex_m/mve_rows.h"
#include "kernels/cortex_m/mve_window.h"

enum { most_channels = NIBBLE_MVE_PLANE }; /* whose sums stand on the stack */

/* What one call needs of the step. */
typedef struct job {
  const nibble_conv* p;
  const nibble_call* call;
  nibble_mve_walk walk;
  nibble_mve_stage stage;
  const int32_t* bias;
  int32_t row, from, to; /* bytes of a row; channels */
  int scaled;            /* packed weights whose step is not 1: sums wait for it, and for their biases */
  int staged, fault;
  void (*three)(const nibble_mve_three*);
  void (*one)(const nibble_mve_one*);
  void (*pairs)(const nibble_mve_end*); /* NULL: written out for other steps alone */
} job;

static const int32_t zeros[most_channels];

/* Windows that meet the weights. */
typedef struct windows {
  const int8_t* x[NIBBLE_MVE_LANES];
  int32_t start[NIBBLE_MVE_LANES]; /* what packed weights' least level adds */
  int32_t y[NIBBLE_MVE_LANES], r[NIBBLE_MVE_LANES];
} windows;

static int32_t back_of(int32_t row, int32_t rows) {
  return rows * row - (row + 15) / 16 * 16;
}

static void choose_rows(job* j) {
  const int32_t bits = j->p->w_bits;
  j->three = bits == 8   ? nibble_mve_three_of_8
             : bits == 4 ? nibble_mve_three_of_4
             : bits == 2 ? nibble_mve_three_of_2
                         : nibble_mve_three_of_1;
  j->one = bits == 8   ? nibble_mve_one_of_8
           : bits == 4 ? nibble_mve_one_of_4
           : bits == 2 ? nibble_mve_one_of_2
                       : nibble_mve_one_of_1;
}

/* 1: all signed bytes, 2: all unsigned ones, else 0. */
static int whole_bytes(int64_t low, int64_t high) {
  return low == -128 && high == 127 ? 1 : low == 0 && high == 255 ? 2 : 0;
}

static void choose_end(job* j) {
  const nibble_conv* p = j->p;
  const int q = whole_bytes(p->stage.low, p->stage.high), sum = whole_bytes(p->sum_low, p->sum_high);
  j->pairs = NULL;
  if (!j->staged || j->scaled) return;
  if (p->sum_form == 0) j->pairs = q == 1 ? nibble_mve_pairs_to_i8 : nibble_mve_pairs_to_any;
  if (p->sum_form == 0 || p->r_type != NIBBLE_I8 || q == 0 || sum == 0) return;
  if (q == 1) j->pairs = sum == 1 ? nibble_mve_pairs_of_i8_to_i8 : nibble_mve_pairs_of_i8_to_u8;
  if (q == 2) j->pairs = sum == 1 ? nibble_mve_pairs_of_u8_to_i8 : nibble_mve_pairs_of_u8_to_u8;
}

/* Sums of channels [o, o + count) with three windows. Of an odd count the last row meets them twice. */
static void sums_of_three(const job* j, const windows* w, int32_t o, int32_t count, int32_t* sums) {
  const uint8_t* weights = (const uint8_t*)j->p->weights + o * j->row;
  const int32_t* bias = j->scaled ? zeros : j->bias + o;
  nibble_mve_three rows = {{w->x[0], w->x[1], w->x[2]},
                           j->row,
                           back_of(j->row, 2),
                           sums + count / 2 * 6,
                           {0, 0, 0},
                           {weights, weights + j->row},
                           bias,
                           sums};
  if (!j->scaled) memcpy(rows.start, w->start, sizeof rows.start);
  if (count >= 2) j->three(&rows);
  if (count % 2 == 0) return;
  rows.w[0] = rows.w[1] = weights + (count - 1) * j->row;
  rows.bias = bias + count - 1;
  rows.sums = sums + count / 2 * 6;
  rows.end = rows.sums + 6;
  j->three(&rows);
}

/* The same with one window; of what is left over of four the last row takes the others' place. */
static void sums_of_one(const job* j, const windows* w, int32_t o, int32_t count, int32_t* sums) {
  const uint8_t* weights = (const uint8_t*)j->p->weights + o * j->row;
  const int32_t* bias = j->scaled ? zeros : j->bias + o;
  nibble_mve_one rows = {
      w->x[0], j->row, back_of(j->row, 4), sums + count / 4 * 4, j->scaled ? 0 : w->start[0], {0, 0, 0, 0}, bias, sums};
  for (int32_t i = 0; i < 4; ++i) rows.w[i] = weights + i * j->row;
  if (count >= 4) j->one(&rows);
  if (count % 4 == 0) return;
  for (int32_t i = 0; i < 4; ++i)
    rows.w[i] = weights + (count / 4 * 4 + i < count ? count / 4 * 4 + i : count - 1) * j->row;
  rows.bias = bias + count / 4 * 4;
  rows.sums = sums + count / 4 * 4;
  rows.end = rows.sums + 4;
  j->one(&rows);
}

/* Four channels of each window, from sums to bytes; `there`: which of the four there are. */
NIBBLE_INLINE void end_four(const job* j, const windows* w, const int32_t* sums, int32_t o, int32_t lanes,
                            mve_pred16_t there) {
  const nibble_conv* p = j->p;
  const uint32x4_t places = vmulq_n_u32(vidupq_n_u32(0, 1), 4);
  const uint32x4_t offsets = lanes == 1 ? places : vaddq_m_n_u32(places, places, 16, 0xff00);
  const nibble_mve_product by = nibble_mve_product_of(&j->stage, o);
  const int residual = p->sum_form != 0;
  for (int32_t i = 0; i < lanes; ++i) {
    int32x4_t v = vldrwq_gather_offset_s32(sums + 2 * i, offsets);
    if (j->scaled) v = vmlaq_n_s32(vaddq_n_s32(vldrwq_s32(j->bias + o), w->start[i]), v, p->w_step);
    v = nibble_mve_ended(&j->stage, v, &by, residual ? (const uint8_t*)j->call->in[1] + w->r[i] + o : NULL);
    vstrbq_p_s32((int8_t*)j->call->out + w->y[i] + o, v, there);
  }
}

/* Whatever becomes of the sums. */
static void end_one_by_one(job* j, const windows* w, const int32_t* sums, int32_t o, int32_t count, int32_t lanes) {
  for (int32_t c = 0; c < count; ++c)
    for (int32_t i = 0; i < lanes; ++i) {
      uint32_t v = (uint32_t)(lanes == 1 ? sums[c] : sums[c / 2 * 6 + 2 * i + c % 2]);
      if (j->scaled) v = v * (uint32_t)j->p->w_step + (uint32_t)w->start[i] + (uint32_t)j->bias[o + c];
      nibble_finish_sum(j->p, j->call, (int32_t)v, o + c, w->y[i], w->r[i], &j->fault);
    }
}

static void end(job* j, const windows* w, const int32_t* sums, int32_t o, int32_t count, int32_t lanes) {
  const int one = lanes == 1 && j->p->sum_form == 0 && !j->scaled;
  int32_t c = 0;
  if (!j->staged) {
    end_one_by_one(j, w, sums, o, count, lanes);
    return;
  }
  if (count >= 4 && (lanes == 1 ? one : j->pairs != NULL)) {
    const nibble_mve_stage* s = &j->stage;
    uint8_t* const y = (uint8_t*)j->call->out + o;
    const int8_t* const r = (const int8_t*)j->call->in[1] + (j->p->sum_form != 0 ? o : 0);
    const uint32_t at = (uint32_t)(uintptr_t)sums - 48;
    const nibble_mve_end rows = {sums,
                                 s->factor + (o & s->mask),
                                 s->addend + (o & s->mask),
                                 s->shift + (o & s->mask),
                                 {y + w->y[0], y + w->y[1], y + w->y[2]},
                                 s->low,
                                 s->high,
                                 count / 4,
                                 {r + w->r[0], r + w->r[1], r + w->r[2]},
                                 s->sum_a,
                                 s->sum_b,
                                 s->sum_c,
                                 -s->sum_shift,
                                 {at, at + 4, at + 24, at + 28}};
    (one ? nibble_mve_one_to_any : j->pairs)(&rows);
    c = count / 4 * 4;
  }
  for (; c < count; c += 4) end_four(j, w, sums + c * lanes, o + c, lanes, vctp32q((uint32_t)(count - c)));
}

static void channels_of(job* j, const windows* w, int32_t lanes) {
  int32_t sums[NIBBLE_MVE_LANES * most_channels];
  for (int32_t o = j->from; o < j->to; o += most_channels) {
    const int32_t count = j->to - o < most_channels ? j->to - o : most_channels;
    if (lanes == 1)
      sums_of_one(j, w, o, count, sums);
    else
      sums_of_three(j, w, o, count, sums);
    end(j, w, sums, o, count, lanes);
  }
}

/* bias + 128 * the sum of the weights: what is computed with x - 128 needs it. */
static void add_for_unsigned(const job* j, int32_t count, int32_t* bias) {
  const nibble_conv* p = j->p;
  const int32_t bits = p->w_bits, per_byte = 8 / bits;
  for (int32_t o = j->from; o < j->to; ++o) {
    const uint8_t* row = (const uint8_t*)p->weights + o * j->row;
    int32_t sum = 0;
    if (bits == 8) {
      for (int32_t i = 0; i < count; i += 16)
        sum = vaddvaq_p_s8(sum, vldrbq_z_s8((const int8_t*)row + i, vctp8q((uint32_t)(count - i))),
                           vctp8q((uint32_t)(count - i)));
    } else {
      for (int32_t i = 0; i < count; ++i) sum += row[i / per_byte] >> (i % per_byte * bits) & ((1 << bits) - 1);
      sum = sum * p->w_step + count * p->w_low;
    }
    bias[o] = (int32_t)((uint32_t)j->bias[o] + ((uint32_t)sum << 7));
  }
}

/* A position's window, where it lies or in scratch. */
static const int8_t* window_of(const job* j, const nibble_mve_spot* s, int direct, int32_t count, int32_t window,
                               int8_t* room, int8_t* plain, int32_t* start) {
  const nibble_conv* p = j->p;
  const uint8_t* x = j->call->in[0];
  const int flip = p->x_type == NIBBLE_U8;
  if (direct && nibble_mve_is_inside(&j->walk, s)) return (const int8_t*)x + s->x;
  nibble_mve_gather(&j->walk, x, s, flip, p->w_bits == 8 ? room : plain);
  if (p->w_bits == 8) return room;
  memset(plain + count, 0, (size_t)(window - count));
  *start = (int32_t)((uint32_t)nibble_mve_part(plain, window, p->w_bits, room) * (uint32_t)p->w_low);
  return room;
}

int nibble_conv_mve(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int32_t count = p->kernel[0] * p->kernel[1] * p->kernel[2] * p->in_channels, window = nibble_mve_window(p);
  const int32_t positions = p->batch * p->out[0] * p->out[1] * p->out[2];
  const int32_t begin = p->split ? 0 : (int32_t)call->begin, last = p->split ? positions : (int32_t)call->end;
  const int32_t from = p->split ? (int32_t)call->begin * 16 : 0;
  const int32_t to = p->split && call->end * 16 < p->out_channels ? (int32_t)call->end * 16 : p->out_channels;
  /* Where x is read in place no channel may be written before the last is computed. */
  const int direct = count == p->in_channels && p->w_bits == 8 && p->x_type == NIBBLE_I8 && to - from <= most_channels;
  int8_t* const rooms = call->scratch;
  int8_t* const plain = rooms + (positions < NIBBLE_MVE_LANES ? 1 : NIBBLE_MVE_LANES) * window;
  nibble_mve_spot s;
  windows w;
  job j;
  j.p = p;
  j.call = call;
  j.bias = p->bias;
  j.row = (count * p->w_bits + 7) / 8;
  j.from = from;
  j.to = to;
  j.fault = NIBBLE_FINE;
  j.scaled = p->w_bits != 8 && p->w_step != 1;
  j.staged = nibble_mve_stage_of(p, from, to, &j.stage);
  choose_rows(&j);
  choose_end(&j);
  if (p->x_type == NIBBLE_U8) {
    int32_t* bias = (int32_t*)call->scratch + nibble_mve_biases_at(p) / 4;
    add_for_unsigned(&j, count, bias);
    j.bias = bias;
  }
  nibble_mve_walk_over(p, &j.walk);
  memset(&w, 0, sizeof w);
  nibble_mve_spot_at(&j.walk, begin, &s);
  for (int32_t item = begin; item < last;) {
    const int32_t lanes = last - item < NIBBLE_MVE_LANES ? 1 : NIBBLE_MVE_LANES;
    for (int32_t i = 0; i < lanes; ++i) {
      w.x[i] = window_of(&j, &s, direct, count, window, rooms + i * window, plain, &w.start[i]);
      w.y[i] = s.y;
      w.r[i] = s.r;
      if (++item < last) nibble_mve_spot_next(&j.walk, item, &s);
    }
    channels_of(&j, &w, lanes);
  }
  return j.fault;
}
#else
#include "kernels/cortex_m/helium.h"

/* Elsewhere the same integers, so that what is written for such a core can be tried on any machine. */
int nibble_conv_mve(const void* parameters, const nibble_call* call) {
  return nibble_conv_portable(parameters, call);
}
#endif
