#ifndef NIBBLE_KERNELS_CORTEX_M_MVE_SPOT_H
#define NIBBLE_KERNELS_CORTEX_M_MVE_SPOT_H
/* Where windows lie. */
#include "kernels/cortex_m/mve_stage.h"

typedef struct nibble_mve_spot {
  int32_t column, left; /* of outputs: where it is in its row, how many are behind it */
  int32_t x, y, r;      /* elements of its batch; x at the window's first element, which may lie outside */
  int32_t first[2];     /* depth and height of that element */
  int32_t top, bottom;  /* of the window's rows, in its first plane: those that lie in x */
  int32_t whole;        /* all of them do, in all planes */
} nibble_mve_spot;

/* What a walk over positions needs of the step. */
typedef struct nibble_mve_walk {
  const nibble_conv* p;
  int32_t x_step, y_step, r_step;
  int32_t first, last; /* columns whose windows lie in x but for their rows */
} nibble_mve_walk;

static void nibble_mve_walk_over(const nibble_conv* p, nibble_mve_walk* w) {
  const int32_t stride = p->stride[2], pad = p->pad[2];
  const int32_t room = p->in[2] - 1 - (p->kernel[2] - 1) * p->dilation[2] + pad;
  w->p = p;
  w->x_step = stride * (int32_t)p->x_stride[3];
  w->y_step = (int32_t)p->y_stride[3];
  w->r_step = (int32_t)p->r_stride[3];
  w->first = pad <= 0 ? 0 : (pad + stride - 1) / stride;
  w->last = room < 0 ? -1 : room / stride;
}

/* Whether a window's plane (k 0) or row (k 1) lies in x. */
NIBBLE_INLINE int nibble_mve_meets(const nibble_conv* p, const nibble_mve_spot* s, int k, int32_t tap) {
  const int32_t at = s->first[k] + tap * p->dilation[k];
  return at >= 0 && at < p->in[k];
}

static void nibble_mve_spot_at(const nibble_mve_walk* w, int32_t item, nibble_mve_spot* s) {
  const nibble_conv* p = w->p;
  const int32_t line = item / p->out[2], plane = line / p->out[1], batch = plane / p->out[0];
  const int32_t at[3] = {plane - batch * p->out[0], line - plane * p->out[1], item - line * p->out[2]};
  s->column = at[2];
  s->left = p->out[2] - 1 - s->column;
  s->x = batch * (int32_t)p->x_stride[0];
  s->y = batch * (int32_t)p->y_stride[0];
  s->r = batch * (int32_t)p->r_stride[0];
  for (int k = 0; k < 3; ++k) {
    const int32_t first = at[k] * p->stride[k] - p->pad[k];
    if (k < 2) s->first[k] = first;
    s->x += first * (int32_t)p->x_stride[k + 1];
    s->y += at[k] * (int32_t)p->y_stride[k + 1];
    s->r += at[k] * (int32_t)p->r_stride[k + 1];
  }
  s->top = 0;
  s->bottom = p->kernel[1];
  while (s->bottom > 0 && !nibble_mve_meets(p, s, 1, s->bottom - 1)) --s->bottom;
  while (s->top < s->bottom && !nibble_mve_meets(p, s, 1, s->top)) ++s->top;
  if (!nibble_mve_meets(p, s, 0, 0)) s->top = s->bottom;
  s->whole = s->top == 0 && s->bottom == p->kernel[1] && nibble_mve_meets(p, s, 0, p->kernel[0] - 1);
}

/* To position `item`, the one after. */
NIBBLE_INLINE void nibble_mve_spot_next(const nibble_mve_walk* w, int32_t item, nibble_mve_spot* s) {
  if (s->left == 0) {
    nibble_mve_spot_at(w, item, s);
    return;
  }
  --s->left;
  ++s->column;
  s->x += w->x_step;
  s->y += w->y_step;
  s->r += w->r_step;
}

/* To position `item`, `count` on and at most one beyond the row. */
NIBBLE_INLINE void nibble_mve_spot_on(const nibble_mve_walk* w, int32_t item, int32_t count, nibble_mve_spot* s) {
  s->left -= count;
  s->column += count;
  s->x += count * w->x_step;
  s->y += count * w->y_step;
  s->r += count * w->r_step;
  if (s->left < 0) nibble_mve_spot_at(w, item, s);
}

/* Whether all of a position's window lies in x. */
NIBBLE_INLINE int nibble_mve_is_inside(const nibble_mve_walk* w, const nibble_mve_spot* s) {
  return s->whole && s->column >= w->first && s->column <= w->last;
}

/* How many threes of positions from s on lie in its row, are inside and come before `last`. */
NIBBLE_INLINE int32_t nibble_mve_threes(const nibble_mve_walk* w, const nibble_mve_spot* s, int32_t item,
                                        int32_t last) {
  int32_t count = last - item;
  if (!nibble_mve_is_inside(w, s)) return 0;
  if (count > s->left + 1) count = s->left + 1;
  if (count > w->last - s->column + 1) count = w->last - s->column + 1;
  return count / NIBBLE_MVE_LANES;
}

#endif
