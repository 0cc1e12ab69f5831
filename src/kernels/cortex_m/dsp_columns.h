#ifndef NIBBLE_KERNELS_CORTEX_M_DSP_COLUMNS_H
#define NIBBLE_KERNELS_CORTEX_M_DSP_COLUMNS_H
#include "kernels/cortex_m/dsp_words.h"

/* Depthwise windows of 3 x 3, a channel after another, two positions side by side, written out. A row of a channel stands
 * as words of two columns, the even one in the low half, so that a word of weights (w0, w1) or (w1, w2) takes two taps by
 * a multiplication. */

typedef struct nibble_column {
  uint32_t weights[6]; /* of each row of the window w0 and w1, w1 and w2 */
  int64_t addend;      /* these three as nibble_upper_product has them */
  int32_t factor;
  uint32_t shift;
} nibble_column;

/* Offsets are those that the instructions below have. */
typedef struct nibble_columns {
  const uint32_t* x;            /* 0: the window's first row in the first channel's plane; moves on */
  int32_t pitch;                /* 4: bytes of a row of x */
  int32_t advance;              /* 8: bytes of x from a row of positions to the next */
  int32_t pairs;                /* 12: bytes of x that the pairs of a row move on by */
  uint8_t* y;                   /* 16: of the first channel; moves on */
  int32_t y_row;                /* 20: bytes of y from row to row */
  int32_t rows;                 /* 24: not 0 */
  int32_t step;                 /* 28: bytes of y from a position to the next */
  int32_t odd;                  /* 32: of a position more a row, bytes of x as of a pair; else 0 */
  int32_t plane;                /* 36: bytes from a channel's plane to the next */
  const nibble_column* channel; /* 40: moves on */
  const nibble_column* end;     /* 44 */
  int32_t low, high;            /* 48, 52 */
} nibble_columns;

#define NIBBLE_COLUMNS_BESIDE                                                        \
  "ldrd r10, r11, [r0], #4\n\tsmuad r12, r10, r4\n\tsmultb lr, r10, r4\n\t"          \
  "smlabt r12, r11, r5, r12\n\tsmlad lr, r11, r5, lr\n\t"                            \
  "ldrd r10, r11, [r1], #4\n\tsmlad r12, r10, r6, r12\n\tsmlatb lr, r10, r6, lr\n\t" \
  "smlabt r12, r11, r7, r12\n\tsmlad lr, r11, r7, lr\n\t"                            \
  "ldrd r10, r11, [r2], #4\n\tsmlad r12, r10, r8, r12\n\tsmlatb lr, r10, r8, lr\n\t" \
  "smlabt r12, r11, r9, r12\n\tsmlad lr, r11, r9, lr\n\t"
#define NIBBLE_COLUMNS_EVERY_OTHER                                                     \
  "ldrd r10, r11, [r0], #4\n\tsmuad r12, r10, r4\n\tsmlabt r12, r11, r5, r12\n\t"      \
  "ldrd r10, r11, [r0], #4\n\tsmuad lr, r10, r4\n\tsmlabt lr, r11, r5, lr\n\t"         \
  "ldrd r10, r11, [r1], #4\n\tsmlad r12, r10, r6, r12\n\tsmlabt r12, r11, r7, r12\n\t" \
  "ldrd r10, r11, [r1], #4\n\tsmlad lr, r10, r6, lr\n\tsmlabt lr, r11, r7, lr\n\t"     \
  "ldrd r10, r11, [r2], #4\n\tsmlad r12, r10, r8, r12\n\tsmlabt r12, r11, r9, r12\n\t" \
  "ldrd r10, r11, [r2], #4\n\tsmlad lr, r10, r8, lr\n\tsmlabt lr, r11, r9, lr\n\t"

#define NIBBLE_COLUMNS_U8 "usat r5, #8, r5\n\tusat r7, #8, r7\n\t"
#define NIBBLE_COLUMNS_I8 "ssat r5, #8, r5\n\tssat r7, #8, r7\n\t"
#define NIBBLE_COLUMNS_CLIP                                                            \
  "ldr r10, [sp, #48]\n\tldrd r10, r11, [r10, #48]\n\t"                                \
  "cmp r5, r10\n\tit lt\n\tmovlt r5, r10\n\tcmp r5, r11\n\tit gt\n\tmovgt r5, r11\n\t" \
  "cmp r7, r10\n\tit lt\n\tmovlt r7, r10\n\tcmp r7, r11\n\tit gt\n\tmovgt r7, r11\n\t"

