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
/* after them */
#include "kernels/x86/emulated.h"
#define NIBBLE_OPEN_TARGET(instructions)
#define NIBBLE_CLOSE_TARGET
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
int nibble_has_amx(void);

#endif
#endif
