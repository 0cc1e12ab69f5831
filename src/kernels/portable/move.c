#include <string.h>

#include "kernels/element.h"
#include "kernels/portable/portable.h"

/* Moves whose elements keep their size, a row of the last axis at a time. */

/* The fill's bytes, as an element's. */
typedef union element {
  uint8_t one;
  uint16_t two;
  uint32_t four;
  uint64_t eight;
} element;

/* `count` elements of a row: from x, `step` elements apart; from x + offsets[i]; or the fill. */
#define ROW(name, type, member)                                                                                   \
  static void name(void* to, int64_t y, int64_t y_step, const void* from, int64_t x, int64_t step,                \
                   const int64_t* offsets, int filled, element fill, int64_t count) {                             \
    type* target = (type*)to + y;                                                                                 \
    const type* source = (const type*)from + x;                                                                   \
    if (filled)                                                                                                   \
      for (int64_t i = 0; i < count; ++i) target[i * y_step] = fill.member;                                       \
    else if (offsets != NULL)                                                                                     \
      for (int64_t i = 0; i < count; ++i) target[i * y_step] = offsets[i] < 0 ? fill.member : source[offsets[i]]; \
    else if (step == 1 && y_step == 1)                                                                            \
      memcpy(target, source, (size_t)count * sizeof(type));                                                       \
    else                                                                                                          \
      for (int64_t i = 0; i < count; ++i) target[i * y_step] = source[i * step];                                  \
  }
ROW(row_of_1, uint8_t, one)
ROW(row_of_2, uint16_t, two)
ROW(row_of_4, uint32_t, four)
ROW(row_of_8, uint64_t, eight)
#undef ROW

int nibble_move_portable(const void* parameters, const nibble_call* call) {
  const nibble_move* p = parameters;
  const int last = p->rank - 1;
  const int64_t size = nibble_size_of(p->x_type), *offsets = p->offsets;
  element fill;
  fill.eight = 0;
  nibble_store(&fill, p->y_type == NIBBLE_F64 ? NIBBLE_I64 : p->y_type, 0, p->y_type == NIBBLE_F64 ? 0 : p->fill);
  for (int64_t item = call->begin, count; item < call->end; item += count) {
    const int listed = p->listed >> last & 1;
    int64_t at[NIBBLE_MAX_RANK], x = 0;
    const int64_t* list = NULL;
    int filled = 0;
    nibble_place(item, p->extent, p->rank, at);
    count = p->extent[last] - at[last] < call->end - item ? p->extent[last] - at[last] : call->end - item;
    for (int k = 0; k < last + !listed; ++k) {
      const int64_t offset = p->listed >> k & 1 ? offsets[p->first[k] + at[k]] : at[k] * p->x_stride[k];
      filled = filled || ((p->listed >> k & 1) && offset < 0);
      x += offset;
    }
    if (listed) list = offsets + p->first[last] + at[last];
    {
      const int64_t y = nibble_offset(at, p->y_stride, p->rank), y_step = p->y_stride[last], step = p->x_stride[last];
      if (size == 1) row_of_1(call->out, y, y_step, call->in[0], x, step, list, filled, fill, count);
      if (size == 2) row_of_2(call->out, y, y_step, call->in[0], x, step, list, filled, fill, count);
      if (size == 4) row_of_4(call->out, y, y_step, call->in[0], x, step, list, filled, fill, count);
      if (size == 8) row_of_8(call->out, y, y_step, call->in[0], x, step, list, filled, fill, count);
    }
  }
  return NIBBLE_FINE;
}
