#include "kernels/element.h"

int nibble_gather_reference(const void* parameters, const nibble_call* call) {
  const nibble_gather* p = parameters;
  int fault = NIBBLE_FINE;
  for (int64_t item = call->begin; item < call->end; ++item) {
    const int64_t o = item / p->indices, i = item % p->indices;
    const int64_t index = nibble_load(call->in[1], p->index_type, i), from = index < 0 ? index + p->extent : index;
    const int inside = from >= 0 && from < p->extent;
    const int64_t x = inside ? o * p->x_stride[0] + from * p->x_stride[1] : 0;
    const int64_t y = o * p->y_stride[0] + i * p->y_stride[1];
    if (!inside) fault = NIBBLE_BEYOND_TABLE;
    for (int64_t n = 0; n < p->inner; ++n) {
      const int64_t at = x + n * p->x_stride[2], to = y + n * p->y_stride[2];
      if (p->y_type == NIBBLE_F64)
        ((double*)call->out)[to] = inside ? nibble_load_real(call->in[0], p->x_type, at) : 0;
      else
        nibble_store(call->out, p->y_type, to, inside ? nibble_load(call->in[0], p->x_type, at) : 0);
    }
  }
  return fault;
}
