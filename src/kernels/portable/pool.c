#include "kernels/element.h"
#include "kernels/portable/portable.h"

/* Taps [*first, *last) of axis k that meet x. */
static void meeting(const nibble_pool* p, int k, int32_t at, int32_t* first, int32_t* last) {
  const int32_t begin = at * p->stride[k] - p->pad[k];
  *first = begin < 0 ? (-begin + p->dilation[k] - 1) / p->dilation[k] : 0;
  *last = p->kernel[k];
  while (*last > *first && begin + (*last - 1) * p->dilation[k] >= p->in[k]) --*last;
}

int nibble_pool_portable(const void* parameters, const nibble_call* call) {
  const nibble_pool* p = parameters;
  const int is_signed = p->x_type == NIBBLE_I8;
  const uint8_t* x = call->in[0];
  for (int64_t item = call->begin; item < call->end; ++item) {
    int32_t first[3], last[3];
    int64_t rest = item, from, to = 0;
    for (int k = 2; k >= 0; --k) {
      const int32_t at = (int32_t)(rest % p->out[k]);
      rest /= p->out[k];
      meeting(p, k, at, &first[k], &last[k]);
      to += at * p->y_stride[k + 1];
      first[k] = at * p->stride[k] - p->pad[k] + first[k] * p->dilation[k];
      last[k] = at * p->stride[k] - p->pad[k] + last[k] * p->dilation[k];
    }
    from = rest * p->x_stride[0];
    to += rest * p->y_stride[0];
    for (int32_t c = 0; c < p->channels; ++c) {
      int32_t most = INT32_MIN;
      for (int32_t d = first[0]; d < last[0]; d += p->dilation[0])
        for (int32_t h = first[1]; h < last[1]; h += p->dilation[1])
          for (int32_t w = first[2]; w < last[2]; w += p->dilation[2]) {
            const uint8_t byte = x[from + d * p->x_stride[1] + h * p->x_stride[2] + w * p->x_stride[3] + c];
            const int32_t value = is_signed ? (int8_t)byte : byte;
            if (value > most) most = value;
          }
      nibble_store(call->out, p->y_type, to + c, most == INT32_MIN ? INT64_MIN : most);
    }
  }
  return NIBBLE_FINE;
}
