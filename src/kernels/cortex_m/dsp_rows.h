#ifndef NIBBLE_KERNELS_CORTEX_M_DSP_ROWS_H
#define NIBBLE_KERNELS_CORTEX_M_DSP_ROWS_H
#include "kernels/cortex_m/dsp_window.h"

/* Four windows with rows of weights, a row an output channel, written out: sums, words, halves and addresses take every
 * register that there is. */

enum nibble_rows_mode { NIBBLE_ROWS_SUMS, NIBBLE_ROWS_U8, NIBBLE_ROWS_CLIP, NIBBLE_ROWS_RESIDUAL };

/* Offsets are those that the instructions below have. */
typedef struct nibble_rows {
  const uint32_t* windows; /* 0 */
  const uint8_t* weights;  /* 4: moves on row by row */
  int32_t row;             /* 8: bytes of a row, made a multiple of 4, not 0 */
  const int32_t* bias;     /* 12: moves on */
  int32_t bits;            /* 16 */
  int32_t start[4];        /* 20: what a position adds to every channel's bias; of 8 bits nothing */
  int32_t channel;         /* 36: the first to compute */
  int32_t beyond;          /* 40: bytes by which `row` exceeds a row */
  int32_t mode;            /* 44 */
  int32_t mask;            /* 48: 0 where the constants are the same for all channels, else -1 */
  const int32_t* factor;   /* 52 */
  const int64_t* addend;   /* 56 */
  const uint8_t* shift;    /* 60: factor * 2^(32 - shift) is of 32 bits */
  uint8_t* y[4];           /* 64: where a position's channel 0 is stored */
  int32_t low, high;       /* 80, 84 */
  int32_t sums[4];         /* 88: of the last channel, where mode is SUMS: nothing else is stored */
  int32_t end;             /* 104: of the channels to compute */
  const uint8_t* r[4];     /* 108: RESIDUAL: where a position's residuals are, 8 bits each */
  int32_t r_sign;          /* 124: 0x80 where they are signed, which sum_c then knows; else 0 */
  int32_t sum_a, sum_b;    /* 128, 132 */
  int64_t sum_c;           /* 136 */
  int32_t sum_shift;       /* 144: below 32 */
  int32_t sum_low;         /* 148 */
  int32_t sum_high;        /* 152 */
  int32_t sum_up;          /* 156: 32 - sum_shift */
} nibble_rows;

#define NIBBLE_FOUR(weights)      \
  "ldm r0!, {r4, r5, r6, r7}\n\t" \
  "smlad r8, r4, " weights        \
  ", r8\n\t"                      \
  "smlad r9, r5, " weights        \
  ", r9\n\t"                      \
  "smlad r10, r6, " weights       \
  ", r10\n\t"                     \
  "smlad r11, r7, " weights ", r11\n\t"
#define NIBBLE_FOUR_AT(bit) "and lr, r12, r3, lsr #" #bit "\n\t" NIBBLE_FOUR("lr")
#define NIBBLE_WORD_OF_BYTES \
  "ldr r3, [r1], #4\n\t"     \
  "sxtb16 r12, r3\n\t"       \
  "sxtb16 lr, r3, ror #8\n\t" NIBBLE_FOUR("r12") NIBBLE_FOUR("lr")
#define NIBBLE_WORD_OF_BITS "ldr r3, [r1], #4\n\tand lr, r12, r3\n\t" NIBBLE_FOUR("lr")
#define NIBBLE_SCALED(sum)       \
  "mov r2, r5\n\tmov r3, r6\n\t" \
  "smlal r2, r3, " sum           \
  ", r4\n\t"                     \
  "asr " sum ", r3, r7\n\t"
#define NIBBLE_CLIPPED(sum)                \
  "cmp " sum ", r2\n\tit lt\n\tmovlt " sum \
  ", r2\n\t"                               \
  "cmp " sum ", r3\n\tit gt\n\tmovgt " sum ", r3\n\t"

