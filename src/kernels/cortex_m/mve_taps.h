#ifndef NIBBLE_KERNELS_CORTEX_M_MVE_TAPS_H
#define NIBBLE_KERNELS_CORTEX_M_MVE_TAPS_H
#include <stdint.h>

/* Windows of a depthwise convolution, sixteen channels at a time, written out: their sums are four registers, of which
 * register k has channels k, k + 4 and so on. Products of two taps are added in 16 bits, where no weight is -128, before
 * they are widened. Weights: for each sixteen channels, sixteen for each tap. Elements are signed bytes, or unsigned ones
 * that count 128 less. */

/* Offsets are those that the instructions below have. */
typedef struct nibble_mve_taps {
  const int8_t* weights;    /* 0 */
  int32_t channel;          /* 4: the first */
  int32_t* sums;            /* 8 */
  const int32_t* bias;      /* 12: of the first channel */
  const uint8_t* const* at; /* 16: where each tap has channel 0 */
  int32_t pairs;            /* 20: of taps */
  int32_t alone;            /* 24: one more, or 0 */
  int32_t end;              /* 28: of channels, a whole sixteen after the first */
} nibble_mve_taps;

typedef struct nibble_mve_nine {
  const int8_t* weights; /* 0 */
  const uint8_t* x;      /* 4: the first tap's first channel */
  int32_t* sums;         /* 8 */
  const int32_t* bias;   /* 12 */
  int32_t right;         /* 16: from a tap to the next of its row */
  int32_t down;          /* 20: from the last of a row to the first of the next */
  int32_t up;            /* 24: from the last tap to the first, sixteen channels on */
  int32_t sixteens;      /* 28 */
  int32_t next;          /* 32: from there, behind the last sixteen, to the next position's first tap */
  int32_t positions;     /* 36 */
  int32_t plane;         /* 40: bytes from behind a position's last sum to the next one's first */
} nibble_mve_nine;

#define NIBBLE_MVE_WIDENED                       \
  "vmovlb.s16 q5, q6\n\tvadd.i32 q0, q0, q5\n\t" \
  "vmovlt.s16 q6, q6\n\tvadd.i32 q2, q2, q6\n\t" \
  "vmovlb.s16 q5, q4\n\tvadd.i32 q1, q1, q5\n\t" \
  "vmovlt.s16 q4, q4\n\tvadd.i32 q3, q3, q4\n\t"
/* flip(q): makes a register of elements signed. */
#define NIBBLE_MVE_ALONE(x, flip) \
  "vldrb.8 q4, [" x               \
  "]\n\tvldrb.8 q5, [r1], #16\n\t" flip("q4") "vmullb.s8 q6, q4, q5\n\tvmullt.s8 q4, q4, q5\n\t" NIBBLE_MVE_WIDENED
#define NIBBLE_MVE_PAIR(x, between, other, flip) \
  "vldrb.8 q4, [" x "]\n\tvldrb.8 q5, [r1], #16\n\t" flip("q4") between         \
  "vmullb.s8 q6, q4, q5\n\tvmullt.s8 q4, q4, q5\n\t"                            \
  "vldrb.8 q5, [" other "]\n\tvldrb.8 q7, [r1], #16\n\t" flip("q5")             \
  "vmullb.s8 q5, q5, q7\n\tvadd.i16 q6, q6, q5\n\t"                             \
  "vldrb.8 q5, [" other "]\n\t" flip("q5")                                      \
  "vmullt.s8 q5, q5, q7\n\tvadd.i16 q4, q4, q5\n\t" NIBBLE_MVE_WIDENED
#define NIBBLE_MVE_AS_IT_IS(q) ""
#define NIBBLE_MVE_LESS_128(q) "vadd.i8 " q ", " q ", r11\n\t"

#define NIBBLE_MVE_SIXTEEN(kind, at)                                                         \
  kind "0.32 {q0, q1, q2, q3}, [" at "]\n\t" kind "1.32 {q0, q1, q2, q3}, [" at "]\n\t" kind \
       "2.32 {q0, q1, q2, q3}, [" at "]\n\t" kind "3.32 {q0, q1, q2, q3}, [" at "]!\n\t"
#define NIBBLE_MVE_BEGIN                            \
  ".syntax unified\n\t"                             \
  "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t" \
  "vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n\tmov r11, #128\n\t"
#define NIBBLE_MVE_END                              \
  "vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n\t" \
  "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t"

