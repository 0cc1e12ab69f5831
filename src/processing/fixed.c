#include "processing/fixed.h"

int64_t nibble_times(int64_t x, nibble_factor by) {
  return (x * by.mantissa + ((int64_t)1 << (by.shift - 1))) >> by.shift;
}

int64_t nibble_integer(nibble_integers lie, const void* data, int64_t at) {
  int64_t level;
  switch (lie.bytes) {
    case 1: level = ((const uint8_t*)data)[at]; break;
    case -1: level = ((const int8_t*)data)[at]; break;
    case 2: level = ((const uint16_t*)data)[at]; break;
    case -2: level = ((const int16_t*)data)[at]; break;
    default: level = ((const int32_t*)data)[at]; break;
  }
  return level - lie.zero_point;
}

int32_t nibble_place_in_picture(int64_t at, int32_t to, int32_t to_size, int32_t from, int32_t from_size) {
  const int64_t above = (at - (int64_t)to * 65536) * from_size, below = (int64_t)to_size * 4096;
  const int64_t half_up = 2 * above + below, whole = half_up / (2 * below);
  return (int32_t)(16 * (int64_t)from + whole - (half_up % (2 * below) < 0));
}

int32_t nibble_largest_levels(const int32_t* levels, int32_t count, int32_t most, int32_t* index) {
  int32_t found = 0;
  for (int32_t i = 0; i < count && most > 0; ++i) {
    int32_t at = found;
    while (at > 0 && levels[i] > levels[index[at - 1]]) --at;
    if (at >= most) continue;
    if (found < most) ++found;
    for (int32_t k = found - 1; k > at; --k) index[k] = index[k - 1];
    index[at] = i;
  }
  return found;
}

/* The whole part shifts, the rest is a polynomial whose error is below 2^-24. */
int64_t nibble_half_to(int64_t x) {
  static const int32_t factors[] = {-1016701, 9888282, -59375904, 257890191, -744256774, 1073741764};
  const int64_t f = (x & 0xffffffff) >> 2; /* in 1/2^30 */
  int64_t y = factors[0];
  if (x >> 32 > 30) return 0;
  for (int k = 1; k < 6; ++k) y = factors[k] + ((f * y) >> 30);
  return y >> (x >> 32);
}

void nibble_softmax_levels(const int32_t* levels, int32_t count, int64_t slope, uint16_t* share) {
  int32_t most = levels[0];
  int64_t sum = 0;
  for (int32_t i = 1; i < count; ++i)
    if (levels[i] > most) most = levels[i];
  for (int32_t pass = 0; pass < 2; ++pass)
    for (int32_t i = 0; i < count; ++i) {
      const uint64_t distance = (uint64_t)((int64_t)most - levels[i]);
      /* 31 halvings leave nothing; a product beyond them is not formed. */
      const int far = slope > 0 && distance > (31ull << 32) / (uint64_t)slope;
      const int64_t y = far ? 0 : nibble_half_to((int64_t)(distance * (uint64_t)slope));
      if (pass == 0)
        sum += y;
      else
        share[i] = (uint16_t)((y * 32768 + sum / 2) / sum);
    }
}
