#ifndef NIBBLE_KERNELS_CORTEX_M_DSP_QUADS_H
#define NIBBLE_KERNELS_CORTEX_M_DSP_QUADS_H
#include "kernels/cortex_m/dsp_words.h"

/* One position of a depthwise convolution, four channels at a time, written out as in dsp_rows.h. */

enum nibble_quads_mode { NIBBLE_QUADS_U8, NIBBLE_QUADS_CLIP };

/* Offsets are those that the instructions below have. */
typedef struct nibble_quads {
  const uint8_t* const* taps; /* 0: where each has channel 0 */
  const uint32_t* weights;    /* 4: moves on */
  int32_t channel, end;       /* 8, 12: whole fours */
  int32_t paired;             /* 16: taps that stand in pairs, not 0 */
  int32_t alone;              /* 20: one more, or 0 */
  const int32_t* bias;        /* 24 */
  const int32_t* factor;      /* 28: these three for each channel */
  const int64_t* addend;      /* 32 */
  const uint8_t* shift;       /* 36: at least 32 */
  uint8_t* y;                 /* 40: where channel 0 is stored */
  int32_t mode;               /* 44 */
  int32_t low, high;          /* 48, 52 */
} nibble_quads;

#define NIBBLE_QUAD_PAIR(extend)                               \
  "ldm r0!, {r4, r5}\n\t"                                      \
  "ldr r4, [r4, r3]\n\tldr r5, [r5, r3]\n\t"                   \
  "pkhbt r6, r4, r5, lsl #16\n\tpkhtb r7, r5, r4, asr #16\n\t" \
  "ldm r1!, {r12, lr}\n\t" extend " r4, r6\n\t" extend         \
  " r6, r6, ror #8\n\t"                                        \
  "smlad r8, r4, r12, r8\n\tsmlad r9, r6, lr, r9\n\t"          \
  "ldm r1!, {r12, lr}\n\t" extend " r5, r7\n\t" extend         \
  " r7, r7, ror #8\n\t"                                        \
  "smlad r10, r5, r12, r10\n\tsmlad r11, r7, lr, r11\n\t"
#define NIBBLE_QUAD_LAST(extend)                           \
  "ldr r4, [r0]\n\tldr r4, [r4, r3]\n\t"                   \
  "ldm r1!, {r12, lr}\n\t" extend " r5, r4\n\t" extend     \
  " r6, r4, ror #8\n\t"                                    \
  "smlabb r8, r5, r12, r8\n\tsmlatt r10, r5, r12, r10\n\t" \
  "smlabb r9, r6, lr, r9\n\tsmlatt r11, r6, lr, r11\n\t"
#define NIBBLE_QUAD_ANY(extend) \
  "ldr r2, [lr, #16]\n\tadd r2, r0, r2, lsl #2\n\t"                     \
  "1: " NIBBLE_QUAD_PAIR(extend)                                        \
  "cmp r0, r2\n\tbne 1b\n\t"                                            \
  "ldr r12, [sp]\n\tldr r12, [r12, #20]\n\tcmp r12, #0\n\tbeq 2f\n\t"   \
  NIBBLE_QUAD_LAST(extend)

#define NIBBLE_QUAD_SCALED(sum, at)                                 \
  "ldrd r6, r7, [r5], #8\n\tldr r0, [r4], #4\n\tldrb r1, [r2, #" at \
  "]\n\t"                                                           \
  "smlal r6, r7, " sum ", r0\n\tsub r1, r1, #32\n\tasr " sum ", r7, r1\n\t"

#define NIBBLE_QUAD_CLIPPED(sum)           \
  "cmp " sum ", r4\n\tit lt\n\tmovlt " sum \
  ", r4\n\t"                               \
  "cmp " sum ", r5\n\tit gt\n\tmovgt " sum ", r5\n\t"

#define NIBBLE_QUAD_LOOP(sums) \
  __asm__(                                                                                             \
      ".syntax unified\n\t"                                                                            \
      "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"                                                \
      "push {r0}\n\t"                                                                                  \
      "mov lr, r0\n\t"                                                                                 \
      "3: ldm lr, {r0, r1, r3}\n\t"                                                                    \
      "ldr r4, [lr, #24]\n\tadd r4, r4, r3, lsl #2\n\tldm r4, {r8, r9, r10, r11}\n\t"                  \
      sums                                                                         \
      "2: ldr lr, [sp]\n\tstr r1, [lr, #4]\n\t"                                                        \
      "ldr r4, [lr, #28]\n\tadd r4, r4, r3, lsl #2\n\t"                                                \
      "ldr r5, [lr, #32]\n\tadd r5, r5, r3, lsl #3\n\t"                                                \
      "ldr r2, [lr, #36]\n\tadd r2, r2, r3\n\t"                                                        \
      NIBBLE_QUAD_SCALED("r8", "0") NIBBLE_QUAD_SCALED("r9", "1")                                      \
      NIBBLE_QUAD_SCALED("r10", "2") NIBBLE_QUAD_SCALED("r11", "3")                                    \
      "ldr r4, [lr, #44]\n\tcmp r4, #0\n\tbne 5f\n\t"                                                  \
      "usat r8, #8, r8\n\tusat r9, #8, r9\n\tusat r10, #8, r10\n\tusat r11, #8, r11\n\t"               \
      "4: ldr r0, [lr, #40]\n\tadd r0, r0, r3\n\t"                                                     \
      "strb r8, [r0]\n\tstrb r9, [r0, #1]\n\tstrb r10, [r0, #2]\n\tstrb r11, [r0, #3]\n\t"             \
      "add r3, r3, #4\n\tstr r3, [lr, #8]\n\tldr r0, [lr, #12]\n\tcmp r3, r0\n\tbne 3b\n\t"            \
      "pop {r0}\n\tpop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t"                                     \
      "5: ldr r4, [lr, #48]\n\tldr r5, [lr, #52]\n\t"                                                  \
      NIBBLE_QUAD_CLIPPED("r8") NIBBLE_QUAD_CLIPPED("r9") NIBBLE_QUAD_CLIPPED("r10")                   \
      NIBBLE_QUAD_CLIPPED("r11")                                                                       \
      "b 4b\n\t")

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noinline)) static void nibble_quads_of_any_unsigned(nibble_quads* quads) {
  NIBBLE_QUAD_LOOP(NIBBLE_QUAD_ANY("uxtb16"));
}
__attribute__((naked, noinline)) static void nibble_quads_of_any_signed(nibble_quads* quads) {
  NIBBLE_QUAD_LOOP(NIBBLE_QUAD_ANY("sxtb16"));
}
#pragma GCC diagnostic pop

#endif