/* On the stack: the channel's constants, the step of y or 0, where the row's positions end in x, the struct, x and y of
 * the next row, rows that are left. The position beyond an odd row's last pair is stored where that one is, and before it. */
#define NIBBLE_COLUMNS_RUN(sums, clip)                                                             \
  __asm__(                                                                                         \
      ".syntax unified\n\t"                                                                        \
      "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\tsub sp, #68\n\tstr r0, [sp, #48]\n\t"        \
      "5: ldr r1, [r0, #40]\n\tldm r1!, {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}\n\t"            \
      "str r1, [r0, #40]\n\tstm sp, {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}\n\t"                \
      "ldm r0, {r0, r1, r3, r4, r6, r7, r8, r9}\n\tldr r10, [sp, #48]\n\t"                         \
      "2: str r9, [sp, #40]\n\tadd r11, r0, r3\n\tadd r12, r6, r7\n\tsub r8, r8, #1\n\t"           \
      "strd r11, r12, [sp, #52]\n\tstr r8, [sp, #60]\n\tmov r3, r6\n\t"                            \
      "add r2, r0, r1, lsl #1\n\tadd r1, r0, r1\n\tadd r4, r0, r4\n\tstr r4, [sp, #44]\n\t"        \
      "cmp r0, r4\n\tbeq 3f\n\t"                                                                   \
      "1: ldm sp, {r4, r5, r6, r7, r8, r9}\n\t" sums                                               \
      "ldrd r4, r5, [sp, #24]\n\tldrd r6, r7, [sp, #24]\n\tldrd r8, r9, [sp, #32]\n\t"             \
      "smlal r4, r5, r12, r8\n\tsmlal r6, r7, lr, r8\n\tasr r5, r5, r9\n\tasr r7, r7, r9\n\t" clip \
      "ldrd r8, r4, [sp, #40]\n\tstrb r7, [r3, r8]\n\tstrb r5, [r3]\n\tadd r3, r3, r8, lsl #1\n\t" \
      "cmp r0, r4\n\tbne 1b\n\t"                                                                   \
      "cmp r8, #0\n\tbeq 4f\n\t"                                                                   \
      "3: ldr r10, [sp, #48]\n\tldr r5, [r10, #32]\n\tcmp r5, #0\n\tbeq 4f\n\t"                    \
      "add r4, r4, r5\n\tmov r8, #0\n\tstrd r8, r4, [sp, #40]\n\tb 1b\n\t"                         \
      "4: ldr r10, [sp, #48]\n\tldr r8, [sp, #60]\n\tcmp r8, #0\n\tbeq 6f\n\t"                     \
      "add r11, r10, #4\n\tldm r11, {r1, r3, r4}\n\tldr r7, [r10, #20]\n\tldr r9, [r10, #28]\n\t"  \
      "ldr r0, [sp, #52]\n\tldr r6, [sp, #56]\n\tb 2b\n\t"                                         \
      "6: mov r0, r10\n\tldr r1, [r0]\n\tldr r2, [r0, #36]\n\tadd r1, r1, r2\n\tstr r1, [r0]\n\t"  \
      "ldr r1, [r0, #16]\n\tadd r1, r1, #1\n\tstr r1, [r0, #16]\n\t"                               \
      "ldrd r1, r2, [r0, #40]\n\tcmp r1, r2\n\tbne 5b\n\t"                                         \
      "add sp, #68\n\tpop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t")

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define NIBBLE_COLUMNS(name, sums, clip)                                                  \
  __attribute__((naked, noinline)) static void nibble_columns_##name(nibble_columns* c) { \
    NIBBLE_COLUMNS_RUN(sums, clip);                                                       \
  }
NIBBLE_COLUMNS(beside_u8, NIBBLE_COLUMNS_BESIDE, NIBBLE_COLUMNS_U8)
NIBBLE_COLUMNS(beside_i8, NIBBLE_COLUMNS_BESIDE, NIBBLE_COLUMNS_I8)
NIBBLE_COLUMNS(beside_clip, NIBBLE_COLUMNS_BESIDE, NIBBLE_COLUMNS_CLIP)
NIBBLE_COLUMNS(every_other_u8, NIBBLE_COLUMNS_EVERY_OTHER, NIBBLE_COLUMNS_U8)
NIBBLE_COLUMNS(every_other_i8, NIBBLE_COLUMNS_EVERY_OTHER, NIBBLE_COLUMNS_I8)
NIBBLE_COLUMNS(every_other_clip, NIBBLE_COLUMNS_EVERY_OTHER, NIBBLE_COLUMNS_CLIP)
#pragma GCC diagnostic pop

#endif