#define NIBBLE_ADDED(sum, r)                        \
  "ldr r1, [lr, #" r                                \
  "]\n\tldrb r1, [r1, r0]\n\t"                      \
  "eor r1, r1, r12\n\tmov r2, r6\n\tmov r3, r7\n\t" \
  "smlal r2, r3, " sum                              \
  ", r4\n\tsmlal r2, r3, r1, r5\n\t"                \
  "ldr r1, [lr, #144]\n\tlsr r2, r2, r1\n\t"        \
  "ldr r1, [lr, #156]\n\tlsl r3, r3, r1\n\torr " sum ", r2, r3\n\t"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noinline)) static void nibble_rows_run(nibble_rows* rows) {
  __asm__(
      ".syntax unified\n\t"
      "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
      "push {r0}\n\t"
      "1: ldr lr, [sp]\n\t"
      "ldm lr, {r0, r1, r2, r3}\n\t"
      "ldr r4, [r3], #4\n\t"
      "str r3, [lr, #12]\n\t"
      "ldr r5, [lr, #16]\n\t"
      "cmp r5, #4\n\t"
      "bls 3f\n\t"
      "mov r8, r4\n\tmov r9, r4\n\tmov r10, r4\n\tmov r11, r4\n\t"
      /* Four words a turn; the first turn has what is left over. */
      "lsls r3, r2, #29\n\t"
      "add r2, r1, r2\n\t"
      "bmi 2f\n\t"
      "bcs 7f\n\t"
      "8: " NIBBLE_WORD_OF_BYTES
      "6: " NIBBLE_WORD_OF_BYTES
      "7: " NIBBLE_WORD_OF_BYTES
      "9: " NIBBLE_WORD_OF_BYTES
      "cmp r1, r2\n\tbne 8b\n\tb 5f\n\t"
      "2: bcs 6b\n\tb 9b\n\t"
      "3: add r3, lr, #20\n\t"
      "ldm r3, {r8, r9, r10, r11}\n\t"
      "add r8, r8, r4\n\tadd r9, r9, r4\n\tadd r10, r10, r4\n\tadd r11, r11, r4\n\t"
      "cmp r5, #4\n\t"
      "bne 3f\n\t"
      "4: add r2, r1, r2\n\t"
      "mov r12, #0x000f000f\n\t"
      "7: " NIBBLE_WORD_OF_BITS NIBBLE_FOUR_AT(4) NIBBLE_FOUR_AT(8) NIBBLE_FOUR_AT(12)
      "cmp r1, r2\n\tbne 7b\n\tb 5f\n\t"
      "3: add r2, r1, r2\n\t"
      "cmp r5, #1\n\tbeq 6f\n\t"
      "mov r12, #0x00030003\n\t"
      "7: " NIBBLE_WORD_OF_BITS NIBBLE_FOUR_AT(2) NIBBLE_FOUR_AT(4) NIBBLE_FOUR_AT(6)
      NIBBLE_FOUR_AT(8) NIBBLE_FOUR_AT(10) NIBBLE_FOUR_AT(12) NIBBLE_FOUR_AT(14)
      "cmp r1, r2\n\tbne 7b\n\tb 5f\n\t"
      "6: mov r12, #0x00010001\n\t"
      "7: " NIBBLE_WORD_OF_BITS NIBBLE_FOUR_AT(1) NIBBLE_FOUR_AT(2) NIBBLE_FOUR_AT(3) NIBBLE_FOUR_AT(4)
      NIBBLE_FOUR_AT(5) NIBBLE_FOUR_AT(6) NIBBLE_FOUR_AT(7) NIBBLE_FOUR_AT(8) NIBBLE_FOUR_AT(9) NIBBLE_FOUR_AT(10)
      NIBBLE_FOUR_AT(11) NIBBLE_FOUR_AT(12) NIBBLE_FOUR_AT(13) NIBBLE_FOUR_AT(14) NIBBLE_FOUR_AT(15)
      "cmp r1, r2\n\tbne 7b\n\t"
      /* The sums stand in r8 to r11. */
      "5: ldr lr, [sp]\n\t"
      "add r0, lr, #36\n\t"
      "ldm r0, {r0, r2, r3, r4, r5, r6, r7}\n\t"
      "sub r1, r1, r2\n\t"
      "str r1, [lr, #4]\n\t"
      "cmp r3, #0\n\t"
      "beq 2f\n\t"
      "and r1, r0, r4\n\t"
      "ldr r4, [r5, r1, lsl #2]\n\t"
      "add r6, r6, r1, lsl #3\n\t"
      "ldrb r7, [r7, r1]\n\t"
      "ldrd r5, r6, [r6]\n\t"
      /* A shift below 32 is made 32, of which taking the upper word is a part. */
      "subs r7, r7, #32\n\t"
      "bpl 8f\n\t"
      "rsb r2, r7, #0\n\t"
      "add r7, r7, #32\n\t"
      "lsl r4, r4, r2\n\t"
      "lsl r6, r6, r2\n\t"
      "lsr r7, r5, r7\n\t"
      "orr r6, r6, r7\n\t"
      "lsl r5, r5, r2\n\t"
      "mov r7, #0\n\t"
      "8: cmp r3, #1\n\t" NIBBLE_SCALED("r8") NIBBLE_SCALED("r9") NIBBLE_SCALED("r10") NIBBLE_SCALED("r11")
      "bne 6f\n\t"
      "usat r8, #8, r8\n\tusat r9, #8, r9\n\tusat r10, #8, r10\n\tusat r11, #8, r11\n\t"
      "7: add r3, lr, #64\n\t"
      "ldm r3, {r1, r2, r3, r4}\n\t"
      "strb r8, [r1, r0]\n\tstrb r9, [r2, r0]\n\tstrb r10, [r3, r0]\n\tstrb r11, [r4, r0]\n\t"
      "3: add r0, r0, #1\n\t"
      "str r0, [lr, #36]\n\t"
      "ldr r1, [lr, #104]\n\t"
      "cmp r0, r1\n\t"
      "bne 1b\n\t"
      "pop {r0}\n\t"
      "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t"
      "2: add r1, lr, #88\n\t"
      "stm r1, {r8, r9, r10, r11}\n\t"
      "b 3b\n\t"
      "6: ldr r2, [lr, #80]\n\t"
      "ldr r3, [lr, #84]\n\t" NIBBLE_CLIPPED("r8") NIBBLE_CLIPPED("r9") NIBBLE_CLIPPED("r10") NIBBLE_CLIPPED("r11")
      "ldr r3, [lr, #44]\n\t"
      "cmp r3, #2\n\t"
      "beq 7b\n\t"
      "add r1, lr, #124\n\t"
      "ldm r1, {r3, r4, r5}\n\t"
      "mov r12, r3\n\t"
      "ldrd r6, r7, [lr, #136]\n\t"
      NIBBLE_ADDED("r8", "108") NIBBLE_ADDED("r9", "112") NIBBLE_ADDED("r10", "116") NIBBLE_ADDED("r11", "120")
      "ldr r2, [lr, #148]\n\t"
      "ldr r3, [lr, #152]\n\t" NIBBLE_CLIPPED("r8") NIBBLE_CLIPPED("r9") NIBBLE_CLIPPED("r10") NIBBLE_CLIPPED("r11")
      "b 7b\n\t");
}
#pragma GCC diagnostic pop

#endif
