#include "kernels/element.h"

nibble_wide nibble_wide_of(int64_t a) {
  nibble_wide r = {a < 0 ? -1 : 0, (uint64_t)a};
  return r;
}

nibble_wide nibble_wide_sum(nibble_wide a, nibble_wide b) {
  nibble_wide r;
  r.low = a.low + b.low;
  r.high = nibble_add(nibble_add(a.high, b.high), r.low < a.low ? 1 : 0);
  return r;
}

nibble_wide nibble_wide_negated(nibble_wide a) {
  nibble_wide r;
  r.low = ~a.low + 1;
  r.high = nibble_add((int64_t) ~(uint64_t)a.high, r.low == 0 ? 1 : 0);
  return r;
}

nibble_wide nibble_wide_product(int64_t a, int64_t b) {
  const uint64_t x = a < 0 ? 0 - (uint64_t)a : (uint64_t)a, y = b < 0 ? 0 - (uint64_t)b : (uint64_t)b;
  const uint64_t xl = x & 0xffffffffu, xh = x >> 32, yl = y & 0xffffffffu, yh = y >> 32;
  const uint64_t low = xl * yl, middle = xh * yl + (low >> 32), other = xl * yh + (middle & 0xffffffffu);
  nibble_wide r;
  r.low = (other << 32) | (low & 0xffffffffu);
  r.high = (int64_t)(xh * yh + (middle >> 32) + (other >> 32));
  return (a < 0) != (b < 0) ? nibble_wide_negated(r) : r;
}

nibble_wide nibble_wide_shift_up(nibble_wide a, int64_t shift) {
  nibble_wide r = a;
  if (shift > 127) {
    r.high = 0;
    r.low = 0;
  } else if (shift >= 64) {
    r.high = (int64_t)(a.low << (shift - 64));
    r.low = 0;
  } else if (shift > 0) {
    r.high = (int64_t)(((uint64_t)a.high << shift) | (a.low >> (64 - shift)));
    r.low = a.low << shift;
  }
  return r;
}

int nibble_wide_sign(nibble_wide a) {
  return a.high < 0 ? -1 : a.high > 0 || a.low > 0 ? 1 : 0;
}

static int64_t narrowed(nibble_wide a) {
  if (a.high > 0 || (a.high == 0 && a.low > (uint64_t)INT64_MAX)) return INT64_MAX;
  if (a.high < -1 || (a.high == -1 && a.low <= (uint64_t)INT64_MAX)) return INT64_MIN;
  return (int64_t)a.low;
}

int64_t nibble_wide_clip(nibble_wide a, int64_t low, int64_t high) {
  return nibble_clip(narrowed(a), low, high);
}

int64_t nibble_wide_shift_down(nibble_wide a, int64_t shift) {
  nibble_wide r = a;
  if (shift >= 64) {
    r.low = (uint64_t)nibble_shift_down(a.high, shift - 64);
    r.high = a.high < 0 ? -1 : 0;
  } else if (shift > 0) {
    r.low = (a.low >> shift) | ((uint64_t)a.high << (64 - shift));
    r.high = nibble_shift_down(a.high, shift);
  }
  return narrowed(r);
}

/* a >= b of magnitudes */
static int reaches(nibble_wide a, nibble_wide b) {
  return (uint64_t)a.high != (uint64_t)b.high ? (uint64_t)a.high > (uint64_t)b.high : a.low >= b.low;
}

nibble_wide nibble_wide_divide(nibble_wide a, nibble_wide d, nibble_wide* rest) {
  const int negative = a.high < 0;
  const nibble_wide x = negative ? nibble_wide_negated(a) : a;
  nibble_wide quotient = {0, 0}, left = {0, 0};
  if (x.high == 0 && d.high == 0 && d.low != 0) {
    quotient.low = x.low / d.low;
    left.low = x.low % d.low;
  } else {
    for (int bit = 127; bit >= 0; --bit) {
      left = nibble_wide_shift_up(left, 1);
      left.low |= bit >= 64 ? ((uint64_t)x.high >> (bit - 64)) & 1 : (x.low >> bit) & 1;
      quotient = nibble_wide_shift_up(quotient, 1);
      if (!reaches(left, d)) continue;
      left = nibble_wide_sum(left, nibble_wide_negated(d));
      quotient.low |= 1;
    }
  }
  if (negative && nibble_wide_sign(left) != 0) {
    quotient = nibble_wide_sum(quotient, nibble_wide_of(1));
    left = nibble_wide_sum(d, nibble_wide_negated(left));
  }
  *rest = left;
  return negative ? nibble_wide_negated(quotient) : quotient;
}

int64_t nibble_wide_floor(nibble_wide a, nibble_wide d) {
  nibble_wide rest;
  return narrowed(nibble_wide_divide(a, d, &rest));
}

nibble_wide nibble_wide_rounded(nibble_wide a, nibble_wide d, int64_t rounding) {
  nibble_wide rest;
  const nibble_wide below = nibble_wide_divide(a, d, &rest);
  const nibble_wide to_next = nibble_wide_sum(d, nibble_wide_negated(rest));
  if (rounding == 0 || !reaches(rest, to_next)) return below;
  if (rounding == 2 && reaches(to_next, rest) && below.low % 2 == 0) return below;
  return nibble_wide_sum(below, nibble_wide_of(1));
}

int64_t nibble_wide_quotient(nibble_wide a, int64_t d, int* fault) {
  nibble_wide rest, magnitude, quotient;
  if (d == 0) {
    *fault = NIBBLE_DIVISION_BY_ZERO;
    return 0;
  }
  magnitude = d < 0 ? nibble_wide_negated(nibble_wide_of(d)) : nibble_wide_of(d);
  quotient = nibble_wide_divide(a.high < 0 ? nibble_wide_negated(a) : a, magnitude, &rest);
  return narrowed((a.high < 0) != (d < 0) ? nibble_wide_negated(quotient) : quotient);
}
