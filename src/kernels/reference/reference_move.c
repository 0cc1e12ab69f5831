#include <string.h>

#include "kernels/element.h"

int nibble_move_reference(const void* parameters, const nibble_call* call) {
  const nibble_move* p = parameters;
  const int64_t* offsets = p->offsets;
  for (int64_t item = call->begin; item < call->end; ++item) {
    int64_t rest = item, from = 0, to = 0;
    int filled = 0;
    for (int k = p->rank - 1; k >= 0; --k) {
      const int64_t at = rest % p->extent[k];
      const int64_t offset = p->listed >> k & 1 ? offsets[p->first[k] + at] : at * p->x_stride[k];
      filled = filled || (offset < 0 && (p->listed >> k & 1));
      from += offset;
      to += at * p->y_stride[k];
      rest /= p->extent[k];
    }
    if (p->x_type == NIBBLE_F64)
      ((double*)call->out)[to] = filled ? 0 : ((const double*)call->in[0])[from];
    else
      nibble_store(call->out, p->y_type, to, filled ? p->fill : nibble_load(call->in[0], p->x_type, from));
  }
  return NIBBLE_FINE;
}
