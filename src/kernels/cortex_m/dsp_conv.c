#include "kernels/kernels.h"
#if defined(__ARM_FEATURE_DSP)
#include "kernels/cortex_m/dsp_rows.h"

/* Weights k and k + E / 2 of a word. */
NIBBLE_INLINE uint32_t halves_of(uint32_t word, int32_t k, int32_t bits) {
  if (bits == 8) return k == 0 ? nibble_even(word, 1) : nibble_odd(word, 1);
  return word >> (k * bits) & (((1u << bits) - 1) * 0x00010001u);
}

/* A word of weights with `step` windows. */
NIBBLE_INLINE void add_word(const uint32_t* windows, uint32_t word, int32_t bits, int32_t step, int32_t* sums) {
  for (int32_t k = 0; k < 16 / bits; ++k) {
    const uint32_t weights = halves_of(word, k, bits);
    for (int32_t lane = 0; lane < step; ++lane) sums[lane] = nibble_both(*windows++, weights, sums[lane]);
  }
}

/* What a row's whole words and its `rest` bytes add to the sums of `step` windows. */
static void add_row(const uint32_t* windows, const uint8_t* row, int32_t words, int32_t rest, int32_t bits,
                    int32_t step, int32_t* sums) {
  const int32_t per_word = 16 / bits * step;
  for (int32_t i = 0; i < words; ++i, windows += per_word, row += 4)
    if (bits == 8)
      add_word(windows, nibble_word(row), 8, step, sums);
    else
      add_word(windows, nibble_word(row), bits, step, sums);
  if (rest > 0) add_word(windows, nibble_word_part(row, rest), bits, step, sums);
}

/* What one call needs of the step. */
typedef struct job {
  const nibble_conv* p;
  const nibble_call* call;
  int32_t row, from, to, step; /* bytes of a row; channels; positions at once */
  int32_t from_now;            /* the first channel that is left */
  enum nibble_ending ending;
  int fault;
} job;

/* Channels one by one, whatever becomes of their sums. */
NIBBLE_INLINE void one_by_one(job* j, nibble_rows* rows, const nibble_spot* spots, int32_t here,
                              enum nibble_ending ending) {
  const nibble_conv* p = j->p;
  const int32_t bits = p->w_bits;
  const uint8_t* weights = rows->weights;
  rows->mode = NIBBLE_ROWS_SUMS;
  rows->row = j->row / 4 * 4;
  rows->beyond = 0;
  for (int32_t o = j->from_now; o < j->to; ++o, weights += j->row) {
    nibble_product by = {0, 0, 0};
    const int whole = j->step == NIBBLE_LANES && rows->row > 0;
    if (whole) {
      rows->weights = weights;
      rows->bias = (const int32_t*)p->bias + o;
      rows->channel = o;
      rows->end = o + 1;
      nibble_rows_run(rows);
    } else {
      for (int32_t i = 0; i < j->step; ++i) rows->sums[i] = ((const int32_t*)p->bias)[o] + rows->start[i];
    }
    if (!whole || rows->row != j->row) {
      const int32_t done = whole ? rows->row : 0;
      add_row(rows->windows + done * 4 / bits * j->step, weights + done, (j->row - done) / 4, j->row % 4, bits, j->step,
              rows->sums);
    }
    if (ending != NIBBLE_END_ANY) by = nibble_product_of(&p->stage, o);
    for (int32_t i = 0; i < here; ++i)
      nibble_end(p, j->call, ending, &by, rows->sums[i], o, (int32_t)spots[i].y, (int32_t)spots[i].r, &j->fault);
  }
}

#define NIBBLE_TWO_ROWS                                                                     \
  "ldr r6, [r1], #4\n\tldrd r8, r9, [r0], #8\n\tsxtb16 r7, r6\n\tsxtb16 r6, r6, ror #8\n\t" \
  "smlad r4, r8, r7, r4\n\tldr r7, [r2], #4\n\tsmlad r4, r9, r6, r4\n\t"                    \
  "sxtb16 r6, r7\n\tsxtb16 r7, r7, ror #8\n\tsmlad r5, r8, r6, r5\n\tsmlad r5, r9, r7, r5\n\t"

