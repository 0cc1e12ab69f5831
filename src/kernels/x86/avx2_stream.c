#include <string.h>

#include "kernels/conv_windows.h"
#include "kernels/x86/avx2.h"
#include "kernels/x86/unpack.h"
#include "kernels/x86/x86.h"
#include "kernels/x86/x86_finish.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma")

/* A fully connected layer of one row with weights of 4 or 2 bits, which are multiplied as they are stored: sum w * x =
 * low * sum x + step * sum code * x. Two codes of a channel and two bytes of x are one vpmaddubsw, which codes of 4 bits
 * never saturate; eight such sums fit 16 bits without a sign. */

enum { FOLDED = 8 };

/* Of a quad of x, the two bytes that meet a channel's first codes and those that meet its second, twice each: 4 bits
 * (x0 x2) (x1 x3), 2 bits (x0 x1) (x2 x3). Returns the sum of x. */
static int32_t spread(const nibble_conv* p, const uint8_t* x, int64_t quads, uint8_t* first, uint8_t* second) {
  int32_t sum = 0;
  for (int64_t i = 0; i < quads; ++i) {
    uint8_t four[4] = {0};
    for (int64_t k = 0; k < 4 && 4 * i + k < p->in_channels; ++k) {
      four[k] = x[4 * i + k];
      sum += four[k];
    }
    first[4 * i] = first[4 * i + 2] = four[0];
    first[4 * i + 1] = first[4 * i + 3] = four[p->w_bits == 4 ? 2 : 1];
    second[4 * i] = second[4 * i + 2] = four[p->w_bits == 4 ? 1 : 2];
    second[4 * i + 1] = second[4 * i + 3] = four[3];
  }
  return sum;
}

NIBBLE_INLINE __m256i quad_of(const uint8_t* x) {
  return _mm256_castps_si256(_mm256_broadcast_ss((const float*)(const void*)x));
}

/* 16 channels' two first codes of a quad and two second ones. */
NIBBLE_INLINE void codes_of(const uint8_t* w, __m256i* first, __m256i* second, int bits) {
  if (bits == 4) {
    const __m256i v = _mm256_loadu_si256((const __m256i*)w), mask = _mm256_set1_epi8(15);
    *first = _mm256_and_si256(v, mask);
    *second = _mm256_and_si256(_mm256_srli_epi16(v, 4), mask);
  } else {
    const __m256i v = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i*)w)), mask = _mm256_set1_epi8(3);
    const __m256i two = _mm256_or_si256(v, _mm256_slli_epi16(v, 6));
    *first = _mm256_and_si256(two, mask);
    *second = _mm256_and_si256(_mm256_srli_epi16(two, 4), mask);
  }
}

/* Sums of codes times x of 16 channels. */
NIBBLE_INLINE void sum_codes(const uint8_t* w, const uint8_t* first, const uint8_t* second, int64_t quads, __m256i* low,
                             __m256i* high, int bits) {
  *low = *high = _mm256_setzero_si256();
  for (int64_t quad = 0; quad < quads;) {
    const int64_t end = quads - quad < FOLDED ? quads : quad + FOLDED;
    __m256i a = _mm256_setzero_si256(), b = a;
    for (; quad < end; ++quad) {
      __m256i some, others;
      codes_of(w + quad * 8 * bits, &some, &others, bits);
      a = _mm256_add_epi16(a, _mm256_maddubs_epi16(quad_of(first + 4 * quad), some));
      b = _mm256_add_epi16(b, _mm256_maddubs_epi16(quad_of(second + 4 * quad), others));
    }
    *low = _mm256_add_epi32(*low, _mm256_add_epi32(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(a)),
                                                   _mm256_cvtepu16_epi32(_mm256_castsi256_si128(b))));
    *high = _mm256_add_epi32(*high, _mm256_add_epi32(_mm256_cvtepu16_epi32(_mm256_extracti128_si256(a, 1)),
                                                     _mm256_cvtepu16_epi32(_mm256_extracti128_si256(b, 1))));
  }
}

static int stream(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int64_t quads = nibble_window_bytes(p) / 4, blocks = (p->out_channels + 15) / 16, zero = 0;
  const int64_t from = p->split ? call->begin : 0, to = p->split ? call->end : call->begin < call->end ? blocks : 0;
  uint8_t *first = call->scratch, *second = first + 4 * quads;
  const int32_t sum = from < to ? spread(p, call->in[0], quads, first, second) : 0, *bias = p->bias;
  const __m256i excess = _mm256_set1_epi32((int32_t)((uint32_t)sum * (uint32_t)p->w_low));
  const __m256i step = _mm256_set1_epi32(p->w_step);
  nibble_finish f = nibble_finish_of(p, call);
  for (int64_t block = from; block < to; ++block) {
    const uint8_t* w = (const uint8_t*)p->weights + block * quads * 8 * p->w_bits;
    int32_t v[16];
    __m256i low, high, start[2] = {excess, excess};
    if (bias)
      for (int k = 0; k < 2; ++k)
        start[k] = _mm256_add_epi32(excess, _mm256_loadu_si256((const __m256i*)(bias + 16 * block + 8 * k)));
    if (p->w_bits == 4)
      sum_codes(w, first, second, quads, &low, &high, 4);
    else
      sum_codes(w, first, second, quads, &low, &high, 2);
    _mm256_storeu_si256((__m256i*)v, _mm256_add_epi32(start[0], _mm256_mullo_epi32(low, step)));
    _mm256_storeu_si256((__m256i*)(v + 8), _mm256_add_epi32(start[1], _mm256_mullo_epi32(high, step)));
    nibble_finish_rows(&f, v, 1, 16 * block, &zero, &zero);
  }
  return f.fault;
}

nibble_kernel nibble_avx2_stream(const nibble_conv* p, const char** name) {
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int pads = p->pad[0] != 0 || p->pad[1] != 0 || p->pad[2] != 0;
  if (p->w_format != NIBBLE_BLOCKED || p->acc_type != NIBBLE_I32 || p->groups != 1 || p->x_type != NIBBLE_U8)
    return NULL;
  if ((p->w_bits != 4 && p->w_bits != 2) || positions != 1 || p->kernel[0] * p->kernel[1] * p->kernel[2] != 1 || pads)
    return NULL;
  *name = "stream";
  return stream;
}

NIBBLE_CLOSE_TARGET
#endif
