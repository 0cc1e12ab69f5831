#include "kernels/arm/arm.h"

#if defined(__aarch64__)

/* The set for Armv8-A without dot products (Cortex-A72). Sums of 16 rows at one or two positions in registers: a pair of
 * products is summed in 16 bits (SMULL, SMLAL), neighbouring lanes of it go into 32 (SADALP), so 16 products take three
 * instructions. A pair is columns c and c + 4 of a row; it fits unless both its weights and both its inputs are -128.
 *
 * Registers: v0 v1 and v2 v3 four columns each of both positions, repeated; v4-v7 and v8-v11 their weights, four rows a
 * register; v16-v23 and v24-v31 the sums, two rows a register; v12-v15 pairs. */
#define LOW(t, w, x) "smull v" t ".8h, v" w ".8b, v" x ".8b\n"
#define HIGH(t, w, x) "smull2 v" t ".8h, v" w ".16b, v" x ".16b\n"
#define LOW_TOO(t, w, x) "smlal v" t ".8h, v" w ".8b, v" x ".8b\n"
#define HIGH_TOO(t, w, x) "smlal2 v" t ".8h, v" w ".16b, v" x ".16b\n"
#define INTO(s, t) "sadalp v" s ".4s, v" t ".8h\n"

/* Four rows: weights w of the first columns, u of the second; sums a (two rows), b (the next two) of the first position,
 * c, d of the second. Pairs are summed in 16 bits, or each product goes into 32 (EACH). */
#define ONE_PAIRS(w, u, a, b) \
  LOW("12", w, "0") HIGH("13", w, "0") LOW_TOO("12", u, "1") HIGH_TOO("13", u, "1") INTO(a, "12") INTO(b, "13")
#define ONE_EACH(w, u, a, b) \
  LOW("12", w, "0")          \
  HIGH("13", w, "0") INTO(a, "12") INTO(b, "13") LOW("12", u, "1") HIGH("13", u, "1") INTO(a, "12") INTO(b, "13")
#define ONE_SINGLE(w, a, b) LOW("12", w, "0") HIGH("13", w, "0") INTO(a, "12") INTO(b, "13")
#define TWO_PAIRS(w, u, a, b, c, d) \
  LOW("12", w, "0")                 \
  HIGH("13", w, "0")                \
  LOW("14", w, "2")                 \
  HIGH("15", w, "2")                \
  LOW_TOO("12", u, "1")             \
  HIGH_TOO("13", u, "1")            \
  LOW_TOO("14", u, "3") HIGH_TOO("15", u, "3") INTO(a, "12") INTO(b, "13") INTO(c, "14") INTO(d, "15")
#define TWO_SINGLE(w, x, z, a, b, c, d) \
  LOW("12", w, x)                       \
  HIGH("13", w, x) LOW("14", w, z) HIGH("15", w, z) INTO(a, "12") INTO(b, "13") INTO(c, "14") INTO(d, "15")
#define TWO_EACH(w, u, a, b, c, d) TWO_SINGLE(w, "0", "2", a, b, c, d) TWO_SINGLE(u, "1", "3", a, b, c, d)

#define LOAD_WEIGHTS "ld1 {v4.16b-v7.16b}, [%[w]], #64\n"
#define LOAD_MORE_WEIGHTS "ld1 {v8.16b-v11.16b}, [%[w]], #64\n"
#define ONE_STEP(ROWS)                                                                          \
  "ld2r {v0.4s, v1.4s}, [%[x]], #8\n" LOAD_WEIGHTS LOAD_MORE_WEIGHTS ROWS("4", "8", "16", "17") \
      ROWS("5", "9", "18", "19") ROWS("6", "10", "20", "21") ROWS("7", "11", "22", "23")
#define TWO_STEP(ROWS)                                                                         \
  "ld2r {v0.4s, v1.4s}, [%[x]], #8\n" LOAD_WEIGHTS                                             \
  "ld2r {v2.4s, v3.4s}, [%[z]], #8\n" LOAD_MORE_WEIGHTS ROWS("4", "8", "16", "17", "24", "25") \
      ROWS("5", "9", "18", "19", "26", "27") ROWS("6", "10", "20", "21", "28", "29")           \
          ROWS("7", "11", "22", "23", "30", "31")

