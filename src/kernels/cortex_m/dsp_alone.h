#ifndef NIBBLE_KERNELS_CORTEX_M_DSP_ALONE_H
#define NIBBLE_KERNELS_CORTEX_M_DSP_ALONE_H
#include "kernels/cortex_m/dsp_blocks.h"

/* A step of one position, as of a fully connected layer: two rows of weights with one window. */

#define NIBBLE_TWO_ROWS                                                                     \
  "ldr r6, [r1], #4\n\tldrd r8, r9, [r0], #8\n\tsxtb16 r7, r6\n\tsxtb16 r6, r6, ror #8\n\t" \
  "smlad r4, r8, r7, r4\n\tldr r7, [r2], #4\n\tsmlad r4, r9, r6, r4\n\t"                    \
  "sxtb16 r6, r7\n\tsxtb16 r7, r7, ror #8\n\tsmlad r5, r8, r6, r5\n\tsmlad r5, r9, r7, r5\n\t"

/* Two rows of bytes with one window, four words at a time: `words` is a multiple of four, not 0. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noinline)) static void nibble_add_fours(const uint32_t* window, const uint8_t* a,
                                                              const uint8_t* b, int32_t words, int32_t* sums) {
  __asm__(
      ".syntax unified\n\t"
      "push {r4, r5, r6, r7, r8, r9, r10, lr}\n\tldr r10, [sp, #32]\n\t"
      "ldrd r4, r5, [r10]\n\tadd r3, r1, r3, lsl #2\n\t"
      "1: " NIBBLE_TWO_ROWS NIBBLE_TWO_ROWS NIBBLE_TWO_ROWS NIBBLE_TWO_ROWS
      "cmp r1, r3\n\tbne 1b\n\t"
      "strd r4, r5, [r10]\n\tpop {r4, r5, r6, r7, r8, r9, r10, pc}\n\t");
}
#pragma GCC diagnostic pop

/* Two rows' whole words with one window. */
NIBBLE_INLINE const uint32_t* nibble_add_two_rows(const uint32_t* window, const uint8_t* a, const uint8_t* b,
                                                  int32_t words, int32_t bits, int32_t* sums) {
  int32_t first = sums[0], second = sums[1];
#pragma GCC unroll 2
  for (int32_t i = 0; i < words; ++i, a += 4, b += 4) {
    const uint32_t of_a = nibble_word(a), of_b = nibble_word(b);
#pragma GCC unroll 16
    for (int32_t k = 0; k < 16 / bits; ++k) {
      const uint32_t x = *window++;
      first = nibble_both(x, nibble_halves_of(of_a, k, bits), first);
      second = nibble_both(x, nibble_halves_of(of_b, k, bits), second);
    }
  }
  sums[0] = first;
  sums[1] = second;
  return window;
}

/* What a row's last `rest` bytes add. */
static int32_t nibble_add_rest(const uint32_t* window, const uint8_t* row, int32_t rest, int32_t bits, int32_t sum) {
  const uint32_t word = nibble_word_part(row, rest);
  for (int32_t k = 0; k < 16 / bits; ++k) sum = nibble_both(*window++, nibble_halves_of(word, k, bits), sum);
  return sum;
}

/* Sums of the rows a and b of `row` bytes with one window. */
static void nibble_sum_alone(const uint32_t* window, const uint8_t* a, const uint8_t* b, int32_t row, int32_t bits,
                             int32_t* sums) {
  const int32_t words = row / 4, rest = row % 4, fours = bits == 8 ? words / 4 * 4 : 0;
  if (fours > 0) nibble_add_fours(window, a, b, fours, sums);
  window += 2 * fours;
  a += 4 * fours;
  b += 4 * fours;
  window = bits == 8   ? nibble_add_two_rows(window, a, b, words - fours, 8, sums)
           : bits == 4 ? nibble_add_two_rows(window, a, b, words, 4, sums)
           : bits == 2 ? nibble_add_two_rows(window, a, b, words, 2, sums)
                       : nibble_add_two_rows(window, a, b, words, 1, sums);
  if (rest == 0) return;
  sums[0] = nibble_add_rest(window, a + 4 * (words - fours), rest, bits, sums[0]);
  sums[1] = nibble_add_rest(window, b + 4 * (words - fours), rest, bits, sums[1]);
}

/* Channels [from, to) two by two; of an odd count the last one twice. */
static int nibble_conv_alone(const nibble_conv* p, const nibble_call* call, int32_t count, int32_t row, int32_t from,
                             int32_t to) {
  const int raw = p->stage.form == NIBBLE_STAGE_NONE && p->y_type == NIBBLE_I32 && p->sum_form == 0 &&
                  p->stage.low <= INT32_MIN && p->stage.high >= INT32_MAX;
  const int clipped = nibble_ending_of(p) == NIBBLE_END_CLIP || nibble_ending_of(p) == NIBBLE_END_U8;
  const nibble_spot s = nibble_spot_of(p, 0);
  uint32_t* const window = call->scratch;
  uint8_t* const bytes = (uint8_t*)(window + nibble_weight_words(count, p->w_bits) * 16 / p->w_bits);
  const int32_t sum = nibble_build_window(p, call->in[0], &s, count, NIBBLE_ALONE, bytes, window);
  const int32_t start = (int32_t)((uint32_t)sum * (uint32_t)p->w_low);
  int fault = NIBBLE_FINE;
  if (p->w_bits != 8 && p->w_step != 1)
    nibble_scale_lane(window, nibble_weight_words(count, p->w_bits) * 8 / p->w_bits, NIBBLE_ALONE, p->w_step);
  for (int32_t o = from; o < to; o += 2) {
    const int32_t next = o + 1 < to ? o + 1 : o;
    const uint8_t* const weights = p->weights;
    int32_t sums[2] = {((const int32_t*)p->bias)[o] + start, ((const int32_t*)p->bias)[next] + start};
    nibble_sum_alone(window, weights + o * row, weights + next * row, row, p->w_bits, sums);
    for (int32_t i = 0; i <= next - o; ++i) {
      if (clipped) {
        const nibble_product by = nibble_product_of(&p->stage, o + i);
        nibble_end(p, call, NIBBLE_END_CLIP, &by, sums[i], o + i, (int32_t)s.y, (int32_t)s.r, &fault);
      } else if (raw) {
        ((int32_t*)call->out)[s.y + o + i] = sums[i];
      } else {
        nibble_finish_sum(p, call, sums[i], o + i, s.y, s.r, &fault);
      }
    }
  }
  return fault;
}

#endif
