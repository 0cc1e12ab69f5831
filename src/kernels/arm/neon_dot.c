#include "kernels/arm/arm.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

/* The set for processors with dot products of bytes (Armv8.2-A and on: SDOT). The sums of 16 rows at four positions in
 * registers: four columns of a row are one lane of 32 bits of the weights, multiplied by the same four of a position's
 * x.
 *
 * Registers: v0-v3 16 columns of each position; v4-v7 the weights of four columns, four rows a register; v16-v31 the
 * sums, four registers a position; x9-x12 where the positions' windows are read, x13-x16 what follows a segment. */
#define DOT __attribute__((target("arch=armv8.2-a+dotprod")))
#define DOT_PRODUCTS (1ul << 20) /* HWCAP_ASIMDDP */

#define ROWS(x, lane, a, b, c, d)                                                         \
  "sdot v" a ".4s, v4.16b, v" x ".4b[" lane "]\n sdot v" b ".4s, v5.16b, v" x ".4b[" lane \
  "]\n"                                                                                   \
  "sdot v" c ".4s, v6.16b, v" x ".4b[" lane "]\n sdot v" d ".4s, v7.16b, v" x ".4b[" lane "]\n"
#define ONE(lane) "ld1 {v4.16b-v7.16b}, [%[w]], #64\n" ROWS("0", lane, "16", "17", "18", "19")
#define FOUR(lane)                        \
  ONE(lane)                               \
  ROWS("1", lane, "20", "21", "22", "23") \
  ROWS("2", lane, "24", "25", "26", "27") ROWS("3", lane, "28", "29", "30", "31")

/* Per segment: 16 columns a round; then once, twice or three times four. Of these, 16 are read and the weights end. */
#define SEGMENTS(FOUR_COLUMNS, ROUND, LAST, NEXT) \
  "1:\n lsr %[n], %[quads], #2\n cbz %[n], 3f\n"                                                   \
  "2:\n" ROUND "sub %[n], %[n], #1\n" FOUR_COLUMNS("0") FOUR_COLUMNS("1") FOUR_COLUMNS("2")        \
  FOUR_COLUMNS("3") "cbnz %[n], 2b\n"                                                              \
  "3:\n ands %[n], %[quads], #3\n b.eq 4f\n" LAST FOUR_COLUMNS("0") "cmp %[n], #2\n b.lo 4f\n"     \
  FOUR_COLUMNS("1") "b.eq 4f\n" FOUR_COLUMNS("2")                                                  \
  "4:\n" NEXT "subs %[segments], %[segments], #1\n b.ne 1b\n"

#define SUMS_OF(name, a, b, c, d) \
  register int32x4_t name##0 __asm__(a), name##1 __asm__(b), name##2 __asm__(c), name##3 __asm__(d)
