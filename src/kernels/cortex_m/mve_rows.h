#ifndef NIBBLE_KERNELS_CORTEX_M_MVE_ROWS_H
#define NIBBLE_KERNELS_CORTEX_M_MVE_ROWS_H
#include <stdint.h>

/* Rows of weights, a row an output channel, with windows of signed bytes: two rows with three windows, four with one.
 * Written out: accumulators are even registers, and with the addresses they are all that there are. Of packed weights a
 * window holds, for each sixteen bytes of them, the elements that meet their lowest bits, then those that meet the next:
 * sixteen each. */

/* Offsets are those that the instructions below have. */
typedef struct nibble_mve_three {
  const int8_t* x[3];
  int32_t count;       /* bytes of a row */
  int32_t back;        /* from a row's end, in whole sixteens, to the row after the next */
  const int32_t* end;  /* of sums */
  int32_t start[3];    /* what a window adds to every bias; of 8 bits nothing */
  const uint8_t* w[2]; /* the first two rows */
  const int32_t* bias;
  int32_t* sums; /* for each two rows: three times two */
} nibble_mve_three;

typedef struct nibble_mve_one {
  const int8_t* x;
  int32_t count, back; /* back: to the fourth row after */
  const int32_t* end;
  int32_t start;
  const uint8_t* w[4];
  const int32_t* bias;
  int32_t* sums; /* one a row */
} nibble_mve_one;

#define NIBBLE_MVE_SIX(first, second)                                                             \
  "vldrb.8 q0, [r1], #16\n\tvldrb.8 q1, [r3], #16\n\t"                                            \
  "vmladava.s8 r0, q0, " first                                                                    \
  "\n\tvldrb.8 q2, [r5], #16\n\t"                                                                 \
  "vmladava.s8 r4, q1, " first "\n\tvmladava.s8 r8, q2, " first "\n\tvmladava.s8 r2, q0, " second \
  "\n\tvmladava.s8 r6, q1, " second "\n\tvmladava.s8 r10, q2, " second "\n\t"
#define NIBBLE_MVE_PART(bit)                            \
  "vshr.u8 q5, q3, #" #bit "\n\tvshr.u8 q6, q4, #" #bit \
  "\n\t"                                                \
  "vand q5, q5, q7\n\tvand q6, q6, q7\n\t" NIBBLE_MVE_SIX("q5", "q6")
#define NIBBLE_MVE_FIRST_PART "vand q5, q3, q7\n\tvand q6, q4, q7\n\t" NIBBLE_MVE_SIX("q5", "q6")
#define NIBBLE_MVE_LAST_PART(bit) \
  "vshr.u8 q5, q3, #" #bit "\n\tvshr.u8 q6, q4, #" #bit "\n\t" NIBBLE_MVE_SIX("q5", "q6")

#define NIBBLE_MVE_THREE(begin, sums, body)                                                            \
  __asm__(                                                                                             \
      ".syntax unified\n\t"                                                                            \
      "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"                                                \
      "vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n\t" begin                                         \
      "ldm r0!, {r1, r2, r3, r4, r5, r6, r7, r8, r9}\n\tpush {r1, r2, r3, r4, r5, r6, r7, r8, r9}\n\t" \
      "ldm r0, {r7, r9, r11, r12}\n\t"                                                                 \
      "ldrd r3, r5, [sp, #4]\n\t"                                                                      \
      "1: " sums "2: " body                                                                            \
      "letp lr, 2b\n\t"                                                                                \
      "stm r12!, {r0, r2, r4, r6, r8, r10}\n\t"                                                        \
      "ldrd r0, r2, [sp, #16]\n\t"                                                                     \
      "ldrd r1, r3, [sp]\n\tldr r5, [sp, #8]\n\t"                                                      \
      "add r7, r7, r0\n\tadd r9, r9, r0\n\t"                                                           \
      "cmp r12, r2\n\tbne 1b\n\t"                                                                      \
      "add sp, sp, #36\n\t"                                                                            \
      "vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"                                                \
      "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t")
#define NIBBLE_MVE_BIASES                                             \
  "ldr lr, [sp, #12]\n\tldrd r0, r2, [r11], #8\n\tdlstp.8 lr, lr\n\t" \
  "mov r4, r0\n\tmov r6, r2\n\tmov r8, r0\n\tmov r10, r2\n\t"
#define NIBBLE_MVE_STARTS                                                     \
  "ldrd r0, r2, [r11], #8\n\tldrd r4, r8, [sp, #28]\n\tldr lr, [sp, #24]\n\t" \
  "add r6, r4, r2\n\tadd r4, r4, r0\n\tadd r10, r8, r2\n\tadd r8, r8, r0\n\t" \
  "add r0, r0, lr\n\tadd r2, r2, lr\n\tldr lr, [sp, #12]\n\tdlstp.8 lr, lr\n\t"

#define NIBBLE_MVE_ROW(sum, weights, bit) \
  "vshr.u8 q5, " weights ", #" #bit "\n\tvand q5, q5, q7\n\tvmladava.s8 " sum ", q0, q5\n\t"
