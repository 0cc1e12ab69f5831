#include "kernels/element.h"

/* Where output position `at` (along batch, depth, height, width) reads and writes. */
typedef struct position {
  int64_t batch, at[3], y, r;
} position;

static position position_of(const nibble_conv* p, int64_t item) {
  position o;
  int64_t rest = item;
  for (int k = 2; k >= 0; --k) {
    o.at[k] = rest % p->out[k];
    rest /= p->out[k];
  }
  o.batch = rest;
  o.y = o.batch * p->y_stride[0];
  o.r = o.batch * p->r_stride[0];
  for (int k = 0; k < 3; ++k) {
    o.y += o.at[k] * p->y_stride[k + 1];
    o.r += o.at[k] * p->r_stride[k + 1];
  }
  return o;
}

/* Weight `at` of w_bits each, counted from byte `begin`. */
static int64_t packed(const nibble_conv* p, int64_t begin, int64_t at) {
  const uint8_t* bytes = (const uint8_t*)p->weights + begin;
  const int64_t bits = p->w_bits;
  if (bits == 8) return (int8_t)bytes[at];
  return p->w_low + p->w_step * ((bytes[at * bits / 8] >> (at * bits % 8)) & ((1 << bits) - 1));
}

/* The blocked matrix with `columns` (padded) columns. */
static int64_t blocked(const nibble_conv* p, int64_t row, int64_t column, int64_t columns) {
  return packed(p, 0, ((row / 16 * (columns / 4) + column / 4) * 16 + row % 16) * 4 + column % 4);
}

/* The matrix of rows of `columns` weights. */
static int64_t folded_weight(const nibble_conv* p, int64_t row, int64_t column, int64_t columns) {
  return packed(p, row * ((columns * p->w_bits + 7) / 8), column);
}

static int is_depthwise(const nibble_conv* p) {
  return p->groups > 1 && p->groups == p->in_channels && p->groups == p->out_channels;
}

/* w[o, tap, c], c within the group. */
static int64_t weight(const nibble_conv* p, int64_t o, const int64_t* tap, int64_t c) {
  const int64_t per_group = p->in_channels / p->groups;
  const int64_t row = tap[0] * p->kernel[1] + tap[1], t = row * p->kernel[2] + tap[2];
  const int64_t taps = (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2];
  if (p->w_format == NIBBLE_PLAIN) return nibble_load(p->weights, p->w_type, (o * taps + t) * per_group + c);
  if (p->w_format == NIBBLE_FOLDED)
    return is_depthwise(p) ? folded_weight(p, t, o, p->out_channels)
                           : folded_weight(p, o, t * per_group + c, taps * per_group);
  if (is_depthwise(p)) return blocked(p, o, t, (taps + 3) / 4 * 4);
  {
    const int64_t segment = ((int64_t)p->kernel[2] * per_group + 3) / 4 * 4;
    return blocked(p, o, row * segment + tap[2] * per_group + c, p->kernel[0] * p->kernel[1] * segment);
  }
}

static int64_t sum_at(const nibble_conv* p, const void* x, const position* q, int64_t o) {
  const int64_t per_group = p->in_channels / p->groups, group = o / (p->out_channels / p->groups);
  const int folded = p->w_format != NIBBLE_PLAIN;
  int64_t sum = p->bias == NULL ? 0 : nibble_load(p->bias, p->acc_type, o), tap[3];
  for (tap[0] = 0; tap[0] < p->kernel[0]; ++tap[0])
    for (tap[1] = 0; tap[1] < p->kernel[1]; ++tap[1])
      for (tap[2] = 0; tap[2] < p->kernel[2]; ++tap[2]) {
        int64_t offset = q->batch * p->x_stride[0] + group * per_group;
        int inside = 1;
        for (int k = 0; k < 3; ++k) {
          const int64_t at = q->at[k] * p->stride[k] - p->pad[k] + tap[k] * p->dilation[k];
          inside = inside && at >= 0 && at < p->in[k];
          offset += at * p->x_stride[k + 1];
        }
        if (!inside && !folded) continue;
        for (int64_t c = 0; c < per_group; ++c) {
          const int64_t value = inside ? nibble_load(x, p->x_type, offset + c) : p->zero_point;
          const int64_t centred = folded ? value : nibble_subtract(value, p->zero_point);
          sum = nibble_add(sum, nibble_multiply(weight(p, o, tap, c), centred));
        }
      }
  /* A folded bias is one modulo 2^32: the whole sum fits. */
  return folded ? (int64_t)(int32_t)(uint32_t)(uint64_t)sum : sum;
}

int nibble_conv_reference(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int64_t first = p->split ? 0 : call->begin, last = p->split ? positions : call->end;
  const int64_t from = p->split ? call->begin * 16 : 0, limit = p->split ? call->end * 16 : p->out_channels;
  const int64_t to = limit < p->out_channels ? limit : p->out_channels;
  int fault = NIBBLE_FINE;
  if (p->x_type == NIBBLE_F64) return nibble_conv_reals(p, call);
  for (int64_t item = first; item < last; ++item) {
    const position at = position_of(p, item);
    for (int64_t o = from; o < to; ++o) {
      const int64_t q = nibble_staged(&p->stage, sum_at(p, call->in[0], &at, o), o, &fault);
      const int64_t r = p->sum_form ? nibble_load(call->in[1], p->r_type, at.r + o) : 0;
      nibble_store(call->out, p->y_type, at.y + o, nibble_conv_summed(p, q, r));
    }
  }
  return fault;
}

int nibble_conv_transpose_reference(const void* parameters, const nibble_call* call) {
  const nibble_conv_transpose* p = parameters;
  const int64_t per_group = p->in_channels / p->groups, outputs = p->out_channels / p->groups;
  int fault = NIBBLE_FINE;
  for (int64_t item = call->begin; item < call->end; ++item) {
    const position q = position_of(p, item);
    for (int64_t o = 0; o < p->out_channels; ++o) {
      const int64_t group = o / outputs;
      int64_t sum = p->bias == NULL ? 0 : nibble_load(p->bias, p->acc_type, o), tap[3];
      for (tap[0] = 0; tap[0] < p->kernel[0]; ++tap[0])
        for (tap[1] = 0; tap[1] < p->kernel[1]; ++tap[1])
          for (tap[2] = 0; tap[2] < p->kernel[2]; ++tap[2]) {
            int64_t offset = q.batch * p->x_stride[0] + group * per_group;
            int meets = 1;
            for (int k = 0; k < 3; ++k) {
              const int64_t reach = q.at[k] + p->pad[k] - tap[k] * p->dilation[k];
              meets = meets && reach >= 0 && reach % p->stride[k] == 0 && reach / p->stride[k] < p->in[k];
              offset += reach / p->stride[k] * p->x_stride[k + 1];
            }
            if (!meets) continue;
            for (int64_t c = 0; c < per_group; ++c) {
              const int64_t t = (tap[0] * p->kernel[1] + tap[1]) * p->kernel[2] + tap[2];
              const int64_t taps = (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2];
              const int64_t w =
                  nibble_load(p->weights, p->w_type, ((group * per_group + c) * taps + t) * outputs + o % outputs);
              const int64_t value = nibble_load(call->in[0], p->x_type, offset + c);
              sum = nibble_add(sum, nibble_multiply(w, nibble_subtract(value, p->zero_point)));
            }
          }
      nibble_store(call->out, p->y_type, q.y + o, nibble_staged(&p->stage, sum, o, &fault));
    }
  }
  return fault;
}
