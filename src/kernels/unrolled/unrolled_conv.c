#include "kernels/unrolled/unrolled_end.h"
#include "kernels/unrolled/unrolled_sums.h"

enum { lanes_at_once = 4 };

/* What one call needs of the step. */
typedef struct job {
  const nibble_conv* p;
  const nibble_call* call;
  nibble_unrolled_end end;
  int32_t count, row, from, to; /* of a window; bytes of a row; channels */
  int fault;
} job;

/* Positions whose windows are known. */
typedef struct windows {
  const uint8_t* x[lanes_at_once];
  uint32_t start[lanes_at_once]; /* what packed weights' least level adds */
  int32_t y[lanes_at_once], r[lanes_at_once];
} windows;

/* The window of a position, side by side: itself where it is one run of memory, else a copy. */
static const uint8_t* window_of(const nibble_conv* p, const uint8_t* x, const nibble_spot* s, uint8_t* copy) {
  const int32_t channels = p->in_channels, tap = p->dilation[2] * (int32_t)p->x_stride[3];
  const int32_t first = s->at[2] * p->stride[2] - p->pad[2];
  const int dense = tap == channels && first >= 0 && first + (p->kernel[2] - 1) * p->dilation[2] < p->in[2];
  uint8_t* to = copy;
  for (int32_t d = 0; d < p->kernel[0]; ++d)
    for (int32_t h = 0; h < p->kernel[1]; ++h) {
      const int inside = nibble_tap_at(p, s, 0, d) >= 0 && nibble_tap_at(p, s, 1, h) >= 0;
      const uint8_t* from = x + (int32_t)s->x + d * p->dilation[0] * (int32_t)p->x_stride[1] +
                            h * p->dilation[1] * (int32_t)p->x_stride[2];
      int32_t column = first;
      if (inside && dense && p->kernel[0] * p->kernel[1] == 1) return from;
      if (inside && dense) {
        memcpy(to, from, (size_t)(channels * p->kernel[2]));
        to += channels * p->kernel[2];
        continue;
      }
      for (int32_t w = 0; w < p->kernel[2]; ++w, to += channels, from += tap, column += p->dilation[2])
        if (inside && column >= 0 && column < p->in[2])
          memcpy(to, from, (size_t)channels);
        else
          memset(to, (int)(uint8_t)p->zero_point, (size_t)channels);
    }
  return copy;
}

static uint32_t sum_of(const nibble_conv* p, const uint8_t* x, int32_t count) {
  uint32_t sum = 0;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t value = p->x_type == NIBBLE_I8 ? (int8_t)x[i] : x[i];
    sum += (uint32_t)value;
  }
  return sum;
}

/* Two rows with the windows: sums[2 * window + row], without their biases. */
static void multiply(const job* j, const windows* w, int32_t lanes, const uint8_t* a, const uint8_t* b,
                     uint32_t* sums) {
  const int32_t bits = j->p->w_bits, count = j->count;
  const int one = lanes == 1;
  const int8_t *u = (const int8_t*)a, *v = (const int8_t*)b;
  const int8_t* x[lanes_at_once];
  if (j->p->x_type == NIBBLE_U8) {
    if (bits == 8)
      one ? nibble_unrolled_unsigned_of_one(w->x[0], u, v, count, sums)
          : nibble_unrolled_unsigned(w->x, u, v, count, sums);
    else
      one ? nibble_unrolled_unsigned_codes_of_one(w->x[0], a, b, count, bits, sums)
          : nibble_unrolled_unsigned_codes(w->x, a, b, count, bits, sums);
    return;
  }
  for (int32_t i = 0; i < lanes; ++i) x[i] = (const int8_t*)w->x[i];
  if (bits == 8)
    one ? nibble_unrolled_signed_of_one(x[0], u, v, count, sums) : nibble_unrolled_signed(x, u, v, count, sums);
  else
    one ? nibble_unrolled_signed_codes_of_one(x[0], a, b, count, bits, sums)
        : nibble_unrolled_signed_codes(x, a, b, count, bits, sums);
}

/* Channels two by two; of an odd count the last one twice. */
static void channels_of(job* j, const windows* w, int32_t lanes) {
  const nibble_conv* p = j->p;
  for (int32_t o = j->from; o < j->to; o += 2) {
    const int32_t next = o + 1 < j->to ? o + 1 : o;
    const uint32_t bias = (uint32_t)((const int32_t*)p->bias)[o], other = (uint32_t)((const int32_t*)p->bias)[next];
    const uint8_t* const weights = p->weights;
    uint32_t sums[2 * lanes_at_once] = {0};
    if (p->w_bits == 8)
      for (int32_t i = 0; i < lanes; ++i) {
        sums[2 * i] = bias;
        sums[2 * i + 1] = other;
      }
    multiply(j, w, lanes, weights + o * j->row, weights + next * j->row, sums);
    for (int32_t i = 0; i < lanes; ++i) {
      if (p->w_bits != 8) {
        sums[2 * i] = sums[2 * i] * (uint32_t)p->w_step + bias + w->start[i];
        sums[2 * i + 1] = sums[2 * i + 1] * (uint32_t)p->w_step + other + w->start[i];
      }
      nibble_unrolled_store(p, j->call, &j->end, sums[2 * i], o, w->y[i], w->r[i], &j->fault);
      if (next != o) nibble_unrolled_store(p, j->call, &j->end, sums[2 * i + 1], next, w->y[i], w->r[i], &j->fault);
    }
  }
}

int nibble_conv_unrolled(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int32_t positions = p->batch * p->out[0] * p->out[1] * p->out[2];
  const int32_t begin = p->split ? 0 : (int32_t)call->begin, last = p->split ? positions : (int32_t)call->end;
  uint8_t* copies = call->scratch;
  windows w;
  job j;
  j.p = p;
  j.call = call;
  j.count = p->kernel[0] * p->kernel[1] * p->kernel[2] * p->in_channels;
  j.row = (j.count * p->w_bits + 7) / 8;
  j.from = p->split ? (int32_t)call->begin * 16 : 0;
  j.to = p->split && call->end * 16 < p->out_channels ? (int32_t)call->end * 16 : p->out_channels;
  j.fault = NIBBLE_FINE;
  nibble_unrolled_end_of(p, j.from, j.to, &j.end);
  for (int32_t item = begin; item < last;) {
    const int32_t lanes = last - item < lanes_at_once ? 1 : lanes_at_once;
    for (int32_t i = 0; i < lanes; ++i, ++item) {
      const nibble_spot s = nibble_spot_of(p, item);
      w.x[i] = window_of(p, call->in[0], &s, copies + i * j.count);
      w.start[i] = p->w_bits == 8 ? 0 : (uint32_t)p->w_low * sum_of(p, w.x[i], j.count);
      w.y[i] = (int32_t)s.y;
      w.r[i] = (int32_t)s.r;
    }
    channels_of(&j, &w, lanes);
  }
  return j.fault;
}
