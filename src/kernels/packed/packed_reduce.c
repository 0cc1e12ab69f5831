#include "kernels/packed/packed.h"

enum { most_of_word = 16 };

/* Whether the word's items from `item` on are elements side by side, and each step along x whole words. */
static int is_word(const nibble_reduce* p, const nibble_call* call, int64_t item, int64_t last, int64_t base) {
  const int64_t n = nibble_per_word(p->x_type);
  if (p->op != 0 || p->rank < 1 || p->reduced_rank > 2 || p->x_stride[p->rank - 1] != 1) return 0;
  for (int32_t k = 0; k < p->reduced_rank; ++k)
    if (p->reduced_stride[k] < 0 || p->reduced_stride[k] % n != 0) return 0;
  return base % n == 0 && last + n <= p->extent[p->rank - 1] && item + n <= call->end;
}

/* Sums of the word's elements, without the zero point. */
static void add_words(const nibble_reduce* p, const uint8_t* x, int64_t base, int64_t* sums) {
  const int32_t n = (int32_t)nibble_per_word(p->x_type),
                inner = p->reduced_rank == 0 ? 1 : p->reduced[p->reduced_rank - 1];
  const int64_t step = p->reduced_rank == 0 ? 0 : nibble_bytes_to(p->x_type, p->reduced_stride[p->reduced_rank - 1]);
  const int64_t outer_step = p->reduced_rank < 2 ? 0 : nibble_bytes_to(p->x_type, p->reduced_stride[0]);
  const int is_signed = nibble_in_tile(p->x_type) == NIBBLE_I8;
  for (int32_t i = 0; i < n; ++i) sums[i] = 0;
  x += nibble_bytes_to(p->x_type, base);
  for (int32_t o = 0; o < (p->reduced_rank < 2 ? 1 : p->reduced[0]); ++o, x += outer_step) {
    const uint8_t* at = x;
    for (int32_t k = 0; k < inner; ++k, at += step) {
      uint32_t words[most_of_word / 4];
      uint8_t* const bytes = (uint8_t*)words;
      nibble_unpack(bytes, at, p->x_type, n);
      for (int32_t i = 0; i < n; ++i) sums[i] += is_signed ? (int8_t)bytes[i] : bytes[i];
    }
  }
}

/* The reduction of x from `base` on, element by element. */
static int64_t reduced(const nibble_reduce* p, const void* x, int64_t base, int64_t count) {
  int64_t at[NIBBLE_MAX_RANK], result = 0, place = 0;
  for (int64_t r = 0; r < count; ++r) {
    int64_t value;
    nibble_place(r, p->reduced, p->reduced_rank, at);
    value = nibble_load_packed(x, p->x_type, base + nibble_offset(at, p->reduced_stride, p->reduced_rank));
    if (p->op == 0) {
      result += value;
    } else if (r == 0 || value > result || (value == result && p->op == 3)) {
      result = value;
      place = r;
    }
  }
  return p->op < 2 ? result : place;
}

int nibble_reduce_packed(const void* parameters, const nibble_call* call) {
  const nibble_reduce* p = parameters;
  int64_t count = 1;
  int fault = NIBBLE_FINE;
  for (int32_t k = 0; k < p->reduced_rank; ++k) count *= p->reduced[k];
  for (int64_t item = call->begin; item < call->end;) {
    int64_t at[NIBBLE_MAX_RANK] = {0}, results[most_of_word], base, here = 1;
    nibble_place(item, p->extent, p->rank, at);
    base = nibble_offset(at, p->x_stride, p->rank);
    if (is_word(p, call, item, p->rank > 0 ? at[p->rank - 1] : 0, base)) {
      add_words(p, call->in[0], base, results);
      here = nibble_per_word(p->x_type);
    } else {
      results[0] = reduced(p, call->in[0], base, count);
    }
    for (int64_t i = 0; i < here; ++i, ++item) {
      int64_t value = results[i];
      if (p->op == 0)
        value = nibble_staged(&p->stage, nibble_subtract(value, nibble_multiply(count, p->zero_point)),
                              p->channel_axis < 0 ? 0 : at[p->channel_axis], &fault);
      nibble_store(call->out, p->y_type, nibble_offset(at, p->y_stride, p->rank), value);
      if (p->rank > 0) ++at[p->rank - 1];
    }
  }
  return fault;
}
