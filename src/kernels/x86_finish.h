#ifndef NIBBLE_KERNELS_X86_FINISH_H
#define NIBBLE_KERNELS_X86_FINISH_H
/* What becomes of 16 accumulators of a block of output channels, in two registers of 8: stage, residual, clip, store.
 * Included inside a target of AVX2 and FMA (x86.h). */
#include "kernels/conv_windows.h"
#include "kernels/x86.h"

enum nibble_finish_form { NIBBLE_FINISH_ANY = 0, NIBBLE_FINISH_FLOAT, NIBBLE_FINISH_FLOAT_SUM, NIBBLE_FINISH_STORE };

/* One call's. */
typedef struct nibble_finish {
  const nibble_conv* p;
  const nibble_call* call;
  int form;
  int fault;
} nibble_finish;

static inline int nibble_within(int64_t low, int64_t high, int32_t type) {
  if (type == NIBBLE_U8) return low >= 0 && high <= 255 && low <= high;
  return type == NIBBLE_I8 && low >= -128 && high <= 127 && low <= high;
}

static inline nibble_finish nibble_finish_of(const nibble_conv* p, const nibble_call* call) {
  nibble_finish f = {p, call, NIBBLE_FINISH_ANY, NIBBLE_FINE};
  const nibble_stage* s = &p->stage;
  const int bytes = p->r_type == NIBBLE_U8 || p->r_type == NIBBLE_I8, limit = 1 << 24;
  if (s->form == NIBBLE_STAGE_FLOAT && p->sum_form == 0 && nibble_within(s->low, s->high, p->y_type))
    f.form = NIBBLE_FINISH_FLOAT;
  if (s->form == NIBBLE_STAGE_FLOAT && p->sum_form == 2 && bytes && nibble_within(p->sum_low, p->sum_high, p->y_type) &&
      s->low >= -limit && s->high <= limit && s->low <= s->high)
    f.form = NIBBLE_FINISH_FLOAT_SUM;
  if (s->form == NIBBLE_STAGE_NONE && p->sum_form == 0 && p->y_type == NIBBLE_I32 && s->low <= INT32_MIN &&
      s->high >= INT32_MAX)
    f.form = NIBBLE_FINISH_STORE;
  return f;
}

/* a, b of a block's 16 channels, and how a result is clipped. */
typedef struct nibble_scales {
  __m256 a0, a1, b0, b1;
  __m256i low, high;
} nibble_scales;

NIBBLE_INLINE nibble_scales nibble_scales_of(const nibble_finish* f, int64_t channel) {
  const nibble_stage* s = &f->p->stage;
  const int sum = f->form == NIBBLE_FINISH_FLOAT_SUM;
  nibble_scales r;
  if (f->form == NIBBLE_FINISH_FLOAT || sum) {
    const float *a = s->a, *b = s->b;
    const int each = s->channels > 1;
    r.a0 = each ? _mm256_loadu_ps(a + channel) : _mm256_set1_ps(a[0]);
    r.a1 = each ? _mm256_loadu_ps(a + channel + 8) : r.a0;
    r.b0 = each ? _mm256_loadu_ps(b + channel) : _mm256_set1_ps(b[0]);
    r.b1 = each ? _mm256_loadu_ps(b + channel + 8) : r.b0;
    r.low = _mm256_set1_epi8((char)(sum ? f->p->sum_low : s->low));
    r.high = _mm256_set1_epi8((char)(sum ? f->p->sum_high : s->high));
  } else {
    r.a0 = r.a1 = r.b0 = r.b1 = _mm256_setzero_ps();
    r.low = r.high = _mm256_setzero_si256();
  }
  return r;
}

NIBBLE_INLINE __m256i nibble_rounded(__m256i v, __m256 a, __m256 b) {
  return _mm256_cvtps_epi32(_mm256_fmadd_ps(_mm256_cvtepi32_ps(v), a, b));
}

