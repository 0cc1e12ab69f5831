#include "kernels/element.h"
#include "kernels/x86/avx2.h"
#include "kernels/x86/x86.h"
#include "kernels/x86/x86_finish.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma")

/* Pools of bytes, 16 channels at a time. */

/* The part of a window that lies in x: taps [from, to) along each axis, and where its first tap lies. */
typedef struct window {
  int64_t from[3], to[3], first, count;
} window;

static window window_of(const nibble_pool* p, int64_t item, int64_t* y) {
  window w;
  int64_t at[3], batch = item;
  w.count = 1;
  for (int k = 2; k >= 0; --k) {
    at[k] = batch % p->out[k];
    batch /= p->out[k];
  }
  w.first = batch * p->x_stride[0];
  *y = batch * p->y_stride[0] + nibble_offset(at, p->y_stride + 1, 3);
  for (int k = 0; k < 3; ++k) {
    const int64_t start = at[k] * p->stride[k] - p->pad[k], step = p->dilation[k];
    const int64_t room = p->in[k] - start;
    w.from[k] = start < 0 ? (-start + step - 1) / step : 0;
    w.to[k] = room <= 0 ? 0 : (room + step - 1) / step;
    if (w.to[k] > p->kernel[k]) w.to[k] = p->kernel[k];
    if (w.to[k] < w.from[k]) w.to[k] = w.from[k];
    w.first += start * p->x_stride[k + 1];
    w.count *= w.to[k] - w.from[k];
  }
  return w;
}

#define FOR_TAPS(x)                                                                               \
  for (int64_t d = w->from[0]; d < w->to[0]; ++d)                                                 \
    for (int64_t h = w->from[1]; h < w->to[1]; ++h)                                               \
      for (const uint8_t *x = from + w->first + d * step[0] + h * step[1] + w->from[2] * step[2], \
                         *end = x + (w->to[2] - w->from[2]) * step[2];                            \
           x != end; x += step[2])

NIBBLE_INLINE void steps_of(const nibble_pool* p, int64_t* step) {
  for (int k = 0; k < 3; ++k) step[k] = p->dilation[k] * p->x_stride[k + 1];
}

/* Of 16 channels from `from` on; 0 of a window that meets nothing, the lowest byte of INT64_MIN. */
NIBBLE_INLINE __m128i most(const nibble_pool* p, const window* w, const uint8_t* from, int is_signed) {
  __m128i found = is_signed ? _mm_set1_epi8(-128) : _mm_setzero_si128();
  int64_t step[3];
  steps_of(p, step);
  if (w->count == 0) return _mm_setzero_si128();
  FOR_TAPS(x) {
    const __m128i value = _mm_loadu_si128((const __m128i*)x);
    found = is_signed ? _mm_max_epi8(found, value) : _mm_max_epu8(found, value);
  }
  return found;
}

static int maximum(const void* parameters, const nibble_call* call) {
  const nibble_pool* p = parameters;
  for (int64_t item = call->begin; item < call->end; ++item) {
    int64_t y;
    const window w = window_of(p, item, &y);
    uint8_t* to = (uint8_t*)call->out + y;
    for (int64_t c = 0; c < p->channels; c += 16) {
      const int64_t rest = p->channels - c, at = rest < 16 && c > 0 ? p->channels - 16 : c;
      const uint8_t* from = (const uint8_t*)call->in[0] + at;
      const __m128i found = p->x_type == NIBBLE_I8 ? most(p, &w, from, 1) : most(p, &w, from, 0);
      if (p->channels >= 16)
        _mm_storeu_si128((__m128i*)(to + at), found);
      else
        nibble_store_some(to, found, p->channels);
    }
  }
  return NIBBLE_FINE;
}

NIBBLE_INLINE void sum_window(const nibble_pool* p, const window* w, const uint8_t* from, int32_t* v, int is_signed) {
  __m256i low = _mm256_set1_epi32((int32_t)(-p->zero_point * w->count)), high = low;
  int64_t step[3];
  steps_of(p, step);
  FOR_TAPS(x) {
    const __m128i value = _mm_loadu_si128((const __m128i*)x), upper = _mm_srli_si128(value, 8);
    low = _mm256_add_epi32(low, is_signed ? _mm256_cvtepi8_epi32(value) : _mm256_cvtepu8_epi32(value));
    high = _mm256_add_epi32(high, is_signed ? _mm256_cvtepi8_epi32(upper) : _mm256_cvtepu8_epi32(upper));
  }
  _mm256_storeu_si256((__m256i*)v, low);
  _mm256_storeu_si256((__m256i*)(v + 8), high);
}

enum { SUMS = 16 };

static int sum(const void* parameters, const nibble_call* call) {
  const nibble_pool* p = parameters;
  const nibble_conv stage = nibble_stage_alone(&p->stage, p->channels, p->y_type);
  nibble_finish f = nibble_finish_of(&stage, call);
  for (int64_t item = call->begin; item < call->end; item += SUMS) {
    const int64_t rest = call->end - item, count = rest < SUMS ? rest : SUMS;
    int64_t y[SUMS];
    int32_t v[SUMS * 16];
    window w[SUMS];
    for (int64_t i = 0; i < count; ++i) w[i] = window_of(p, item + i, y + i);
    for (int64_t c = 0; c < p->channels; c += 16) {
      const uint8_t* from = (const uint8_t*)call->in[0] + c;
      for (int64_t i = 0; i < count; ++i)
        if (p->x_type == NIBBLE_I8)
          sum_window(p, w + i, from, v + 16 * i, 1);
        else
          sum_window(p, w + i, from, v + 16 * i, 0);
      nibble_finish_rows(&f, v, count, c, y, y);
    }
  }
  return f.fault;
}

nibble_kernel nibble_avx2_pool(const nibble_pool* p, const char** name) {
  const int64_t taps = (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2];
  if (p->x_type != NIBBLE_U8 && p->x_type != NIBBLE_I8) return NULL;
  if (p->op == 0 && p->y_type != p->x_type) return NULL;
  if (p->op != 0 && (taps > 1 << 20 || !nibble_within_byte(p->zero_point, p->zero_point, p->x_type))) return NULL;
  *name = p->op == 0 ? "maximum" : "sum";
  return p->op == 0 ? maximum : sum;
}

NIBBLE_CLOSE_TARGET
#endif
