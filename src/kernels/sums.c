#include "kernels/element.h"

/* The positions and channels of items [begin, end) of a convolution. */
typedef struct part {
  int64_t position, positions, channel, channels;
} part;

static part part_of(const nibble_conv* p, int64_t begin, int64_t end) {
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  part r = {begin, end - begin, 0, p->out_channels};
  if (p->split) {
    r.position = 0;
    r.positions = positions;
    r.channel = 16 * begin;
    r.channels = (16 * end < p->out_channels ? 16 * end : p->out_channels) - r.channel;
  }
  return r;
}

static int64_t with_addend(int32_t v, const int32_t* addend, int64_t channel) {
  return addend == NULL ? v : (int32_t)((uint32_t)v + (uint32_t)addend[channel]);
}

static int finish_conv(const nibble_conv* p, const nibble_call* call, const int32_t* v, const int32_t* addend) {
  const part of = part_of(p, call->begin, call->end);
  const int32_t extents[4] = {p->batch, p->out[0], p->out[1], p->out[2]};
  int fault = NIBBLE_FINE;
  for (int64_t i = 0; i < of.positions; ++i) {
    int64_t at[4], y, r;
    nibble_place(of.position + i, extents, 4, at);
    y = nibble_offset(at, p->y_stride, 4);
    r = nibble_offset(at, p->r_stride, 4);
    for (int64_t o = of.channel; o < of.channel + of.channels; ++o, ++v) {
      const int64_t q = nibble_staged(&p->stage, with_addend(*v, addend, o), o, &fault);
      const int64_t other = p->sum_form ? nibble_load(call->in[1], p->r_type, r + o) : 0;
      nibble_store(call->out, p->y_type, y + o, nibble_conv_summed(p, q, other));
    }
  }
  return fault;
}

static int finish_matmul(const nibble_matmul* p, const nibble_call* call, const int32_t* v, const int32_t* addend) {
  const int32_t extents[4] = {p->batch[0], p->batch[1], p->batch[2], p->rows};
  int fault = NIBBLE_FINE;
  for (int64_t item = call->begin; item < call->end; ++item) {
    int64_t at[4], y;
    nibble_place(item, extents, 4, at);
    y = nibble_offset(at, p->y_stride, 4);
    for (int64_t j = 0; j < p->columns; ++j, ++v)
      nibble_store(call->out, p->y_type, y + j * p->y_stride[4],
                   nibble_staged(&p->stage, with_addend(*v, addend, j), j, &fault));
  }
  return fault;
}

int nibble_finish_sums(int kind, const void* parameters, const nibble_call* call, const int32_t* v,
                       const int32_t* addend) {
  if (kind == NIBBLE_KIND_MATMUL) return finish_matmul(parameters, call, v, addend);
  return finish_conv(parameters, call, v, addend);
}

static int64_t counted(int64_t rows, int64_t columns) {
  return columns > 0 && rows > ((int64_t)1 << 38) / columns ? -1 : rows * columns;
}

int64_t nibble_sums(int kind, const void* parameters, int64_t begin, int64_t end) {
  if (kind == NIBBLE_KIND_MATMUL) return counted(end - begin, ((const nibble_matmul*)parameters)->columns);
  if (kind == NIBBLE_KIND_CONV || kind == NIBBLE_KIND_CONV_TRANSPOSE) {
    const part of = part_of(parameters, begin, end);
    return counted(of.positions, of.channels);
  }
  return -1;
}
