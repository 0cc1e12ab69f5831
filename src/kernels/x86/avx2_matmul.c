#include "kernels/element.h"
#include "kernels/x86/avx2.h"
#include "kernels/x86/x86.h"
#include "kernels/x86/x86_finish.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma")

/* Products of two matrices of bytes, four rows by 16 columns at a time, in products of 16 bits. The rows of a lie widened
 * and centred in scratch, zeros behind them. b lies by its rows (columns side by side) or by its columns. */

enum { ROWS = 4 };

static int64_t padded(const nibble_matmul* p) {
  return ((int64_t)p->inner + 15) / 16 * 16;
}

/* Rows [row, row + count) of a, as 16 bits: to[ROWS][padded]. */
static void widen_rows(const nibble_matmul* p, const nibble_call* call, int64_t a, int64_t count, int16_t* to) {
  for (int64_t i = 0; i < ROWS; ++i, to += padded(p))
    for (int64_t k = 0; k < padded(p); ++k) {
      const int inside = i < count && k < p->inner;
      to[k] =
          inside
              ? (int16_t)(nibble_load(call->in[0], p->a_type, a + i * p->a_stride[3] + k * p->a_stride[4]) - p->zero_a)
              : (int16_t)0;
    }
}

NIBBLE_INLINE __m256i widened(__m128i bytes, __m256i zero, int is_signed) {
  return _mm256_sub_epi16(is_signed ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes), zero);
}

NIBBLE_INLINE __m256i pair_of(const int16_t* a) {
  return _mm256_castps_si256(_mm256_broadcast_ss((const float*)(const void*)a));
}

/* 16 columns of b from `b` on, whose rows lie `step` bytes apart: v[ROWS][16]. */
NIBBLE_INLINE void by_rows(const int16_t* a, int64_t row, int64_t inner, const uint8_t* b, int64_t step, __m256i zero,
                           int32_t* v, int is_signed) {
  __m256i s[2 * ROWS];
  for (int i = 0; i < 2 * ROWS; ++i) s[i] = _mm256_setzero_si256();
  for (int64_t k = 0; k < inner; k += 2, b += 2 * step) {
    const __m128i first = _mm_loadu_si128((const __m128i*)b);
    const __m128i second = k + 1 < inner ? _mm_loadu_si128((const __m128i*)(b + step)) : first;
    const __m256i low = widened(_mm_unpacklo_epi8(first, second), zero, is_signed);
    const __m256i high = widened(_mm_unpackhi_epi8(first, second), zero, is_signed);
#define ROW(i)                                                                             \
  s[2 * i] = _mm256_add_epi32(s[2 * i], _mm256_madd_epi16(low, pair_of(a + i * row + k))); \
  s[2 * i + 1] = _mm256_add_epi32(s[2 * i + 1], _mm256_madd_epi16(high, pair_of(a + i * row + k)));
    ROW(0) ROW(1) ROW(2) ROW(3)
#undef ROW
  }
  for (int i = 0; i < 2 * ROWS; ++i) _mm256_storeu_si256((__m256i*)(v + 8 * i), s[i]);
}

/* `columns` (1 to 16) columns of b from `b` on, `step` bytes apart: v[ROWS][16]. */
NIBBLE_INLINE void by_columns(const int16_t* a, int64_t row, const uint8_t* b, int64_t step, int64_t columns,
                              __m256i zero, int32_t* v, int is_signed) {
  for (int64_t j = 0; j < columns; ++j, b += step) {
    __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
    for (int64_t k = 0; k < row; k += 16) {
      const __m256i x = widened(_mm_loadu_si128((const __m128i*)(b + k)), zero, is_signed);
      s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(x, _mm256_loadu_si256((const __m256i*)(a + k))));
      s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(x, _mm256_loadu_si256((const __m256i*)(a + row + k))));
      s2 = _mm256_add_epi32(s2, _mm256_madd_epi16(x, _mm256_loadu_si256((const __m256i*)(a + 2 * row + k))));
      s3 = _mm256_add_epi32(s3, _mm256_madd_epi16(x, _mm256_loadu_si256((const __m256i*)(a + 3 * row + k))));
    }
    {
      const __m256i all = _mm256_hadd_epi32(_mm256_hadd_epi32(s0, s1), _mm256_hadd_epi32(s2, s3));
      int32_t four[4];
      _mm_storeu_si128((__m128i*)four, _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
      for (int i = 0; i < ROWS; ++i) v[16 * i + j] = four[i];
    }
  }
}

static void columns_of(const nibble_matmul* p, const int16_t* a, const uint8_t* b, int64_t columns, int32_t* v) {
  const __m256i zero = _mm256_set1_epi16((int16_t)p->zero_b);
  if (p->b_stride[4] == 1) {
    if (p->b_type == NIBBLE_U8)
      by_rows(a, padded(p), p->inner, b, p->b_stride[3], zero, v, 0);
    else
      by_rows(a, padded(p), p->inner, b, p->b_stride[3], zero, v, 1);
  } else {
    if (p->b_type == NIBBLE_U8)
      by_columns(a, padded(p), b, p->b_stride[4], columns, zero, v, 0);
    else
      by_columns(a, padded(p), b, p->b_stride[4], columns, zero, v, 1);
  }
}

static int matmul(const void* parameters, const nibble_call* call) {
  const nibble_matmul* p = parameters;
  const nibble_conv stage = nibble_stage_alone(&p->stage, p->columns, p->y_type);
  nibble_finish f = nibble_finish_of(&stage, call);
  int16_t* a = call->scratch;
  for (int64_t item = call->begin, count; item < call->end; item += count) {
    int64_t at[4] = {0, 0, 0, item % p->rows}, y[ROWS];
    const uint8_t* b;
    int32_t v[ROWS * 16] = {0};
    nibble_place(item / p->rows, p->batch, 3, at);
    count = p->rows - at[3] < call->end - item ? p->rows - at[3] : call->end - item;
    if (count > ROWS) count = ROWS;
    widen_rows(p, call, nibble_offset(at, p->a_stride, 4), count, a);
    for (int64_t i = 0; i < ROWS; ++i) y[i] = nibble_offset(at, p->y_stride, 4) + i * p->y_stride[3];
    b = (const uint8_t*)call->in[1] + nibble_offset(at, p->b_stride, 3);
    for (int64_t j = 0; j < p->columns; j += 16) {
      columns_of(p, a, b + j * p->b_stride[4], p->columns - j < 16 ? p->columns - j : 16, v);
      nibble_finish_rows(&f, v, count, j, y, y);
    }
  }
  return f.fault;
}

static int is_byte(int32_t type, int64_t zero) {
  return nibble_within_byte(zero, zero, type);
}

nibble_kernel nibble_avx2_matmul(const nibble_matmul* p, const char** name) {
  if (!is_byte(p->a_type, p->zero_a) || !is_byte(p->b_type, p->zero_b) || p->acc_type != NIBBLE_I32) return NULL;
  if (p->y_stride[4] != 1 || (p->b_stride[4] != 1 && p->b_stride[3] != 1)) return NULL;
  *name = p->b_stride[4] == 1 ? "rows" : "columns";
  return matmul;
}

NIBBLE_CLOSE_TARGET
#endif
