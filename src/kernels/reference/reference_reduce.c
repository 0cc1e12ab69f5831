#include "kernels/element.h"

/* The reduction of x from `base` on. */
static int64_t reduced(const nibble_reduce* p, const void* x, int64_t base) {
  int64_t count = 1, at[NIBBLE_MAX_RANK], sum = 0, most = 0, place = 0;
  for (int k = 0; k < p->reduced_rank; ++k) count *= p->reduced[k];
  for (int64_t r = 0; r < count; ++r) {
    int64_t value;
    nibble_place(r, p->reduced, p->reduced_rank, at);
    value = nibble_load(x, p->x_type, base + nibble_offset(at, p->reduced_stride, p->reduced_rank));
    sum = nibble_add(sum, nibble_subtract(value, p->zero_point));
    if (r == 0 || value > most || (value == most && p->op == 3)) {
      most = value;
      place = r;
    }
  }
  return p->op == 0 ? sum : p->op == 1 ? most : place;
}

int nibble_reduce_reference(const void* parameters, const nibble_call* call) {
  const nibble_reduce* p = parameters;
  int fault = NIBBLE_FINE;
  if (p->x_type == NIBBLE_F64) return nibble_reduce_reals(p, call);
  for (int64_t item = call->begin; item < call->end; ++item) {
    int64_t at[NIBBLE_MAX_RANK] = {0}, value;
    nibble_place(item, p->extent, p->rank, at);
    value = reduced(p, call->in[0], nibble_offset(at, p->x_stride, p->rank));
    if (p->op == 0) value = nibble_staged(&p->stage, value, p->channel_axis < 0 ? 0 : at[p->channel_axis], &fault);
    nibble_store(call->out, p->y_type, nibble_offset(at, p->y_stride, p->rank), value);
  }
  return fault;
}