/* Two rows of bytes with one window, four words at a time: `words` is a multiple of four, not 0. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noinline)) static void add_fours(const uint32_t* window, const uint8_t* a, const uint8_t* b,
                                                       int32_t words, int32_t* sums) {
  __asm__(
      ".syntax unified\n\t"
      "push {r4, r5, r6, r7, r8, r9, r10, lr}\n\tldr r10, [sp, #32]\n\t"
      "ldrd r4, r5, [r10]\n\tadd r3, r1, r3, lsl #2\n\t"
      "1: " NIBBLE_TWO_ROWS NIBBLE_TWO_ROWS NIBBLE_TWO_ROWS NIBBLE_TWO_ROWS
      "cmp r1, r3\n\tbne 1b\n\t"
      "strd r4, r5, [r10]\n\tpop {r4, r5, r6, r7, r8, r9, r10, pc}\n\t");
}
#pragma GCC diagnostic pop

/* Two rows' whole words with one window. */
NIBBLE_INLINE const uint32_t* add_two_rows(const uint32_t* window, const uint8_t* a, const uint8_t* b, int32_t words,
                                           int32_t bits, int32_t* sums) {
  int32_t first = sums[0], second = sums[1];
#pragma GCC unroll 2
  for (int32_t i = 0; i < words; ++i, a += 4, b += 4) {
    const uint32_t of_a = nibble_word(a), of_b = nibble_word(b);
#pragma GCC unroll 16
    for (int32_t k = 0; k < 16 / bits; ++k) {
      const uint32_t x = *window++;
      first = nibble_both(x, halves_of(of_a, k, bits), first);
      second = nibble_both(x, halves_of(of_b, k, bits), second);
    }
  }
  sums[0] = first;
  sums[1] = second;
  return window;
}

/* Channels two by two of one position; of an odd count the last one twice. */
static void channels_of_one(job* j, const nibble_rows* rows, const nibble_spot* s) {
  const nibble_conv* p = j->p;
  const int32_t bits = p->w_bits, words = j->row / 4, rest = j->row % 4;
  const int raw = p->stage.form == NIBBLE_STAGE_NONE && p->y_type == NIBBLE_I32 && p->sum_form == 0 &&
                  p->stage.low <= INT32_MIN && p->stage.high >= INT32_MAX;
  for (int32_t o = j->from; o < j->to; o += 2) {
    const int32_t next = o + 1 < j->to ? o + 1 : o;
    const uint8_t *a = (const uint8_t*)p->weights + o * j->row, *b = (const uint8_t*)p->weights + next * j->row;
    const uint32_t* window = rows->windows;
    int32_t sums[2] = {((const int32_t*)p->bias)[o] + rows->start[0], ((const int32_t*)p->bias)[next] + rows->start[0]};
    const int32_t fours = bits == 8 ? words / 4 * 4 : 0;
    if (fours > 0) add_fours(window, a, b, fours, sums);
    a += 4 * fours;
    b += 4 * fours;
    window += 2 * fours;
    window = bits == 8   ? add_two_rows(window, a, b, words - fours, 8, sums)
             : bits == 4 ? add_two_rows(window, a, b, words, 4, sums)
             : bits == 2 ? add_two_rows(window, a, b, words, 2, sums)
                         : add_two_rows(window, a, b, words, 1, sums);
    a += 4 * (words - fours);
    b += 4 * (words - fours);
    if (rest > 0) {
      add_word(window, nibble_word_part(a, rest), bits, 1, &sums[0]);
      add_word(window, nibble_word_part(b, rest), bits, 1, &sums[1]);
    }
    for (int32_t i = 0; i <= next - o; ++i) {
      if (j->ending == NIBBLE_END_CLIP || j->ending == NIBBLE_END_U8) {
        const nibble_product by = nibble_product_of(&p->stage, o + i);
        nibble_end(p, j->call, NIBBLE_END_CLIP, &by, sums[i], o + i, (int32_t)s->y, (int32_t)s->r, &j->fault);
      } else if (raw) {
        ((int32_t*)j->call->out)[s->y + o + i] = sums[i];
      } else {
        nibble_finish_sum(p, j->call, sums[i], o + i, s->y, s->r, &j->fault);
      }
    }
  }
}

/* All channels of `here` positions whose windows stand in scratch. Where there are fewer than four the others repeat the
 * first. A row is read as whole words: the last one alone where that would go beyond the weights. */