/* Eight channels of sum_form 2, r as real numbers. */
NIBBLE_INLINE __m256i nibble_with_residual(const nibble_conv* p, __m256i v, __m256 a, __m256 b, __m256 r) {
  __m256 q = _mm256_fmadd_ps(_mm256_cvtepi32_ps(v), a, b);
  q = _mm256_round_ps(q, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  q = _mm256_min_ps(_mm256_max_ps(q, _mm256_set1_ps((float)p->stage.low)), _mm256_set1_ps((float)p->stage.high));
  r = _mm256_fmadd_ps(r, _mm256_set1_ps(p->sum_fb), _mm256_set1_ps(p->sum_fc));
  return _mm256_cvtps_epi32(_mm256_fmadd_ps(q, _mm256_set1_ps(p->sum_fa), r));
}

NIBBLE_INLINE __m256 nibble_residual(const nibble_finish* f, int64_t at) {
  const __m128i bytes = _mm_loadl_epi64((const __m128i*)((const uint8_t*)f->call->in[1] + at));
  return _mm256_cvtepi32_ps(f->p->r_type == NIBBLE_U8 ? _mm256_cvtepu8_epi32(bytes) : _mm256_cvtepi8_epi32(bytes));
}

/* The first `count` (1 to 16) of 16 bytes. */
NIBBLE_INLINE void nibble_store_bytes(uint8_t* to, __m128i bytes, int64_t count) {
  if (count >= 16) {
    _mm_storeu_si128((__m128i*)to, bytes);
    return;
  }
  if (count & 8) {
    _mm_storel_epi64((__m128i*)to, bytes);
    bytes = _mm_srli_si128(bytes, 8);
    to += 8;
  }
  for (int64_t i = 0; i < (count & 7); ++i) {
    *to++ = (uint8_t)_mm_cvtsi128_si32(bytes);
    bytes = _mm_srli_si128(bytes, 1);
  }
}

/* By the specification, one channel after the other: stages without a vector form. */
__attribute__((noinline, unused)) static void nibble_finish_any(nibble_finish* f, const int32_t* v, int64_t channel,
                                                                int64_t y, int64_t r) {
  const nibble_conv* p = f->p;
  const int64_t rest = p->out_channels - channel, count = rest < 16 ? rest : 16;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t q = nibble_staged(&p->stage, v[i], channel + i, &f->fault);
    const int64_t other = p->sum_form ? nibble_load(f->call->in[1], p->r_type, r + i) : 0;
    nibble_store(f->call->out, p->y_type, y + i, nibble_conv_summed(p, q, other));
  }
}

NIBBLE_INLINE void nibble_finish_slowly(nibble_finish* f, __m256i v0, __m256i v1, int64_t channel, int64_t y,
                                        int64_t r) {
  int32_t v[16];
  _mm256_storeu_si256((__m256i*)v, v0);
  _mm256_storeu_si256((__m256i*)(v + 8), v1);
  if (f->form == NIBBLE_FINISH_STORE && channel + 16 <= f->p->out_channels) {
    int32_t* to = (int32_t*)f->call->out + y;
    _mm256_storeu_si256((__m256i*)to, v0);
    _mm256_storeu_si256((__m256i*)(to + 8), v1);
    return;
  }
  nibble_finish_any(f, v, channel, y, r);
}

/* Accumulators (u0, u1) of one position and (v0, v1) of another, at the offsets y[0], y[1] of the output and r[0], r[1]
 * of the residual, from channel `channel` on, a multiple of 16. Positions: 1 or 2; with 1, v is ignored. */
NIBBLE_INLINE void nibble_finish_two(nibble_finish* f, const nibble_scales* s, __m256i u0, __m256i u1, __m256i v0,
                                     __m256i v1, int64_t channel, const int64_t* y, const int64_t* r, int positions) {
  const nibble_conv* p = f->p;
  const int64_t rest = p->out_channels - channel;
  __m256i packed;
  if (f->form == NIBBLE_FINISH_FLOAT) {
    u0 = nibble_rounded(u0, s->a0, s->b0);
    u1 = nibble_rounded(u1, s->a1, s->b1);
    if (positions > 1) {
      v0 = nibble_rounded(v0, s->a0, s->b0);
      v1 = nibble_rounded(v1, s->a1, s->b1);
    }
  } else if (f->form == NIBBLE_FINISH_FLOAT_SUM) {
    u0 = nibble_with_residual(p, u0, s->a0, s->b0, nibble_residual(f, r[0] + channel));
    u1 = nibble_with_residual(p, u1, s->a1, s->b1, nibble_residual(f, r[0] + channel + 8));
    if (positions > 1) {
      v0 = nibble_with_residual(p, v0, s->a0, s->b0, nibble_residual(f, r[1] + channel));
      v1 = nibble_with_residual(p, v1, s->a1, s->b1, nibble_residual(f, r[1] + channel + 8));
    }
  } else {
    nibble_finish_slowly(f, u0, u1, channel, y[0] + channel, r[0] + channel);
    if (positions > 1) nibble_finish_slowly(f, v0, v1, channel, y[1] + channel, r[1] + channel);
    return;
  }
  /* Lanes: channels 0-3 8-11 of both positions, 4-7 12-15 of both. */
  u0 = _mm256_packs_epi32(u0, u1);
  v0 = positions > 1 ? _mm256_packs_epi32(v0, v1) : u0;
  if (p->y_type == NIBBLE_U8) {
    packed = _mm256_packus_epi16(u0, v0);
    packed = _mm256_min_epu8(_mm256_max_epu8(packed, s->low), s->high);
  } else {
    packed = _mm256_packs_epi16(u0, v0);
    packed = _mm256_min_epi8(_mm256_max_epi8(packed, s->low), s->high);
  }
  packed = _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  {
    uint8_t* to = f->call->out;
    nibble_store_bytes(to + y[0] + channel, _mm256_castsi256_si128(packed), rest);
    if (positions > 1) nibble_store_bytes(to + y[1] + channel, _mm256_extracti128_si256(packed, 1), rest);
  }
}

#endif
