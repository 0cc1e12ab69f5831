#include "kernels/element.h"
#include "kernels/portable/portable.h"

/* The sum of bytes over the reduced axes from x on. */
static int32_t sum_over(const nibble_reduce* p, const uint8_t* x, int32_t axis) {
  const int32_t extent = axis < p->reduced_rank ? p->reduced[axis] : 1;
  const int32_t step = axis < p->reduced_rank ? (int32_t)p->reduced_stride[axis] : 0;
  const uint8_t* const end = x + (int64_t)extent * step;
  int32_t sum = 0;
  if (step == 0) return extent * (p->x_type == NIBBLE_I8 ? (int8_t)*x : *x);
  if (p->x_type == NIBBLE_I8)
    for (; x != end; x += step) sum += (int8_t)*x;
  else
    for (; x != end; x += step) sum += *x;
  return sum;
}

int nibble_reduce_portable(const void* parameters, const nibble_call* call) {
  const nibble_reduce* p = parameters;
  const int32_t outer = p->reduced_rank > 1 ? p->reduced[0] : 1, inner = p->reduced_rank > 1 ? 1 : 0;
  const int64_t step = p->reduced_rank > 1 ? p->reduced_stride[0] : 0;
  int64_t count = 1;
  int fault = NIBBLE_FINE;
  for (int32_t k = 0; k < p->reduced_rank; ++k) count *= p->reduced[k];
  for (int64_t item = call->begin; item < call->end; ++item) {
    int64_t at[NIBBLE_MAX_RANK], q, channel;
    const uint8_t* x = call->in[0];
    int32_t sum = 0;
    nibble_place(item, p->extent, p->rank, at);
    x += nibble_offset(at, p->x_stride, p->rank);
    for (int32_t i = 0; i < outer; ++i, x += step) sum += sum_over(p, x, inner);
    channel = p->channel_axis < 0 ? 0 : at[p->channel_axis];
    q = nibble_staged(&p->stage, nibble_subtract(sum, nibble_multiply(count, p->zero_point)), channel, &fault);
    nibble_store(call->out, p->y_type, nibble_offset(at, p->y_stride, p->rank), q);
  }
  return fault;
}
