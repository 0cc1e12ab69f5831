#ifndef NIBBLE_KERNELS_UNROLLED_UNROLLED_SUMS_H
#define NIBBLE_KERNELS_UNROLLED_UNROLLED_SUMS_H
#include <stdint.h>

/* A function of its own has all registers. */
#if defined(__GNUC__)
#define NIBBLE_APART __attribute__((noinline)) static
#else
#define NIBBLE_APART static
#endif

/* Sums of two rows of weights with four windows, or with one: sums[2 * window + row], modulo 2^32.
 *
 * Packed weights are multiplied two rows at once: with codes c and d of the two, x * (c + d * 2^16) added up holds both
 * rows' sums in its halves as long as the lower one fits, which is `nibble_unrolled_whole` elements. */

/* Elements whose products with codes fit 16 bits, with sign or without: 16 * 15 * 255, 64 * 3 * 255, 128 * 255. */
static inline int32_t nibble_unrolled_whole(int32_t bits) {
  return bits == 4 ? 16 : bits == 2 ? 64 : 128;
}

#define NIBBLE_UNROLLED_BYTE_STEP                             \
  {                                                           \
    const int32_t u = *a++, v = *b++;                         \
    int32_t value = *x0++;                                    \
    s0 += (uint32_t)(value * u), t0 += (uint32_t)(value * v); \
    value = *x1++;                                            \
    s1 += (uint32_t)(value * u), t1 += (uint32_t)(value * v); \
    value = *x2++;                                            \
    s2 += (uint32_t)(value * u), t2 += (uint32_t)(value * v); \
    value = *x3++;                                            \
    s3 += (uint32_t)(value * u), t3 += (uint32_t)(value * v); \
  }

/* X: the activations' type; LOW, HIGH: an accumulator's halves. */
#define NIBBLE_UNROLLED_SUMS(X, BYTES, BYTES_OF_ONE, CODES, CODES_OF_ONE, LOW, HIGH)                            \
  NIBBLE_APART void BYTES(const X* const* x, const int8_t* a, const int8_t* b, int32_t count, uint32_t* sums) { \
    const X *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];                                                     \
    const int8_t *const whole = a + count / 2 * 2, *const end = a + count;                                      \
    uint32_t s0 = sums[0], t0 = sums[1], s1 = sums[2], t1 = sums[3];                                            \
    uint32_t s2 = sums[4], t2 = sums[5], s3 = sums[6], t3 = sums[7];                                            \
    while (a != whole) {                                                                                        \
      NIBBLE_UNROLLED_BYTE_STEP                                                                                 \
      NIBBLE_UNROLLED_BYTE_STEP                                                                                 \
    }                                                                                                           \
    while (a != end) NIBBLE_UNROLLED_BYTE_STEP                                                                  \
    sums[0] = s0, sums[1] = t0, sums[2] = s1, sums[3] = t1;                                                     \
    sums[4] = s2, sums[5] = t2, sums[6] = s3, sums[7] = t3;                                                     \
  }                                                                                                             \
  NIBBLE_APART void BYTES_OF_ONE(const X* x, const int8_t* a, const int8_t* b, int32_t count, uint32_t* sums) { \
    const int8_t *const whole = a + count / 4 * 4, *const end = a + count;                                      \
    uint32_t s = sums[0], t = sums[1];                                                                          \
    for (; a != whole; a += 4, b += 4, x += 4) {                                                                \
      s += (uint32_t)(x[0] * a[0]), t += (uint32_t)(x[0] * b[0]);                                               \
      s += (uint32_t)(x[1] * a[1]), t += (uint32_t)(x[1] * b[1]);                                               \
      s += (uint32_t)(x[2] * a[2]), t += (uint32_t)(x[2] * b[2]);                                               \
      s += (uint32_t)(x[3] * a[3]), t += (uint32_t)(x[3] * b[3]);                                               \
    }                                                                                                           \
    for (; a != end; ++a, ++b, ++x) s += (uint32_t)(*x * *a), t += (uint32_t)(*x * *b);                         \
    sums[0] = s, sums[1] = t;                                                                                   \
  }                                                                                                             \
  NIBBLE_APART void CODES(const X* const* x, const uint8_t* a, const uint8_t* b, int32_t count, int32_t bits,   \
                          uint32_t* sums) {                                                                     \
    const X *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];                                                     \
    const uint32_t mask = ((1u << bits) - 1) * 0x10001u;                                                        \
    const int32_t per_byte = 8 / bits, most = nibble_unrolled_whole(bits);                                      \
    while (count > 0) {                                                                                         \
      int32_t left = count < most ? count : most;                                                               \
      uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;                                                                  \
      count -= left;                                                                                            \
      for (; left >= per_byte; left -= per_byte) {                                                              \
        uint32_t codes = (uint32_t)*a++ | (uint32_t)*b++ << 16;                                                 \
        if (bits == 4) {                                                                                        \
          NIBBLE_UNROLLED_CODE                                                                                  \
          NIBBLE_UNROLLED_CODE                                                                                  \
        } else if (bits == 2) {                                                                                 \
          NIBBLE_UNROLLED_CODE                                                                                  \
          NIBBLE_UNROLLED_CODE                                                                                  \
          NIBBLE_UNROLLED_CODE                                                                                  \
          NIBBLE_UNROLLED_CODE                                                                                  \
        } else {                                                                                                \
          for (int32_t k = 0; k < 8; ++k) NIBBLE_UNROLLED_CODE                                                  \
        }                                                                                                       \
      }                                                                                                         \
      if (left > 0) {                                                                                           \
        uint32_t codes = (uint32_t)*a++ | (uint32_t)*b++ << 16;                                                 \
        for (; left > 0; --left) NIBBLE_UNROLLED_CODE                                                           \
      }                                                                                                         \
      sums[0] += LOW(s0), sums[1] += HIGH(s0), sums[2] += LOW(s1), sums[3] += HIGH(s1);                         \
      sums[4] += LOW(s2), sums[5] += HIGH(s2), sums[6] += LOW(s3), sums[7] += HIGH(s3);                         \
    }                                                                                                           \
  }                                                                                                             \
  NIBBLE_APART void CODES_OF_ONE(const X* x, const uint8_t* a, const uint8_t* b, int32_t count, int32_t bits,   \
                                 uint32_t* sums) {                                                              \
    const uint32_t mask = ((1u << bits) - 1) * 0x10001u;                                                        \
    const int32_t per_byte = 8 / bits, most = nibble_unrolled_whole(bits);                                      \
    while (count > 0) {                                                                                         \
      int32_t left = count < most ? count : most;                                                               \
      uint32_t s = 0;                                                                                           \
      count -= left;                                                                                            \
      while (left > 0) {                                                                                        \
        uint32_t codes = (uint32_t)*a++ | (uint32_t)*b++ << 16;                                                 \
        for (int32_t k = 0; k < per_byte && left > 0; ++k, --left, codes >>= bits)                              \
          s += (uint32_t)(int32_t)*x++ * (codes & mask);                                                        \
      }                                                                                                         \
      sums[0] += LOW(s), sums[1] += HIGH(s);                                                                    \
    }                                                                                                           \
  }
