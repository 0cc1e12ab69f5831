#ifndef NIBBLE_KERNELS_PORTABLE_FINISH_H
#define NIBBLE_KERNELS_PORTABLE_FINISH_H
#include "kernels/element.h"

/* What a convolution makes of an accumulator of output channel o, stored at y + o (elements); the residual at r + o. */
static inline void nibble_finish_sum(const nibble_conv* p, const nibble_call* call, int32_t sum, int64_t o, int64_t y,
                                     int64_t r, int* fault) {
  const nibble_stage* s = &p->stage;
  int64_t q = sum;
  if (s->form == NIBBLE_STAGE_PRODUCT32) {
    const int64_t c = s->channels > 1 ? o : 0;
    q = nibble_shift_down(nibble_add((int64_t)sum * ((const int32_t*)s->a)[c], ((const int64_t*)s->b)[c]),
                          ((const uint8_t*)s->d)[c]);
    q = nibble_clip(q, s->low, s->high);
  } else if (s->form != NIBBLE_STAGE_NONE) {
    q = nibble_staged(s, q, o, fault);
  } else {
    q = nibble_clip(q, s->low, s->high);
  }
  if (p->sum_form != 0) q = nibble_conv_summed(p, q, nibble_load(call->in[1], p->r_type, r + o));
  nibble_store(call->out, p->y_type, y + o, q);
}

/* An output position: where it stands among the extents, and where it is read and written. */
typedef struct nibble_spot {
  int32_t at[3];
  int64_t x, y, r; /* of its batch; x at the window's first element, which may lie outside */
} nibble_spot;

static inline nibble_spot nibble_spot_of(const nibble_conv* p, int64_t item) {
  nibble_spot s;
  int64_t rest = item;
  for (int k = 2; k >= 0; --k) {
    s.at[k] = (int32_t)(rest % p->out[k]);
    rest /= p->out[k];
  }
  s.x = rest * p->x_stride[0];
  s.y = rest * p->y_stride[0];
  s.r = rest * p->r_stride[0];
  for (int k = 0; k < 3; ++k) {
    s.x += ((int64_t)s.at[k] * p->stride[k] - p->pad[k]) * p->x_stride[k + 1];
    s.y += s.at[k] * p->y_stride[k + 1];
    s.r += s.at[k] * p->r_stride[k + 1];
  }
  return s;
}

/* Where along axis k the window's tap stands, or -1 outside. */
static inline int32_t nibble_tap_at(const nibble_conv* p, const nibble_spot* s, int k, int32_t tap) {
  const int32_t at = s->at[k] * p->stride[k] - p->pad[k] + tap * p->dilation[k];
  return at >= 0 && at < p->in[k] ? at : -1;
}

#endif
