#include "kernels/arm/arm.h"

#if defined(__aarch64__)

/* Pools of bytes: 16 channels side by side, window after window. */

/* The part of a window that is inside x: offset of its first element, extents in taps. */
typedef struct window {
  int64_t x, taps[3];
} window;

static window window_of(const nibble_pool* p, const int64_t* at, int64_t batch) {
  window w;
  w.x = batch * p->x_stride[0];
  for (int k = 0; k < 3; ++k) {
    const int64_t from = at[k] * p->stride[k] - p->pad[k], by = p->dilation[k];
    const int64_t first = from < 0 ? (-from + by - 1) / by : 0;
    const int64_t left = p->in[k] - from, end = left <= 0 ? 0 : (left + by - 1) / by;
    w.taps[k] = (end < p->kernel[k] ? end : p->kernel[k]) - first;
    if (w.taps[k] < 0) w.taps[k] = 0;
    w.x += (from + first * by) * p->x_stride[k + 1];
  }
  return w;
}

NIBBLE_ARM_INLINE uint8x16_t maximum(const nibble_pool* p, const window* w, const uint8_t* x, int is_signed) {
  const int64_t step = p->dilation[2] * p->x_stride[3];
  uint8x16_t most = vdupq_n_u8(is_signed ? 0x80 : 0);
  for (int64_t d = 0; d < w->taps[0]; ++d)
    for (int64_t h = 0; h < w->taps[1]; ++h) {
      const uint8_t* at = x + d * p->dilation[0] * p->x_stride[1] + h * p->dilation[1] * p->x_stride[2];
      for (int64_t left = w->taps[2]; left > 0; --left, at += step) {
        const uint8x16_t v = vld1q_u8(at);
        most = is_signed ? vreinterpretq_u8_s8(vmaxq_s8(vreinterpretq_s8_u8(most), vreinterpretq_s8_u8(v)))
                         : vmaxq_u8(most, v);
      }
    }
  return most;
}

/* Sums of up to 256 taps fit 16 bits; then they go into 32. */
typedef struct narrow_sums {
  uint16x8_t low, high;
  int taps;
} narrow_sums;

NIBBLE_ARM_INLINE nibble_arm_ints emptied(narrow_sums* n, nibble_arm_ints s, int is_signed) {
  const int16x8_t low = vreinterpretq_s16_u16(n->low), high = vreinterpretq_s16_u16(n->high);
  nibble_arm_ints v;
  if (is_signed) {
    v.a = vaddw_s16(s.a, vget_low_s16(low)), v.b = vaddw_high_s16(s.b, low);
    v.c = vaddw_s16(s.c, vget_low_s16(high)), v.d = vaddw_high_s16(s.d, high);
  } else {
    v.a = vreinterpretq_s32_u32(vaddw_u16(vreinterpretq_u32_s32(s.a), vget_low_u16(n->low)));
    v.b = vreinterpretq_s32_u32(vaddw_high_u16(vreinterpretq_u32_s32(s.b), n->low));
    v.c = vreinterpretq_s32_u32(vaddw_u16(vreinterpretq_u32_s32(s.c), vget_low_u16(n->high)));
    v.d = vreinterpretq_s32_u32(vaddw_high_u16(vreinterpretq_u32_s32(s.d), n->high));
  }
  n->low = n->high = vdupq_n_u16(0);
  n->taps = 0;
  return v;
}

NIBBLE_ARM_INLINE nibble_arm_ints sum(const nibble_pool* p, const window* w, const uint8_t* x, int is_signed) {
  const int64_t step = p->dilation[2] * p->x_stride[3];
  const int32_t outside = (int32_t)(-p->zero_point * (w->taps[0] * w->taps[1] * w->taps[2]));
  nibble_arm_ints s = {vdupq_n_s32(outside), vdupq_n_s32(outside), vdupq_n_s32(outside), vdupq_n_s32(outside)};
  narrow_sums n = {vdupq_n_u16(0), vdupq_n_u16(0), 0};
  for (int64_t d = 0; d < w->taps[0]; ++d)
    for (int64_t h = 0; h < w->taps[1]; ++h) {
      const uint8_t* at = x + d * p->dilation[0] * p->x_stride[1] + h * p->dilation[1] * p->x_stride[2];
      for (int64_t left = w->taps[2]; left > 0;) {
        const int64_t room = 256 - n.taps, now = left < room ? left : room;
        for (int64_t i = now; i > 0; --i, at += step) {
          const uint8x16_t v = vld1q_u8(at);
          if (is_signed) {
            n.low = vreinterpretq_u16_s16(vaddw_s8(vreinterpretq_s16_u16(n.low), vget_low_s8(vreinterpretq_s8_u8(v))));
            n.high = vreinterpretq_u16_s16(vaddw_high_s8(vreinterpretq_s16_u16(n.high), vreinterpretq_s8_u8(v)));
          } else {
            n.low = vaddw_u8(n.low, vget_low_u8(v));
            n.high = vaddw_high_u8(n.high, v);
          }
        }
        left -= now;
        n.taps += (int)now;
        if (n.taps == 256) s = emptied(&n, s, is_signed);
      }
    }
  return emptied(&n, s, is_signed);
}