/* The bias, its rows two by two with zeros between them, is where the sums start. */
#define START "ld1 {v16.4s-v19.4s}, [%[bias]]\n ld1 {v20.4s-v23.4s}, [%[more]]\n"
#define START_SECOND "ld1 {v24.4s-v27.4s}, [%[bias]]\n ld1 {v28.4s-v31.4s}, [%[more]]\n"
#define END                                                                                                         \
  "addp v16.4s, v16.4s, v17.4s\n addp v17.4s, v18.4s, v19.4s\n addp v18.4s, v20.4s, v21.4s\n addp v19.4s, v22.4s, " \
  "v23.4s\n"
#define END_SECOND                                                                                                  \
  "addp v20.4s, v24.4s, v25.4s\n addp v21.4s, v26.4s, v27.4s\n addp v22.4s, v28.4s, v29.4s\n addp v23.4s, v30.4s, " \
  "v31.4s\n"

/* Per segment: steps of eight columns, four in a round; then the four that are left, if any. */
#define SEGMENTS(STEP, LAST, NEXT)                                                                    \
  "1:\n subs %[n], %[pairs], #4\n b.lo 3f\n"                                                          \
  "2:\n subs %[n], %[n], #4\n" STEP STEP STEP STEP                                                    \
  "b.hs 2b\n"                                                                                         \
  "3:\n tbz %[n], #1, 4f\n" STEP STEP "4:\n tbz %[n], #0, 5f\n" STEP "5:\n tbz %[odd], #0, 6f\n" LAST \
  "6:\n subs %[segments], %[segments], #1\n b.eq 7f\n" NEXT "b 1b\n 7:\n"

#define OTHER_REGISTERS                                                                                          \
  "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", \
      "v15", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31"

/* Sums start at `bias` (32 integers, see START) and end in four registers a position. */
typedef struct two_sums {
  nibble_arm_ints first, second;
} two_sums;

#define SUMS_OF_FIRST register int32x4_t s0 __asm__("v16"), s1 __asm__("v17"), s2 __asm__("v18"), s3 __asm__("v19")
#define SUMS_OF_SECOND register int32x4_t s4 __asm__("v20"), s5 __asm__("v21"), s6 __asm__("v22"), s7 __asm__("v23")

#define DEFINE_ONE(name, ROWS)                                                                                        \
  NIBBLE_ARM_INLINE nibble_arm_ints name(const int8_t* x, int64_t gap, nibble_arm_block block, const int32_t* bias) { \
    int64_t n;                                                                                                        \
    SUMS_OF_FIRST;                                                                                                    \
    __asm__ volatile(START SEGMENTS(ONE_STEP(ROWS),                                                                   \
                                    "ld1r {v0.4s}, [%[x]], #4\n" LOAD_WEIGHTS ONE_SINGLE("4", "16", "17") ONE_SINGLE( \
                                        "5", "18", "19") ONE_SINGLE("6", "20", "21") ONE_SINGLE("7", "22", "23"),     \
                                    "add %[x], %[x], %[gap]\n") END                                                   \
                     : [x] "+&r"(x), [w] "+&r"(block.weights), [segments] "+&r"(block.segments), [n] "=&r"(n),        \
                       "=&w"(s0), "=&w"(s1), "=&w"(s2), "=&w"(s3)                                                     \
                     : [bias] "r"(bias), [more] "r"(bias + 16), [pairs] "r"((uint64_t)block.quads / 2),               \
                       [odd] "r"(block.quads), [gap] "r"(gap)                                                         \
                     : "v20", "v21", "v22", "v23", OTHER_REGISTERS);                                                  \
    {                                                                                                                 \
      const nibble_arm_ints sums = {s0, s1, s2, s3};                                                                  \
      return sums;                                                                                                    \
    }                                                                                                                 \
  }
