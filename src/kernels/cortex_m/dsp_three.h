#ifndef NIBBLE_KERNELS_CORTEX_M_DSP_THREE_H
#define NIBBLE_KERNELS_CORTEX_M_DSP_THREE_H
#include "kernels/cortex_m/dsp_columns.h"
#include "kernels/cortex_m/dsp_endings.h"

/* Depthwise convolutions of 3 x 3: rows of four channels are widened, a plane a channel, and meet each channel's weights
 * (dsp_columns.h). */

typedef struct nibble_three {
  const nibble_conv* p;
  const nibble_call* call;
  nibble_column* channels;
  uint32_t* planes;
  int32_t first, last; /* channels */
  nibble_ends ends;
  void (*run)(nibble_columns*);
  int fault;
} nibble_three;

/* A part of an image's positions. */
typedef struct nibble_area {
  int32_t image, row, rows, column, columns;
} nibble_area;

/* ---- weights ---- */

NIBBLE_INLINE int32_t nibble_depthwise_weight(const nibble_conv* p, int32_t tap, int32_t c) {
  const int32_t bits = p->w_bits, per_byte = 8 / bits, row = (p->out_channels * bits + 7) / 8;
  const uint8_t* at = (const uint8_t*)p->weights + tap * row;
  if (bits == 8) return (int8_t)at[c];
  return p->w_low + p->w_step * (at[c / per_byte] >> (c % per_byte * bits) & ((1 << bits) - 1));
}

/* Taps a and b of four channels of bytes as the halves of a word each. */
NIBBLE_INLINE void nibble_pair_taps(uint32_t a, uint32_t b, nibble_column* to, int32_t word) {
  const uint32_t lows = nibble_lows(a, b), highs = nibble_highs(a, b);
  to[0].weights[word] = nibble_even(lows, 1);
  to[1].weights[word] = nibble_odd(lows, 1);
  to[2].weights[word] = nibble_even(highs, 1);
  to[3].weights[word] = nibble_odd(highs, 1);
}

/* Of channels [first, last), of at least four. */
static void nibble_widen_three(const nibble_three* t) {
  const nibble_conv* p = t->p;
  for (int32_t i = t->first; i < t->last; i += 4) {
    const int32_t c = i + 4 <= p->out_channels ? i : p->out_channels - 4;
    for (int32_t row = 0; row < 3; ++row) {
      nibble_column* const to = t->channels + c;
      if (p->w_bits == 8) {
        const uint8_t* at = (const uint8_t*)p->weights + 3 * row * p->out_channels + c;
        const uint32_t w0 = nibble_word(at), w1 = nibble_word(at + p->out_channels);
        nibble_pair_taps(w0, w1, to, 2 * row);
        nibble_pair_taps(w1, nibble_word(at + 2 * p->out_channels), to, 2 * row + 1);
        continue;
      }
      for (int32_t k = 0; k < 4; ++k) {
        const uint32_t w0 = (uint32_t)nibble_depthwise_weight(p, 3 * row, c + k);
        const uint32_t w1 = (uint32_t)nibble_depthwise_weight(p, 3 * row + 1, c + k);
        to[k].weights[2 * row] = nibble_lows(w0, w1);
        to[k].weights[2 * row + 1] = nibble_lows(w1, (uint32_t)nibble_depthwise_weight(p, 3 * row + 2, c + k));
      }
    }
  }
}

/* ---- rows of x ---- */

/* Columns a and b of four channels as a word of each plane. */
NIBBLE_INLINE void nibble_put_columns(uint32_t a, uint32_t b, int is_signed, uint32_t* to, int32_t plane) {
  const uint32_t lows = nibble_lows(a, b), highs = nibble_highs(a, b);
  uint32_t* const upper = to + 2 * plane;
  to[0] = nibble_even(lows, is_signed);
  to[plane] = nibble_odd(lows, is_signed);
  upper[0] = nibble_even(highs, is_signed);
  upper[plane] = nibble_odd(highs, is_signed);
}

/* The rows that an area reads: words of two columns, of which `before` and `after` lie outside x; in between a first one
 * whose second column alone is inside, or a last one whose first is. */
typedef struct nibble_rows {
  int32_t row, count, words, plane;
  int32_t before, half, inside, rest, after;
  const uint8_t* x; /* of channel 0: the first column inside, of row 0 */
} nibble_rows;