#define NIBBLE_MVE_ANY(two, flip) \
  __asm__(NIBBLE_MVE_BEGIN                                                                   \
          "ldrd r1, r3, [r0]\n\tldrd r4, r5, [r0, #8]\n\tldrd r9, r10, [r0, #16]\n\t"        \
          "ldrd r6, r12, [r0, #24]\n\t"                                                      \
          "1: mov r2, r9\n\t" NIBBLE_MVE_SIXTEEN("vld4", "r5")                               \
          "wls lr, r10, 3f\n\t"                                                              \
          "2: ldrd r7, r8, [r2], #8\n\tadd r7, r7, r3\n\tadd r8, r8, r3\n\t" two             \
          "le lr, 2b\n\t"                                                                    \
          "3: cbz r6, 4f\n\t"                                                                \
          "ldr r7, [r2]\n\tadd r7, r7, r3\n\t" NIBBLE_MVE_ALONE("r7", flip)                  \
          "4: " NIBBLE_MVE_SIXTEEN("vst4", "r4")                                             \
          "add r3, r3, #16\n\tcmp r3, r12\n\tbne 1b\n\t" NIBBLE_MVE_END)
#define NIBBLE_MVE_NINE(flip) \
  __asm__(NIBBLE_MVE_BEGIN                                                                   \
          "ldrd r1, r2, [r0]\n\tldrd r4, r5, [r0, #8]\n\tldrd r8, r9, [r0, #16]\n\t"         \
          "ldr r10, [r0, #24]\n\tldr r12, [r0, #36]\n\t"                                     \
          "1: ldr lr, [r0, #28]\n\tdls lr, lr\n\t"                                           \
          "2: " NIBBLE_MVE_SIXTEEN("vld4", "r5")                                             \
          NIBBLE_MVE_PAIR("r2", "add r2, r2, r8\n\t", "r2", flip) "add r2, r2, r8\n\t"       \
          NIBBLE_MVE_PAIR("r2", "add r2, r2, r9\n\t", "r2", flip) "add r2, r2, r8\n\t"       \
          NIBBLE_MVE_PAIR("r2", "add r2, r2, r8\n\t", "r2", flip) "add r2, r2, r9\n\t"       \
          NIBBLE_MVE_PAIR("r2", "add r2, r2, r8\n\t", "r2", flip) "add r2, r2, r8\n\t"       \
          NIBBLE_MVE_ALONE("r2", flip) "add r2, r2, r10\n\t"                                 \
          NIBBLE_MVE_SIXTEEN("vst4", "r4")                                                   \
          "le lr, 2b\n\t"                                                                    \
          "subs r12, r12, #1\n\tbeq 3f\n\t"                                                  \
          "ldr r3, [r0, #32]\n\tadd r2, r2, r3\n\tldr r1, [r0, #40]\n\tadd r4, r4, r1\n\t"  \
          "ldr r1, [r0]\n\tldr r5, [r0, #12]\n\tb 1b\n\t" \
          "3: " NIBBLE_MVE_END)

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noinline)) static void nibble_mve_any_signed(const nibble_mve_taps* taps) {
  NIBBLE_MVE_ANY(NIBBLE_MVE_PAIR("r7", "", "r8", NIBBLE_MVE_AS_IT_IS), NIBBLE_MVE_AS_IT_IS);
}
__attribute__((naked, noinline)) static void nibble_mve_any_unsigned(const nibble_mve_taps* taps) {
  NIBBLE_MVE_ANY(NIBBLE_MVE_PAIR("r7", "", "r8", NIBBLE_MVE_LESS_128), NIBBLE_MVE_LESS_128);
}
/* Weights of -128. */
__attribute__((naked, noinline)) static void nibble_mve_wide_signed(const nibble_mve_taps* taps) {
  NIBBLE_MVE_ANY(NIBBLE_MVE_ALONE("r7", NIBBLE_MVE_AS_IT_IS) NIBBLE_MVE_ALONE("r8", NIBBLE_MVE_AS_IT_IS),
                 NIBBLE_MVE_AS_IT_IS);
}
__attribute__((naked, noinline)) static void nibble_mve_wide_unsigned(const nibble_mve_taps* taps) {
  NIBBLE_MVE_ANY(NIBBLE_MVE_ALONE("r7", NIBBLE_MVE_LESS_128) NIBBLE_MVE_ALONE("r8", NIBBLE_MVE_LESS_128),
                 NIBBLE_MVE_LESS_128);
}
__attribute__((naked, noinline)) static void nibble_mve_nine_signed(const nibble_mve_nine* nine) {
  NIBBLE_MVE_NINE(NIBBLE_MVE_AS_IT_IS);
}
__attribute__((naked, noinline)) static void nibble_mve_nine_unsigned(const nibble_mve_nine* nine) {
  NIBBLE_MVE_NINE(NIBBLE_MVE_LESS_128);
}
#pragma GCC diagnostic pop

#endif
