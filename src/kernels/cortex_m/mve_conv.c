#include "kernels/kernels.h"
#if defined(__ARM_FEATURE_MVE)
#include "kernels/cortex_m/mve_rows.h"
#include "kernels/cortex_m/mve_window.h"

enum { most_channels = 32 }; /* whose sums stand on the stack */

/* What one call needs of the step. */
typedef struct job {
  const nibble_conv* p;
  const nibble_call* call;
  nibble_mve_walk walk;
  nibble_mve_stage stage;
  const int32_t* bias;
  int32_t row, from, to; /* bytes of a row; channels */
  int staged, fault;
} job;

/* Windows that meet the weights. */
typedef struct windows {
  const int8_t* x[NIBBLE_MVE_LANES];
  int32_t sum[NIBBLE_MVE_LANES]; /* of the elements, where weights are packed */
  int32_t y[NIBBLE_MVE_LANES], r[NIBBLE_MVE_LANES];
} windows;

static int32_t back_of(int32_t row, int32_t rows) {
  return rows * row - (row + 15) / 16 * 16;
}

static void run_three(int32_t bits, const nibble_mve_three* rows) {
  if (bits == 8)
    nibble_mve_three_of_8(rows);
  else if (bits == 4)
    nibble_mve_three_of_4(rows);
  else if (bits == 2)
    nibble_mve_three_of_2(rows);
  else
    nibble_mve_three_of_1(rows);
}

static void run_one(int32_t bits, const nibble_mve_one* rows) {
  if (bits == 8)
    nibble_mve_one_of_8(rows);
  else if (bits == 4)
    nibble_mve_one_of_4(rows);
  else if (bits == 2)
    nibble_mve_one_of_2(rows);
  else
    nibble_mve_one_of_1(rows);
}

/* Sums of channels [o, o + count) with three windows. Of an odd count the last row meets them twice. */
static void sums_of_three(const job* j, const windows* w, int32_t o, int32_t count, int32_t* sums) {
  const uint8_t* weights = (const uint8_t*)j->p->weights + o * j->row;
  nibble_mve_three rows = {{w->x[0], w->x[1], w->x[2]},
                           j->row,
                           back_of(j->row, 2),
                           sums + count / 2 * 6,
                           {weights, weights + j->row},
                           j->bias + o,
                           sums};
  if (count >= 2) run_three(j->p->w_bits, &rows);
  if (count % 2 == 0) return;
  rows.w[0] = rows.w[1] = weights + (count - 1) * j->row;
  rows.bias = j->bias + o + count - 1;
  rows.sums = sums + count / 2 * 6;
  rows.end = rows.sums + 6;
  run_three(j->p->w_bits, &rows);
}

/* The same with one window; of what is left over of four the last row takes the others' place. */
static void sums_of_one(const job* j, const windows* w, int32_t o, int32_t count, int32_t* sums) {
  const uint8_t* weights = (const uint8_t*)j->p->weights + o * j->row;
  nibble_mve_one rows = {w->x[0], j->row, back_of(j->row, 4), sums + count / 4 * 4, {0, 0, 0, 0}, j->bias + o, sums};
  for (int32_t i = 0; i < 4; ++i) rows.w[i] = weights + i * j->row;
  if (count >= 4) run_one(j->p->w_bits, &rows);
  if (count % 4 == 0) return;
  for (int32_t i = 0; i < 4; ++i)
    rows.w[i] = weights + (count / 4 * 4 + i < count ? count / 4 * 4 + i : count - 1) * j->row;
  rows.bias = j->bias + o + count / 4 * 4;
  rows.sums = sums + count / 4 * 4;
  rows.end = rows.sums + 4;
  run_one(j->p->w_bits, &rows);
}

