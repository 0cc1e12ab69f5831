/* Registers of 512 bits, for vnni.h and vnni_three.h; in place of those of vec256.h where they stand. */
#undef VEC
#undef VEC_NAME
#undef VEC_LOAD
#undef VEC_STORE
#undef VEC_ZERO
#undef VEC_ADD
#undef VEC_SUB
#undef VEC_XOR
#undef VEC_SPREAD
#undef VEC_SPREAD_BYTE
#undef VEC_DOT
#undef VEC_PAIRS
#undef VEC_HIGH_PAIRS
#undef VEC_FOURS
#undef VEC_HIGH_FOURS
#undef VEC_STAGE
#undef VEC_MULTIPLY
#undef VEC_ADD_WIDE
#undef VEC_ODD
#undef VEC_UPPER
#undef VEC_DOWN
#undef VEC_HALVES
#undef VEC_SIGNED
#undef VEC_UNSIGNED
#undef VEC_BLOCK
#define VEC __m512i
#define VEC_NAME(name) name##_512
#define VEC_LOAD(from) _mm512_loadu_si512(from)
#define VEC_STORE(to, v) _mm512_storeu_si512(to, v)
#define VEC_ZERO() _mm512_setzero_si512()
#define VEC_ADD(a, b) _mm512_add_epi32(a, b)
#define VEC_SUB(a, b) _mm512_sub_epi32(a, b)
#define VEC_XOR(a, b) _mm512_xor_si512(a, b)
#define VEC_SPREAD(number) _mm512_set1_epi32(number)
#define VEC_SPREAD_BYTE(number) _mm512_set1_epi8(number)
#define VEC_DOT(sum, x, w) _mm512_dpbusd_epi32(sum, x, w)
#define VEC_PAIRS(a, b) _mm512_unpacklo_epi8(a, b)
#define VEC_HIGH_PAIRS(a, b) _mm512_unpackhi_epi8(a, b)
#define VEC_FOURS(a, b) _mm512_unpacklo_epi16(a, b)
#define VEC_HIGH_FOURS(a, b) _mm512_unpackhi_epi16(a, b)
#define VEC_STAGE(v, a, b) \
  _mm512_cvtps_epi32(_mm512_fmadd_ps(_mm512_cvtepi32_ps(v), _mm512_loadu_ps(a), _mm512_loadu_ps(b)))
#define VEC_MULTIPLY(a, b) _mm512_mul_epi32(a, b)
#define VEC_ADD_WIDE(a, b) _mm512_add_epi64(a, b)
#define VEC_ODD(v) _mm512_shuffle_epi32(v, 0xf5)
#define VEC_UPPER(even, odd) _mm512_mask_shuffle_epi32(odd, 0x5555, even, 0xf5)
#define VEC_DOWN(v, bits) _mm512_srav_epi32(v, bits)
#define VEC_HALVES(a, b) _mm512_packs_epi32(a, b)
#define VEC_SIGNED(a, b, low, high) _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(a, b), low), high)
#define VEC_UNSIGNED(a, b, low, high) _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(a, b), low), high)
#define VEC_BLOCK 1
