#include "kernels/conv_windows.h"
#include "kernels/x86/x86.h"
#include "kernels/x86/x86_finish.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma,avxvnni")

#define VEC __m256i
#define VEC_LOAD(from) _mm256_loadu_si256((const __m256i*)(from))
#define VEC_STORE(to, v) _mm256_storeu_si256((__m256i*)(to), v)
#define VEC_ZERO() _mm256_setzero_si256()
#define VEC_ADD(a, b) _mm256_add_epi32(a, b)
#define VEC_SPREAD(number) _mm256_set1_epi32(number)
#if defined(NIBBLE_EMULATED)
#define VEC_DOT(sum, x, w) _mm256_dpbusd_epi32(sum, x, w)
#else
#define VEC_DOT(sum, x, w) _mm256_dpbusd_avx_epi32(sum, x, w)
#endif
#define VEC_WIDEN(from) _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)(from)))
#define VEC_UP(v, bits) _mm256_slli_epi32(v, bits)
#define VEC_OR(a, b) _mm256_or_si256(a, b)
#define VEC_XOR(a, b) _mm256_xor_si256(a, b)
#define VEC_BLOCK 2
#define TILE_ROWS 6
#include "kernels/x86/vnni.h"

NIBBLE_CLOSE_TARGET

#if defined(NIBBLE_EMULATED)
const nibble_kernel_set nibble_avxvnni_emulated = {"avxvnni_emulated", nibble_has_avx2, find, nibble_finish_tile};
#else
const nibble_kernel_set nibble_avxvnni = {"avxvnni", nibble_has_avxvnni, find, nibble_finish_tile};
#endif
#endif