/* Four channels of each window, from sums to bytes; `mask`: which of the four there are. */
NIBBLE_INLINE void end_four(job* j, const windows* w, const int32_t* sums, int32_t o, int32_t lanes, int packed,
                            int residual, int whole, mve_pred16_t mask) {
  const nibble_conv* p = j->p;
  const uint32x4_t places = vmulq_n_u32(vidupq_n_u32(0, 1), 4);
  const uint32x4_t offsets = lanes == 1 ? places : vaddq_m_n_u32(places, places, 16, 0xff00);
  const nibble_mve_product by = nibble_mve_product_of(&j->stage, o);
  int32x4_t bias = vdupq_n_s32(0);
  if (packed) bias = vldrwq_s32(j->bias + o);
#pragma GCC unroll 3
  for (int32_t i = 0; i < lanes; ++i) {
    uint8_t* y = (uint8_t*)j->call->out + w->y[i] + o;
    int32x4_t v = vldrwq_gather_offset_s32(sums + 2 * i, offsets);
    if (packed) v = vmlaq_n_s32(vaddq_n_s32(bias, w->sum[i]), v, p->w_step);
    v = nibble_mve_ended(&j->stage, v, &by, residual ? (const uint8_t*)j->call->in[1] + w->r[i] + o : NULL);
    if (whole)
      vstrbq_s32((int8_t*)y, v);
    else
      vstrbq_p_s32((int8_t*)y, v, mask);
  }
}

NIBBLE_INLINE void end_all(job* j, const windows* w, const int32_t* sums, int32_t o, int32_t count, int32_t lanes,
                           int packed, int residual) {
  int32_t c = 0;
  for (; c + 4 <= count; c += 4, sums += 4 * lanes) end_four(j, w, sums, o + c, lanes, packed, residual, 1, 0);
  if (c < count) end_four(j, w, sums, o + c, lanes, packed, residual, 0, vctp32q((uint32_t)(count - c)));
}

/* Whatever becomes of the sums. */
static void end_one_by_one(job* j, const windows* w, const int32_t* sums, int32_t o, int32_t count, int32_t lanes) {
  for (int32_t c = 0; c < count; ++c)
    for (int32_t i = 0; i < lanes; ++i) {
      uint32_t v = (uint32_t)(lanes == 1 ? sums[c] : sums[c / 2 * 6 + 2 * i + c % 2]);
      if (j->p->w_bits != 8) v = v * (uint32_t)j->p->w_step + (uint32_t)w->sum[i] + (uint32_t)j->bias[o + c];
      nibble_finish_sum(j->p, j->call, (int32_t)v, o + c, w->y[i], w->r[i], &j->fault);
    }
}

static void end(job* j, const windows* w, const int32_t* sums, int32_t o, int32_t count, int32_t lanes) {
  const int packed = j->p->w_bits != 8, residual = j->p->sum_form != 0;
  if (!j->staged)
    end_one_by_one(j, w, sums, o, count, lanes);
  else if (packed || lanes == 1)
    end_all(j, w, sums, o, count, lanes, packed, residual);
  else if (residual)
    end_all(j, w, sums, o, count, NIBBLE_MVE_LANES, 0, 1);
  else
    end_all(j, w, sums, o, count, NIBBLE_MVE_LANES, 0, 0);
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
                               int8_t* room, int8_t* plain, int32_t* sum) {
  const nibble_conv* p = j->p;
  const uint8_t* x = j->call->in[0];
  const int flip = p->x_type == NIBBLE_U8;
  if (direct && nibble_mve_is_inside(&j->walk, s)) return (const int8_t*)x + s->x;
  nibble_mve_gather(&j->walk, x, s, flip, p->w_bits == 8 ? room : plain);
  if (p->w_bits == 8) return room;
  memset(plain + count, 0, (size_t)(window - count));
  *sum = (int32_t)((uint32_t)nibble_mve_part(plain, window, p->w_bits, room) * (uint32_t)p->w_low);
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
  j.staged = nibble_mve_stage_of(p, from, to, &j.stage);
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
      w.x[i] = window_of(&j, &s, direct, count, window, rooms + i * window, plain, &w.sum[i]);
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
