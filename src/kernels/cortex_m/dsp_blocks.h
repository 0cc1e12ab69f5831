#ifndef NIBBLE_KERNELS_CORTEX_M_DSP_BLOCKS_H
#define NIBBLE_KERNELS_CORTEX_M_DSP_BLOCKS_H
#include "kernels/cortex_m/dsp_window.h"

/* Two rows of weights (output channels) with pairs of windows, from widened operands to bytes, written out: per four
 * columns sixteen products by two loads and eight multiplications. Windows are widened once for all rows, two rows once
 * for all windows of a tile. */

/* A pair of a tile's positions. Where there is but one, y[1] is y[0]. */
typedef struct nibble_pair {
  int32_t start[4]; /* what the sums begin with: of either position, twice */
  uint8_t* y[2];    /* where channel 0 is stored */
} nibble_pair;

/* How sums end: PRODUCT32 to bytes, or as they are. */
enum nibble_blocks_end { NIBBLE_BLOCKS_U8, NIBBLE_BLOCKS_I8, NIBBLE_BLOCKS_CLIP, NIBBLE_BLOCKS_SUMS };

/* Offsets are those that the instructions below have. */
typedef struct nibble_blocks {
  const uint32_t* windows;     /* 0: per four columns two words of either window, pair after pair */
  const uint32_t* weights;     /* 4: per four columns two words of row 0, two of row 1 */
  const uint32_t* weights_end; /* 8 */
  int32_t first;               /* 12: how many of the loop's sixteen turns the first has not */
  const nibble_pair* pairs;    /* 16 */
  const nibble_pair* end;      /* 20 */
  int32_t channel[2];          /* 24: of either row; of one row alone twice the same */
  nibble_product by[2];        /* 32: as nibble_upper_product has them, of either row */
  int32_t low, high;           /* 64, 68 */
  int32_t* sums;               /* 72: SUMS: of row 0 with a pair, of row 1; moves on */
  int32_t ending;              /* 76 */
} nibble_blocks;

#define NIBBLE_BLOCK                                                  \
  "ldm.w r0!, {r6, r7, r8, r9}\n\tldm.w r1!, {r10, r11, r12, lr}\n\t" \
  "smlad r2, r6, r10, r2\n\tsmlad r3, r8, r10, r3\n\t"                \
  "smlad r4, r6, r12, r4\n\tsmlad r5, r8, r12, r5\n\t"                \
  "smlad r2, r7, r11, r2\n\tsmlad r3, r9, r11, r3\n\t"                \
  "smlad r4, r7, lr, r4\n\tsmlad r5, r9, lr, r5\n\t"
/* Sums r2 to r5 to r7, r9 of row 0, r3, r11 of row 1; the struct in lr, the pair in r12. */
#define NIBBLE_BLOCK_SCALED                                                                  \
  "ldrd lr, r12, [sp]\n\t"                                                                   \
  "ldrd r6, r7, [lr, #32]\n\tldrd r8, r9, [lr, #32]\n\tldrd r10, r11, [lr, #40]\n\t"         \
  "smlal r6, r7, r2, r10\n\tsmlal r8, r9, r3, r10\n\tasr r7, r7, r11\n\tasr r9, r9, r11\n\t" \
  "ldrd r2, r3, [lr, #48]\n\tldrd r10, r11, [lr, #48]\n\tldrd r6, r8, [lr, #56]\n\t"         \
  "smlal r2, r3, r4, r6\n\tsmlal r10, r11, r5, r6\n\tasr r3, r3, r8\n\tasr r11, r11, r8\n\t"
#define NIBBLE_BLOCK_CLIP(q) \
  "cmp " q ", r2\n\tit lt\n\tmovlt " q ", r2\n\tcmp " q ", r6\n\tit gt\n\tmovgt " q ", r6\n\t"

