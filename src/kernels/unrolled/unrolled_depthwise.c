#include "kernels/unrolled/unrolled_end.h"

enum { most_taps = 64 };

/* What one call needs of the step. */
typedef struct job {
  const nibble_conv* p;
  const nibble_call* call;
  nibble_unrolled_end end;
  const int8_t* weights;  /* [tap][channel] */
  const uint8_t* outside; /* a row of zero points */
  int32_t taps;
  int fault;
} job;

/* Packed weights as bytes. */
static void spread(const nibble_conv* p, int32_t taps, int8_t* to) {
  const int32_t bits = p->w_bits, per_byte = 8 / bits, row = (p->out_channels * bits + 7) / 8, mask = (1 << bits) - 1;
  const uint8_t* from = p->weights;
  for (int32_t t = 0; t < taps; ++t, from += row)
    for (int32_t c = 0; c < p->out_channels; ++c)
      *to++ = (int8_t)(p->w_low + p->w_step * (from[c / per_byte] >> (c % per_byte * bits) & mask));
}

/* Where each tap of the window has channel 0. */
static void taps_of(const job* j, const nibble_spot* s, const uint8_t** at) {
  const nibble_conv* p = j->p;
  for (int32_t d = 0; d < p->kernel[0]; ++d)
    for (int32_t h = 0; h < p->kernel[1]; ++h) {
      const int inside = nibble_tap_at(p, s, 0, d) >= 0 && nibble_tap_at(p, s, 1, h) >= 0;
      const uint8_t* from = (const uint8_t*)j->call->in[0] + (int32_t)s->x +
                            d * p->dilation[0] * (int32_t)p->x_stride[1] + h * p->dilation[1] * (int32_t)p->x_stride[2];
      int32_t column = s->at[2] * p->stride[2] - p->pad[2];
      for (int32_t w = 0; w < p->kernel[2]; ++w, column += p->dilation[2])
        *at++ = inside && column >= 0 && column < p->in[2] ? from + w * p->dilation[2] * (int32_t)p->x_stride[3]
                                                           : j->outside;
    }
}

/* Four channels from c on, and one. X: the activations' type. */
#define NIBBLE_UNROLLED_TAPS(X, FOUR, ONE)                                                                  \
  static void FOUR(const uint8_t* const* at, const int8_t* w, int32_t taps, int32_t channels, int32_t c,    \
                   uint32_t* sums) {                                                                        \
    uint32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];                                        \
    const uint8_t* const* const end = at + taps;                                                            \
    for (w += c; at != end; w += channels) {                                                                \
      const X* x = (const X*)(*at++ + c);                                                                   \
      s0 += (uint32_t)(x[0] * w[0]), s1 += (uint32_t)(x[1] * w[1]);                                         \
      s2 += (uint32_t)(x[2] * w[2]), s3 += (uint32_t)(x[3] * w[3]);                                         \
    }                                                                                                       \
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;                                                 \
  }                                                                                                         \
  static uint32_t ONE(const uint8_t* const* at, const int8_t* w, int32_t taps, int32_t channels, int32_t c, \
                      uint32_t sum) {                                                                       \
    for (int32_t t = 0; t < taps; ++t) sum += (uint32_t)(*(const X*)(at[t] + c) * w[t * channels + c]);     \
    return sum;                                                                                             \
  }
NIBBLE_UNROLLED_TAPS(uint8_t, four_unsigned, one_unsigned)
NIBBLE_UNROLLED_TAPS(int8_t, four_signed, one_signed)

static void channels_of(job* j, const uint8_t* const* at, const nibble_spot* s, int32_t from, int32_t to) {
  const nibble_conv* p = j->p;
  const int32_t* bias = p->bias;
  const int32_t y = (int32_t)s->y, r = (int32_t)s->r, channels = p->out_channels;
  int32_t c = from;
  for (; c + 4 <= to; c += 4) {
    uint32_t sums[4] = {(uint32_t)bias[c], (uint32_t)bias[c + 1], (uint32_t)bias[c + 2], (uint32_t)bias[c + 3]};
    (p->x_type == NIBBLE_U8 ? four_unsigned : four_signed)(at, j->weights, j->taps, channels, c, sums);
    for (int32_t k = 0; k < 4; ++k) nibble_unrolled_store(p, j->call, &j->end, sums[k], c + k, y, r, &j->fault);
  }
  for (; c < to; ++c) {
    const uint32_t sum =
        (p->x_type == NIBBLE_U8 ? one_unsigned : one_signed)(at, j->weights, j->taps, channels, c, (uint32_t)bias[c]);
    nibble_unrolled_store(p, j->call, &j->end, sum, c, y, r, &j->fault);
  }
}

int nibble_depthwise_unrolled(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int32_t positions = p->batch * p->out[0] * p->out[1] * p->out[2];
  const int32_t begin = p->split ? 0 : (int32_t)call->begin, last = p->split ? positions : (int32_t)call->end;
  const int32_t from = p->split ? (int32_t)call->begin * 16 : 0;
  const int32_t to = p->split && call->end * 16 < p->out_channels ? (int32_t)call->end * 16 : p->out_channels;
  uint8_t* outside = call->scratch;
  const uint8_t* at[most_taps];
  job j;
  j.p = p;
  j.call = call;
  j.taps = p->kernel[0] * p->kernel[1] * p->kernel[2];
  j.outside = outside;
  j.weights = p->weights;
  j.fault = NIBBLE_FINE;
  memset(outside, (int)(uint8_t)p->zero_point, (size_t)p->out_channels);
  if (p->w_bits != 8) {
    int8_t* whole = (int8_t*)call->scratch + p->out_channels;
    spread(p, j.taps, whole);
    j.weights = whole;
  }
  nibble_unrolled_end_of(p, from, to, &j.end);
  for (int32_t item = begin; item < last; ++item) {
    const nibble_spot s = nibble_spot_of(p, item);
    taps_of(&j, &s, at);
    channels_of(&j, at, &s, from, to);
  }
  return j.fault;
}
