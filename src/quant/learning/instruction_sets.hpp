#pragma once

/// Loops compiled once for each instruction set, by attribute (never by a file's flags: inline code of shared headers
/// would leak into every program), and the choice among them at run time. Every set gives the same bits: no loop of
/// room `quant` lets the compiler reorder or contract arithmetic.
#define NIBBLE_INLINE inline __attribute__((always_inline))
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define NIBBLE_INSTRUCTION_SETS(Define)                                                                 \
  Define(avx512, __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))) \
      Define(avx2, __attribute__((target("avx2")))) Define(plain, )
#define NIBBLE_CHOOSE(kernels)                                                                                      \
  (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && \
           __builtin_cpu_supports("avx512vl")                                                                       \
       ? avx512::kernels                                                                                            \
   : __builtin_cpu_supports("avx2") ? avx2::kernels                                                                 \
                                    : plain::kernels)
#else
#define NIBBLE_INSTRUCTION_SETS(Define) Define(plain, )
#define NIBBLE_CHOOSE(kernels) (plain::kernels)
#endif
