#include "kernels/kernels.h"
#if defined(__ARM_FEATURE_MVE)
#include "kernels/cortex_m/mve_end.h"
#include "kernels/cortex_m/mve_rows.h"
#include "kernels/cortex_m/mve_window.h"

enum { most_channels = NIBBLE_MVE_PLANE }; /* whose sums stand on the stack */

enum ending { END_ONE_BY_ONE, END_RAW, END_FOURS, END_PAIRS };

/* What one call needs of the step. */
typedef struct job {
  const nibble_conv* p;
  const nibble_call* call;
  nibble_mve_walk walk;
  nibble_mve_stage stage;
  const int32_t* bias;
  int32_t row, from, to; /* bytes of a row; channels */
  int32_t back;          /* as nibble_mve_three has it */
  int scaled;            /* packed weights whose step is not 1: sums wait for it, and for their biases */
  enum ending ending;
  int fault;
  void (*three)(const nibble_mve_three*);
  void (*one)(const nibble_mve_one*);
  void (*pairs)(const nibble_mve_end*);
} job;

/* Windows that meet the weights. */
typedef struct windows {
  const int8_t* x[NIBBLE_MVE_LANES];
  int32_t start[NIBBLE_MVE_LANES]; /* what packed weights' least level adds */
  int32_t y[NIBBLE_MVE_LANES], r[NIBBLE_MVE_LANES];
} windows;

static const int32_t zeros[most_channels];

static int32_t back_of(int32_t row, int32_t rows) {
  return rows * row - (row + 15) / 16 * 16;
}

static void choose_rows(job* j) {
  const int32_t bits = j->p->w_bits;
  const int held = bits == 8 && j->row <= 32;
  j->back = held ? 2 * j->row : back_of(j->row, 2);
  j->three = held && j->row <= 16 ? nibble_mve_three_of_16_held
             : held               ? nibble_mve_three_of_32_held
             : bits == 8          ? nibble_mve_three_of_8
             : bits == 4          ? nibble_mve_three_of_4
             : bits == 2          ? nibble_mve_three_of_2
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
  const int raw = p->stage.form == NIBBLE_STAGE_NONE && p->y_type == NIBBLE_I32 && p->sum_form == 0 && !j->scaled &&
                  p->stage.low <= INT32_MIN && p->stage.high >= INT32_MAX;
  const int staged = nibble_mve_stage_of(p, j->from, j->to, &j->stage);
  j->ending = raw ? END_RAW : staged ? END_FOURS : END_ONE_BY_ONE;
  if (!staged || j->scaled) return;
  if (!j->stage.upper) {
    if (p->sum_form == 0) j->ending = END_PAIRS;
    j->pairs = nibble_mve_pairs_of_any_shift;
    return;
  }
  if (p->sum_form == 0) {
    j->ending = END_PAIRS;
    j->pairs = q == 1 ? nibble_mve_pairs_to_i8 : nibble_mve_pairs_to_any;
  } else if (q != 0 && sum != 0) {
    j->ending = END_PAIRS;
    if (q == 1) j->pairs = sum == 1 ? nibble_mve_pairs_of_i8_to_i8 : nibble_mve_pairs_of_i8_to_u8;
    if (q == 2) j->pairs = sum == 1 ? nibble_mve_pairs_of_u8_to_i8 : nibble_mve_pairs_of_u8_to_u8;
  }
}

