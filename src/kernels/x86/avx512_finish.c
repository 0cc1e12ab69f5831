/* What becomes of sums, by registers of 512 bits: four positions of 16 channels or two of 32 at once; forms that are rarer
 * are x86_finish.c's. */
#include "kernels/x86/x86.h"
#include "kernels/x86/x86_finish.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq")

/* What is of all channels. */
typedef struct wide_end {
  __m512 low, high, fa, fb, fc; /* before and in a sum of form 2 */
  __m512i byte_low, byte_high;
  int y_signed, r_signed;
} wide_end;

static wide_end wide_end_of(const nibble_conv* p, int sum) {
  wide_end e;
  e.low = _mm512_set1_ps((float)p->stage.low), e.high = _mm512_set1_ps((float)p->stage.high);
  e.fa = _mm512_set1_ps(p->sum_fa), e.fb = _mm512_set1_ps(p->sum_fb), e.fc = _mm512_set1_ps(p->sum_fc);
  e.byte_low = _mm512_set1_epi8((char)(sum ? p->sum_low : p->stage.low));
  e.byte_high = _mm512_set1_epi8((char)(sum ? p->sum_high : p->stage.high));
  e.y_signed = p->y_type == NIBBLE_I8, e.r_signed = p->r_type == NIBBLE_I8;
  return e;
}

/* (v * a + b) >> d, of 16 channels. */
NIBBLE_INLINE __m512i wide_product(__m512i v, const nibble_lanes* s) {
  const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(v, _mm512_loadu_si512(s->a)), _mm512_loadu_si512(s->even));
  const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_shuffle_epi32(v, 0xf5), _mm512_loadu_si512(s->odd_a)),
                                       _mm512_loadu_si512(s->odd));
  const __m512i high = _mm512_mask_shuffle_epi32(odd, 0x5555, even, 0xf5);
  return _mm512_srav_epi32(high, _mm512_loadu_si512(s->shift));
}

/* 16 channels of one position, staged; r: their residuals, added where `sum`. */
NIBBLE_INLINE __m512i wide_staged(const wide_end* e, const nibble_lanes* s, const int32_t* v, const uint8_t* r,
                                  int product, int sum) {
  const __m512i x = _mm512_loadu_si512(v);
  __m512 q;
  if (product) {
    const __m512i integer = wide_product(x, s);
    if (!sum) return integer;
    q = _mm512_cvtepi32_ps(integer);
  } else {
    q = _mm512_fmadd_ps(_mm512_cvtepi32_ps(x), _mm512_loadu_ps(s->a), _mm512_loadu_ps(s->even));
    if (sum) q = _mm512_roundscale_ps(q, 0);
  }
  if (sum) {
    const __m128i bytes = _mm_loadu_si128((const __m128i*)r);
    const __m512 other = _mm512_cvtepi32_ps(e->r_signed ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes));
    q = _mm512_min_ps(_mm512_max_ps(q, e->low), e->high);
    q = _mm512_fmadd_ps(q, e->fa, _mm512_fmadd_ps(other, e->fb, e->fc));
  }
  return _mm512_cvtps_epi32(q);
}

/* Four times 16 numbers to bytes, one after the other. */
NIBBLE_INLINE __m512i wide_bytes(const wide_end* e, __m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i ab = _mm512_packs_epi32(a, b), cd = _mm512_packs_epi32(c, d);
  const __m512i all = e->y_signed
                          ? _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(ab, cd), e->byte_low), e->byte_high)
                          : _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(ab, cd), e->byte_low), e->byte_high);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, all);
}

/* The first `count` of 16 bytes. */
NIBBLE_INLINE void wide_store(uint8_t* to, __m128i bytes, int64_t count) {
  if (count >= 16)
    _mm_storeu_si128((__m128i*)to, bytes);
  else
    nibble_store_some(to, bytes, count);
}

/* The first `count`, 17 at least, of 32 bytes. */
NIBBLE_INLINE void wide_store_two(uint8_t* to, __m256i bytes, int64_t count) {
  if (count >= 32) {
    _mm256_storeu_si256((__m256i*)to, bytes);
  } else {
    _mm_storeu_si128((__m128i*)to, _mm256_castsi256_si128(bytes));
    nibble_store_some(to + 16, _mm256_extracti128_si256(bytes, 1), count - 16);
  }
}