/* Up to 32 positions from `item` on: their windows and where they write. */
static int windows_of(const nibble_pool* p, int64_t item, int64_t last, window* in, nibble_arm_windows* out) {
  const int64_t positions = (int64_t)p->out[0] * p->out[1] * p->out[2];
  int count = 0;
  for (; item < last && count < NIBBLE_ARM_POSITIONS; ++item, ++count) {
    const int64_t batch = item / positions;
    int64_t at[3], rest = item % positions;
    out->y[count] = batch * p->y_stride[0];
    out->r[count] = 0;
    for (int k = 2; k >= 0; --k) {
      at[k] = rest % p->out[k];
      rest /= p->out[k];
      out->y[count] += at[k] * p->y_stride[k + 1];
    }
    in[count] = window_of(p, at, batch);
  }
  return out->count = count;
}

/* Channels [first, last) of positions [begin, end). */
NIBBLE_ARM_INLINE int pool(const nibble_pool* p, const nibble_call* call, int64_t begin, int64_t end, int64_t first,
                           int64_t last, int is_signed) {
  /* Stages are a convolution's. */
  nibble_conv c;
  int fault = NIBBLE_FINE, count;
  memset(&c, 0, sizeof c);
  c.stage = p->stage;
  c.y_type = p->y_type;
  c.out_channels = (int32_t)last;
  for (int64_t item = begin; item < end; item += count) {
    window in[NIBBLE_ARM_POSITIONS];
    nibble_arm_windows out;
    count = windows_of(p, item, end, in, &out);
    for (int64_t from = first; from < last; from += 16) {
      const uint8_t* x = (const uint8_t*)call->in[0] + from;
      int32_t sums[NIBBLE_ARM_POSITIONS][16];
      for (int i = 0; i < count; ++i) {
        const int empty = in[i].taps[0] * in[i].taps[1] * in[i].taps[2] == 0;
        if (p->op == 0)
          nibble_arm_store((uint8_t*)call->out + from + out.y[i],
                           empty ? vdupq_n_u8(0) : maximum(p, &in[i], x + in[i].x, is_signed),
                           last - from < 16 ? last - from : 16);
        else
          nibble_arm_keep(sums[i], empty ? sum(p, &in[i], x, is_signed) : sum(p, &in[i], x + in[i].x, is_signed));
      }
      if (p->op != 0) nibble_arm_finish(&c, call, &out, from, sums, &fault);
    }
  }
  return fault;
}

static int pool_signed(const void* p, const nibble_call* call) {
  return pool(p, call, call->begin, call->end, 0, ((const nibble_pool*)p)->channels, 1);
}
static int pool_unsigned(const void* p, const nibble_call* call) {
  return pool(p, call, call->begin, call->end, 0, ((const nibble_pool*)p)->channels, 0);
}

nibble_kernel nibble_arm_pool(const nibble_pool* p, const char** kernel_name) {
  const int64_t taps = (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2];
  const int bytes = p->x_type == NIBBLE_I8 || p->x_type == NIBBLE_U8;
  if (!bytes || (p->op == 0 && p->y_type != p->x_type) || taps > 1 << 20) return NULL;
  if (p->zero_point < -1000 || p->zero_point > 1000) return NULL;
  *kernel_name = p->op == 0 ? "pool_maximum" : "pool_sum";
  return p->x_type == NIBBLE_I8 ? pool_signed : pool_unsigned;
}

/* ---- sums of planes: a pool whose window is all of them ---------------------------------------------------------- */

/* Rows of channels at each of the outer places; any part of a row. */
static int reduce(const void* parameters, const nibble_call* call) {
  const nibble_reduce* r = parameters;
  const int64_t channels = r->extent[r->rank - 1];
  int fault = NIBBLE_FINE;
  nibble_pool p;
  memset(&p, 0, sizeof p);
  p.op = 1;
  p.x_type = r->x_type;
  p.y_type = r->y_type;
  p.zero_point = r->zero_point;
  p.stage = r->stage;
  for (int k = 0; k < 3; ++k) {
    const int from = k - 3 + r->reduced_rank;
    p.in[k] = p.kernel[k] = from < 0 ? 1 : r->reduced[from];
    p.out[k] = p.stride[k] = p.dilation[k] = 1;
    p.x_stride[k + 1] = from < 0 ? 0 : r->reduced_stride[from];
  }
  p.x_stride[0] = r->rank > 1 ? r->x_stride[0] : 0;
  p.y_stride[0] = r->rank > 1 ? r->y_stride[0] : 0;
  for (int64_t item = call->begin; item < call->end;) {
    const int64_t row = item / channels, first = item % channels;
    const int64_t last = call->end - item < channels - first ? first + call->end - item : channels;
    const int found = r->x_type == NIBBLE_I8 ? pool(&p, call, row, row + 1, first, last, 1)
                                             : pool(&p, call, row, row + 1, first, last, 0);
    fault = found > fault ? found : fault;
    item += last - first;
  }
  return fault;
}

nibble_kernel nibble_arm_reduce(const nibble_reduce* p, const char** kernel_name) {
  const int last = p->rank - 1;
  int64_t taps = 1;
  if (p->op != 0 || p->rank < 1 || p->rank > 2 || p->reduced_rank > 3) return NULL;
  if (p->x_type != NIBBLE_I8 && p->x_type != NIBBLE_U8) return NULL;
  if (p->x_stride[last] != 1 || p->y_stride[last] != 1) return NULL;
  if (p->stage.channels > 1 && p->channel_axis != last) return NULL;
  for (int k = 0; k < p->reduced_rank; ++k) taps *= p->reduced[k];
  if (taps > 1 << 20 || p->zero_point < -1000 || p->zero_point > 1000) return NULL;
  *kernel_name = "reduce_sum";
  return reduce;
}
#endif