#define NIBBLE_MVE_FIRST_ROW(sum, weights) "vand q5, " weights ", q7\n\tvmladava.s8 " sum ", q0, q5\n\t"
#define NIBBLE_MVE_FOUR_LOADED                         \
  "vldrb.8 q1, [r3], #16\n\tvldrb.8 q2, [r5], #16\n\t" \
  "vldrb.8 q3, [r7], #16\n\tvldrb.8 q4, [r9], #16\n\t"
#define NIBBLE_MVE_FIRST_FOUR                                                                   \
  "vldrb.8 q0, [r1], #16\n\t" NIBBLE_MVE_FIRST_ROW("r0", "q1") NIBBLE_MVE_FIRST_ROW("r2", "q2") \
      NIBBLE_MVE_FIRST_ROW("r4", "q3") NIBBLE_MVE_FIRST_ROW("r6", "q4")
#define NIBBLE_MVE_FOUR(bit)                                                                  \
  "vldrb.8 q0, [r1], #16\n\t" NIBBLE_MVE_ROW("r0", "q1", bit) NIBBLE_MVE_ROW("r2", "q2", bit) \
      NIBBLE_MVE_ROW("r4", "q3", bit) NIBBLE_MVE_ROW("r6", "q4", bit)

#define NIBBLE_MVE_ONE(begin, sums, body)                              \
  __asm__(                                                             \
      ".syntax unified\n\t"                                            \
      "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"                \
      "vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n\t" begin         \
      "ldm r0!, {r1, r2, r3, r4, r5}\n\tpush {r1, r2, r3, r4, r5}\n\t" \
      "ldm r0, {r3, r5, r7, r9, r11, r12}\n\t"                         \
      "1: " sums "2: " body                                            \
      "letp lr, 2b\n\t"                                                \
      "stm r12!, {r0, r2, r4, r6}\n\t"                                 \
      "ldrd r0, r2, [sp, #8]\n\tldr r1, [sp]\n\t"                      \
      "add r3, r3, r0\n\tadd r5, r5, r0\n\t"                           \
      "add r7, r7, r0\n\tadd r9, r9, r0\n\t"                           \
      "cmp r12, r2\n\tbne 1b\n\t"                                      \
      "add sp, sp, #20\n\t"                                            \
      "vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"                \
      "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t")
#define NIBBLE_MVE_FOUR_BIASES "ldr lr, [sp, #4]\n\tldm r11!, {r0, r2, r4, r6}\n\tdlstp.8 lr, lr\n\t"
#define NIBBLE_MVE_FOUR_STARTS                                               \
  "ldm r11!, {r0, r2, r4, r6}\n\tldr lr, [sp, #16]\n\t"                      \
  "add r0, r0, lr\n\tadd r2, r2, lr\n\tadd r4, r4, lr\n\tadd r6, r6, lr\n\t" \
  "ldr lr, [sp, #4]\n\tdlstp.8 lr, lr\n\t"

/* Windows of at most 16, or 32, elements stay in registers; weights of 8 bits. `back` is two rows long. */
#define NIBBLE_MVE_HELD(loads, body)                                       \
  __asm__(                                                                 \
      ".syntax unified\n\t"                                                \
      "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"                    \
      "vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"                   \
      "ldm r0!, {r1, r2, r3, r4, r5, r6}\n\tadd r0, r0, #12\n\t"           \
      "ldm r0, {r7, r9, r11, r12}\n\tsub lr, r6, r12\n\t"                  \
      "vldrb.8 q0, [r1]\n\tvldrb.8 q1, [r2]\n\tvldrb.8 q2, [r3]\n\t" loads \
      "mov r1, #24\n\tudiv lr, lr, r1\n\tmov r1, r5\n\tdls lr, lr\n\t"     \
      "1: ldrd r0, r2, [r11], #8\n\t"                                      \
      "mov r4, r0\n\tmov r6, r2\n\tmov r8, r0\n\tmov r10, r2\n\t" body     \
      "add r7, r7, r1\n\tadd r9, r9, r1\n\t"                               \
      "stm r12!, {r0, r2, r4, r6, r8, r10}\n\t"                            \
      "le lr, 1b\n\t"                                                      \
      "vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"                    \
      "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t")
