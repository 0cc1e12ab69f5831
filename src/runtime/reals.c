#include "kernels/element.h"
#include "runtime/loaded.h"

/* From reals to levels, in a form that a compiler makes vectors of. */

enum { PART = 256 };

static int levels_of(const nibble_loaded_port* port, double scale, const float* x, int64_t count, double* levels) {
  const double zero = (double)port->zero_point, low = (double)port->low - zero, high = (double)port->high - zero;
  const double half = port->rounding == 1 ? 0.5 : 0, down = port->rounding == 2 ? 0 : 1;
  /* Doubles as large have a step of 1: what is added and taken off again is the nearest integer. */
  const double large = 6755399441055744.0;
  const int whole = port->scales == 0;
  int wrong = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double q = (double)x[i] / scale;
    /* Bounds are integers: they may come before the rounding. */
    const double above = q > low ? q : low, kept = above < high ? above : high;
    const double from = kept + half, near = (from + large) - large;
    const double level = near - (near > from ? down : 0);
    wrong |= (x[i] != x[i]) | (whole & (level != q));
    levels[i] = level + zero;
  }
  return wrong;
}

int nibble_set_levels(const nibble_loaded_port* port, double scale, const float* x, int64_t count, uint8_t* to,
                      int64_t offset, int64_t step) {
  const int type = port->value.type;
  for (int64_t begin = 0; begin < count; begin += PART) {
    const int64_t some = count - begin < PART ? count - begin : PART, at = offset + begin * step;
    double levels[PART];
    if (levels_of(port, scale, x + begin, some, levels)) return 1;
    if (nibble_size_of(type) == 1)
      for (int64_t i = 0; i < some; ++i) to[at + i * step] = (uint8_t)(int32_t)levels[i];
    else
      for (int64_t i = 0; i < some; ++i) nibble_store(to, type, at + i * step, (int64_t)levels[i]);
  }
  return 0;
}