#define NIBBLE_UNROLLED_CODE               \
  {                                        \
    const uint32_t both = codes & mask;    \
    codes >>= bits;                        \
    s0 += (uint32_t)(int32_t)*x0++ * both; \
    s1 += (uint32_t)(int32_t)*x1++ * both; \
    s2 += (uint32_t)(int32_t)*x2++ * both; \
    s3 += (uint32_t)(int32_t)*x3++ * both; \
  }

/* Of sums of either sign the lower one may have borrowed from the upper. */
static inline uint32_t nibble_unrolled_signed_low(uint32_t sum) {
  return (uint32_t)((int32_t)((sum & 0xffffu) ^ 0x8000u) - 0x8000);
}
static inline uint32_t nibble_unrolled_signed_high(uint32_t sum) {
  return nibble_unrolled_signed_low((sum - nibble_unrolled_signed_low(sum)) >> 16);
}
static inline uint32_t nibble_unrolled_low(uint32_t sum) {
  return sum & 0xffffu;
}
static inline uint32_t nibble_unrolled_high(uint32_t sum) {
  return sum >> 16;
}

NIBBLE_UNROLLED_SUMS(uint8_t, nibble_unrolled_unsigned, nibble_unrolled_unsigned_of_one, nibble_unrolled_unsigned_codes,
                     nibble_unrolled_unsigned_codes_of_one, nibble_unrolled_low, nibble_unrolled_high)
NIBBLE_UNROLLED_SUMS(int8_t, nibble_unrolled_signed, nibble_unrolled_signed_of_one, nibble_unrolled_signed_codes,
                     nibble_unrolled_signed_codes_of_one, nibble_unrolled_signed_low, nibble_unrolled_signed_high)

#endif