#define DEFINE_TWO(name, ROWS)                                                                                         \
  NIBBLE_ARM_INLINE two_sums name(const int8_t* x, const int8_t* z, int64_t gap, int64_t gap2, nibble_arm_block block, \
                                  const int32_t* bias) {                                                               \
    int64_t n;                                                                                                         \
    SUMS_OF_FIRST;                                                                                                     \
    SUMS_OF_SECOND;                                                                                                    \
    __asm__ volatile(                                                                                                  \
        START START_SECOND SEGMENTS(                                                                                   \
            TWO_STEP(ROWS),                                                                                            \
            "ld1r {v0.4s}, [%[x]], #4\n ld1r {v2.4s}, [%[z]], #4\n" LOAD_WEIGHTS TWO_SINGLE(                           \
                "4", "0", "2", "16", "17", "24", "25") TWO_SINGLE("5", "0", "2", "18", "19", "26", "27")               \
                TWO_SINGLE("6", "0", "2", "20", "21", "28", "29") TWO_SINGLE("7", "0", "2", "22", "23", "30", "31"),   \
            "add %[x], %[x], %[gap]\n add %[z], %[z], %[gap2]\n") END END_SECOND                                       \
        : [x] "+&r"(x), [z] "+&r"(z), [w] "+&r"(block.weights), [segments] "+&r"(block.segments), [n] "=&r"(n),        \
          "=&w"(s0), "=&w"(s1), "=&w"(s2), "=&w"(s3), "=&w"(s4), "=&w"(s5), "=&w"(s6), "=&w"(s7)                       \
        : [bias] "r"(bias), [more] "r"(bias + 16), [pairs] "r"((uint64_t)block.quads / 2), [odd] "r"(block.quads),     \
          [gap] "r"(gap), [gap2] "r"(gap2)                                                                             \
        : OTHER_REGISTERS);                                                                                            \
    {                                                                                                                  \
      const two_sums sums = {{s0, s1, s2, s3}, {s4, s5, s6, s7}};                                                      \
      return sums;                                                                                                     \
    }                                                                                                                  \
  }
/* The first eight rows at two positions, of a last block that has no more. */
#define EIGHT_ROWS "ld1 {v4.16b, v5.16b}, [%[w]], %[row]\n"
#define EIGHT_ROWS_STEP                                                                 \
  "ld2r {v0.4s, v1.4s}, [%[x]], #8\n" EIGHT_ROWS                                        \
  "ld2r {v2.4s, v3.4s}, [%[z]], #8\n ld1 {v8.16b, v9.16b}, [%[w]], %[row]\n" TWO_PAIRS( \
      "4", "8", "16", "17", "24", "25") TWO_PAIRS("5", "9", "18", "19", "26", "27")
NIBBLE_ARM_INLINE two_sums eight_rows_by_pairs(const int8_t* x, const int8_t* z, int64_t gap, int64_t gap2,
                                               nibble_arm_block block, const int32_t* bias) {
  int64_t n;
  SUMS_OF_FIRST;
  SUMS_OF_SECOND;
  __asm__ volatile(
      "ld1 {v16.4s-v19.4s}, [%[bias]]\n ld1 {v24.4s-v27.4s}, [%[bias]]\n" SEGMENTS(
          EIGHT_ROWS_STEP,
          "ld1r {v0.4s}, [%[x]], #4\n ld1r {v2.4s}, [%[z]], #4\n" EIGHT_ROWS TWO_SINGLE(
              "4", "0", "2", "16", "17", "24", "25") TWO_SINGLE("5", "0", "2", "18", "19", "26", "27"),
          "add %[x], %[x], %[gap]\n add %[z], %[z], %[gap2]\n")
      "addp v16.4s, v16.4s, v17.4s\n addp v17.4s, v18.4s, v19.4s\n"
      "addp v20.4s, v24.4s, v25.4s\n addp v21.4s, v26.4s, v27.4s\n"
      : [x] "+&r"(x), [z] "+&r"(z), [w] "+&r"(block.weights), [segments] "+&r"(block.segments), [n] "=&r"(n),
        "=&w"(s0), "=&w"(s1), "=&w"(s2), "=&w"(s3), "=&w"(s4), "=&w"(s5), "=&w"(s6), "=&w"(s7)
      : [bias] "r"(bias), [pairs] "r"((uint64_t)block.quads / 2), [odd] "r"(block.quads), [gap] "r"(gap),
        [gap2] "r"(gap2), [row] "r"((int64_t)64)
      : OTHER_REGISTERS);
  {
    const two_sums sums = {{s0, s1, s2, s3}, {s4, s5, s6, s7}};
    return sums;
  }
}

