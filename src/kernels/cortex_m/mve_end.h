#ifndef NIBBLE_KERNELS_CORTEX_M_MVE_END_H
#define NIBBLE_KERNELS_CORTEX_M_MVE_END_H
#include <stdint.h>

/* PRODUCT32 of four channels at a time, written out: shifts of 32 and more, results clipped to bytes. Sums of three
 * positions, laid by pairs of rows ([pair][position][2], mve_rows.h) or a plane a position (NIBBLE_MVE_PLANE each), or of one
 * position. */

enum { NIBBLE_MVE_PLANE = 64 };

/* Offsets are those that the instructions below have. */
typedef struct nibble_mve_end {
  const int32_t* sums;   /* 0 */
  const int32_t* factor; /* 4: these three for each channel */
  const int64_t* addend; /* 8 */
  const uint8_t* shift;  /* 12 */
  uint8_t* y[3];         /* 16: where the first channel is stored */
  int32_t low;           /* 28 */
  int32_t high;          /* 32 */
  int32_t fours;         /* 36: not 0 */
  const uint8_t* r[3];   /* 40: residuals */
  int32_t sum_a, sum_b;  /* 52, 56 */
  int32_t sum_c, up;     /* 60, 64: up: -sum_shift */
  int32_t sign;          /* 68: 128 where residuals are signed, and sum_c knows; else 0 */
  uint32_t at[4];        /* 72: by pairs of rows: where channels 0 to 3 are, less 48 bytes */
} nibble_mve_end;

/* Lower words' halves add up to the carry; see mve_stage.h. */
#define NIBBLE_MVE_SCALED                           \
  "vmul.i32 q5, q4, q0\n\tvmulh.s32 q4, q4, q0\n\t" \
  "vhadd.u32 q5, q5, q1\n\tvadd.i32 q4, q4, q2\n\t" \
  "vshr.u32 q5, q5, #31\n\tvadd.i32 q4, q4, q5\n\tvshl.s32 q4, q4, q3\n\t"
#define NIBBLE_MVE_TO_I8 "vqmovnb.s32 q4, q4\n\tvqmovnb.s16 q4, q4\n\t"
#define NIBBLE_MVE_TO_ANY                     \
  "vdup.32 q5, r1\n\tvmax.s32 q4, q4, q5\n\t" \
  "vdup.32 q5, r2\n\tvmin.s32 q4, q4, q5\n\t"
#define NIBBLE_MVE_TO_U8 "vqmovunb.s32 q4, q4\n\tvqmovnb.u16 q4, q4\n\t"
/* The same in 32 bits. */
#define NIBBLE_MVE_AS_I8 "vqshl.s32 q4, q4, #24\n\tvshr.s32 q4, q4, #24\n\t"
#define NIBBLE_MVE_AS_U8 "vqshlu.s32 q4, q4, #24\n\tvshr.u32 q4, q4, #24\n\t"
/* Of q, clipped, and the residual. */
#define NIBBLE_MVE_SUMMED(q, r, clip)                                              \
  q "vldrb.u32 q5, [" r                                                            \
    "], #4\n\tveor q5, q5, q7\n\tvmul.i32 q5, q5, r11\n\tvmla.s32 q5, q4, r10\n\t" \
    "vadd.i32 q4, q5, r12\n\tvshl.s32 q4, r3\n\t" clip
#define NIBBLE_MVE_STORED(y) "vstrb.32 q4, [" y "], #4\n\t"

#define NIBBLE_MVE_FROM_PAIRS(first, second, third, y0, y1, y2)               \
  "vldrw.u32 q4, [q6, #48]!\n\t" NIBBLE_MVE_SCALED first NIBBLE_MVE_STORED(   \
      y0) "vldrw.u32 q4, [q6, #8]\n\t" NIBBLE_MVE_SCALED second               \
  NIBBLE_MVE_STORED(y1) "vldrw.u32 q4, [q6, #16]\n\t" NIBBLE_MVE_SCALED third \
  NIBBLE_MVE_STORED(y2)
