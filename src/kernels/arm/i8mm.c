#include "kernels/arm/arm.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

/* The set for processors with products of matrices of bytes (Armv8.6-A: SMMLA): two rows of eight columns by two
 * positions, 32 products an instruction. Single positions go by dot products.
 *
 * Registers: v0, v1 eight columns of positions 0 and 1, and of 2 and 3; v2, v3 two rows of eight columns each; v4-v7 and
 * v8-v11 the weights of four columns each; v16-v23 the sums of two rows at positions 0 and 1, v24-v31 at 2 and 3;
 * x9-x12 where the positions' windows are read, x13-x16 what lies between segments. */
#define MATRIX __attribute__((target("arch=armv8.2-a+dotprod+i8mm")))
#define MATRIX_PRODUCTS (1ul << 13) /* HWCAP2_I8MM */

/* Four rows, of weights w and u. */
#define ROWS(w, u, a, b, c, d)                                                    \
  "zip1 v2.4s, v" w ".4s, v" u ".4s\n zip2 v3.4s, v" w ".4s, v" u                 \
  ".4s\n"                                                                         \
  "smmla v" a ".4s, v2.16b, v0.16b\n smmla v" c ".4s, v2.16b, v1.16b\n smmla v" b \
  ".4s, v3.16b, v0.16b\n"                                                         \
  "smmla v" d ".4s, v3.16b, v1.16b\n"
#define STEP                             \
  ROWS("4", "8", "16", "17", "24", "25") \
  ROWS("5", "9", "18", "19", "26", "27") ROWS("6", "10", "20", "21", "28", "29") ROWS("7", "11", "22", "23", "30", "31")
#define LOAD_X \
  "ld1 {v0.d}[0], [x9], #8\n ld1 {v1.d}[0], [x11], #8\n ld1 {v0.d}[1], [x10], #8\n ld1 {v1.d}[1], [x12], #8\n"
#define LOAD_LAST_X                                                                \
  "ldr s0, [x9], #4\n ldr s2, [x10], #4\n ldr s1, [x11], #4\n ldr s3, [x12], #4\n" \
  "mov v0.d[1], v2.d[0]\n mov v1.d[1], v3.d[0]\n"

/* Sums a (rows 0 and 1), b (rows 2 and 3) to the first position's four rows in a, the second's in b. */
#define END(a, b) "uzp1 v2.4s, v" a ".4s, v" b ".4s\n uzp2 v" b ".4s, v" a ".4s, v" b ".4s\n mov v" a ".16b, v2.16b\n"
/* The bias of rows two by two, each twice. */
#define START(bias, a, b) "zip1 v" a ".4s, v" bias ".4s, v" bias ".4s\n zip2 v" b ".4s, v" bias ".4s, v" bias ".4s\n"

#define SUMS_OF(name, a, b, c, d) \
  register int32x4_t name##0 __asm__(a), name##1 __asm__(b), name##2 __asm__(c), name##3 __asm__(d)
#define OUT(name) "=&w"(name##0), "=&w"(name##1), "=&w"(name##2), "=&w"(name##3)
#define INTS(name) \
  { name##0, name##1, name##2, name##3 }

/* Stores the sums of positions i to i + 3. */
MATRIX NIBBLE_ARM_INLINE void four(const nibble_arm_windows* v, int i, nibble_arm_block b,
                                   const nibble_arm_target* target, int way) {
  int64_t n;
  SUMS_OF(p, "v16", "v18", "v20", "v22");
  SUMS_OF(q, "v17", "v19", "v21", "v23");
  SUMS_OF(r, "v24", "v26", "v28", "v30");
  SUMS_OF(s, "v25", "v27", "v29", "v31");
  __asm__ volatile(
      "ldp x9, x10, [%[x]]\n ldp x11, x12, [%[x], #16]\n ldp x13, x14, [%[gap]]\n ldp x15, x16, [%[gap], #16]\n"
      "ld1 {v4.4s-v7.4s}, [%[bias]]\n" START("4", "16", "17") START("5", "18", "19") START("6", "20", "21")
          START("7", "22", "23") START("4", "24", "25") START("5", "26", "27") START("6", "28", "29")
              START("7", "30", "31")
      "1:\n lsr %[n], %[quads], #1\n cbz %[n], 3f\n"
      "2:\n" LOAD_X "ld1 {v4.16b-v7.16b}, [%[w]], #64\n ld1 {v8.16b-v11.16b}, [%[w]], #64\n sub %[n], %[n], #1\n" STEP
      "cbnz %[n], 2b\n"
      "3:\n tbz %[quads], #0, 4f\n" LOAD_LAST_X
      "ld1 {v4.16b-v7.16b}, [%[w]], #64\n movi v8.4s, #0\n movi v9.4s, #0\n movi v10.4s, #0\n movi v11.4s, #0\n" STEP
      "4:\n add x9, x9, x13\n add x10, x10, x14\n add x11, x11, x15\n add x12, x12, x16\n"
      "subs %[segments], %[segments], #1\n b.ne 1b\n" END("16", "17") END("18", "19") END("20", "21") END("22", "23")
          END("24", "25") END("26", "27") END("28", "29") END("30", "31")
      : [w] "+&r"(b.weights), [segments] "+&r"(b.segments), [n] "=&r"(n), OUT(p), OUT(q), OUT(r), OUT(s)
      : [bias] "r"(b.bias), [quads] "r"(b.quads), [x] "r"(v->x + i), [gap] "r"(v->gap + i)
      : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "x9", "x10", "x11",
        "x12", "x13", "x14", "x15", "x16");
  {
    const nibble_arm_ints first = INTS(p), second = INTS(q), third = INTS(r), fourth = INTS(s);
    nibble_arm_put_two(target, way, v, i, first, second);
    nibble_arm_put_two(target, way, v, i + 2, third, fourth);
  }
}

MATRIX NIBBLE_ARM_INLINE void sums_by(const nibble_arm_windows* v, const nibble_arm_block* block,
                                      const nibble_arm_target* target, int way) {
  int i = 0;
  for (; i + 4 <= v->count; i += 4) four(v, i, *block, target, way);
  if (i < v->count) nibble_arm_dot_sums_from(v, i, block, target);
}

MATRIX static void sums(const nibble_arm_windows* v, const nibble_arm_block* block, const nibble_arm_target* target) {
  switch (target->way) {
    case NIBBLE_ARM_I8: sums_by(v, block, target, NIBBLE_ARM_I8); break;
    case NIBBLE_ARM_U8: sums_by(v, block, target, NIBBLE_ARM_U8); break;
    case NIBBLE_ARM_I8_PRODUCT: sums_by(v, block, target, NIBBLE_ARM_I8_PRODUCT); break;
    case NIBBLE_ARM_U8_PRODUCT: sums_by(v, block, target, NIBBLE_ARM_U8_PRODUCT); break;
    default: sums_by(v, block, target, target->way); break;
  }
}

static int conv(const void* parameters, const nibble_call* call) {
  return nibble_arm_conv(parameters, call, sums);
}

static int runs_here(void) {
  return nibble_arm_has_dot() && (getauxval(AT_HWCAP2) & MATRIX_PRODUCTS) != 0;
}

static nibble_kernel find(int kind, const void* parameters, const char** kernel_name) {
  if (kind != NIBBLE_KIND_CONV || !nibble_arm_takes_conv(parameters)) return NULL;
  *kernel_name = "conv_by_matrix_products";
  return conv;
}

const nibble_kernel_set nibble_i8mm = {"i8mm", runs_here, find, nibble_arm_finish_tile, 0};
#endif
