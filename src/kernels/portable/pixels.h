#ifndef NIBBLE_KERNELS_PORTABLE_PIXELS_H
#define NIBBLE_KERNELS_PORTABLE_PIXELS_H
#include "kernels/element.h"
#include "kernels/portable/portable.h"

/* Planes of bytes that become pixels, as images come in: y[.., i, c] = x[.. + i + c * plane], of 2 to 4 channels side by
 * side. A set interleaves by its own instructions. */

static inline int nibble_is_of_pixels(const nibble_move* p) {
  const int last = p->rank - 1;
  return p->rank >= 2 && p->listed == 0 && p->x_type == p->y_type && nibble_size_of(p->x_type) == 1 &&
         p->extent[last] >= 2 && p->extent[last] <= 4 && p->y_stride[last] == 1 &&
         p->y_stride[last - 1] == p->extent[last] && p->x_stride[last - 1] == 1;
}

/* `count` pixels, a multiple of 16, of `channels` planes that lie `plane` apart. */
typedef void (*nibble_interleave)(uint8_t* y, const uint8_t* x, int64_t plane, int channels, int64_t count);

static inline void nibble_move_row_of_pixels(uint8_t* y, const uint8_t* x, int64_t plane, int channels, int64_t count,
                                             nibble_interleave interleave) {
  const int64_t most = count / 16 * 16;
  interleave(y, x, plane, channels, most);
  for (int64_t i = most; i < count; ++i)
    for (int c = 0; c < channels; ++c) y[i * channels + c] = x[c * plane + i];
}

static inline int nibble_move_pixels(const nibble_move* p, const nibble_call* call, nibble_interleave interleave) {
  const int last = p->rank - 1, channels = p->extent[last];
  /* Whole pixels; what is left at both ends goes element by element. */
  int64_t first = (call->begin + channels - 1) / channels;
  const int64_t end = call->end / channels;
  nibble_call part = *call;
  if (first > end) return nibble_move_portable(p, call);
  part.end = first * channels;
  nibble_move_portable(p, &part);
  while (first < end) {
    int64_t at[NIBBLE_MAX_RANK] = {0}, count;
    nibble_place(first, p->extent, last, at);
    count = p->extent[last - 1] - at[last - 1] < end - first ? p->extent[last - 1] - at[last - 1] : end - first;
    nibble_move_row_of_pixels((uint8_t*)call->out + nibble_offset(at, p->y_stride, last),
                              (const uint8_t*)call->in[0] + nibble_offset(at, p->x_stride, last), p->x_stride[last],
                              channels, count, interleave);
    first += count;
  }
  part.begin = end * channels;
  part.end = call->end;
  return nibble_move_portable(p, &part);
}

#endif
