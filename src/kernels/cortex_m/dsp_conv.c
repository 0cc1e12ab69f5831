#include "kernels/kernels.h"
#if defined(__ARM_FEATURE_DSP)
#include "kernels/cortex_m/dsp_alone.h"
#include "kernels/cortex_m/dsp_endings.h"

/* What one call needs of the step. */
typedef struct job {
  const nibble_conv* p;
  const nibble_call* call;
  int32_t count, row, from, to, quads; /* elements of a window; bytes of a row; channels; fours of columns */
  nibble_pair* pairs;
  int32_t* sums;
  uint32_t *weights, *windows;
  uint8_t* bytes;
  nibble_inside inside;
  int32_t y_size;
  int32_t scale, low; /* of windows, of the sum of a window's elements */
  nibble_ends ends;
  int32_t r[NIBBLE_DSP_MOST]; /* where the tile's positions have their residuals */
  int fault;
} job;

NIBBLE_INLINE void place(job* j, int32_t i, int32_t start, uint8_t* y, int32_t r) {
  nibble_pair* const pair = &j->pairs[i / 2];
  int32_t* const starts = pair->start + i % 2;
  starts[0] = starts[2] = start;
  pair->y[1] = y;
  if (i % 2 == 0) pair->y[0] = y;
  j->r[i] = r;
}

/* Windows of `here` positions from `item` on that lie side by side in x, as whole words of weights. */
static void build_flat(job* j, int32_t item, int32_t here) {
  const nibble_conv* p = j->p;
  const int32_t channels = p->in_channels, step = (int32_t)p->y_stride[3] * j->y_size, r_step = (int32_t)p->r_stride[3];
  const uint8_t* x = (const uint8_t*)j->call->in[0] + item * channels;
  uint8_t* y = (uint8_t*)j->call->out + item * step;
  uint32_t* lane = j->windows;
  int32_t r = item * r_step;
  for (int32_t i = 0; i < here; ++i, x += channels, y += step, r += r_step) {
    int32_t sum = 0;
    nibble_widen_some(&j->inside, x, channels, lane, &sum);
    if (j->scale != 1) nibble_scale_lane(lane, j->quads, NIBBLE_PAIRED, j->scale);
    place(j, i, (int32_t)((uint32_t)sum * (uint32_t)j->low), y, r);
    lane += i % 2 == 0 ? 2 : 4 * j->quads - 2;
  }
}

/* Windows of `here` positions from `item` on. */
static void build_windows(job* j, int32_t item, int32_t here) {
  const nibble_conv* p = j->p;
  const uint8_t* x = j->call->in[0];
  uint32_t* lane = j->windows;
  nibble_spot at = nibble_spot_of(p, item);
  for (int32_t i = 0; i < here; ++i) {
    const int32_t sum = j->inside.possible && nibble_is_inside(&j->inside, &at)
                            ? nibble_take_inside(&j->inside, x + at.x, lane)
                            : nibble_build_window(p, x, &at, j->count, NIBBLE_PAIRED, j->bytes, lane);
    if (j->scale != 1) nibble_scale_lane(lane, j->quads, NIBBLE_PAIRED, j->scale);
    place(j, i, (int32_t)((uint32_t)sum * (uint32_t)j->low), (uint8_t*)j->call->out + (int32_t)at.y * j->y_size,
          (int32_t)at.r);
    lane += i % 2 == 0 ? 2 : 4 * j->quads - 2;
    if (i + 1 < here) nibble_spot_next(p, &at, item + i + 1);
  }
}

/* Sums of channel o, without its bias, to what the step makes of them. */
static void end_sums(job* j, const int32_t* sums, int32_t here, int32_t o) {
  const nibble_conv* p = j->p;
  const nibble_product by =
      j->ends.mode == NIBBLE_ENDS_RESIDUAL ? nibble_upper_product(p, &j->ends, o) : (nibble_product){0, 0, 0};
  for (int32_t i = 0; i < here; ++i) {
    uint8_t* const y = j->pairs[i / 2].y[i % 2];
    const int32_t sum = sums[i / 2 * 4 + i % 2];
    if (j->ends.mode == NIBBLE_ENDS_RESIDUAL)
      y[o] = (uint8_t)nibble_summed(&j->ends, p, sum, &by, ((const uint8_t*)j->call->in[1])[j->r[i] + o]);
    else
      nibble_finish_sum(p, j->call, sum + ((const int32_t*)p->bias)[o], o, (y - (uint8_t*)j->call->out) / j->y_size,
                        j->r[i], &j->fault);
  }
}