/* Sums of channels [o, o + count) with three windows. Of an odd count the last row meets them twice. */
static void sums_of_three(const job* j, nibble_mve_three* rows, int32_t o, int32_t count, int32_t* sums) {
  const uint8_t* weights = (const uint8_t*)j->p->weights + o * j->row;
  const int32_t* bias = j->scaled ? zeros : j->bias + o;
  rows->w[0] = weights;
  rows->w[1] = weights + j->row;
  rows->bias = bias;
  rows->sums = sums;
  rows->end = sums + count / 2 * 6;
  if (count >= 2) j->three(rows);
  if (count % 2 == 0) return;
  rows->w[0] = rows->w[1] = weights + (count - 1) * j->row;
  rows->bias = bias + count - 1;
  rows->sums = sums + count / 2 * 6;
  rows->end = rows->sums + 6;
  j->three(rows);
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

/* The sums as they are. */
static void end_raw(const job* j, const windows* w, const int32_t* sums, int32_t o, int32_t count, int32_t lanes) {
  for (int32_t i = 0; i < lanes; ++i) {
    int32_t* y = (int32_t*)j->call->out + w->y[i] + o;
    if (lanes == 1)
      memcpy(y, sums, sizeof *sums * (size_t)count);
    else
      for (int32_t c = 0; c < count; ++c) y[c] = sums[c / 2 * 6 + 2 * i + c % 2];
  }
}

/* Fields of whole fours of channels from o on, but for sums and where they go. */
static void set_end(const job* j, int32_t o, int32_t count, nibble_mve_end* e) {
  const nibble_mve_stage* s = &j->stage;
  const int32_t c = o & s->mask;
  e->factor = s->factor + c;
  e->addend = s->addend + c;
  e->shift = s->shift + c;
  e->fours = count / 4;
  e->low = s->low;
  e->high = s->high;
  if (j->p->sum_form == 0) return;
  e->sum_a = s->sum_a;
  e->sum_b = s->sum_b;
  e->sign = s->r_signed ? 128 : 0;
  e->sum_c = s->sum_c - e->sign * s->sum_b;
  e->up = -s->sum_shift;
}

/* Whole fours of three windows; returns how many channels. */
static int32_t end_pairs(const job* j, const windows* w, const int32_t* sums, int32_t o, int32_t count,
                         nibble_mve_end* e) {
  const uint32_t at = (uint32_t)(uintptr_t)sums - 48;
  uint8_t* const y = (uint8_t*)j->call->out + o;
  e->at[0] = at;
  e->at[1] = at + 4;
  e->at[2] = at + 24;
  e->at[3] = at + 28;
  e->y[0] = y + w->y[0];
  e->y[1] = y + w->y[1];
  e->y[2] = y + w->y[2];
  if (j->p->sum_form != 0) {
    const uint8_t* const r = (const uint8_t*)j->call->in[1] + o;
    for (int i = 0; i < NIBBLE_MVE_LANES; ++i) e->r[i] = r + w->r[i];
  }
  if (e->fours > 0) j->pairs(e);
  return count / 4 * 4;
}

static void end(job* j, const windows* w, const int32_t* sums, int32_t o, int32_t count, int32_t lanes,
                nibble_mve_end* e) {
  int32_t c = 0;
  if (j->ending == END_RAW) {
    end_raw(j, w, sums, o, count, lanes);
  } else if (j->ending == END_ONE_BY_ONE) {
    end_one_by_one(j, w, sums, o, count, lanes);
  } else {
    if (j->ending == END_PAIRS && lanes > 1) {
      c = end_pairs(j, w, sums, o, count, e);
    } else if (j->ending == END_PAIRS && j->p->sum_form == 0 && j->stage.upper && count >= 4) {
      e->sums = sums;
      e->y[0] = (uint8_t*)j->call->out + w->y[0] + o;
      nibble_mve_one_to_any(e);
      c = count / 4 * 4;
    }
    for (; c < count; c += 4) end_four(j, w, sums + c * lanes, o + c, lanes, vctp32q((uint32_t)(count - c)));
  }
}

__attribute__((noinline)) static void channels_of(job* j, const windows* w, int32_t lanes, nibble_mve_three* rows,
                                                  nibble_mve_end* e) {
  int32_t sums[NIBBLE_MVE_LANES * most_channels];
  const int whole = j->to - j->from <= most_channels;
  rows->x[0] = w->x[0];
  rows->x[1] = w->x[1];
  rows->x[2] = w->x[2];
  if (j->p->w_bits != 8 && !j->scaled) memcpy(rows->start, w->start, sizeof rows->start);
  for (int32_t o = j->from; o < j->to; o += most_channels) {
    const int32_t count = j->to - o < most_channels ? j->to - o : most_channels;
    if (!whole) set_end(j, o, count, e);
    if (lanes == 1)
      sums_of_one(j, w, o, count, sums);
    else
      sums_of_three(j, rows, o, count, sums);
    end(j, w, sums, o, count, lanes, e);
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
      const uint8_t* at = row;
      __asm__("wlstp.8 lr, %2, 1f\n\t2: vldrb.8 q0, [%0], #16\n\tvaddva.s8 %1, q0\n\tletp lr, 2b\n\t1:"
              : "+r"(at), "+Te"(sum)
              : "r"(count)
              : "lr", "q0", "memory");
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

/* How threes of positions that are inside come to their windows. */
typedef struct line {
  int possible, direct;
  int32_t wide, down, window; /* bytes of a window's row, from one to the next; of a window */
  int8_t *rooms, *plain;
  void (*copy)(int8_t* to, int32_t wide, const uint8_t* from, int32_t down, int32_t count, int32_t rows);
} line;

static void begin_line(const job* j, int direct, int32_t count, int32_t window, int8_t* plain, line* l) {
  const nibble_conv* p = j->p;
  l->direct = direct;
  l->copy = p->x_type == NIBBLE_U8 ? nibble_mve_copy_less_128 : nibble_mve_copy;
  l->wide = p->kernel[2] * p->in_channels;
  l->down = p->dilation[1] * (int32_t)p->x_stride[2];
  l->window = window;
  l->rooms = j->call->scratch;
  l->plain = plain;
  l->possible = p->kernel[0] == 1 && (p->kernel[2] == 1 || p->dilation[2] * p->x_stride[3] == p->in_channels);
  if (p->w_bits != 8 && l->possible) memset(plain + count, 0, (size_t)(window - count));
}

static void windows_of(const job* j, const line* l, const uint8_t* x, windows* w) {
  const int32_t bits = j->p->w_bits, height = j->p->kernel[1], x_step = j->walk.x_step;
  int8_t* to = l->rooms;
  if (l->direct) {
    w->x[0] = (const int8_t*)x;
    w->x[1] = (const int8_t*)x + x_step;
    w->x[2] = (const int8_t*)x + 2 * x_step;
    return;
  }
  for (int i = 0; i < NIBBLE_MVE_LANES; ++i, to += l->window, x += x_step) {
    w->x[i] = to;
    l->copy(bits == 8 ? to : l->plain, l->wide, x, l->down, l->wide, height);
    if (bits != 8)
      w->start[i] = (int32_t)((uint32_t)nibble_mve_part(l->plain, l->window, bits, to) * (uint32_t)j->p->w_low);
  }
}

/* `threes` of positions from s on. */
static void run_line(job* j, const line* l, const nibble_mve_spot* s, int32_t threes, windows* w,
                     nibble_mve_three* rows, nibble_mve_end* e) {
  const int32_t x_step = 3 * j->walk.x_step, y_step = j->walk.y_step, r_step = j->walk.r_step;
  const uint8_t* x = (const uint8_t*)j->call->in[0] + s->x;
  for (int32_t y = s->y, r = s->r; threes > 0; --threes, x += x_step, y += 3 * y_step, r += 3 * r_step) {
    windows_of(j, l, x, w);
    for (int32_t i = 0; i < NIBBLE_MVE_LANES; ++i) {
      w->y[i] = y + i * y_step;
      w->r[i] = r + i * r_step;
    }
    channels_of(j, w, NIBBLE_MVE_LANES, rows, e);
  }
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
  nibble_mve_three rows = {{0, 0, 0}, 0, 0, 0, {0, 0, 0}, {0, 0}, 0, 0};
  nibble_mve_end ending;
  line l;
  job j;
  j.p = p;
  j.call = call;
  j.bias = p->bias;
  j.row = (count * p->w_bits + 7) / 8;
  j.from = from;
  j.to = to;
  j.fault = NIBBLE_FINE;
  j.scaled = p->w_bits != 8 && p->w_step != 1;
  choose_rows(&j);
  choose_end(&j);
  set_end(&j, from, to - from, &ending);
  rows.count = j.row;
  rows.back = j.back;
  if (p->x_type == NIBBLE_U8) {
    int32_t* bias = (int32_t*)call->scratch + nibble_mve_biases_at(p) / 4;
    add_for_unsigned(&j, count, bias);
    j.bias = bias;
  }
  nibble_mve_walk_over(p, &j.walk);
  memset(&w, 0, sizeof w);
  nibble_mve_spot_at(&j.walk, begin, &s);
  begin_line(&j, direct, count, window, plain, &l);
  for (int32_t item = begin; item < last;) {
    const int32_t threes = l.possible ? nibble_mve_threes(&j.walk, &s, item, last) : 0;
    const int32_t lanes = last - item < NIBBLE_MVE_LANES ? 1 : NIBBLE_MVE_LANES;
    if (threes > 0) {
      run_line(&j, &l, &s, threes, &w, &rows, &ending);
      item += threes * NIBBLE_MVE_LANES;
      if (item < last) nibble_mve_spot_on(&j.walk, item, threes * NIBBLE_MVE_LANES, &s);
      continue;
    }
    for (int32_t i = 0; i < lanes; ++i) {
      w.x[i] = window_of(&j, &s, direct, count, window, rooms + i * window, plain, &w.start[i]);
      w.y[i] = s.y;
      w.r[i] = s.r;
      if (++item < last) nibble_mve_spot_next(&j.walk, item, &s);
    }
    channels_of(&j, &w, lanes, &rows, &ending);
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
