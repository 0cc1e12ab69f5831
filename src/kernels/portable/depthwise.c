#include "kernels/portable/finish.h"
#include "kernels/portable/portable.h"

/* Weight of channel c at a tap. */
static int32_t weight(const nibble_conv* p, int32_t tap, int32_t c) {
  const int64_t row = ((int64_t)p->out_channels * p->w_bits + 7) / 8;
  const uint8_t* at = (const uint8_t*)p->weights + tap * row;
  const int32_t bits = p->w_bits, per_byte = 8 / bits;
  if (bits == 8) return (int8_t)at[c];
  return p->w_low + p->w_step * (at[c / per_byte] >> (c % per_byte * bits) & ((1 << bits) - 1));
}

/* The taps of a position, each an element offset of channel 0, which is negative where x lies backwards, or `outside`. */
enum { most_taps = 64 };
static const int64_t outside = INT64_MIN;

static void taps_of(const nibble_conv* p, const nibble_spot* s, int64_t* offsets) {
  for (int32_t d = 0; d < p->kernel[0]; ++d)
    for (int32_t h = 0; h < p->kernel[1]; ++h)
      for (int32_t w = 0; w < p->kernel[2]; ++w) {
        const int inside =
            nibble_tap_at(p, s, 0, d) >= 0 && nibble_tap_at(p, s, 1, h) >= 0 && nibble_tap_at(p, s, 2, w) >= 0;
        *offsets++ = !inside ? outside
                             : s->x + (int64_t)d * p->dilation[0] * p->x_stride[1] +
                                   (int64_t)h * p->dilation[1] * p->x_stride[2] +
                                   (int64_t)w * p->dilation[2] * p->x_stride[3];
      }
}

int nibble_depthwise_portable(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int32_t taps = p->kernel[0] * p->kernel[1] * p->kernel[2];
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int64_t begin = p->split ? 0 : call->begin, end = p->split ? positions : call->end;
  const int32_t from = p->split ? (int32_t)call->begin * 16 : 0;
  const int32_t to = p->split && call->end * 16 < p->out_channels ? (int32_t)call->end * 16 : p->out_channels;
  int64_t offsets[most_taps];
  int fault = NIBBLE_FINE;
  for (int64_t item = begin; item < end; ++item) {
    const nibble_spot s = nibble_spot_of(p, item);
    taps_of(p, &s, offsets);
    for (int32_t o = from; o < to; ++o) {
      uint32_t sum = (uint32_t)((const int32_t*)p->bias)[o]; /* modulo 2^32: the whole sum fits */
      for (int32_t t = 0; t < taps; ++t) {
        const int32_t x = offsets[t] == outside    ? (int32_t)p->zero_point
                          : p->x_type == NIBBLE_U8 ? ((const uint8_t*)call->in[0])[offsets[t] + o]
                                                   : ((const int8_t*)call->in[0])[offsets[t] + o];
        sum += (uint32_t)weight(p, t, o) * (uint32_t)x;
      }
      nibble_finish_sum(p, call, (int32_t)sum, o, s.y, s.r, &fault);
    }
  }
  return fault;
}
