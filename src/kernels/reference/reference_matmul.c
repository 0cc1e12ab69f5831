#include "kernels/element.h"

int nibble_matmul_reference(const void* parameters, const nibble_call* call) {
  const nibble_matmul* p = parameters;
  int fault = NIBBLE_FINE;
  if (p->a_type == NIBBLE_F64) return nibble_matmul_reals(p, call);
  for (int64_t item = call->begin; item < call->end; ++item) {
    int64_t at[4] = {0, 0, 0, item % p->rows};
    nibble_place(item / p->rows, p->batch, 3, at);
    {
      const int64_t a = nibble_offset(at, p->a_stride, 4), y = nibble_offset(at, p->y_stride, 4);
      const int64_t b = nibble_offset(at, p->b_stride, 3);
      for (int64_t j = 0; j < p->columns; ++j) {
        int64_t sum = 0;
        for (int64_t k = 0; k < p->inner; ++k) {
          const int64_t left = nibble_load(call->in[0], p->a_type, a + k * p->a_stride[4]);
          const int64_t right = nibble_load(call->in[1], p->b_type, b + k * p->b_stride[3] + j * p->b_stride[4]);
          sum = nibble_add(sum, nibble_multiply(nibble_subtract(left, p->zero_a), nibble_subtract(right, p->zero_b)));
        }
        nibble_store(call->out, p->y_type, y + j * p->y_stride[4], nibble_staged(&p->stage, sum, j, &fault));
      }
    }
  }
  return fault;
}