/* All channels of the tile's `here` positions, two rows at a time; of an odd count the last one twice. */
static void channels_of(job* j, int32_t here) {
  const nibble_conv* p = j->p;
  const int whole = j->ends.mode != NIBBLE_ENDS_ANY && j->ends.mode != NIBBLE_ENDS_RESIDUAL;
  const uint8_t* row = (const uint8_t*)p->weights + j->from * j->row;
  nibble_blocks run;
  run.windows = j->windows;
  run.weights = j->weights;
  run.weights_end = j->weights + 4 * j->quads;
  run.first = -j->quads & 15;
  run.pairs = j->pairs;
  run.end = j->pairs + (here + 1) / 2;
  run.low = (int32_t)p->stage.low;
  run.high = (int32_t)p->stage.high;
  run.ending = !whole                           ? NIBBLE_BLOCKS_SUMS
               : j->ends.mode == NIBBLE_ENDS_U8 ? NIBBLE_BLOCKS_U8
               : j->ends.mode == NIBBLE_ENDS_I8 ? NIBBLE_BLOCKS_I8
                                                : NIBBLE_BLOCKS_CLIP;
  for (int32_t o = j->from; o < j->to; o += 2, row += 2 * j->row) {
    const int32_t next = o + 1 < j->to ? o + 1 : o;
    nibble_widen_rows(row, row + (next - o) * j->row, j->row, p->w_bits, j->weights);
    run.channel[0] = o;
    run.channel[1] = next;
    if (whole) {
      run.by[0] = nibble_upper_product(p, &j->ends, o);
      run.by[1] = nibble_upper_product(p, &j->ends, next);
      nibble_blocks_run(&run);
      continue;
    }
    run.sums = j->sums;
    nibble_blocks_run(&run);
    end_sums(j, j->sums, here, o);
    if (next != o) end_sums(j, j->sums + 2, here, next);
  }
}

int nibble_conv_dsp(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int32_t positions = p->batch * p->out[0] * p->out[1] * p->out[2], tile = nibble_dsp_tile(p);
  const int32_t begin = p->split ? 0 : (int32_t)call->begin, end = p->split ? positions : (int32_t)call->end;
  job j;
  j.p = p;
  j.call = call;
  j.count = p->kernel[0] * p->kernel[1] * p->kernel[2] * p->in_channels;
  j.row = (j.count * p->w_bits + 7) / 8;
  j.from = p->split ? (int32_t)call->begin * 16 : 0;
  j.to = p->split && call->end * 16 < p->out_channels ? (int32_t)call->end * 16 : p->out_channels;
  j.fault = NIBBLE_FINE;
  if (positions == 1) return begin < end ? nibble_conv_alone(p, call, j.count, j.row, j.from, j.to) : NIBBLE_FINE;
  j.quads = nibble_weight_words(j.count, p->w_bits) * 8 / p->w_bits;
  j.windows = call->scratch;
  j.weights = j.windows + 2 * tile * j.quads;
  j.sums = (int32_t*)j.weights + 4 * j.quads;
  j.pairs = (nibble_pair*)(j.sums + 2 * tile);
  j.bytes = (uint8_t*)(j.pairs + tile / 2);
  j.y_size = (int32_t)nibble_size_of(p->y_type);
  nibble_begin_ends(&j.ends, p, j.from, j.to, j.count,
                    p->w_bits == 8 ? 255 : 255 * (int32_t)nibble_magnitude(p->w_step));
  j.scale = (p->w_bits == 8 ? 1 : p->w_step) * (1 << j.ends.up);
  j.low = p->w_bits == 8 ? 0 : p->w_low * (1 << j.ends.up);
  nibble_begin_inside(&j.inside, p, j.count, j.bytes);
  const int flat = j.inside.whole && nibble_dsp_is_flat(p);
  for (int32_t item = begin; item < end; item += tile) {
    const int32_t here = end - item < tile ? end - item : tile;
    if (flat)
      build_flat(&j, item, here);
    else
      build_windows(&j, item, here);
    channels_of(&j, here);
  }
  return j.fault;
}
#else
#include <string.h>

#include "kernels/cortex_m/dsp.h"
#include "kernels/portable/finish.h"

/* Elsewhere the same integers by the same way through memory, so that what is written for such a core can be tried on
 * any machine: the windows of a tile before any of its channels. */

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
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2], step = nibble_dsp_tile(p);
  const int64_t begin = p->split ? 0 : call->begin, end = p->split ? positions : call->end;
  const int32_t from = p->split ? (int32_t)call->begin * 16 : 0;
  const int32_t to = p->split && call->end * 16 < p->out_channels ? (int32_t)call->end * 16 : p->out_channels;
  uint8_t* windows = call->scratch;
  int fault = NIBBLE_FINE;
  for (int64_t item = begin; item < end; item += step) {
    const int64_t here = end - item < step ? end - item : step;
    nibble_spot spots[NIBBLE_DSP_MOST];
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