#define NIBBLE_MVE_HELD_SIX(x0, x1, x2)                                             \
  "vmladava.s8 r0, " x0 ", q6\n\tvmladava.s8 r4, " x1 ", q6\n\tvmladava.s8 r8, " x2 \
  ", q6\n\t"                                                                        \
  "vmladava.s8 r2, " x0 ", q7\n\tvmladava.s8 r6, " x1 ", q7\n\tvmladava.s8 r10, " x2 ", q7\n\t"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noinline)) static void nibble_mve_three_of_8(const nibble_mve_three* rows) {
  NIBBLE_MVE_THREE("", NIBBLE_MVE_BIASES,
                   "vldrb.8 q3, [r7], #16\n\tvldrb.8 q4, [r9], #16\n\t" NIBBLE_MVE_SIX("q3", "q4"));
}
__attribute__((naked, noinline)) static void nibble_mve_three_of_16_held(const nibble_mve_three* rows) {
  NIBBLE_MVE_HELD("vctp.8 r4\n\t",
                  "vpstt\n\tvldrbt.8 q6, [r7]\n\tvldrbt.8 q7, [r9]\n\t" NIBBLE_MVE_HELD_SIX("q0", "q1", "q2"));
}
__attribute__((naked, noinline)) static void nibble_mve_three_of_32_held(const nibble_mve_three* rows) {
  NIBBLE_MVE_HELD(
      "sub r4, r4, #16\n\tvctp.8 r4\n\tvpsttt\n\t"
      "vldrbt.8 q3, [r1, #16]\n\tvldrbt.8 q4, [r2, #16]\n\tvldrbt.8 q5, [r3, #16]\n\t",
      "vldrb.8 q6, [r7]\n\tvldrb.8 q7, [r9]\n\t" NIBBLE_MVE_HELD_SIX(
          "q0", "q1",
          "q2") "vpstt\n\tvldrbt.8 q6, [r7, #16]\n\tvldrbt.8 q7, [r9, #16]\n\t" NIBBLE_MVE_HELD_SIX("q3", "q4", "q5"));
}
__attribute__((naked, noinline)) static void nibble_mve_three_of_4(const nibble_mve_three* rows) {
  NIBBLE_MVE_THREE("vmov.i8 q7, #15\n\t", NIBBLE_MVE_STARTS,
                   "vldrb.8 q3, [r7], #16\n\tvldrb.8 q4, [r9], #16\n\t" NIBBLE_MVE_FIRST_PART NIBBLE_MVE_LAST_PART(4));
}
__attribute__((naked, noinline)) static void nibble_mve_three_of_2(const nibble_mve_three* rows) {
  NIBBLE_MVE_THREE("vmov.i8 q7, #3\n\t", NIBBLE_MVE_STARTS,
                   "vldrb.8 q3, [r7], #16\n\tvldrb.8 q4, [r9], #16\n\t" NIBBLE_MVE_FIRST_PART NIBBLE_MVE_PART(2)
                       NIBBLE_MVE_PART(4) NIBBLE_MVE_LAST_PART(6));
}
__attribute__((naked, noinline)) static void nibble_mve_three_of_1(const nibble_mve_three* rows) {
  NIBBLE_MVE_THREE("vmov.i8 q7, #1\n\t", NIBBLE_MVE_STARTS,
                   "vldrb.8 q3, [r7], #16\n\tvldrb.8 q4, [r9], #16\n\t" NIBBLE_MVE_FIRST_PART NIBBLE_MVE_PART(1)
                       NIBBLE_MVE_PART(2) NIBBLE_MVE_PART(3) NIBBLE_MVE_PART(4) NIBBLE_MVE_PART(5) NIBBLE_MVE_PART(6)
                           NIBBLE_MVE_LAST_PART(7));
}
__attribute__((naked, noinline)) static void nibble_mve_one_of_8(const nibble_mve_one* rows) {
  NIBBLE_MVE_ONE("", NIBBLE_MVE_FOUR_BIASES,
                 "vldrb.8 q0, [r1], #16\n\t" NIBBLE_MVE_FOUR_LOADED
                 "vmladava.s8 r0, q0, q1\n\tvmladava.s8 r2, q0, q2\n\t"
                 "vmladava.s8 r4, q0, q3\n\tvmladava.s8 r6, q0, q4\n\t");
}
__attribute__((naked, noinline)) static void nibble_mve_one_of_4(const nibble_mve_one* rows) {
  NIBBLE_MVE_ONE("vmov.i8 q7, #15\n\t", NIBBLE_MVE_FOUR_STARTS,
                 NIBBLE_MVE_FOUR_LOADED NIBBLE_MVE_FIRST_FOUR NIBBLE_MVE_FOUR(4));
}
__attribute__((naked, noinline)) static void nibble_mve_one_of_2(const nibble_mve_one* rows) {
  NIBBLE_MVE_ONE("vmov.i8 q7, #3\n\t", NIBBLE_MVE_FOUR_STARTS,
                 NIBBLE_MVE_FOUR_LOADED NIBBLE_MVE_FIRST_FOUR NIBBLE_MVE_FOUR(2) NIBBLE_MVE_FOUR(4) NIBBLE_MVE_FOUR(6));
}
__attribute__((naked, noinline)) static void nibble_mve_one_of_1(const nibble_mve_one* rows) {
  NIBBLE_MVE_ONE("vmov.i8 q7, #1\n\t", NIBBLE_MVE_FOUR_STARTS,
                 NIBBLE_MVE_FOUR_LOADED NIBBLE_MVE_FIRST_FOUR NIBBLE_MVE_FOUR(1) NIBBLE_MVE_FOUR(2) NIBBLE_MVE_FOUR(3)
                     NIBBLE_MVE_FOUR(4) NIBBLE_MVE_FOUR(5) NIBBLE_MVE_FOUR(6) NIBBLE_MVE_FOUR(7));
}
#pragma GCC diagnostic pop

#endif
