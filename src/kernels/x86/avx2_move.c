#include "kernels/portable/pixels.h"
#include "kernels/x86/avx2.h"
#include "kernels/x86/x86.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma")

/* Where byte i of the 16 at `part` of 48 comes from in plane c: pixel (16 part + i) / 3, where (16 part + i) % 3 is c. */
#define FROM(i, part, c) ((16 * (part) + (i)) % 3 == (c) ? (16 * (part) + (i)) / 3 : -1)
#define OF_THREE(part, c)                                                                                      \
  _mm_setr_epi8(FROM(0, part, c), FROM(1, part, c), FROM(2, part, c), FROM(3, part, c), FROM(4, part, c),      \
                FROM(5, part, c), FROM(6, part, c), FROM(7, part, c), FROM(8, part, c), FROM(9, part, c),      \
                FROM(10, part, c), FROM(11, part, c), FROM(12, part, c), FROM(13, part, c), FROM(14, part, c), \
                FROM(15, part, c))
#define STORE_OF_THREE(part)                                                                                       \
  store(y + 16 * (part),                                                                                           \
        _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(a, OF_THREE(part, 0)), _mm_shuffle_epi8(b, OF_THREE(part, 1))), \
                     _mm_shuffle_epi8(c, OF_THREE(part, 2))))

static inline __m128i load(const uint8_t* from) {
  return _mm_loadu_si128((const __m128i*)from);
}

static inline void store(uint8_t* to, __m128i v) {
  _mm_storeu_si128((__m128i*)to, v);
}

static void interleave(uint8_t* y, const uint8_t* x, int64_t plane, int channels, int64_t count) {
  for (int64_t i = 0; i < count; i += 16, x += 16, y += 16 * channels) {
    const __m128i a = load(x), b = load(x + plane);
    const __m128i low = _mm_unpacklo_epi8(a, b), high = _mm_unpackhi_epi8(a, b);
    if (channels == 2) {
      store(y, low);
      store(y + 16, high);
    } else if (channels == 3) {
      const __m128i c = load(x + 2 * plane);
      STORE_OF_THREE(0);
      STORE_OF_THREE(1);
      STORE_OF_THREE(2);
    } else {
      const __m128i c = load(x + 2 * plane), d = load(x + 3 * plane);
      const __m128i low_of_two = _mm_unpacklo_epi8(c, d), high_of_two = _mm_unpackhi_epi8(c, d);
      store(y, _mm_unpacklo_epi16(low, low_of_two));
      store(y + 16, _mm_unpackhi_epi16(low, low_of_two));
      store(y + 32, _mm_unpacklo_epi16(high, high_of_two));
      store(y + 48, _mm_unpackhi_epi16(high, high_of_two));
    }
  }
}

static int pixels(const void* parameters, const nibble_call* call) {
  return nibble_move_pixels(parameters, call, interleave);
}

nibble_kernel nibble_avx2_move(const nibble_move* p, const char** name) {
  if (!nibble_is_of_pixels(p)) return NULL;
  *name = "pixels";
  return pixels;
}

NIBBLE_CLOSE_TARGET
#endif