/* Rows of one block, four at once. */
NIBBLE_INLINE void wide_block(const nibble_finish* f, const nibble_lanes* s, const int32_t* v, int64_t count,
                              int64_t channel, const int64_t* y, const int64_t* r, int product, int sum) {
  const wide_end e = wide_end_of(f->p, sum);
  const int64_t channels = f->p->out_channels - channel;
  uint8_t* to = (uint8_t*)f->call->out + channel;
  const uint8_t* other = sum ? (const uint8_t*)f->call->in[1] + channel : NULL;
  for (int64_t i = 0; i < count; i += 4, v += 64) {
    const int64_t left = count - i < 4 ? count - i : 4;
    const int64_t j = left > 1 ? 1 : 0, k = left > 2 ? 2 : 0, l = left > 3 ? 3 : 0;
    const __m512i all = wide_bytes(&e, wide_staged(&e, s, v, sum ? other + r[i] : NULL, product, sum),
                                   wide_staged(&e, s, v + 16 * j, sum ? other + r[i + j] : NULL, product, sum),
                                   wide_staged(&e, s, v + 16 * k, sum ? other + r[i + k] : NULL, product, sum),
                                   wide_staged(&e, s, v + 16 * l, sum ? other + r[i + l] : NULL, product, sum));
    wide_store(to + y[i], _mm512_castsi512_si128(all), channels);
    if (left > 1) wide_store(to + y[i + 1], _mm512_extracti32x4_epi32(all, 1), channels);
    if (left > 2) wide_store(to + y[i + 2], _mm512_extracti32x4_epi32(all, 2), channels);
    if (left > 3) wide_store(to + y[i + 3], _mm512_extracti32x4_epi32(all, 3), channels);
  }
}

/* Rows of two blocks, of which the first is whole, two at once. */
NIBBLE_INLINE void wide_blocks(const nibble_finish* f, const nibble_lanes* s, const int32_t* v, int64_t behind,
                               int64_t count, int64_t channel, const int64_t* y, const int64_t* r, int product,
                               int sum) {
  const wide_end e = wide_end_of(f->p, sum);
  const int64_t channels = f->p->out_channels - channel;
  uint8_t* to = (uint8_t*)f->call->out + channel;
  const uint8_t* other = sum ? (const uint8_t*)f->call->in[1] + channel : NULL;
  for (int64_t i = 0; i < count; i += 2, v += 32) {
    const int64_t j = i + 1 < count ? 1 : 0;
    const uint8_t *first = sum ? other + r[i] : NULL, *second = sum ? other + r[i + j] : NULL;
    const __m512i all = wide_bytes(&e, wide_staged(&e, s, v, first, product, sum),
                                   wide_staged(&e, s + 1, v + behind, sum ? first + 16 : NULL, product, sum),
                                   wide_staged(&e, s, v + 16 * j, second, product, sum),
                                   wide_staged(&e, s + 1, v + 16 * j + behind, sum ? second + 16 : NULL, product, sum));
    wide_store_two(to + y[i], _mm512_castsi512_si256(all), channels);
    if (j) wide_store_two(to + y[i + 1], _mm512_extracti64x4_epi64(all, 1), channels);
  }
}

void nibble_wide_finish(nibble_finish* f, const nibble_lanes* lanes, const int32_t* v, int64_t behind, int64_t blocks,
                        int64_t count, int64_t channel, const int64_t* y, const int64_t* r) {
  if (lanes == NULL) {
    for (int64_t k = 0; k < blocks; ++k) nibble_finish_rows(f, v + k * behind, count, channel + 16 * k, y, r);
    return;
  }
#define CASE(form, product, sum)                                            \
  case form:                                                                \
    if (blocks == 2)                                                        \
      wide_blocks(f, lanes, v, behind, count, channel, y, r, product, sum); \
    else                                                                    \
      wide_block(f, lanes, v, count, channel, y, r, product, sum);          \
    break;
  switch (f->form) {
    CASE(NIBBLE_FINISH_FLOAT, 0, 0)
    CASE(NIBBLE_FINISH_FLOAT_SUM, 0, 1)
    CASE(NIBBLE_FINISH_PRODUCT32, 1, 0)
    CASE(NIBBLE_FINISH_PRODUCT32_SUM, 1, 1)
  }
#undef CASE
}

NIBBLE_CLOSE_TARGET
#endif
