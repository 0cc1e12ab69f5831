#include "kernels/element.h"

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

#ifndef NIBBLE_WITHOUT_INTERPOLATED
static int64_t interpolated(const nibble_stage* stage, int64_t value, int* fault) {
  const int64_t* table = stage->a;
  const int64_t offset = nibble_subtract(value, stage->first), i = nibble_shift_down(offset, stage->shift);
  const int64_t along = nibble_subtract(offset, nibble_shift_up(i, stage->shift));
  const int64_t drop = stage->shift + stage->fraction;
  nibble_wide line;
  if (i < 0 || i + 1 >= stage->steps) {
    *fault = NIBBLE_BEYOND_TABLE;
    return stage->low;
  }
  line = nibble_wide_shift_up(nibble_wide_of(table[i]), stage->shift);
  line = nibble_wide_sum(line, nibble_wide_product(nibble_subtract(table[i + 1], table[i]), along));
  if (drop > 0) line = nibble_wide_sum(line, nibble_wide_of(nibble_shift_up(1, drop - 1)));
  return nibble_clip(nibble_wide_shift_down(line, drop), stage->low, stage->high);
}
#endif

#ifndef NIBBLE_WITHOUT_THRESHOLDS
static int64_t passed(const nibble_stage* stage, int64_t value, int64_t c) {
  const int64_t* t = (const int64_t*)stage->a + c * stage->steps;
  const int falling = stage->d != NULL && ((const uint8_t*)stage->d)[c] != 0;
  int64_t count = 0;
  for (int32_t k = 0; k < stage->steps; ++k) count += falling ? value <= t[k] : value >= t[k];
  return stage->low + count;
}
#endif

/* Generated code leaves out the forms that no step of its network has (NIBBLE_WITHOUT_..). */
int64_t nibble_staged(const nibble_stage* stage, int64_t value, int64_t channel, int* fault) {
  const int64_t c = stage->channels > 1 ? channel : 0;
  int64_t result = value;
  (void)fault;
  switch (stage->form) {
#ifndef NIBBLE_WITHOUT_PRODUCT
    case NIBBLE_STAGE_PRODUCT: {
      const int64_t a = ((const int64_t*)stage->a)[c], b = ((const int64_t*)stage->b)[c];
      const int64_t d = ((const uint8_t*)stage->d)[c];
      result = nibble_shift_down(nibble_add(nibble_multiply(value, a), b), d);
#ifndef NIBBLE_WITHOUT_WIDE
      if (stage->wide)
        result = nibble_wide_shift_down(nibble_wide_sum(nibble_wide_product(value, a), nibble_wide_of(b)), d);
#endif
      break;
    }
#endif
    case NIBBLE_STAGE_PRODUCT32:
      result = nibble_shift_down(
          nibble_add(nibble_multiply(value, ((const int32_t*)stage->a)[c]), ((const int64_t*)stage->b)[c]),
          ((const uint8_t*)stage->d)[c]);
      break;
#ifndef NIBBLE_WITHOUT_FLOAT
    case NIBBLE_STAGE_FLOAT:
      result = nibble_whole(rintf(fmaf((float)value, ((const float*)stage->a)[c], ((const float*)stage->b)[c])));
      break;
#endif
#ifndef NIBBLE_WITHOUT_DIVIDE
    case NIBBLE_STAGE_DIVIDE: {
      const int64_t a = ((const int64_t*)stage->a)[c], b = ((const int64_t*)stage->b)[c];
      result = nibble_wide_floor(nibble_wide_sum(nibble_wide_product(value, a), nibble_wide_of(b)),
                                 nibble_wide_of(((const int64_t*)stage->d)[c]));
      break;
    }
#endif
#ifndef NIBBLE_WITHOUT_THRESHOLDS
    case NIBBLE_STAGE_THRESHOLDS: return passed(stage, value, c);
#endif
#ifndef NIBBLE_WITHOUT_TABLE
    case NIBBLE_STAGE_TABLE: {
      const uint64_t at = (uint64_t)value - (uint64_t)stage->first;
      if (at >= (uint64_t)stage->steps) {
        *fault = NIBBLE_BEYOND_TABLE;
        return 0;
      }
      return ((const int64_t*)stage->a)[at];
    }
#endif
#ifndef NIBBLE_WITHOUT_INTERPOLATED
    case NIBBLE_STAGE_INTERPOLATED: return interpolated(stage, value, fault);
#endif
    default: break;
  }
  return nibble_clip(result, stage->low, stage->high);
}

int64_t nibble_conv_summed(const nibble_conv* p, int64_t q, int64_t r) {
  int64_t y;
  if (p->sum_form == 0) return q;
  if (p->sum_form == 1)
    y = nibble_shift_down(nibble_add(nibble_add(nibble_multiply(q, p->sum_a), nibble_multiply(r, p->sum_b)), p->sum_c),
                          p->sum_shift);
  else
#ifdef NIBBLE_WITHOUT_FLOAT_SUM
    return q;
#else
    y = nibble_whole(rintf(fmaf((float)q, p->sum_fa, fmaf((float)r, p->sum_fb, p->sum_fc))));
#endif
  return nibble_clip(y, p->sum_low, p->sum_high);
}