DEFINE_ONE(one_by_pairs, ONE_PAIRS)
DEFINE_ONE(one_by_each, ONE_EACH)
DEFINE_TWO(two_by_pairs, TWO_PAIRS)
DEFINE_TWO(two_by_each, TWO_EACH)

NIBBLE_ARM_INLINE void sums_of(const nibble_arm_windows* v, const nibble_arm_block* block,
                               const nibble_arm_target* target, int way, int pairs) {
  const nibble_arm_block b = *block;
  const nibble_arm_target t = *target; /* which no store can change */
  const int count = v->count;
  int32_t bias[32];
  int i = 0;
  for (int k = 0; k < 16; k += 4) {
    const int32x4_t rows = vld1q_s32(b.bias + k), zero = vdupq_n_s32(0);
    vst1q_s32(bias + 2 * k, vzip1q_s32(rows, zero));
    vst1q_s32(bias + 2 * k + 4, vzip2q_s32(rows, zero));
  }
  for (; i + 2 <= count; i += 2) {
    const two_sums sums = pairs ? two_by_pairs(v->x[i], v->x[i + 1], v->gap[i], v->gap[i + 1], b, bias)
                                : two_by_each(v->x[i], v->x[i + 1], v->gap[i], v->gap[i + 1], b, bias);
    nibble_arm_put_two(&t, way, v, i, sums.first, sums.second);
  }
  if (i < count) {
    const nibble_arm_ints sums =
        pairs ? one_by_pairs(v->x[i], v->gap[i], b, bias) : one_by_each(v->x[i], v->gap[i], b, bias);
    nibble_arm_put(&t, way, v, i, sums);
  }
}

/* Eight rows at two positions are 16 numbers, which take one way to bytes. */
static void put_eight_rows(const nibble_arm_target* t, const nibble_arm_windows* v, int i, two_sums sums) {
  const nibble_arm_ints both = {sums.first.a, sums.first.b, sums.second.a, sums.second.b};
  const uint8x16_t y =
      nibble_arm_bytes(nibble_arm_staged_by(t, t->way, both), t->clip, t->clips, nibble_arm_is_signed(t->way));
  nibble_arm_store(t->y + v->y[i], y, t->rows);
  if (i + 1 < v->count) nibble_arm_store(t->y + v->y[i + 1], vextq_u8(y, y, 8), t->rows);
}

static void sums_of_eight_rows(const nibble_arm_windows* v, const nibble_arm_block* block,
                               const nibble_arm_target* target) {
  nibble_arm_target t = *target;
  nibble_arm_repeated two;
  int32_t bias[16];
  for (int k = 0; k < 8; ++k) bias[2 * k] = block->bias[k], bias[2 * k + 1] = 0;
  if (nibble_arm_is_product(t.way)) {
    two.products = *t.products;
    memcpy(two.products.m + 8, two.products.m, sizeof(int32_t[8]));
    memcpy(two.products.s + 8, two.products.s, sizeof(int32_t[8]));
    memcpy(two.products.b + 8, two.products.b, sizeof(int64_t[8]));
  }
  for (int k = 0; k < 16 && t.way != NIBBLE_ARM_KEEP && !nibble_arm_is_product(t.way); ++k)
    two.a[k] = t.a[k % 8], two.b[k] = t.b[k % 8];
  t.a = two.a;
  t.b = two.b;
  t.products = &two.products;
  for (int i = 0; i < v->count; i += 2) {
    const int k = i + 1 < v->count ? i + 1 : i;
    const two_sums sums = eight_rows_by_pairs(v->x[i], v->x[k], v->gap[i], v->gap[k], *block, bias);
    if (t.way != NIBBLE_ARM_KEEP) {
      put_eight_rows(&t, v, i, sums);
    } else {
      nibble_arm_keep(t.sums[i], sums.first);
      nibble_arm_keep(t.sums[k], sums.second);
    }
  }
}

