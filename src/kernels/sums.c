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

static int finish_by_reference(const nibble_conv* p, const nibble_call* call, const int32_t* v, int64_t count,
                               int64_t channel, const int64_t* y, const int64_t* r) {
  const int64_t rest = p->out_channels - channel, channels = rest < 16 ? rest : 16;
  int fault = NIBBLE_FINE;
  for (int64_t i = 0; i < count; ++i, v += 16)
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t q = nibble_staged(&p->stage, v[c], channel + c, &fault);
      const int64_t other = p->sum_form ? nibble_load(call->in[1], p->r_type, r[i] + channel + c) : 0;
      nibble_store(call->out, p->y_type, y[i] + channel + c, nibble_conv_summed(p, q, other));
    }
  return fault;
}

/* Where the `count` positions from `first` on write and read. */
static void offsets_of(const nibble_conv* p, int64_t first, int64_t count, int64_t* y, int64_t* r) {
  const int32_t extents[4] = {p->batch, p->out[0], p->out[1], p->out[2]};
  for (int64_t i = 0; i < count; ++i) {
    int64_t at[4];
    nibble_place(first + i, extents, 4, at);
    y[i] = nibble_offset(at, p->y_stride, 4);
    r[i] = nibble_offset(at, p->r_stride, 4);
  }
}

/* `count` rows, `row` apart, of at most 16 sums each. */
static void fill_tile(int32_t* tile, const int32_t* v, int64_t count, int64_t row, int64_t channels,
                      const int32_t* addend) {
  for (int64_t i = 0; i < count; ++i, v += row, tile += 16)
    for (int64_t c = 0; c < channels; ++c) tile[c] = (int32_t)with_addend(v[c], addend, c);
}

static int finish_conv(const nibble_conv* p, const nibble_call* call, const int32_t* v, const int32_t* addend,
                       nibble_finisher finisher) {
  const part of = part_of(p, call->begin, call->end);
  const nibble_finisher finish = finisher != NULL ? finisher : finish_by_reference;
  int32_t tile[NIBBLE_TILE * 16] = {0};
  int64_t y[NIBBLE_TILE], r[NIBBLE_TILE];
  int fault = NIBBLE_FINE;
  for (int64_t i = 0; i < of.positions; i += NIBBLE_TILE) {
    const int64_t left = of.positions - i, count = left < NIBBLE_TILE ? left : NIBBLE_TILE;
    offsets_of(p, of.position + i, count, y, r);
    for (int64_t c = 0; c < of.channels; c += 16) {
      const int64_t rest = of.channels - c;
      int found;
      fill_tile(tile, v + i * of.channels + c, count, of.channels, rest < 16 ? rest : 16,
                addend == NULL ? NULL : addend + of.channel + c);
      found = finish(p, call, tile, count, of.channel + c, y, r);
      if (found != NIBBLE_FINE) fault = found;
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
                       const int32_t* addend, nibble_finisher finisher) {
  if (kind == NIBBLE_KIND_MATMUL) return finish_matmul(parameters, call, v, addend);
  return finish_conv(parameters, call, v, addend, finisher);
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
