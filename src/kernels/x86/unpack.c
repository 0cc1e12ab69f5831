#include "kernels/x86/unpack.h"

#include <string.h>

#include "kernels/conv_windows.h"
#include "kernels/x86/x86.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma")

int nibble_are_bytes(const nibble_conv* p) {
  const int64_t last = (int64_t)p->w_low + (int64_t)p->w_step * ((1 << p->w_bits) - 1);
  if (p->w_bits == 8) return 1;
  return (p->w_bits == 4 || p->w_bits == 2 || p->w_bits == 1) && p->w_low >= -128 && p->w_low <= 127 && last >= -128 &&
         last <= 127;
}

/* 32 codes of `bits` bits each, a byte each. */
NIBBLE_INLINE __m256i codes(const uint8_t* from, int bits) {
  if (bits == 4) {
    const __m256i v = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i*)from));
    return _mm256_and_si256(_mm256_or_si256(v, _mm256_slli_epi16(v, 4)), _mm256_set1_epi8(15));
  }
  if (bits == 2) {
    const __m256i v = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)from));
    const __m256i low = _mm256_or_si256(v, _mm256_slli_epi32(v, 6));
    return _mm256_and_si256(_mm256_or_si256(low, _mm256_slli_epi32(low, 12)), _mm256_set1_epi8(3));
  }
  {
    const __m256i place = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((int64_t)0x8040201008040201u);
    int32_t four;
    memcpy(&four, from, 4);
    return _mm256_and_si256(
        _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(four), place), bit), bit),
        _mm256_set1_epi8(1));
  }
}

NIBBLE_INLINE void unpack(const uint8_t* from, int64_t quads, __m256i numbers, int8_t* to, int bits) {
  for (int64_t i = 0; i < 2 * quads; ++i)
    _mm256_storeu_si256((__m256i*)(to + 32 * i), _mm256_shuffle_epi8(numbers, codes(from + 4 * bits * i, bits)));
}

/* Zeros in the columns that pad each segment. */
static void clear_padding(const nibble_conv* p, int8_t* w) {
  const int64_t bytes = nibble_segment_bytes(p), rest = (int64_t)p->kernel[2] * p->in_channels % 4;
  const __m256i kept = _mm256_set1_epi32((1 << 8 * rest) - 1);
  if (rest == 0) return;
  for (int64_t segment = 1; segment <= (int64_t)p->kernel[0] * p->kernel[1]; ++segment)
    for (int half = 0; half < 2; ++half) {
      __m256i* quad = (__m256i*)(w + (segment * bytes / 4 - 1) * 64 + 32 * half);
      _mm256_storeu_si256(quad, _mm256_and_si256(_mm256_loadu_si256(quad), kept));
    }
}

/* Where a block's weights are stored. */
static const uint8_t* stored(const nibble_conv* p, int64_t block, int64_t quads) {
  return (const uint8_t*)p->weights + block * quads * 8 * p->w_bits;
}

/* What each code stands for, again and again where there are fewer than 16. */
static __m128i numbers_of(const nibble_conv* p) {
  int8_t numbers[16];
  for (int i = 0; i < 16; ++i) numbers[i] = (int8_t)(p->w_low + p->w_step * (i & ((1 << p->w_bits) - 1)));
  return _mm_loadu_si128((const __m128i*)numbers);
}

const int8_t* nibble_block_weights(const nibble_conv* p, int64_t block, int64_t quads, int8_t* to) {
  const uint8_t* from = stored(p, block, quads);
  __m256i all;
  if (p->w_bits == 8) return (const int8_t*)from;
  all = _mm256_broadcastsi128_si256(numbers_of(p));
  if (p->w_bits == 4) unpack(from, quads, all, to, 4);
  if (p->w_bits == 2) unpack(from, quads, all, to, 2);
  if (p->w_bits == 1) unpack(from, quads, all, to, 1);
  if (!nibble_is_depthwise(p)) clear_padding(p, to);
  return to;
}

NIBBLE_CLOSE_TARGET
NIBBLE_OPEN_TARGET("avx2,avx512f,avx512bw")

const int8_t* nibble_wide_block_weights(const nibble_conv* p, int64_t block, int64_t quads, int8_t* to) {
  const uint8_t* from = stored(p, block, quads);
  __m512i all;
  if (p->w_bits != 4 && p->w_bits != 2) return nibble_block_weights(p, block, quads, to);
  all = _mm512_broadcast_i32x4(numbers_of(p));
  for (int64_t i = 0; i < quads; ++i) {
    __m512i codes;
    if (p->w_bits == 4) {
      const __m512i v = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i*)(from + 32 * i)));
      codes = _mm512_and_si512(_mm512_or_si512(v, _mm512_slli_epi16(v, 4)), _mm512_set1_epi8(15));
    } else {
      const __m512i v = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)(from + 16 * i)));
      const __m512i low = _mm512_or_si512(v, _mm512_slli_epi32(v, 6));
      codes = _mm512_and_si512(_mm512_or_si512(low, _mm512_slli_epi32(low, 12)), _mm512_set1_epi8(3));
    }
    _mm512_storeu_si512(to + 64 * i, _mm512_shuffle_epi8(all, codes));
  }
  if (!nibble_is_depthwise(p)) clear_padding(p, to);
  return to;
}

NIBBLE_CLOSE_TARGET
#endif
