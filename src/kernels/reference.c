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

static nibble_wide negated(nibble_wide a) {
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
  return (a < 0) != (b < 0) ? negated(r) : r;
}

nibble_wide nibble_wide_shift_up(nibble_wide a, int64_t shift) {
  nibble_wide r = a;
  if (shift >= 64) {
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

int64_t nibble_wide_floor(nibble_wide a, nibble_wide d) {
  const int negative = a.high < 0;
  const nibble_wide x = negative ? negated(a) : a;
  nibble_wide quotient = {0, 0}, rest = {0, 0};
  for (int bit = 127; bit >= 0; --bit) {
    const uint64_t next = bit >= 64 ? ((uint64_t)x.high >> (bit - 64)) & 1 : (x.low >> bit) & 1;
    rest = nibble_wide_shift_up(rest, 1);
    rest.low |= next;
    quotient = nibble_wide_shift_up(quotient, 1);
    if (reaches(rest, d)) {
      rest = nibble_wide_sum(rest, negated(d));
      quotient.low |= 1;
    }
  }
  if (negative) {
    if (nibble_wide_sign(rest) != 0) quotient = nibble_wide_sum(quotient, nibble_wide_of(1));
    quotient = negated(quotient);
  }
  return narrowed(quotient);
}

uint64_t nibble_root(uint64_t x) {
  uint64_t root = 0, rest = x;
  for (int shift = 62; shift >= 0; shift -= 2) {
    const uint64_t trial = (root << 2 | 1);
    root <<= 1;
    if ((rest >> shift) >= trial) {
      rest -= trial << shift;
      root |= 1;
    }
  }
  return root;
}

static int64_t interpolated(const nibble_stage* stage, int64_t value, int* fault) {
  const int64_t* table = stage->a;
  const int64_t offset = nibble_subtract(value, stage->first), i = nibble_shift_down(offset, stage->shift);
  const int64_t drop = stage->shift + stage->fraction;
  nibble_wide line;
  if (i < 0 || i + 1 >= stage->steps) {
    *fault = NIBBLE_BEYOND_TABLE;
    return stage->low;
  }
  line = nibble_wide_shift_up(nibble_wide_of(table[i]), stage->shift);
  line = nibble_wide_sum(line,
                         nibble_wide_product(nibble_subtract(table[i + 1], table[i]),
                                             nibble_subtract(offset, nibble_multiply(i, (int64_t)1 << stage->shift))));
  if (drop > 0) line = nibble_wide_sum(line, nibble_wide_of((int64_t)1 << (drop - 1)));
  return nibble_clip(nibble_wide_shift_down(line, drop), stage->low, stage->high);
}

static int64_t passed(const nibble_stage* stage, int64_t value, int64_t c) {
  const int64_t* t = (const int64_t*)stage->a + c * stage->steps;
  const int falling = stage->d != NULL && ((const uint8_t*)stage->d)[c] != 0;
  int64_t count = 0;
  for (int32_t k = 0; k < stage->steps; ++k) count += falling ? value <= t[k] : value >= t[k];
  return stage->low + count;
}

int64_t nibble_staged(const nibble_stage* stage, int64_t value, int64_t channel, int* fault) {
  const int64_t c = stage->channels > 1 ? channel : 0;
  int64_t result = value;
  switch (stage->form) {
    case NIBBLE_STAGE_PRODUCT: {
      const int64_t a = ((const int64_t*)stage->a)[c], b = ((const int64_t*)stage->b)[c];
      const int64_t d = ((const uint8_t*)stage->d)[c];
      result = stage->wide
                   ? nibble_wide_shift_down(nibble_wide_sum(nibble_wide_product(value, a), nibble_wide_of(b)), d)
                   : nibble_shift_down(nibble_add(nibble_multiply(value, a), b), d);
      break;
    }
    case NIBBLE_STAGE_PRODUCT32:
      result = nibble_shift_down(
          nibble_add(nibble_multiply(value, ((const int32_t*)stage->a)[c]), ((const int64_t*)stage->b)[c]),
          ((const uint8_t*)stage->d)[c]);
      break;
    case NIBBLE_STAGE_FLOAT:
      result = (int64_t)rintf(fmaf((float)value, ((const float*)stage->a)[c], ((const float*)stage->b)[c]));
      break;
    case NIBBLE_STAGE_DIVIDE: {
      const int64_t a = ((const int64_t*)stage->a)[c], b = ((const int64_t*)stage->b)[c];
      result = nibble_wide_floor(nibble_wide_sum(nibble_wide_product(value, a), nibble_wide_of(b)),
                                 nibble_wide_of(((const int64_t*)stage->d)[c]));
      break;
    }
    case NIBBLE_STAGE_THRESHOLDS: return passed(stage, value, c);
    case NIBBLE_STAGE_TABLE: {
      const uint64_t at = (uint64_t)value - (uint64_t)stage->first;
      if (at >= (uint64_t)stage->steps) {
        *fault = NIBBLE_BEYOND_TABLE;
        return 0;
      }
      return ((const int64_t*)stage->a)[at];
    }
    case NIBBLE_STAGE_INTERPOLATED: return interpolated(stage, value, fault);
    default: break;
  }
  return nibble_clip(result, stage->low, stage->high);
}