static int32_t nibble_between(int32_t x, int32_t low, int32_t high) {
  return x < low ? low : x > high ? high : x;
}

static void nibble_rows_of(const nibble_three* t, const nibble_area* a, nibble_rows* r) {
  const nibble_conv* p = t->p;
  int32_t column = a->column * p->stride[2] - p->pad[2], left;
  r->row = a->row * p->stride[1] - p->pad[1];
  r->count = (a->rows - 1) * p->stride[1] + 3;
  r->words = nibble_three_words(p, a->columns);
  r->plane = r->words * r->count;
  r->before = column < 0 ? nibble_between(-column / 2, 0, r->words) : 0;
  column += 2 * r->before;
  left = r->words - r->before;
  r->half = column == -1 && left > 0;
  if (column < 0) ++column;
  left -= r->half;
  r->inside = nibble_between((p->in[2] - column - r->half) / 2, 0, left);
  r->rest = left > r->inside && column + r->half + 2 * r->inside < p->in[2];
  r->after = left - r->inside - r->rest;
  r->x = (const uint8_t*)t->call->in[0] + a->image * (int32_t)p->x_stride[0] + column * (int32_t)p->x_stride[3];
}

/* Four channels, which stand from x on in the first column. */
NIBBLE_INLINE void nibble_put_rows(const nibble_conv* p, const nibble_rows* r, const uint8_t* x, int is_signed,
                                   uint32_t* to) {
  const uint32_t edge = ((uint32_t)p->zero_point & 0xffu) * 0x01010101u;
  const int32_t step = (int32_t)p->x_stride[3], down = (int32_t)p->x_stride[2], plane = r->plane;
  int32_t row = r->row;
  x += row * down;
  for (int32_t i = 0; i < r->count; ++i, ++row, x += down) {
    const uint8_t* at = x;
    const uint32_t* const end = to + r->words;
    if (row < 0 || row >= p->in[1]) {
      for (; to < end; ++to) nibble_put_columns(edge, edge, is_signed, to, plane);
      continue;
    }
    for (int32_t k = 0; k < r->before; ++k) nibble_put_columns(edge, edge, is_signed, to++, plane);
    if (r->half) {
      nibble_put_columns(edge, nibble_word(at), is_signed, to++, plane);
      at += step;
    }
    for (const uint32_t* const inside = to + r->inside; to < inside; ++to, at += 2 * step)
      nibble_put_columns(nibble_word(at), nibble_word(at + step), is_signed, to, plane);
    if (r->rest) nibble_put_columns(nibble_word(at), edge, is_signed, to++, plane);
    for (; to < end; ++to) nibble_put_columns(edge, edge, is_signed, to, plane);
  }
}

/* ---- a channel ---- */

/* Whatever becomes of the sums. */
static void nibble_any_columns(nibble_three* t, const nibble_area* a, int32_t o, const uint32_t* plane, int32_t words) {
  const nibble_conv* p = t->p;
  const uint32_t* w = t->channels[o].weights;
  for (int32_t i = 0; i < a->rows; ++i, plane += p->stride[1] * words)
    for (int32_t k = 0; k < a->columns; ++k) {
      const int32_t item = ((a->image * p->out[1]) + a->row + i) * p->out[2] + a->column + k;
      const nibble_spot s = nibble_spot_of(p, item);
      int32_t sum = ((const int32_t*)p->bias)[o];
      for (int32_t tap = 0; tap < 9; ++tap) {
        const int32_t column = k * p->stride[2] + tap % 3;
        const uint32_t word = plane[tap / 3 * words + column / 2], pair = w[tap / 3 * 2 + tap % 3 / 2];
        const int32_t x = (int16_t)(column % 2 == 0 ? word : word >> 16);
        sum += x * (int16_t)(tap % 3 == 0 ? pair : pair >> 16);
      }
      nibble_finish_sum(p, t->call, sum, o, s.y, s.r, &t->fault);
    }
}