static void channels_of(job* j, nibble_rows* rows, const nibble_spot* spots, int32_t here) {
  const nibble_conv* p = j->p;
  const int32_t mode = rows->mode, all = j->to, whole = j->row % 4 == 0 || j->to < p->out_channels ? all : all - 1;
  if (j->step == 1) {
    channels_of_one(j, rows, spots);
    return;
  }
  rows->bias = (const int32_t*)p->bias + j->from;
  rows->weights = (const uint8_t*)p->weights + j->from * j->row;
  j->from_now = j->from;
  if (j->step == NIBBLE_LANES && mode != NIBBLE_ROWS_SUMS && j->from < whole) {
    rows->row = (j->row + 3) / 4 * 4;
    rows->beyond = rows->row - j->row;
    rows->channel = j->from;
    rows->end = whole;
    for (int32_t i = 0; i < NIBBLE_LANES; ++i) {
      rows->y[i] = (uint8_t*)j->call->out + spots[i].y;
      rows->r[i] = (const uint8_t*)j->call->in[1] + (mode == NIBBLE_ROWS_RESIDUAL ? spots[i].r : 0);
    }
    nibble_rows_run(rows);
    j->from_now = whole;
  }
  if (j->from_now == all) return;
  if (j->ending == NIBBLE_END_RESIDUAL)
    one_by_one(j, rows, spots, here, NIBBLE_END_RESIDUAL);
  else if (j->ending == NIBBLE_END_ANY)
    one_by_one(j, rows, spots, here, NIBBLE_END_ANY);
  else
    one_by_one(j, rows, spots, here, NIBBLE_END_CLIP);
  rows->mode = mode;
}

/* Whether a shift below 32 can be made 32: the sum then fits 64 bits, since shifted it fits 32. */
static int widens(const nibble_stage* s, int32_t o) {
  const nibble_product by = nibble_product_of(s, o);
  const int32_t up = by.shift < 32 ? 32 - (int32_t)by.shift : 0;
  return by.factor >= INT32_MIN >> up && by.factor <= INT32_MAX >> up;
}

static int64_t magnitude(int64_t x) {
  return x < 0 ? -x : x;
}

/* The sum's constants, where all of it is below 2^62 and, shifted, of 32 bits; else 0. */
static int begin_residual(const nibble_conv* p, nibble_rows* rows) {
  const int64_t a = magnitude(p->sum_a), b = magnitude(p->sum_b);
  const int64_t low = magnitude(p->stage.low), high = magnitude(p->stage.high), q = low > high ? low : high;
  if (a > INT32_MAX || b > INT32_MAX || q > (1 << 29) || p->sum_shift > 31) return 0;
  if (p->sum_low < INT32_MIN || p->sum_high > INT32_MAX) return 0;
  if (p->sum_c <= INT64_MIN / 4 || magnitude(p->sum_c) + a * q + 256 * b >= INT64_C(1) << (31 + p->sum_shift)) return 0;
  rows->r_sign = p->r_type == NIBBLE_I8 ? 0x80 : 0;
  rows->sum_a = (int32_t)p->sum_a;
  rows->sum_b = (int32_t)p->sum_b;
  rows->sum_c = p->sum_c - rows->r_sign * p->sum_b;
  rows->sum_shift = p->sum_shift;
  rows->sum_up = 32 - p->sum_shift;
  rows->sum_low = (int32_t)p->sum_low;
  rows->sum_high = (int32_t)p->sum_high;
  return 1;
}

static void begin_rows(const job* j, const uint32_t* windows, nibble_rows* rows) {
  const nibble_stage* s = &j->p->stage;
  memset(rows, 0, sizeof *rows);
  rows->windows = windows;
  rows->row = j->row;
  rows->bits = j->p->w_bits;
  if (j->ending == NIBBLE_END_ANY) return;
  if (j->ending == NIBBLE_END_RESIDUAL && !begin_residual(j->p, rows)) return;
  for (int32_t o = j->from; o < j->to; ++o)
    if (!widens(s, o)) return;
  rows->mode = j->ending == NIBBLE_END_U8         ? NIBBLE_ROWS_U8
               : j->ending == NIBBLE_END_RESIDUAL ? NIBBLE_ROWS_RESIDUAL
                                                  : NIBBLE_ROWS_CLIP;
  rows->mask = s->channels > 1 ? -1 : 0;
  rows->factor = s->a;
  rows->addend = s->b;
  rows->shift = s->d;
  rows->low = (int32_t)s->low;
  rows->high = (int32_t)s->high;
}

