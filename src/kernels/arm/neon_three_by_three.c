#include "kernels/arm/arm_depthwise.h"

#if defined(__aarch64__)

/* Columns slide through registers. The upper two rows of a column are zipped: then neighbouring lanes are two taps of one
 * channel, products of which are summed in 16 bits with those of another column (SMULL, SMLAL), and go into 32 by SADALP:
 * 8 taps of 16 channels take 24 instructions, where widening channel by channel takes 32. Of the lowest row two columns
 * are zipped, the third stands alone. */
typedef struct column3 {
  int8x16_t a, b, c; /* rows 0 and 1 of channels 0 to 7, of 8 to 15; row 2 */
} column3;

/* Written out, as compilers copy halves of registers about. Products of x and z, four channels a sum. */
#define QUARTER(half, x, w, z, u, sum) "smull" half(x, w) "smlal" half(z, u) "sadalp %[" sum "].4s, %[t].8h\n"
#define FIRST(x, w) " %[t].8h, %[" x "].8b, %[" w "].8b\n"
#define SECOND(x, w) "2 %[t].8h, %[" x "].16b, %[" w "].16b\n"
#define TWO_PAIRS(x, w, z, u, low, high) QUARTER(FIRST, x, w, z, u, low) QUARTER(SECOND, x, w, z, u, high)
#define NINE_TAPS \
  "ldp %q[a], %q[b], [%[bias]]\n ldp %q[c], %q[d], [%[bias], #32]\n"                                \
  "zip1 %[s].16b, %[x2].16b, %[y2].16b\n zip2 %[r].16b, %[x2].16b, %[y2].16b\n"                     \
  TWO_PAIRS("x0", "w0", "y0", "w2", "a", "b") TWO_PAIRS("x1", "w1", "y1", "w3", "c", "d")           \
  TWO_PAIRS("z0", "w4", "s", "w6", "a", "b") TWO_PAIRS("z1", "w5", "r", "w7", "c", "d")             \
  "smull %[s].8h, %[z2].8b, %[w8].8b\n smull2 %[r].8h, %[z2].16b, %[w8].16b\n"                      \
  "saddw %[a].4s, %[a].4s, %[s].4h\n saddw2 %[b].4s, %[b].4s, %[s].8h\n"                            \
  "saddw %[c].4s, %[c].4s, %[r].4h\n saddw2 %[d].4s, %[d].4s, %[r].8h\n"

NIBBLE_ARM_INLINE nibble_arm_ints nine_taps(const int32_t* bias, const int8x16_t* w, column3 x, column3 y, column3 z) {
  nibble_arm_ints v;
  int16x8_t r, s, t;
  __asm__(
      NINE_TAPS
      : [a] "=&w"(v.a), [b] "=&w"(v.b), [c] "=&w"(v.c), [d] "=&w"(v.d), [r] "=&w"(r), [s] "=&w"(s), [t] "=&w"(t)
      : [bias] "r"(bias),
        "m"(*(const int32_t(*)[16])bias), [w0] "w"(w[0]), [w1] "w"(w[1]), [w2] "w"(w[2]), [w3] "w"(w[3]),
        [w4] "w"(w[4]), [w5] "w"(w[5]), [w6] "w"(w[6]), [w7] "w"(w[7]), [w8] "w"(w[8]), [x0] "w"(x.a), [x1] "w"(x.b),
        [x2] "w"(x.c), [y0] "w"(y.a), [y1] "w"(y.b), [y2] "w"(y.c), [z0] "w"(z.a), [z1] "w"(z.b), [z2] "w"(z.c));
  return v;
}

/* The first eight channels alone. */
#define NINE_TAPS_OF_EIGHT \
  "ldp %q[a], %q[b], [%[bias]]\n zip1 %[s].16b, %[x2].16b, %[y2].16b\n" TWO_PAIRS("x0", "w0", "y0", "w2", "a", "b") \
      TWO_PAIRS(                                                                                                    \
          "z0", "w4", "s", "w6", "a",                                                                               \
          "b") "smull %[s].8h, %[z2].8b, %[w8].8b\n saddw %[a].4s, %[a].4s, %[s].4h\n saddw2 %[b].4s, %[b].4s, "    \
               "%[s].8h\n"