#define OUT(name) "=&w"(name##0), "=&w"(name##1), "=&w"(name##2), "=&w"(name##3)
#define INTS(name) \
  { name##0, name##1, name##2, name##3 }

/* Stores the sums of positions i to i + 3. */
DOT NIBBLE_ARM_INLINE void four(const nibble_arm_windows* v, int i, nibble_arm_block b, const nibble_arm_target* target,
                                int way) {
  int64_t n;
  SUMS_OF(p, "v16", "v17", "v18", "v19");
  SUMS_OF(q, "v20", "v21", "v22", "v23");
  SUMS_OF(r, "v24", "v25", "v26", "v27");
  SUMS_OF(s, "v28", "v29", "v30", "v31");
  __asm__ volatile(
      "ldp x9, x10, [%[x]]\n ldp x11, x12, [%[x], #16]\n ldp x13, x14, [%[gap]]\n ldp x15, x16, [%[gap], #16]\n"
      "and %[n], %[quads], #3\n add x13, x13, %[n], lsl #2\n add x14, x14, %[n], lsl #2\n"
      "add x15, x15, %[n], lsl #2\n add x16, x16, %[n], lsl #2\n"
      "ld1 {v16.4s-v19.4s}, [%[bias]]\n ld1 {v20.4s-v23.4s}, [%[bias]]\n"
      "ld1 {v24.4s-v27.4s}, [%[bias]]\n ld1 {v28.4s-v31.4s}, [%[bias]]\n" SEGMENTS(
          FOUR, "ldr q0, [x9], #16\n ldr q1, [x10], #16\n ldr q2, [x11], #16\n ldr q3, [x12], #16\n",
          "ldr q0, [x9]\n ldr q1, [x10]\n ldr q2, [x11]\n ldr q3, [x12]\n",
          "add x9, x9, x13\n add x10, x10, x14\n add x11, x11, x15\n add x12, x12, x16\n")
      : [w] "+&r"(b.weights), [segments] "+&r"(b.segments), [n] "=&r"(n), OUT(p), OUT(q), OUT(r), OUT(s)
      : [bias] "r"(b.bias), [quads] "r"(b.quads), [x] "r"(v->x + i), [gap] "r"(v->gap + i)
      : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
        "x16");
  {
    const nibble_arm_ints first = INTS(p), second = INTS(q), third = INTS(r), fourth = INTS(s);
    nibble_arm_put_two(target, way, v, i, first, second);
    nibble_arm_put_two(target, way, v, i + 2, third, fourth);
  }
}

DOT NIBBLE_ARM_INLINE void one(const nibble_arm_windows* v, int i, nibble_arm_block b, const nibble_arm_target* target,
                               int way) {
  int64_t n;
  SUMS_OF(p, "v16", "v17", "v18", "v19");
  __asm__ volatile(
      "ldr x9, [%[x]]\n ldr x13, [%[gap]]\n and %[n], %[quads], #3\n add x13, x13, %[n], lsl #2\n"
      "ld1 {v16.4s-v19.4s}, [%[bias]]\n" SEGMENTS(ONE, "ldr q0, [x9], #16\n", "ldr q0, [x9]\n", "add x9, x9, x13\n")
      : [w] "+&r"(b.weights), [segments] "+&r"(b.segments), [n] "=&r"(n), OUT(p)
      : [bias] "r"(b.bias), [quads] "r"(b.quads), [x] "r"(v->x + i), [gap] "r"(v->gap + i)
      : "cc", "memory", "v0", "v4", "v5", "v6", "v7", "x9", "x13");
  {
    const nibble_arm_ints sums = INTS(p);
    nibble_arm_put(target, way, v, i, sums);
  }
}

DOT NIBBLE_ARM_INLINE void sums_by(const nibble_arm_windows* v, const nibble_arm_block* block,
                                   const nibble_arm_target* target, int i, int way) {
  for (; i + 4 <= v->count; i += 4) four(v, i, *block, target, way);
  for (; i < v->count; ++i) one(v, i, *block, target, way);
}

DOT void nibble_arm_dot_sums_from(const nibble_arm_windows* v, int first, const nibble_arm_block* block,
                                  const nibble_arm_target* target) {
  switch (target->way) {
    case NIBBLE_ARM_I8: sums_by(v, block, target, first, NIBBLE_ARM_I8); break;
    case NIBBLE_ARM_U8: sums_by(v, block, target, first, NIBBLE_ARM_U8); break;
    case NIBBLE_ARM_I8_PRODUCT: sums_by(v, block, target, first, NIBBLE_ARM_I8_PRODUCT); break;
    case NIBBLE_ARM_U8_PRODUCT: sums_by(v, block, target, first, NIBBLE_ARM_U8_PRODUCT); break;
    default: sums_by(v, block, target, first, target->way); break;
  }
}

static void sums(const nibble_arm_windows* v, const nibble_arm_block* block, const nibble_arm_target* target) {
  nibble_arm_dot_sums_from(v, 0, block, target);
}

static int conv(const void* parameters, const nibble_call* call) {
  return nibble_arm_conv(parameters, call, sums);
}

int nibble_arm_has_dot(void) {
  return (getauxval(AT_HWCAP) & DOT_PRODUCTS) != 0;
}

static nibble_kernel find(int kind, const void* parameters, const char** kernel_name) {
  if (kind != NIBBLE_KIND_CONV || !nibble_arm_takes_conv(parameters)) return NULL;
  *kernel_name = "conv_by_dot_products";
  return conv;
}

const nibble_kernel_set nibble_neon_dot = {"neon_dot", nibble_arm_has_dot, find, nibble_arm_finish_tile, 0};
#endif
