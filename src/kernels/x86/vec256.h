/* Registers of 256 bits, for vnni.h and vnni_three.h. DOT_256: the instruction's name in the set that includes this. */
#define VEC __m256i
#define VEC_NAME(name) name##_256
#define VEC_LOAD(from) _mm256_loadu_si256((const __m256i*)(from))
#define VEC_STORE(to, v) _mm256_storeu_si256((__m256i*)(to), v)
#define VEC_ZERO() _mm256_setzero_si256()
#define VEC_ADD(a, b) _mm256_add_epi32(a, b)
#define VEC_SUB(a, b) _mm256_sub_epi32(a, b)
#define VEC_XOR(a, b) _mm256_xor_si256(a, b)
#define VEC_SPREAD(number) _mm256_set1_epi32(number)
#define VEC_SPREAD_BYTE(number) _mm256_set1_epi8(number)
#define VEC_DOT(sum, x, w) DOT_256(sum, x, w)
#define VEC_PAIRS(a, b) _mm256_unpacklo_epi8(a, b)
#define VEC_HIGH_PAIRS(a, b) _mm256_unpackhi_epi8(a, b)
#define VEC_FOURS(a, b) _mm256_unpacklo_epi16(a, b)
#define VEC_HIGH_FOURS(a, b) _mm256_unpackhi_epi16(a, b)
#define VEC_STAGE(v, a, b) \
  _mm256_cvtps_epi32(_mm256_fmadd_ps(_mm256_cvtepi32_ps(v), _mm256_loadu_ps(a), _mm256_loadu_ps(b)))
#define VEC_MULTIPLY(a, b) _mm256_mul_epi32(a, b)
#define VEC_ADD_WIDE(a, b) _mm256_add_epi64(a, b)
#define VEC_ODD(v) _mm256_shuffle_epi32(v, 0xf5)
#define VEC_UPPER(even, odd) _mm256_blend_epi32(odd, _mm256_shuffle_epi32(even, 0xf5), 0x55)
#define VEC_DOWN(v, bits) _mm256_srav_epi32(v, bits)
#define VEC_HALVES(a, b) _mm256_packs_epi32(a, b)
#define VEC_SIGNED(a, b, low, high) _mm256_min_epi8(_mm256_max_epi8(_mm256_packs_epi16(a, b), low), high)
#define VEC_UNSIGNED(a, b, low, high) _mm256_min_epu8(_mm256_max_epu8(_mm256_packus_epi16(a, b), low), high)
#define VEC_BLOCK 2
