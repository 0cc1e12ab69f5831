#include "kernels/packed/packed.h"

#include <string.h>

/* Words of a buffer that is aligned to 4. */
static inline uint32_t word_at(const uint8_t* from) {
  uint32_t word;
#ifdef __GNUC__
  from = __builtin_assume_aligned(from, 4);
#endif
  memcpy(&word, from, 4);
  return word;
}
static inline void put_word(uint8_t* to, uint32_t word) {
#ifdef __GNUC__
  to = __builtin_assume_aligned(to, 4);
#endif
  memcpy(to, &word, 4);
}

#define EVERY_BYTE(byte) (0x01010101u * (byte))

/* The low bits of each byte, the highest of them a sign: with that bit turned they count from the least on, and what is
 * taken off them leaves no byte, for its top bit is set. */
static inline uint32_t of_sign(uint32_t codes, int bits, int is_signed) {
  const uint32_t half = EVERY_BYTE(1u << (bits - 1)), top = EVERY_BYTE(0x80u);
  return is_signed ? (((codes ^ half) | top) - half) ^ top : codes;
}

static inline void unpack_words(uint8_t* to, const uint8_t* from, int32_t words, int bits, int is_signed) {
  const uint32_t mask = EVERY_BYTE((1u << bits) - 1);
  for (; words > 0; --words, from += 4, to += 32 / bits) {
    const uint32_t word = word_at(from);
    put_word(to, of_sign(word & mask, bits, is_signed));
    put_word(to + 4, of_sign(word >> bits & mask, bits, is_signed));
    if (bits == 4) continue;
    put_word(to + 8, of_sign(word >> 4 & mask, bits, is_signed));
    put_word(to + 12, of_sign(word >> 6 & mask, bits, is_signed));
  }
}

static inline void pack_words(uint8_t* to, const uint8_t* from, int32_t words, int bits) {
  const uint32_t mask = EVERY_BYTE((1u << bits) - 1);
  for (; words > 0; --words, to += 4, from += 32 / bits) {
    uint32_t word = (word_at(from) & mask) | (word_at(from + 4) & mask) << bits;
    if (bits == 2) word |= (word_at(from + 8) & mask) << 4 | (word_at(from + 12) & mask) << 6;
    put_word(to, word);
  }
}

void nibble_unpack(uint8_t* to, const uint8_t* from, int32_t type, int64_t count) {
  const int32_t words = (int32_t)(count / nibble_per_word(type));
  switch (type) {
    case NIBBLE_U4: unpack_words(to, from, words, 4, 0); break;
    case NIBBLE_I4: unpack_words(to, from, words, 4, 1); break;
    case NIBBLE_U2: unpack_words(to, from, words, 2, 0); break;
    default: unpack_words(to, from, words, 2, 1); break;
  }
}

void nibble_pack(uint8_t* to, const uint8_t* from, int32_t type, int64_t count) {
  const int32_t words = (int32_t)(count / nibble_per_word(type));
  if (nibble_bits_of(type) == 4)
    pack_words(to, from, words, 4);
  else
    pack_words(to, from, words, 2);
}