#define NIBBLE_MVE_FROM_PLANES(first, second, third)                                                     \
  "vldrw.32 q4, [r10], #16\n\t" NIBBLE_MVE_SCALED first                                                  \
      NIBBLE_MVE_STORED("r5") "vldrw.32 q4, [r10, #240]\n\t" NIBBLE_MVE_SCALED second NIBBLE_MVE_STORED( \
          "r6") "vldrw.32 q4, [r10, #496]\n\t" NIBBLE_MVE_SCALED third NIBBLE_MVE_STORED("r7")
#define NIBBLE_MVE_FROM_ONE(clip) "vldrw.32 q4, [r10], #16\n\t" NIBBLE_MVE_SCALED clip NIBBLE_MVE_STORED("r5")

#define NIBBLE_MVE_ENDING(begin, shifts, body)                                        \
  __asm__(                                                                            \
      ".syntax unified\n\t"                                                           \
      "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"                               \
      "vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"                              \
      "ldrd r8, r9, [r0, #4]\n\tldrd r4, r5, [r0, #12]\n\tldrd r6, r7, [r0, #20]\n\t" \
      "ldr lr, [r0, #36]\n\t" begin                                                   \
      "dls lr, lr\n\t"                                                                \
      "1: vldrb.u32 q3, [r4], #4\n\tvldrw.32 q0, [r8], #16\n\t"                       \
      "vld20.32 {q1, q2}, [r9]\n\t" shifts "vld21.32 {q1, q2}, [r9]!\n\t" body        \
      "le lr, 1b\n\t"                                                                 \
      "vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"                               \
      "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t")
/* Of shifts of 32 and more: 32 - shift. Of any: that, and -shift, by which the lower word goes (q7). */
#define NIBBLE_MVE_UPPER "vbic.i32 q3, #32\n\tvneg.s32 q3, q3\n\t"
#define NIBBLE_MVE_BOTH "vneg.s32 q7, q3\n\tvadd.i32 q3, q7, r3\n\t"
#define NIBBLE_MVE_LOWER(at)                            \
  "vldrw.u32 q5, [" at                                  \
  "]\n\tvmul.i32 q5, q5, q0\n\tvadd.i32 q5, q5, q1\n\t" \
  "vshl.u32 q5, q5, q7\n\tvorr q4, q4, q5\n\t" NIBBLE_MVE_TO_ANY
#define NIBBLE_MVE_BOUNDS "ldrd r1, r2, [r0, #28]\n\t"
#define NIBBLE_MVE_PAIRS "vldrw.32 q6, [r0, #72]\n\t"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-function"
__attribute__((naked, noinline)) static void nibble_mve_pairs_to_i8(const nibble_mve_end* end) {
  NIBBLE_MVE_ENDING(NIBBLE_MVE_PAIRS NIBBLE_MVE_BOUNDS, NIBBLE_MVE_UPPER,
                    NIBBLE_MVE_FROM_PAIRS(NIBBLE_MVE_TO_I8, NIBBLE_MVE_TO_I8, NIBBLE_MVE_TO_I8, "r5", "r6", "r7"));
}
__attribute__((naked, noinline)) static void nibble_mve_pairs_to_any(const nibble_mve_end* end) {
  NIBBLE_MVE_ENDING(NIBBLE_MVE_PAIRS NIBBLE_MVE_BOUNDS, NIBBLE_MVE_UPPER,
                    NIBBLE_MVE_FROM_PAIRS(NIBBLE_MVE_TO_ANY, NIBBLE_MVE_TO_ANY, NIBBLE_MVE_TO_ANY, "r5", "r6", "r7"));
}
/* Residuals of bytes; q and the result clipped to the range of a byte. */
#define NIBBLE_MVE_PAIRS_SUMMED(q, clip)                                                                      \
  NIBBLE_MVE_ENDING(NIBBLE_MVE_PAIRS                                                                          \
                    "add r10, r0, #52\n\tldm r10, {r10, r11, r12}\n\tldr r3, [r0, #64]\n\t"                   \
                    "ldr r1, [r0, #68]\n\tvdup.32 q7, r1\n\tldrd r1, r2, [r0, #44]\n\tldr r0, [r0, #40]\n\t", \
                    NIBBLE_MVE_UPPER,                                                                         \
                    NIBBLE_MVE_FROM_PAIRS(NIBBLE_MVE_SUMMED(q, "r0", clip), NIBBLE_MVE_SUMMED(q, "r1", clip), \
                                          NIBBLE_MVE_SUMMED(q, "r2", clip), "r5", "r6", "r7"))
