#include "kernels/element.h"
#include "kernels/x86/avx2.h"
#include "kernels/x86/x86.h"
#include "kernels/x86/x86_finish.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma")

/* Sums of bytes over planes, 16 neighbours of the last kept axis at a time. */

NIBBLE_INLINE void sum_sixteen(const nibble_reduce* p, const uint8_t* x, int32_t* v, int is_signed) {
  const int inner = p->reduced_rank - 1;
  const int64_t width = p->reduced_rank > 0 ? p->reduced[inner] : 1,
                step = p->reduced_rank > 0 ? p->reduced_stride[inner] : 0;
  int64_t rows = 1;
  __m256i low = _mm256_setzero_si256(), high = low;
  for (int k = 0; k < inner; ++k) rows *= p->reduced[k];
  for (int64_t row = 0; row < rows; ++row) {
    int64_t at[NIBBLE_MAX_RANK];
    const uint8_t* from = x;
    if (inner > 0) {
      nibble_place(row, p->reduced, inner, at);
      from += nibble_offset(at, p->reduced_stride, inner);
    }
    for (int64_t i = 0; i < width; ++i, from += step) {
      const __m128i value = _mm_loadu_si128((const __m128i*)from), upper = _mm_srli_si128(value, 8);
      low = _mm256_add_epi32(low, is_signed ? _mm256_cvtepi8_epi32(value) : _mm256_cvtepu8_epi32(value));
      high = _mm256_add_epi32(high, is_signed ? _mm256_cvtepi8_epi32(upper) : _mm256_cvtepu8_epi32(upper));
    }
  }
  {
    const __m256i zero = _mm256_set1_epi32((int32_t)(p->zero_point * rows * width));
    _mm256_storeu_si256((__m256i*)v, _mm256_sub_epi32(low, zero));
    _mm256_storeu_si256((__m256i*)(v + 8), _mm256_sub_epi32(high, zero));
  }
}

static int sum(const void* parameters, const nibble_call* call) {
  const nibble_reduce* p = parameters;
  const int last = p->rank - 1;
  nibble_conv stage = nibble_stage_alone(&p->stage, 0, p->y_type);
  nibble_finish f = nibble_finish_of(&stage, call);
  for (int64_t item = call->begin, count; item < call->end; item += count) {
    int64_t at[NIBBLE_MAX_RANK], y;
    int32_t v[16];
    nibble_place(item, p->extent, p->rank, at);
    count = p->extent[last] - at[last];
    if (count > call->end - item) count = call->end - item;
    if (count > 16) count = 16;
    if (p->x_type == NIBBLE_U8)
      sum_sixteen(p, (const uint8_t*)call->in[0] + nibble_offset(at, p->x_stride, p->rank), v, 0);
    else
      sum_sixteen(p, (const uint8_t*)call->in[0] + nibble_offset(at, p->x_stride, p->rank), v, 1);
    y = nibble_offset(at, p->y_stride, p->rank) - at[last];
    stage.out_channels = (int32_t)(at[last] + count);
    nibble_finish_rows(&f, v, 1, at[last], &y, &y);
  }
  return f.fault;
}

nibble_kernel nibble_avx2_reduce(const nibble_reduce* p, const char** name) {
  const int last = p->rank - 1;
  int64_t count = 1;
  for (int k = 0; k < p->reduced_rank; ++k) count = count < 1 << 20 ? count * p->reduced[k] : count;
  if (p->op != 0 || p->rank < 1 || (p->x_type != NIBBLE_U8 && p->x_type != NIBBLE_I8) || count > 1 << 20) return NULL;
  if (p->x_stride[last] != 1 || p->y_stride[last] != 1 || (p->stage.channels > 1 && p->channel_axis != last))
    return NULL;
  if (!nibble_within_byte(p->zero_point, p->zero_point, p->x_type)) return NULL;
  *name = "planes";
  return sum;
}

NIBBLE_CLOSE_TARGET
#endif
