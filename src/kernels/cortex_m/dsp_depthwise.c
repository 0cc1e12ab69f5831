#include "kernels/kernels.h"
#if defined(__ARM_FEATURE_DSP)
#include "kernels/cortex_m/dsp_quads.h"
#include "kernels/cortex_m/dsp_three.h"

/* Channels four at a time. Weights are widened once a call: for each four channels, for each pair of taps the halves
 * (earlier tap, later tap) of each channel, four words; for a last tap alone channels 0 and 2, channels 1 and 3. */

enum { most_taps = 64 };

static int32_t weight(const nibble_conv* p, int32_t tap, int32_t c) {
  return c < p->out_channels ? nibble_depthwise_weight(p, tap, c) : 0;
}

static uint32_t halves(int32_t low, int32_t high) {
  return ((uint32_t)low & 0xffffu) | (uint32_t)high << 16;
}

static void widen(const nibble_conv* p, int32_t taps, uint32_t* to) {
  for (int32_t c = 0; c < p->out_channels; c += 4) {
    for (int32_t t = 0; t + 1 < taps; t += 2)
      for (int32_t k = 0; k < 4; ++k) *to++ = halves(weight(p, t, c + k), weight(p, t + 1, c + k));
    if (taps % 2 == 0) continue;
    *to++ = halves(weight(p, taps - 1, c), weight(p, taps - 1, c + 2));
    *to++ = halves(weight(p, taps - 1, c + 1), weight(p, taps - 1, c + 3));
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

static int is_inside(const nibble_conv* p, const nibble_spot* s) {
  for (int k = 0; k < 3; ++k) {
    const int32_t first = s->at[k] * p->stride[k] - p->pad[k];
    if (first < 0 || first + (p->kernel[k] - 1) * p->dilation[k] >= p->in[k]) return 0;
  }
  return 1;
}

/* Where each tap of the window has channel 0: in x, or outside it in a row of zero points. */
static void taps_of(const nibble_conv* p, const nibble_spot* s, const uint8_t* x, const uint8_t* outside,
                    const int32_t* offsets, int32_t taps, const uint8_t** at) {
  if (is_inside(p, s)) {
    const uint8_t* first = x + s->x;
#pragma GCC unroll 3
    for (int32_t t = 0; t < taps; ++t) at[t] = first + offsets[t];
    return;
  }
  for (int32_t d = 0; d < p->kernel[0]; ++d)
    for (int32_t h = 0; h < p->kernel[1]; ++h) {
      const int inside = nibble_tap_at(p, s, 0, d) >= 0 && nibble_tap_at(p, s, 1, h) >= 0;
      int32_t column = s->at[2] * p->stride[2] - p->pad[2];
      for (int32_t w = 0; w < p->kernel[2]; ++w, column += p->dilation[2], ++offsets)
        *at++ = inside && column >= 0 && column < p->in[2] ? x + s->x + *offsets : outside;
    }
}

/* Adds the window's four channels from c on; the words of x come from `read`. */
#define NIBBLE_ADD_CHANNELS(read)                                                    \
  for (int32_t t = 0; t + 1 < taps; t += 2, w += 4) {                                \
    const uint32_t a = read(at[t]), b = read(at[t + 1]);                             \
    const uint32_t lows = nibble_lows(a, b), highs = nibble_highs(a, b);             \
    sums[0] = nibble_both(nibble_even(lows, is_signed), w[0], sums[0]);              \
    sums[1] = nibble_both(nibble_odd(lows, is_signed), w[1], sums[1]);               \
    sums[2] = nibble_both(nibble_even(highs, is_signed), w[2], sums[2]);             \
    sums[3] = nibble_both(nibble_odd(highs, is_signed), w[3], sums[3]);              \
  }                                                                                  \
  if (taps % 2 != 0) {                                                               \
    const uint32_t a = read(at[taps - 1]);                                           \
    const uint32_t even = nibble_even(a, is_signed), odd = nibble_odd(a, is_signed); \
    sums[0] = nibble_low_product(even, w[0], sums[0]);                               \
    sums[2] = nibble_high_product(even, w[0], sums[2]);                              \
    sums[1] = nibble_low_product(odd, w[1], sums[1]);                                \
    sums[3] = nibble_high_product(odd, w[1], sums[3]);                               \
  }

#define NIBBLE_WHOLE(from) nibble_word((from) + c)
#define NIBBLE_REST(from) nibble_word_part((from) + c, last - c)

typedef struct job {
  const nibble_conv* p;
  const nibble_call* call;
  int32_t taps, first, last;
  const uint32_t* weights; /* of channels from `first` on */
  enum nibble_ending ending;
  int fault;
} job;

/* Channels [c, c + 4), fewer at the end. */
NIBBLE_INLINE void channels_at(job* j, const uint8_t* const* at, const nibble_spot* s, int32_t c, int is_signed) {
  const int32_t here = j->last - c < 4 ? j->last - c : 4, taps = j->taps, last = j->last;
  const uint32_t* w = j->weights + (c - j->first) / 4 * 2 * taps;
  int32_t sums[4] = {0, 0, 0, 0};
  for (int32_t k = 0; k < here; ++k) sums[k] = ((const int32_t*)j->p->bias)[c + k];
  if (here == 4) {
    NIBBLE_ADD_CHANNELS(NIBBLE_WHOLE)
  } else {
    NIBBLE_ADD_CHANNELS(NIBBLE_REST)
  }
  for (int32_t k = 0; k < here; ++k) {
    nibble_product by = {0, 0, 0};
    if (j->ending == NIBBLE_END_CLIP) by = nibble_product_of(&j->p->stage, c + k);
    if (j->ending == NIBBLE_END_CLIP)
      nibble_end(j->p, j->call, NIBBLE_END_CLIP, &by, sums[k], c + k, (int32_t)s->y, (int32_t)s->r, &j->fault);
    else
      nibble_end(j->p, j->call, NIBBLE_END_ANY, &by, sums[k], c + k, (int32_t)s->y, (int32_t)s->r, &j->fault);
  }
}

/* Whether whole fours can be written out: constants a channel, shifts of 32 and more, two taps. */
static int begin_quads(const job* j, const uint8_t* const* at, nibble_quads* q) {
  const nibble_stage* s = &j->p->stage;
  if (j->ending != NIBBLE_END_CLIP || s->channels == 1 || j->taps < 2 || j->last - j->first < 4) return 0;
  for (int32_t o = j->first; o < j->last; ++o)
    if (nibble_product_of(s, o).shift < 32) return 0;
  q->taps = at;
  q->paired = j->taps / 2 * 2;
  q->alone = j->taps % 2;
  q->end = j->first + (j->last - j->first) / 4 * 4;
  q->bias = j->p->bias;
  q->factor = s->a;
  q->addend = s->b;
  q->shift = s->d;
  q->mode = s->low == 0 && s->high == 255 ? NIBBLE_QUADS_U8 : NIBBLE_QUADS_CLIP;
  q->low = (int32_t)s->low;
  q->high = (int32_t)s->high;
  return 1;
}

int nibble_depthwise_dsp(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int32_t positions = p->batch * p->out[0] * p->out[1] * p->out[2], channels = (p->in_channels + 3) / 4 * 4;
  const int32_t begin = p->split ? 0 : (int32_t)call->begin, end = p->split ? positions : (int32_t)call->end;
  uint8_t* outside = call->scratch;
  uint32_t* weights = (uint32_t*)call->scratch + channels / 4;
  const uint8_t* at[most_taps];
  job j = {
      p,          call, p->kernel[0] * p->kernel[1] * p->kernel[2], 0, p->out_channels, weights, nibble_ending_of(p),
      NIBBLE_FINE};
  int32_t offsets[most_taps];
  nibble_quads quads;
  int written_out;
  nibble_spot s;
  if (p->split) {
    j.first = (int32_t)call->begin * 16;
    j.last = call->end * 16 < p->out_channels ? (int32_t)call->end * 16 : p->out_channels;
    j.weights += j.first / 4 * 2 * j.taps;
  }
  if (nibble_dsp_is_three(p)) return nibble_depthwise_three(p, call, begin, end, j.first, j.last);
  memset(outside, (int)(uint8_t)p->zero_point, (size_t)channels);
  widen(p, j.taps, weights);
  offsets_of(p, offsets);
  if (j.ending == NIBBLE_END_U8) j.ending = NIBBLE_END_CLIP;
  written_out = begin_quads(&j, at, &quads);
  s = nibble_spot_of(p, begin);
  for (int32_t item = begin; item < end; ++item) {
    int32_t c = j.first;
    taps_of(p, &s, call->in[0], outside, offsets, j.taps, at);
    if (written_out) {
      quads.weights = j.weights;
      quads.channel = c;
      quads.y = (uint8_t*)call->out + s.y;
      if (p->x_type == NIBBLE_U8)
        nibble_quads_of_any_unsigned(&quads);
      else
        nibble_quads_of_any_signed(&quads);
      c = quads.end;
    }
    for (; c < j.last; c += 4)
      if (p->x_type == NIBBLE_U8)
        channels_at(&j, at, &s, c, 0);
      else
        channels_at(&j, at, &s, c, 1);
    if (item + 1 < end) nibble_spot_next(p, &s, item + 1);
  }
  return j.fault;
}
#else
#include "kernels/cortex_m/dsp.h"

/* Elsewhere the same integers, so that what is written for such a core can be tried on any machine. */
int nibble_depthwise_dsp(const void* parameters, const nibble_call* call) {
  return nibble_depthwise_portable(parameters, call);
}
#endif
