#ifndef NIBBLE_KERNELS_X86_X86_H
#define NIBBLE_KERNELS_X86_X86_H

/* What the x86 sets share: who runs here, and how a file says for which instructions it is compiled. A file includes
 * every header first, then opens its target, so that inline code of shared headers is compiled for any machine.
 *
 * With NIBBLE_EMULATED the instructions are SIMDe's, and nothing is a target: how a test runs a set that the machine
 * has not (tests/equal/kernels). */
#include "kernels/element.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define NIBBLE_X86 1

#if defined(NIBBLE_EMULATED)
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>
#define NIBBLE_OPEN_TARGET(instructions)
#define NIBBLE_CLOSE_TARGET

/* What SIMDe lacks, by halves. */
static inline simde__m512i nibble_two_halves(simde__m256i low, simde__m256i high) {
  return simde_mm512_inserti64x4(simde_mm512_castsi256_si512(low), high, 1);
}
static inline simde__m512i nibble_widened(simde__m128i bytes, int is_signed) {
  const simde__m128i high = simde_mm_srli_si128(bytes, 8);
  return is_signed ? nibble_two_halves(simde_mm256_cvtepi8_epi32(bytes), simde_mm256_cvtepi8_epi32(high))
                   : nibble_two_halves(simde_mm256_cvtepu8_epi32(bytes), simde_mm256_cvtepu8_epi32(high));
}
static inline simde__m512 nibble_reals(simde__m512i v) {
  const simde__m256 low = simde_mm256_cvtepi32_ps(simde_mm512_castsi512_si256(v));
  const simde__m256 high = simde_mm256_cvtepi32_ps(simde_mm512_extracti64x4_epi64(v, 1));
  return simde_mm512_castsi512_ps(nibble_two_halves(simde_mm256_castps_si256(low), simde_mm256_castps_si256(high)));
}
static inline simde__m512i nibble_integers(simde__m512 v) {
  const simde__m512i all = simde_mm512_castps_si512(v);
  const simde__m256 low = simde_mm256_castsi256_ps(simde_mm512_castsi512_si256(all));
  const simde__m256 high = simde_mm256_castsi256_ps(simde_mm512_extracti64x4_epi64(all, 1));
  return nibble_two_halves(simde_mm256_cvtps_epi32(low), simde_mm256_cvtps_epi32(high));
}
#define _mm512_cvtepu8_epi32(bytes) nibble_widened(bytes, 0)
#define _mm512_cvtepi8_epi32(bytes) nibble_widened(bytes, 1)
#define _mm512_cvtepi32_ps(v) nibble_reals(v)
#define _mm512_cvtps_epi32(v) nibble_integers(v)
#else
#include <immintrin.h>
#define NIBBLE_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define NIBBLE_OPEN_TARGET(instructions) \
  NIBBLE_PRAGMA(clang attribute push(__attribute__((target(instructions))), apply_to = function))
#define NIBBLE_CLOSE_TARGET NIBBLE_PRAGMA(clang attribute pop)
#else
#define NIBBLE_OPEN_TARGET(instructions) \
  NIBBLE_PRAGMA(GCC push_options)        \
  NIBBLE_PRAGMA(GCC target(instructions))
#define NIBBLE_CLOSE_TARGET NIBBLE_PRAGMA(GCC pop_options)
#endif
#endif

#define NIBBLE_INLINE static inline __attribute__((always_inline))

/* A sum stays in its register and is added to in the order written. */
#define NIBBLE_KEEP(v) __asm__("" : "+x"(v))

/* a += products of the pair of 16-bit numbers at `x`, an lvalue of 32 bits, with each pair of w0, added two by two; b with
 * w1. Written out, because a compiler copies some of twelve sums to and fro, an instruction in five. */
#define NIBBLE_ADD_PRODUCTS(a, b, x, w0, w1)                                                       \
  do {                                                                                             \
    __m256i nibble_x, nibble_y;                                                                    \
    __asm__(                                                                                       \
        "vpbroadcastd %[from], %[s]\n\tvpmaddwd %[s], %[u], %[t]\n\tvpmaddwd %[s], %[v], %[s]\n\t" \
        "vpaddd %[t], %[p], %[p]\n\tvpaddd %[s], %[q], %[q]"                                       \
        : [p] "+x"(a), [q] "+x"(b), [s] "=&x"(nibble_x), [t] "=&x"(nibble_y)                       \
        : [from] "m"(x), [u] "x"(w0), [v] "x"(w1));                                                \
  } while (0)

/* Whether the processor has the instructions and the system keeps their registers. */
int nibble_has_avx2(void);
int nibble_has_avxvnni(void);
int nibble_has_avx512vnni(void);

#endif
#endif