NIBBLE_ARM_INLINE nibble_arm_ints nine_taps_of_eight(const int32_t* bias, const int8x16_t* w, column3 x, column3 y,
                                                     column3 z) {
  nibble_arm_ints v = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
  int16x8_t s, t;
  __asm__(NINE_TAPS_OF_EIGHT
          : [a] "=&w"(v.a), [b] "=&w"(v.b), [s] "=&w"(s), [t] "=&w"(t)
          : [bias] "r"(bias),
            "m"(*(const int32_t(*)[8])bias), [w0] "w"(w[0]), [w2] "w"(w[2]), [w4] "w"(w[4]), [w6] "w"(w[6]),
            [w8] "w"(w[8]), [x0] "w"(x.a), [x2] "w"(x.c), [y0] "w"(y.a), [y2] "w"(y.c), [z0] "w"(z.a), [z2] "w"(z.c));
  return v;
}

NIBBLE_ARM_INLINE void put_eight(const nibble_arm_target* t, const nibble_arm_windows* windows, int i,
                                 nibble_arm_ints v) {
  if (t->way == NIBBLE_ARM_KEEP) {
    nibble_arm_keep(t->sums[i], v);
  } else {
    const int product = nibble_arm_is_product(t->way);
    const int32x4_t low = product ? nibble_arm_high_staged(v.a, t->products, 0)
                                  : nibble_arm_float_staged(v.a, vld1q_f32(t->a), vld1q_f32(t->b));
    const int32x4_t high = product ? nibble_arm_high_staged(v.b, t->products, 4)
                                   : nibble_arm_float_staged(v.b, vld1q_f32(t->a + 4), vld1q_f32(t->b + 4));
    const nibble_arm_ints q = {low, high, low, high};
    nibble_arm_store(t->y + windows->y[i], nibble_arm_bytes(q, t->clip, t->clips, nibble_arm_is_signed(t->way)),
                     t->rows);
  }
}

/* As nibble_arm_signed_x; x goes on by the pitch in the same instruction. */
NIBBLE_ARM_INLINE int8x16_t next_x(const uint8_t** x, int64_t pitch, int flips) {
  uint8x16_t v;
  __asm__("ld1 {%[v].16b}, [%[x]], %[pitch]"
          : [v] "=w"(v), [x] "+r"(*x)
          : [pitch] "r"(pitch), "m"(*(const uint8_t(*)[16]) * x));
  return vreinterpretq_s8_u8(flips ? veorq_u8(v, vdupq_n_u8(0x80)) : v);
}

#define NEXT_COLUMN(column)                                                                    \
  if ((uint64_t)at < columns) {                                                                \
    const int8x16_t top = next_x(&row0, pitch0, flips), middle = next_x(&row1, pitch1, flips); \
    column.a = vzip1q_s8(top, middle), column.b = vzip2q_s8(top, middle);                      \
    column.c = next_x(&row2, pitch2, flips);                                                   \
  } else {                                                                                     \
    column.a = column.b = column.c = zero;                                                     \
  }                                                                                            \
  ++at;
#define OUTPUT(x, y, z)                                                 \
  if (eight)                                                            \
    put_eight(&t, windows, i++, nine_taps_of_eight(bias, w, x, y, z));  \
  else                                                                  \
    nibble_arm_put(&t, way, windows, i++, nine_taps(bias, w, x, y, z)); \
  if (i == end) continue;

