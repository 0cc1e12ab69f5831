#include "kernels/element.h"

/* Sums of reals in graph/evaluate's order, for the same bits: over channels first, then taps; the bias last. */

int nibble_conv_reals(const nibble_conv* p, const nibble_call* call) {
  const double *x = call->in[0], *w = p->weights, *bias = p->bias;
  const int64_t taps = (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2],
                positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int64_t per_group = p->in_channels / p->groups;
  const int64_t first = p->split ? 0 : call->begin, last = p->split ? positions : call->end;
  const int64_t from = p->split ? call->begin * 16 : 0, limit = p->split ? call->end * 16 : p->out_channels;
  const int64_t to = limit < p->out_channels ? limit : p->out_channels;
  const int32_t extents[4] = {p->batch, p->out[0], p->out[1], p->out[2]};
  for (int64_t item = first; item < last; ++item) {
    int64_t at[4];
    nibble_place(item, extents, 4, at);
    for (int64_t o = from; o < to; ++o) {
      const int64_t channel = o / (p->out_channels / p->groups) * per_group;
      double sum = 0;
      for (int64_t c = 0; c < per_group; ++c)
        for (int64_t t = 0; t < taps; ++t) {
          int64_t tap[3], offset = at[0] * p->x_stride[0] + channel + c;
          int inside = 1;
          nibble_place(t, p->kernel, 3, tap);
          for (int k = 0; k < 3; ++k) {
            const int64_t place = at[k + 1] * p->stride[k] - p->pad[k] + tap[k] * p->dilation[k];
            inside = inside && place >= 0 && place < p->in[k];
            offset += place * p->x_stride[k + 1];
          }
          if (inside) sum += x[offset] * w[(o * taps + t) * per_group + c];
        }
      ((double*)call->out)[nibble_offset(at, p->y_stride, 4) + o] = bias == NULL ? sum : sum + bias[o];
    }
  }
  return NIBBLE_FINE;
}

int nibble_matmul_reals(const nibble_matmul* p, const nibble_call* call) {
  for (int64_t item = call->begin; item < call->end; ++item) {
    int64_t at[4] = {0, 0, 0, item % p->rows};
    nibble_place(item / p->rows, p->batch, 3, at);
    {
      const double* a = (const double*)call->in[0] + nibble_offset(at, p->a_stride, 4);
      const double* b = (const double*)call->in[1] + nibble_offset(at, p->b_stride, 3);
      double* y = (double*)call->out + nibble_offset(at, p->y_stride, 4);
      for (int64_t j = 0; j < p->columns; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < p->inner; ++k)
          sum += a[k * p->a_stride[4]] * b[k * p->b_stride[3] + j * p->b_stride[4]];
        y[j * p->y_stride[4]] = sum;
      }
    }
  }
  return NIBBLE_FINE;
}

static double pooled(const nibble_pool* p, const double* x, const int64_t* at) {
  const int64_t taps = (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2];
  double sum = 0, most = -INFINITY;
  for (int64_t t = 0; t < taps; ++t) {
    int64_t tap[3], offset = 0;
    int inside = 1;
    nibble_place(t, p->kernel, 3, tap);
    for (int k = 0; k < 3; ++k) {
      const int64_t place = at[k + 1] * p->stride[k] - p->pad[k] + tap[k] * p->dilation[k];
      inside = inside && place >= 0 && place < p->in[k];
      offset += place * p->x_stride[k + 1];
    }
    if (!inside) continue;
    sum += x[offset];
    most = most < x[offset] ? x[offset] : most;
  }
  return p->op == 0 ? most : sum;
}

int nibble_pool_reals(const nibble_pool* p, const nibble_call* call) {
  const int32_t extents[4] = {p->batch, p->out[0], p->out[1], p->out[2]};
  for (int64_t item = call->begin; item < call->end; ++item) {
    int64_t at[4];
    nibble_place(item, extents, 4, at);
    for (int64_t c = 0; c < p->channels; ++c)
      ((double*)call->out)[nibble_offset(at, p->y_stride, 4) + c] =
          pooled(p, (const double*)call->in[0] + at[0] * p->x_stride[0] + c, at);
  }
  return NIBBLE_FINE;
}

int nibble_reduce_reals(const nibble_reduce* p, const nibble_call* call) {
  int64_t count = 1;
  for (int k = 0; k < p->reduced_rank; ++k) count *= p->reduced[k];
  for (int64_t item = call->begin; item < call->end; ++item) {
    int64_t at[NIBBLE_MAX_RANK] = {0}, over[NIBBLE_MAX_RANK] = {0}, place = 0, to;
    double sum = 0, most = 0;
    const double* x = call->in[0];
    nibble_place(item, p->extent, p->rank, at);
    x += nibble_offset(at, p->x_stride, p->rank);
    to = nibble_offset(at, p->y_stride, p->rank);
    for (int64_t r = 0; r < count; ++r) {
      double value;
      nibble_place(r, p->reduced, p->reduced_rank, over);
      value = x[nibble_offset(over, p->reduced_stride, p->reduced_rank)];
      sum += value;
      if (p->op == 1 ? r == 0 || most < value : r == 0 || !(p->op == 3 ? value < most : value <= most)) {
        most = value;
        place = r;
      }
    }
    if (p->op >= 2)
      nibble_store(call->out, p->y_type, to, place);
    else
      ((double*)call->out)[to] = p->op == 0 ? sum : most;
  }
  return NIBBLE_FINE;
}
