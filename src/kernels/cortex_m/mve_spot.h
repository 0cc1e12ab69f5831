#ifndef NIBBLE_KERNELS_CORTEX_M_MVE_SPOT_H
#define NIBBLE_KERNELS_CORTEX_M_MVE_SPOT_H
/* Where windows lie. */
#include "kernels/cortex_m/mve_stage.h"

typedef struct nibble_mve_spot {
  int32_t column, left; /* of outputs: where it is in its row, how many are behind it */
  int32_t x, y, r;      /* as nibble_spot's */
  int32_t whole;        /* the window's rows lie in x */
  nibble_spot from;     /* the row's first */
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

static void nibble_mve_spot_at(const nibble_mve_walk* w, int32_t item, nibble_mve_spot* s) {
  const nibble_conv* p = w->p;
  s->from = nibble_spot_of(p, item);
  s->column = s->from.at[2];
  s->left = p->out[2] - 1 - s->column;
  s->x = (int32_t)s->from.x;
  s->y = (int32_t)s->from.y;
  s->r = (int32_t)s->from.r;
  s->whole = 1;
  for (int k = 0; k < 2; ++k) {
    const int32_t first = s->from.at[k] * p->stride[k] - p->pad[k];
    if (first < 0 || first + (p->kernel[k] - 1) * p->dilation[k] >= p->in[k]) s->whole = 0;
  }
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

/* Whether all of a position's window lies in x. */
NIBBLE_INLINE int nibble_mve_is_inside(const nibble_mve_walk* w, const nibble_mve_spot* s) {
  return s->whole && s->column >= w->first && s->column <= w->last;
}

#endif
