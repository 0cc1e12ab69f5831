#include <string.h>

#include "kernels/element.h"
#include "kernels/portable/portable.h"

/* Moves whose elements keep their size, a row of the last axis at a time; of the one before it where that is longer. */

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

typedef struct row {
  int64_t y, y_step, x, step, count;
  const int64_t* offsets; /* NULL: x, step apart */
  int filled;
} row;

static void move_row(const nibble_call* call, int64_t size, element fill, const row* r) {
  const void* from = call->in[0];
  void* to = call->out;
  if (size == 1) row_of_1(to, r->y, r->y_step, from, r->x, r->step, r->offsets, r->filled, fill, r->count);
  if (size == 2) row_of_2(to, r->y, r->y_step, from, r->x, r->step, r->offsets, r->filled, fill, r->count);
  if (size == 4) row_of_4(to, r->y, r->y_step, from, r->x, r->step, r->offsets, r->filled, fill, r->count);
  if (size == 8) row_of_8(to, r->y, r->y_step, from, r->x, r->step, r->offsets, r->filled, fill, r->count);
}

/* The row of the last axis that begins at an item, or what is left of it. */
static row next_row(const nibble_move* p, const int64_t* at, int64_t left) {
  const int last = p->rank - 1, listed = p->listed >> last & 1;
  const int64_t* offsets = p->offsets;
  row r = {0, p->y_stride[last], 0, p->x_stride[last], p->extent[last] - at[last], NULL, 0};
  if (r.count > left) r.count = left;
  for (int k = 0; k < last + !listed; ++k) {
    const int64_t offset = p->listed >> k & 1 ? offsets[p->first[k] + at[k]] : at[k] * p->x_stride[k];
    r.filled = r.filled || ((p->listed >> k & 1) && offset < 0);
    r.x += offset;
  }
  if (listed) r.offsets = offsets + p->first[last] + at[last];
  r.y = nibble_offset(at, p->y_stride, p->rank);
  return r;
}

/* How many rows of the last axis, from `at` on, are moved column by column: 0 where they are not shorter. */
static int64_t rows_across(const nibble_move* p, const int64_t* at, int64_t left) {
  const int last = p->rank - 1, before = last - 1;
  int64_t rows = 0;
  if (last < 1 || p->listed >> before != 0 || at[last] != 0 || p->extent[before] <= p->extent[last]) return 0;
  rows = p->extent[before] - at[before];
  return rows < left / p->extent[last] ? rows : left / p->extent[last];
}

int nibble_move_portable(const void* parameters, const nibble_call* call) {
  const nibble_move* p = parameters;
  const int last = p->rank - 1;
  const int64_t size = nibble_size_of(p->x_type);
  element fill;
  fill.eight = 0;
  nibble_store(&fill, p->y_type == NIBBLE_F64 ? NIBBLE_I64 : p->y_type, 0, p->y_type == NIBBLE_F64 ? 0 : p->fill);
  for (int64_t item = call->begin, count; item < call->end; item += count) {
    int64_t at[NIBBLE_MAX_RANK] = {0}, across;
    row r;
    nibble_place(item, p->extent, p->rank, at);
    across = rows_across(p, at, call->end - item);
    r = next_row(p, at, call->end - item);
    count = r.count;
    if (across <= r.count) {
      move_row(call, size, fill, &r);
      continue;
    }
    count *= across;
    r.count = across;
    r.step = p->x_stride[last - 1];
    r.y_step = p->y_stride[last - 1];
    for (int32_t k = 0; k < p->extent[last]; ++k, r.x += p->x_stride[last], r.y += p->y_stride[last])
      move_row(call, size, fill, &r);
  }
  return NIBBLE_FINE;
}