int nibble_conv_dsp(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int32_t count = p->kernel[0] * p->kernel[1] * p->kernel[2] * p->in_channels;
  const int32_t positions = p->batch * p->out[0] * p->out[1] * p->out[2];
  const int32_t begin = p->split ? 0 : (int32_t)call->begin, end = p->split ? positions : (int32_t)call->end;
  const int32_t from = p->split ? (int32_t)call->begin * 16 : 0;
  const int32_t to = p->split && call->end * 16 < p->out_channels ? (int32_t)call->end * 16 : p->out_channels;
  const int32_t step = positions == 1 ? 1 : NIBBLE_LANES;
  job j = {p, call, (count * p->w_bits + 7) / 8, from, to, step, from, nibble_ending_of(p), NIBBLE_FINE};
  uint32_t* windows = call->scratch;
  uint8_t* bytes = (uint8_t*)(windows + nibble_weight_words(count, p->w_bits) * (16 / p->w_bits) * step);
  nibble_spot at = nibble_spot_of(p, begin), spots[NIBBLE_LANES];
  nibble_rows rows;
  begin_rows(&j, windows, &rows);
  for (int32_t item = begin; item < end; item += step) {
    const int32_t here = end - item < step ? end - item : step;
    for (int32_t i = 0; i < step; ++i) {
      spots[i] = i < here ? at : spots[0];
      rows.start[i] = nibble_build_window(p, call->in[0], &spots[i], count, step, bytes, windows + i);
      if (i < here && item + i + 1 < end) nibble_spot_next(p, &at, item + i + 1);
    }
    channels_of(&j, &rows, spots, here);
  }
  return j.fault;
}
#else
#include <string.h>

#include "kernels/cortex_m/dsp.h"
#include "kernels/portable/finish.h"

/* Elsewhere the same integers by the same way through memory, so that what is written for such a core can be tried on
 * any machine: the windows of four positions, or of one, before any of their channels. */

static void copy_window(const nibble_conv* p, const uint8_t* x, const nibble_spot* s, uint8_t* to) {
  const size_t channels = (size_t)p->in_channels;
  for (int32_t d = 0; d < p->kernel[0]; ++d)
    for (int32_t h = 0; h < p->kernel[1]; ++h)
      for (int32_t w = 0; w < p->kernel[2]; ++w, to += channels)
        if (nibble_tap_at(p, s, 0, d) < 0 || nibble_tap_at(p, s, 1, h) < 0 || nibble_tap_at(p, s, 2, w) < 0)
          memset(to, (int)(uint8_t)p->zero_point, channels);
        else
          memcpy(to,
                 x + s->x + d * p->dilation[0] * p->x_stride[1] + h * p->dilation[1] * p->x_stride[2] +
                     w * p->dilation[2] * p->x_stride[3],
                 channels);
}

static int32_t sum_of(const nibble_conv* p, const uint8_t* x, int32_t count, int32_t o) {
  const int32_t bits = p->w_bits, per_byte = 8 / bits;
  const uint8_t* row = (const uint8_t*)p->weights + o * (((int64_t)count * bits + 7) / 8);
  uint32_t sum = (uint32_t)((const int32_t*)p->bias)[o]; /* modulo 2^32: the whole sum fits */
  for (int32_t i = 0; i < count; ++i) {
    const int32_t w = bits == 8
                          ? (int8_t)row[i]
                          : p->w_low + p->w_step * (row[i / per_byte] >> (i % per_byte * bits) & ((1 << bits) - 1));
    sum += (uint32_t)w * (uint32_t)(p->x_type == NIBBLE_U8 ? x[i] : (int8_t)x[i]);
  }
  return (int32_t)sum;
}

int nibble_conv_dsp(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int32_t count = p->kernel[0] * p->kernel[1] * p->kernel[2] * p->in_channels;
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2], step = positions == 1 ? 1 : 4;
  const int64_t begin = p->split ? 0 : call->begin, end = p->split ? positions : call->end;
  const int32_t from = p->split ? (int32_t)call->begin * 16 : 0;
  const int32_t to = p->split && call->end * 16 < p->out_channels ? (int32_t)call->end * 16 : p->out_channels;
  uint8_t* windows = call->scratch;
  int fault = NIBBLE_FINE;
  for (int64_t item = begin; item < end; item += step) {
    const int64_t here = end - item < step ? end - item : step;
    nibble_spot spots[4];
    for (int64_t i = 0; i < here; ++i) {
      spots[i] = nibble_spot_of(p, item + i);
      copy_window(p, call->in[0], &spots[i], windows + i * count);
    }
    for (int32_t o = from; o < to; ++o)
      for (int64_t i = 0; i < here; ++i)
        nibble_finish_sum(p, call, sum_of(p, windows + i * count, count, o), o, spots[i].y, spots[i].r, &fault);
  }
  return fault;
}
#endif