/* At least a pair and four columns. On the stack: the struct, the pair, where the first turn begins, weights_end, weights,
 * end, how sums end. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noinline)) static void nibble_blocks_run(nibble_blocks* blocks) {
  __asm__(
      ".syntax unified\n\t"
      "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\tsub sp, #28\n\t"
      "mov lr, r0\n\tldm r0, {r0, r1, r2, r3, r4, r5}\n\t"
      /* A block is 40 bytes of instructions. */
      "mov r6, #40\n\tmul r3, r3, r6\n\tadr r6, 1f\n\torr r6, r6, #1\n\tadd r3, r3, r6\n\t"
      "ldr r7, [lr, #76]\n\tadr r6, 4f\n\tcmp r7, #1\n\tit eq\n\tadreq r6, 7f\n\tcmp r7, #2\n\tit eq\n\tadreq r6, 8f\n\t"
      "it hi\n\tadrhi r6, 5f\n\torr r6, r6, #1\n\tstr r6, [sp, #24]\n\t"
      "strd lr, r4, [sp]\n\tstrd r3, r2, [sp, #8]\n\tstrd r1, r5, [sp, #16]\n\tmov r10, r4\n\t"
      "2: ldm r10, {r2, r3, r4, r5}\n\tldr pc, [sp, #8]\n\t"
      ".balign 4\n\t"
      "1: " NIBBLE_BLOCK NIBBLE_BLOCK NIBBLE_BLOCK NIBBLE_BLOCK NIBBLE_BLOCK NIBBLE_BLOCK NIBBLE_BLOCK NIBBLE_BLOCK
      NIBBLE_BLOCK NIBBLE_BLOCK NIBBLE_BLOCK NIBBLE_BLOCK NIBBLE_BLOCK NIBBLE_BLOCK NIBBLE_BLOCK NIBBLE_BLOCK
      "ldr r6, [sp, #12]\n\tcmp r1, r6\n\tbne.w 1b\n\t"
      "ldr pc, [sp, #24]\n\t"
      ".balign 4\n\t"
      "4: " NIBBLE_BLOCK_SCALED "usat r7, #8, r7\n\tusat r9, #8, r9\n\tusat r3, #8, r3\n\tusat r11, #8, r11\n\t"
      "3: ldrd r4, r5, [lr, #24]\n\tldrd r6, r8, [r12, #16]\n\t"
      "strb r9, [r8, r4]\n\tstrb r11, [r8, r5]\n\tstrb r7, [r6, r4]\n\tstrb r3, [r6, r5]\n\t"
      "6: add r10, r12, #24\n\tstr r10, [sp, #4]\n\tldrd r1, r6, [sp, #16]\n\tcmp r10, r6\n\tbne.w 2b\n\t"
      "add sp, #28\n\tpop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t"
      ".balign 4\n\t"
      "7: " NIBBLE_BLOCK_SCALED "ssat r7, #8, r7\n\tssat r9, #8, r9\n\tssat r3, #8, r3\n\tssat r11, #8, r11\n\tb 3b\n\t"
      ".balign 4\n\t"
      "8: " NIBBLE_BLOCK_SCALED "ldrd r2, r6, [lr, #64]\n\t"
      NIBBLE_BLOCK_CLIP("r7") NIBBLE_BLOCK_CLIP("r9") NIBBLE_BLOCK_CLIP("r3") NIBBLE_BLOCK_CLIP("r11")
      "b 3b\n\t"
      ".balign 4\n\t"
      "5: ldrd lr, r12, [sp]\n\tldr r6, [lr, #72]\n\tstm r6!, {r2, r3, r4, r5}\n\tstr r6, [lr, #72]\n\tb 6b\n\t");
}

/* Rows a and b, as many words of each (not 0), widened to `to`. A turn is 28 bytes of instructions. */
#define NIBBLE_WIDEN_BYTES                                                                    \
  "ldr.w r12, [r0], #4\n\tldr.w lr, [r1], #4\n\tsxtb16 r4, r12\n\tsxtb16 r5, r12, ror #8\n\t" \
  "sxtb16 r6, lr\n\tsxtb16 r7, lr, ror #8\n\tstm.w r3!, {r4, r5, r6, r7}\n\t"
__attribute__((naked, noinline)) static void nibble_widen_bytes(const uint8_t* a, const uint8_t* b, int32_t words,
                                                                uint32_t* to) {
  __asm__(
      ".syntax unified\n\t"
      "push {r4, r5, r6, r7, r8, lr}\n\tadd r8, r0, r2, lsl #2\n\t"
      "rsb r2, r2, #0\n\tand r2, r2, #3\n\tmov r4, #28\n\tmul r2, r2, r4\n\tadr r4, 1f\n\torr r4, r4, #1\n\t"
      "add r4, r4, r2\n\tbx r4\n\t"
      ".balign 4\n\t"
      "1: " NIBBLE_WIDEN_BYTES NIBBLE_WIDEN_BYTES NIBBLE_WIDEN_BYTES NIBBLE_WIDEN_BYTES
      "cmp r0, r8\n\tbne 1b\n\tpop {r4, r5, r6, r7, r8, pc}\n\t");
}