static void nibble_set_columns(const nibble_three* t, const nibble_area* a, const nibble_rows* r, nibble_columns* c) {
  const nibble_conv* p = t->p;
  const int32_t pair = 4 * p->stride[2];
  c->pitch = 4 * r->words;
  c->advance = c->pitch * p->stride[1];
  c->pairs = a->columns / 2 * pair;
  c->step = (int32_t)p->y_stride[3];
  c->y = (uint8_t*)t->call->out + a->image * (int32_t)p->y_stride[0] + a->row * (int32_t)p->y_stride[2] +
         a->column * c->step + t->first;
  c->y_row = (int32_t)p->y_stride[2];
  c->rows = a->rows;
  c->odd = a->columns % 2 * pair;
  c->plane = 4 * r->plane;
  c->channel = t->channels + t->first;
  c->low = (int32_t)p->stage.low;
  c->high = (int32_t)p->stage.high;
}

/* Four channels after four; of the last ones those that are left, for which the last four are read. */
static void nibble_area_of_three(nibble_three* t, const nibble_area* a) {
  const nibble_conv* p = t->p;
  const int any = t->ends.mode == NIBBLE_ENDS_ANY || t->ends.mode == NIBBLE_ENDS_RESIDUAL;
  nibble_rows rows;
  nibble_columns columns;
  nibble_rows_of(t, a, &rows);
  nibble_set_columns(t, a, &rows, &columns);
  for (int32_t i = t->first; i < t->last; i += 4) {
    const int32_t c = i + 4 <= p->out_channels ? i : p->out_channels - 4, last = i + 4 < t->last ? i + 4 : t->last;
    if (p->x_type == NIBBLE_I8)
      nibble_put_rows(p, &rows, rows.x + c, 1, t->planes);
    else
      nibble_put_rows(p, &rows, rows.x + c, 0, t->planes);
    columns.x = t->planes + (i - c) * rows.plane;
    columns.end = t->channels + last;
    if (!any)
      t->run(&columns);
    else
      for (int32_t o = i; o < last; ++o) nibble_any_columns(t, a, o, t->planes + (o - c) * rows.plane, rows.words);
  }
}

/* Positions [begin, end), of channels [first, last): whole rows, as many as a block has, where they are whole. */
static int nibble_depthwise_three(const nibble_conv* p, const nibble_call* call, int32_t begin, int32_t end,
                                  int32_t first, int32_t last) {
  nibble_three t;
  t.p = p;
  t.call = call;
  t.channels = call->scratch;
  t.planes = (uint32_t*)(t.channels + p->out_channels);
  t.first = first;
  t.last = last;
  t.fault = NIBBLE_FINE;
  nibble_begin_ends(&t.ends, p, first, last, 9, 255);
  if (p->stride[2] == 1)
    t.run = t.ends.mode == NIBBLE_ENDS_U8   ? nibble_columns_beside_u8
            : t.ends.mode == NIBBLE_ENDS_I8 ? nibble_columns_beside_i8
                                            : nibble_columns_beside_clip;
  else
    t.run = t.ends.mode == NIBBLE_ENDS_U8   ? nibble_columns_every_other_u8
            : t.ends.mode == NIBBLE_ENDS_I8 ? nibble_columns_every_other_i8
                                            : nibble_columns_every_other_clip;
  nibble_widen_three(&t);
  if (t.ends.mode != NIBBLE_ENDS_ANY && t.ends.mode != NIBBLE_ENDS_RESIDUAL)
    for (int32_t o = first; o < last; ++o) {
      for (int32_t i = 0; i < 6 && t.ends.up > 0; ++i)
        t.channels[o].weights[i] = nibble_times(t.channels[o].weights[i], 1 << t.ends.up);
      const nibble_product by = nibble_upper_product(p, &t.ends, o);
      t.channels[o].addend = by.addend;
      t.channels[o].factor = by.factor;
      t.channels[o].shift = by.shift;
    }
  while (begin < end) {
    const int32_t row = begin / p->out[2], width = p->out[2], most = nibble_three_rows(p);
    nibble_area a = {row / p->out[1], row % p->out[1], 1, begin % width, width - begin % width};
    if (a.columns > end - begin) a.columns = end - begin;
    if (a.columns == width) {
      const int32_t whole = (end - begin) / width, below = p->out[1] - a.row;
      a.rows = whole < below ? whole : below;
      if (a.rows > most) a.rows = most;
    }
    nibble_area_of_three(&t, &a);
    begin += a.rows * a.columns;
  }
  return t.fault;
}

#endif
