#include "kernels/conv_windows.h"
#include "kernels/x86/x86.h"
#include "kernels/x86/x86_finish.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")

#define VEC __m512i
#define VEC_LOAD(from) _mm512_loadu_si512(from)
#define VEC_STORE(to, v) _mm512_storeu_si512(to, v)
#define VEC_ZERO() _mm512_setzero_si512()
#define VEC_ADD(a, b) _mm512_add_epi32(a, b)
#define VEC_SPREAD(number) _mm512_set1_epi32(number)
#define VEC_DOT(sum, x, w) _mm512_dpbusd_epi32(sum, x, w)
#if defined(NIBBLE_EMULATED) /* SIMDe lacks it */
#define VEC_WIDEN(from)                                                                                     \
  _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)(from)))), \
                     _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)((from) + 8))), 1)
#else
#define VEC_WIDEN(from) _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)(from)))
#endif
#define VEC_UP(v, bits) _mm512_slli_epi32(v, bits)
#define VEC_OR(a, b) _mm512_or_si512(a, b)
#define VEC_XOR(a, b) _mm512_xor_si512(a, b)
#define VEC_BLOCK 1
#define TILE_ROWS 12
#include "kernels/x86/vnni.h"

NIBBLE_CLOSE_TARGET

#if defined(NIBBLE_EMULATED)
const nibble_kernel_set nibble_avx512vnni_emulated = {"avx512vnni_emulated", nibble_has_avx2, find, nibble_finish_tile};
#else
const nibble_kernel_set nibble_avx512vnni = {"avx512vnni", nibble_has_avx512vnni, find, nibble_finish_tile};
#endif
#endif