/* The same of packed weights, four codes of each row at a time. */
#define NIBBLE_WIDEN_CODES(k, l)                                                             \
  "and r4, r2, r12, lsr #" #k "\n\tand r5, r2, r12, lsr #" #l "\n\tand r6, r2, lr, lsr #" #k \
  "\n\tand r7, r2, lr, lsr #" #l "\n\tstm r3!, {r4, r5, r6, r7}\n\t"
#define NIBBLE_WIDEN_FIRST(l)                                                                     \
  "ldr r12, [r0], #4\n\tldr lr, [r1], #4\n\t"                                                     \
  "and r4, r2, r12\n\tand r5, r2, r12, lsr #" #l "\n\tand r6, r2, lr\n\tand r7, r2, lr, lsr #" #l \
  "\n\tstm r3!, {r4, r5, r6, r7}\n\t"
#define NIBBLE_WIDEN_PACKED(mask, codes)                                          \
  __asm__(                                                                        \
      ".syntax unified\n\t"                                                       \
      "push {r4, r5, r6, r7, r8, lr}\n\tadd r8, r0, r2, lsl #2\n\tmov r2, #" mask \
      "\n\t"                                                                      \
      "1: " codes "cmp r0, r8\n\tbne 1b\n\tpop {r4, r5, r6, r7, r8, pc}\n\t")
__attribute__((naked, noinline)) static void nibble_widen_4_bits(const uint8_t* a, const uint8_t* b, int32_t words,
                                                                 uint32_t* to) {
  NIBBLE_WIDEN_PACKED("0x000f000f", NIBBLE_WIDEN_FIRST(4) NIBBLE_WIDEN_CODES(8, 12));
}
__attribute__((naked, noinline)) static void nibble_widen_2_bits(const uint8_t* a, const uint8_t* b, int32_t words,
                                                                 uint32_t* to) {
  NIBBLE_WIDEN_PACKED("0x00030003", NIBBLE_WIDEN_FIRST(2) NIBBLE_WIDEN_CODES(4, 6) NIBBLE_WIDEN_CODES(8, 10)
                                        NIBBLE_WIDEN_CODES(12, 14));
}
__attribute__((naked, noinline)) static void nibble_widen_1_bit(const uint8_t* a, const uint8_t* b, int32_t words,
                                                                uint32_t* to) {
  NIBBLE_WIDEN_PACKED("0x00010001", NIBBLE_WIDEN_FIRST(1) NIBBLE_WIDEN_CODES(2, 3) NIBBLE_WIDEN_CODES(4, 5)
                                        NIBBLE_WIDEN_CODES(6, 7) NIBBLE_WIDEN_CODES(8, 9) NIBBLE_WIDEN_CODES(10, 11)
                                            NIBBLE_WIDEN_CODES(12, 13) NIBBLE_WIDEN_CODES(14, 15));
}
#pragma GCC diagnostic pop

/* Weights k and k + E / 2 of a word. */
NIBBLE_INLINE uint32_t nibble_halves_of(uint32_t word, int32_t k, int32_t bits) {
  if (bits == 8) return k == 0 ? nibble_even(word, 1) : nibble_odd(word, 1);
  return word >> (k * bits) & (((1u << bits) - 1) * 0x00010001u);
}

/* Two rows of `row` bytes, to whole words of weights. */
NIBBLE_INLINE void nibble_widen_rows(const uint8_t* a, const uint8_t* b, int32_t row, int32_t bits, uint32_t* to) {
  const int32_t words = row / 4, rest = row % 4;
  if (words > 0)
    (bits == 8   ? nibble_widen_bytes
     : bits == 4 ? nibble_widen_4_bits
     : bits == 2 ? nibble_widen_2_bits
                 : nibble_widen_1_bit)(a, b, words, to);
  if (rest == 0) return;
  const uint32_t of_a = nibble_word_part(a + 4 * words, rest), of_b = nibble_word_part(b + 4 * words, rest);
  to += words * 32 / bits;
  for (int32_t k = 0; k < 16 / bits; k += 2, to += 4) {
    to[0] = nibble_halves_of(of_a, k, bits);
    to[1] = nibble_halves_of(of_a, k + 1, bits);
    to[2] = nibble_halves_of(of_b, k, bits);
    to[3] = nibble_halves_of(of_b, k + 1, bits);
  }
}

#endif