NIBBLE_ARM_INLINE void three_by_three(const nibble_arm_runs* runs, int64_t offset, const int8_t* weights,
                                      const int32_t* bias, const nibble_arm_windows* windows,
                                      const nibble_arm_target* target, int way, int flips, int eight) {
  const int8x16x4_t w0 = vld4q_s8(weights), w1 = vld4q_s8(weights + 64), w2 = vld4q_s8(weights + 128);
  /* Taps 0 3, 1 4, 2 5 are columns' upper rows, 6 7 the lowest row's first two. */
  const int8x16_t w[9] = {
      vzip1q_s8(w0.val[0], w0.val[3]), vzip2q_s8(w0.val[0], w0.val[3]), vzip1q_s8(w0.val[1], w1.val[0]),
      vzip2q_s8(w0.val[1], w1.val[0]), vzip1q_s8(w0.val[2], w1.val[1]), vzip2q_s8(w0.val[2], w1.val[1]),
      vzip1q_s8(w1.val[2], w1.val[3]), vzip2q_s8(w1.val[2], w1.val[3]), w2.val[0]};
  const int8x16_t zero = nibble_arm_signed_x(runs->zero, flips);
  const nibble_arm_target t = *target; /* which no store can change */
  const nibble_arm_run* run = runs->run;
  int i = 0;
  for (int left = runs->count; left > 0; --left, ++run) {
    const int64_t pitch0 = run->pitch[0], pitch1 = run->pitch[1], pitch2 = run->pitch[2];
    const uint64_t columns = (uint64_t)run->columns;
    const uint8_t* row0 = run->row[0] + (pitch0 ? offset : 0);
    const uint8_t* row1 = run->row[1] + (pitch1 ? offset : 0);
    const uint8_t* row2 = run->row[2] + (pitch2 ? offset : 0);
    const int end = i + run->count;
    int64_t at = run->start;
    column3 a, b, c;
    NEXT_COLUMN(a)
    if (run->stride == 1) {
      NEXT_COLUMN(b)
      while (i < end) {
        NEXT_COLUMN(c) OUTPUT(a, b, c) NEXT_COLUMN(a) OUTPUT(b, c, a) NEXT_COLUMN(b) OUTPUT(c, a, b)
      }
    } else {
      while (i < end) {
        NEXT_COLUMN(b) NEXT_COLUMN(c) OUTPUT(a, b, c) NEXT_COLUMN(b) NEXT_COLUMN(a) OUTPUT(c, b, a)
      }
    }
  }
}

#define THREE_BY_THREE(name, way, flips, eight)                                                             \
  static void name(const nibble_arm_runs* runs, int64_t offset, const int8_t* weights, const int32_t* bias, \
                   const nibble_arm_windows* windows, const nibble_arm_target* target) {                    \
    three_by_three(runs, offset, weights, bias, windows, target, way, flips, eight);                        \
  }
THREE_BY_THREE(i8_to_i8, NIBBLE_ARM_I8, 0, 0)
THREE_BY_THREE(u8_to_u8, NIBBLE_ARM_U8, 1, 0)
THREE_BY_THREE(i8_to_i8_by_products, NIBBLE_ARM_I8_PRODUCT, 0, 0)
THREE_BY_THREE(u8_to_u8_by_products, NIBBLE_ARM_U8_PRODUCT, 1, 0)
THREE_BY_THREE(i8_to_any, target->way, 0, 0)
THREE_BY_THREE(u8_to_any, target->way, 1, 0)
THREE_BY_THREE(eight_of_i8, target->way, 0, 1)
THREE_BY_THREE(eight_of_u8, target->way, 1, 1)

nibble_arm_three_by_three nibble_arm_three_by_three_for(int way, int64_t rows, int flips) {
  if (rows <= 8) return flips ? eight_of_u8 : eight_of_i8;
  if (flips && way == NIBBLE_ARM_U8_PRODUCT) return u8_to_u8_by_products;
  if (!flips && way == NIBBLE_ARM_I8_PRODUCT) return i8_to_i8_by_products;
  if (flips) return way == NIBBLE_ARM_U8 ? u8_to_u8 : u8_to_any;
  return way == NIBBLE_ARM_I8 ? i8_to_i8 : i8_to_any;
}
#endif