__attribute__((naked, noinline)) static void nibble_mve_pairs_of_i8_to_i8(const nibble_mve_end* end) {
  NIBBLE_MVE_PAIRS_SUMMED(NIBBLE_MVE_AS_I8, NIBBLE_MVE_TO_I8);
}
__attribute__((naked, noinline)) static void nibble_mve_pairs_of_i8_to_u8(const nibble_mve_end* end) {
  NIBBLE_MVE_PAIRS_SUMMED(NIBBLE_MVE_AS_I8, NIBBLE_MVE_TO_U8);
}
__attribute__((naked, noinline)) static void nibble_mve_pairs_of_u8_to_i8(const nibble_mve_end* end) {
  NIBBLE_MVE_PAIRS_SUMMED(NIBBLE_MVE_AS_U8, NIBBLE_MVE_TO_I8);
}
__attribute__((naked, noinline)) static void nibble_mve_pairs_of_u8_to_u8(const nibble_mve_end* end) {
  NIBBLE_MVE_PAIRS_SUMMED(NIBBLE_MVE_AS_U8, NIBBLE_MVE_TO_U8);
}
__attribute__((naked, noinline)) static void nibble_mve_planes_to_i8(const nibble_mve_end* end) {
  NIBBLE_MVE_ENDING(NIBBLE_MVE_BOUNDS "ldr r10, [r0]\n\t", NIBBLE_MVE_UPPER,
                    NIBBLE_MVE_FROM_PLANES(NIBBLE_MVE_TO_I8, NIBBLE_MVE_TO_I8, NIBBLE_MVE_TO_I8));
}
__attribute__((naked, noinline)) static void nibble_mve_planes_to_any(const nibble_mve_end* end) {
  NIBBLE_MVE_ENDING(NIBBLE_MVE_BOUNDS "ldr r10, [r0]\n\t", NIBBLE_MVE_UPPER,
                    NIBBLE_MVE_FROM_PLANES(NIBBLE_MVE_TO_ANY, NIBBLE_MVE_TO_ANY, NIBBLE_MVE_TO_ANY));
}
/* Of any shift. */
__attribute__((naked, noinline)) static void nibble_mve_pairs_of_any_shift(const nibble_mve_end* end) {
  NIBBLE_MVE_ENDING(NIBBLE_MVE_PAIRS NIBBLE_MVE_BOUNDS "mov r3, #32\n\t", NIBBLE_MVE_BOTH,
                    NIBBLE_MVE_FROM_PAIRS(NIBBLE_MVE_LOWER("q6"), NIBBLE_MVE_LOWER("q6, #8"),
                                          NIBBLE_MVE_LOWER("q6, #16"), "r5", "r6", "r7"));
}
__attribute__((naked, noinline)) static void nibble_mve_planes_of_any_shift(const nibble_mve_end* end) {
  NIBBLE_MVE_ENDING(NIBBLE_MVE_BOUNDS "ldr r10, [r0]\n\tmov r3, #32\n\t", NIBBLE_MVE_BOTH,
                    NIBBLE_MVE_FROM_PLANES(NIBBLE_MVE_LOWER("r10, #-16"), NIBBLE_MVE_LOWER("r10, #240"),
                                           NIBBLE_MVE_LOWER("r10, #496")));
}
__attribute__((naked, noinline)) static void nibble_mve_one_to_any(const nibble_mve_end* end) {
  NIBBLE_MVE_ENDING(NIBBLE_MVE_BOUNDS "ldr r10, [r0]\n\t", NIBBLE_MVE_UPPER, NIBBLE_MVE_FROM_ONE(NIBBLE_MVE_TO_ANY));
}
#pragma GCC diagnostic pop

#endif