static void sums_by_pairs(const nibble_arm_windows* windows, const nibble_arm_block* block,
                          const nibble_arm_target* target) {
  if (target->rows <= 8) {
    sums_of_eight_rows(windows, block, target);
    return;
  }
  switch (target->way) {
    case NIBBLE_ARM_I8: sums_of(windows, block, target, NIBBLE_ARM_I8, 1); break;
    case NIBBLE_ARM_U8: sums_of(windows, block, target, NIBBLE_ARM_U8, 1); break;
    case NIBBLE_ARM_I8_PRODUCT: sums_of(windows, block, target, NIBBLE_ARM_I8_PRODUCT, 1); break;
    case NIBBLE_ARM_U8_PRODUCT: sums_of(windows, block, target, NIBBLE_ARM_U8_PRODUCT, 1); break;
    case NIBBLE_ARM_KEEP: sums_of(windows, block, target, NIBBLE_ARM_KEEP, 1); break;
    default: sums_of(windows, block, target, target->way, 1); break;
  }
}

static void sums_by_each(const nibble_arm_windows* windows, const nibble_arm_block* block,
                         const nibble_arm_target* target) {
  sums_of(windows, block, target, target->way, 0);
}

static int conv_by_pairs(const void* parameters, const nibble_call* call) {
  return nibble_arm_conv(parameters, call, sums_by_pairs);
}

static int conv_by_each(const void* parameters, const nibble_call* call) {
  return nibble_arm_conv(parameters, call, sums_by_each);
}

/* Whether no two weights four columns apart are both -128: any two, as copied windows pair columns otherwise. */
static int pairs_fit(const nibble_conv* p) {
  const int8_t* w = p->weights;
  if (p->w_bits != 8) return !nibble_arm_reaches_lowest(p);
  const int64_t segment = ((int64_t)p->kernel[2] * p->in_channels + 3) / 4 * 4;
  const int64_t columns = p->kernel[0] * p->kernel[1] * segment, bytes = columns * 16;
  const int64_t blocks = ((int64_t)p->out_channels + 15) / 16;
  const int8x16_t lowest = vdupq_n_s8(INT8_MIN);
  uint8x16_t found = vdupq_n_u8(0);
  for (int64_t b = 0; b < blocks; ++b, w += bytes)
    for (int64_t i = 0; i + 64 < bytes; i += 16)
      found = vorrq_u8(found, vandq_u8(vceqq_s8(vld1q_s8(w + i), lowest), vceqq_s8(vld1q_s8(w + i + 64), lowest)));
  return vmaxvq_u8(found) == 0;
}

static int runs_here(void) {
  return 1;
}

static nibble_kernel find(int kind, const void* parameters, const char** kernel_name) {
  if (kind == NIBBLE_KIND_CONV && nibble_arm_takes_conv(parameters)) {
    const int by_pairs = pairs_fit(parameters);
    *kernel_name = by_pairs ? "conv_by_pairs" : "conv_by_each";
    return by_pairs ? conv_by_pairs : conv_by_each;
  }
  if (kind == NIBBLE_KIND_CONV && nibble_arm_takes_depthwise(parameters))
    return nibble_arm_depthwise(parameters, kernel_name);
  if (kind == NIBBLE_KIND_POOL) return nibble_arm_pool(parameters, kernel_name);
  if (kind == NIBBLE_KIND_POINTWISE) return nibble_arm_pointwise(parameters, kernel_name);
  if (kind == NIBBLE_KIND_REDUCE) return nibble_arm_reduce(parameters, kernel_name);
  if (kind == NIBBLE_KIND_MOVE) return nibble_arm_move(parameters, kernel_name);
  return NULL;
}

const nibble_kernel_set nibble_neon = {"neon", runs_here, find, nibble_arm_finish_tile, 0};
#endif
