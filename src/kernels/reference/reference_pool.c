#include "kernels/element.h"

/* The maximum or the sum over the window whose first tap stands at `from` along depth, height and width. */
static int64_t pooled(const nibble_pool* p, const void* x, const int64_t* from, int64_t base) {
  int64_t result = p->op == 0 ? INT64_MIN : 0, at[3];
  for (int64_t d = 0; d < p->kernel[0]; ++d)
    for (int64_t h = 0; h < p->kernel[1]; ++h)
      for (int64_t w = 0; w < p->kernel[2]; ++w) {
        int64_t value;
        at[0] = from[0] + d * p->dilation[0];
        at[1] = from[1] + h * p->dilation[1];
        at[2] = from[2] + w * p->dilation[2];
        if (at[0] < 0 || at[0] >= p->in[0] || at[1] < 0 || at[1] >= p->in[1] || at[2] < 0 || at[2] >= p->in[2])
          continue;
        value = nibble_load(x, p->x_type, base + nibble_offset(at, p->x_stride + 1, 3));
        if (p->op == 0)
          result = value > result ? value : result;
        else
          result = nibble_add(result, nibble_subtract(value, p->zero_point));
      }
  return result;
}

int nibble_pool_reference(const void* parameters, const nibble_call* call) {
  const nibble_pool* p = parameters;
  const int64_t positions = (int64_t)p->out[0] * p->out[1] * p->out[2];
  int fault = NIBBLE_FINE;
  if (p->x_type == NIBBLE_F64) return nibble_pool_reals(p, call);
  for (int64_t item = call->begin; item < call->end; ++item) {
    const int64_t batch = item / positions;
    int64_t at[3], from[3], y;
    nibble_place(item % positions, p->out, 3, at);
    for (int k = 0; k < 3; ++k) from[k] = at[k] * p->stride[k] - p->pad[k];
    y = batch * p->y_stride[0] + nibble_offset(at, p->y_stride + 1, 3);
    for (int64_t c = 0; c < p->channels; ++c) {
      const int64_t value = pooled(p, call->in[0], from, batch * p->x_stride[0] + c);
      nibble_store(call->out, p->y_type, y + c, p->op == 0 ? value : nibble_staged(&p->stage, value, c, &fault));
    }
  }
  return fault;
}
