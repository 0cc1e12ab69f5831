#include "kernels/kernels.h"
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

#include "kernels/cortex_m/helium.h"
#include "kernels/element.h"

/* Sums over elements apart, of channels side by side: sixteen channels at a time. */
enum { at_once = 16 };

/* Sums of `count` channels from x on, in whole fours. */
static void add_rows(const nibble_reduce* p, const uint8_t* x, int32_t count, int32_t* sums) {
  const int32_t outer = p->reduced_rank > 1 ? p->reduced[0] : 1, last = p->reduced_rank - 1;
  const int32_t outer_step = p->reduced_rank > 1 ? (int32_t)p->reduced_stride[0] : 0;
  const int32_t inner = p->reduced[last], step = (int32_t)p->reduced_stride[last];
  for (int32_t c = 0; c < count; c += 4) {
    int32x4_t sum = vdupq_n_s32(0);
    for (int32_t i = 0; i < outer; ++i) {
      const uint8_t* at = x + c + i * outer_step;
      if (p->x_type == NIBBLE_I8)
        for (int32_t k = 0; k < inner; ++k, at += step) sum = vaddq_s32(sum, vldrbq_s32((const int8_t*)at));
      else
        for (int32_t k = 0; k < inner; ++k, at += step) sum = vaddq_s32(sum, vreinterpretq_s32_u32(vldrbq_u32(at)));
    }
    vst1q_s32(sums + c, sum);
  }
}

/* q of a channel. */
static int64_t ended(const nibble_reduce* p, int32_t sum, int64_t channel, int* fault) {
  const nibble_stage* s = &p->stage;
  if (s->form == NIBBLE_STAGE_PRODUCT32) {
    const int64_t c = s->channels > 1 ? channel : 0;
    const int64_t t = (int64_t)sum * ((const int32_t*)s->a)[c] + ((const int64_t*)s->b)[c];
    return nibble_clip(nibble_shift_down(t, ((const uint8_t*)s->d)[c]), s->low, s->high);
  }
  return nibble_staged(s, sum, channel, fault);
}

int nibble_reduce_mve(const void* parameters, const nibble_call* call) {
  const nibble_reduce* p = parameters;
  const int32_t last = p->rank - 1, channels = p->extent[last];
  int64_t count = 1;
  int fault = NIBBLE_FINE;
  for (int32_t k = 0; k < p->reduced_rank; ++k) count *= p->reduced[k];
  for (int32_t item = (int32_t)call->begin; item < (int32_t)call->end;) {
    int64_t at[NIBBLE_MAX_RANK];
    int32_t sums[at_once], here, rest = item;
    for (int32_t k = last; k >= 0; rest /= p->extent[k--]) at[k] = rest % p->extent[k];
    here = channels - (int32_t)at[last];
    if (here > (int32_t)call->end - item) here = (int32_t)call->end - item;
    if (here > at_once) here = at_once;
    add_rows(p, (const uint8_t*)call->in[0] + nibble_offset(at, p->x_stride, p->rank), here, sums);
    for (int32_t i = 0; i < here; ++i, ++item, ++at[last]) {
      const int32_t sum = sums[i] - (int32_t)(count * p->zero_point);
      const int64_t channel = p->channel_axis < 0 ? 0 : at[p->channel_axis];
      nibble_store(call->out, p->y_type, nibble_offset(at, p->y_stride, p->rank), ended(p, sum, channel, &fault));
    }
  }
  return fault;
}
#else
#include "kernels/cortex_m/helium.h"

/* Elsewhere the same integers, so that what is written for such a core can be tried on any machine. */
int nibble_reduce_mve(const void* parameters, const nibble_call* call) {
  return nibble_reduce_portable(parameters, call);
}
#endif
