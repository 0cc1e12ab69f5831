#include <string.h>

#include "kernels/portable/finish.h"
#include "kernels/portable/portable.h"

/* The window of a position, side by side: itself where it is one run of memory, else a copy. */
static const uint8_t* window_of(const nibble_conv* p, const nibble_call* call, const nibble_spot* s, uint8_t* copy) {
  const uint8_t* x = call->in[0];
  const size_t channels = (size_t)p->in_channels;
  uint8_t* to = copy;
  /* A tap alone may lie outside x too: in a pad at the end. */
  if (p->kernel[0] == 1 && p->kernel[1] == 1 && p->kernel[2] == 1 && nibble_tap_at(p, s, 0, 0) >= 0 &&
      nibble_tap_at(p, s, 1, 0) >= 0 && nibble_tap_at(p, s, 2, 0) >= 0)
    return x + s->x;
  for (int32_t d = 0; d < p->kernel[0]; ++d)
    for (int32_t h = 0; h < p->kernel[1]; ++h) {
      const int64_t row =
          s->x + (int64_t)d * p->dilation[0] * p->x_stride[1] + (int64_t)h * p->dilation[1] * p->x_stride[2];
      const int outside = nibble_tap_at(p, s, 0, d) < 0 || nibble_tap_at(p, s, 1, h) < 0;
      for (int32_t w = 0; w < p->kernel[2]; ++w, to += channels) {
        if (outside || nibble_tap_at(p, s, 2, w) < 0)
          memset(to, (int)(uint8_t)p->zero_point, channels);
        else
          memcpy(to, x + row + (int64_t)w * p->dilation[2] * p->x_stride[3], channels);
      }
    }
  return copy;
}

/* Sums of two windows with two rows of weights. X: the activations' type. */
#define NIBBLE_SUMS(NAME, X)                                                                                        \
  static void NAME(const uint8_t* bytes0, const uint8_t* bytes1, const int8_t* w0, const int8_t* w1, int32_t count, \
                   int32_t* sums) {                                                                                 \
    const X *x0 = (const X*)bytes0, *x1 = (const X*)bytes1;                                                         \
    /* Modulo 2^32: the whole sum fits, whatever its parts do. */                                                   \
    uint32_t a = (uint32_t)sums[0], b = (uint32_t)sums[1], c = (uint32_t)sums[2], d = (uint32_t)sums[3];            \
    for (int32_t i = 0; i < count; ++i) {                                                                           \
      const int32_t u = x0[i], v = x1[i], m = w0[i], n = w1[i];                                                     \
      a += (uint32_t)(u * m);                                                                                       \
      b += (uint32_t)(u * n);                                                                                       \
      c += (uint32_t)(v * m);                                                                                       \
      d += (uint32_t)(v * n);                                                                                       \
    }                                                                                                               \
    sums[0] = (int32_t)a;                                                                                           \
    sums[1] = (int32_t)b;                                                                                           \
    sums[2] = (int32_t)c;                                                                                           \
    sums[3] = (int32_t)d;                                                                                           \
  }
NIBBLE_SUMS(sums_of_unsigned, uint8_t)
NIBBLE_SUMS(sums_of_signed, int8_t)

/* A row of packed weights, spread to bytes. */
static void spread(const nibble_conv* p, const uint8_t* row, int32_t count, int8_t* to) {
  const int32_t bits = p->w_bits, per_byte = 8 / bits, mask = (1 << bits) - 1;
  for (int32_t i = 0; i < count; ++i)
    to[i] = (int8_t)(p->w_low + p->w_step * (row[i / per_byte] >> (i % per_byte * bits) & mask));
}

int nibble_conv_portable(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int32_t count = p->kernel[0] * p->kernel[1] * p->kernel[2] * p->in_channels;
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int64_t begin = p->split ? 0 : call->begin, end = p->split ? positions : call->end;
  const int32_t from = p->split ? (int32_t)call->begin * 16 : 0;
  const int32_t to = p->split && call->end * 16 < p->out_channels ? (int32_t)call->end * 16 : p->out_channels;
  const int64_t row = ((int64_t)count * p->w_bits + 7) / 8;
  uint8_t* copies = call->scratch;
  int fault = NIBBLE_FINE;
  for (int64_t item = begin; item < end; item += 2) {
    /* The last one alone is its own neighbour. */
    const int two = item + 1 < end;
    const nibble_spot s0 = nibble_spot_of(p, item), s1 = nibble_spot_of(p, item + two);
    const uint8_t* x0 = window_of(p, call, &s0, copies);
    const uint8_t* x1 = two ? window_of(p, call, &s1, copies + count) : x0;
    for (int32_t o = from; o < to; o += 2) {
      const int32_t next = o + 1 < to ? o + 1 : o;
      const int32_t* bias = p->bias;
      int32_t sums[4] = {bias[o], bias[next], bias[o], bias[next]};
      const int8_t *w0 = (const int8_t*)p->weights + o * row, *w1 = (const int8_t*)p->weights + next * row;
      if (p->w_bits != 8) {
        int8_t* whole = (int8_t*)copies + 2 * (int64_t)count;
        spread(p, (const uint8_t*)w0, count, whole);
        spread(p, (const uint8_t*)w1, count, whole + count);
        w0 = whole;
        w1 = whole + count;
      }
      (p->x_type == NIBBLE_U8 ? sums_of_unsigned : sums_of_signed)(x0, x1, w0, w1, count, sums);
      nibble_finish_sum(p, call, sums[0], o, s0.y, s0.r, &fault);
      if (next != o) nibble_finish_sum(p, call, sums[1], next, s0.y, s0.r, &fault);
      if (two) nibble_finish_sum(p, call, sums[2], o, s1.y, s1.r, &fault);
      if (two && next != o) nibble_finish_sum(p, call, sums[3], next, s1.y, s1.r, &fault);
    }
  }
  return fault;
}
