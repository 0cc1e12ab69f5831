#include "kernels/element.h"

/* An element of an output of `rank` extents, with the offsets of each operand and of the output. */
typedef struct walk {
  int64_t at[NIBBLE_MAX_RANK], x[3], y;
} walk;

static walk walk_to(const nibble_pointwise* p, int64_t item) {
  walk w = {{0}, {0}, 0};
  int64_t rest = item;
  for (int k = p->rank - 1; k >= 0; --k) {
    w.at[k] = rest % p->extent[k];
    rest /= p->extent[k];
    /* Strides of an operand that there is not may be anything. */
    for (int i = 0; i < 3; ++i)
      w.x[i] = nibble_add(w.x[i], nibble_multiply(w.at[k], p->x_stride[i * NIBBLE_MAX_RANK + k]));
    w.y += w.at[k] * p->y_stride[k];
  }
  return w;
}

static void step_on(const nibble_pointwise* p, walk* w) {
  for (int k = p->rank - 1; k >= 0; --k) {
    const int wraps = ++w->at[k] == p->extent[k];
    const int64_t by = wraps ? 1 - p->extent[k] : 1;
    for (int i = 0; i < 3; ++i)
      w->x[i] = nibble_add(w->x[i], nibble_multiply(by, p->x_stride[i * NIBBLE_MAX_RANK + k]));
    w->y += by * p->y_stride[k];
    if (!wraps) return;
    w->at[k] = 0;
  }
}

/* floor(a / b), b not 0 */
static int64_t floored(int64_t a, int64_t b) {
  const int64_t q = b == -1 ? nibble_subtract(0, a) : a / b;
  return nibble_multiply(q, b) != a && (a < 0) != (b < 0) ? q - 1 : q;
}

static int64_t rounded_division(const int64_t* s, int64_t x0, int64_t x1) {
  nibble_wide n = nibble_wide_product(nibble_subtract(x0, s[0]), s[2]);
  nibble_wide d = nibble_wide_shift_up(nibble_wide_of(nibble_subtract(x1, s[1])), s[3]);
  if (nibble_wide_sign(d) == 0) {
    const int sign = nibble_wide_sign(n);
    return sign > 0 ? s[7] : sign < 0 ? s[6] : nibble_clip(s[5], s[6], s[7]);
  }
  if (nibble_wide_sign(d) < 0) {
    n = nibble_wide_negated(n);
    d = nibble_wide_negated(d);
  }
  return nibble_wide_clip(nibble_wide_sum(nibble_wide_rounded(n, d, s[4]), nibble_wide_of(s[5])), s[6], s[7]);
}

static int64_t gelu(const int64_t* s, int64_t x) {
  const int64_t magnitude = x < 0 ? nibble_subtract(0, x) : x, limit = nibble_subtract(0, s[0]);
  const int64_t d = nibble_add(magnitude < limit ? magnitude : limit, s[0]);
  const int64_t l = nibble_subtract(s[1], nibble_multiply(d, d));
  const int64_t sign = x > 0 ? 1 : x < 0 ? -1 : 0;
  return nibble_multiply(x, nibble_shift_down(nibble_add(s[1], nibble_multiply(sign, l)), 1));
}

static int64_t integer_div(const int64_t* s, int64_t a, int64_t b, int* fault) {
  const int64_t n = nibble_multiply(nibble_multiply(s[0], s[2]), a), d = nibble_add(nibble_multiply(s[2], b), s[1]);
  const nibble_wide half = nibble_wide_of(nibble_shift_down(d, 1)), zero = {0, 0};
  const nibble_wide added = n > 0 ? half : n < 0 ? nibble_wide_negated(half) : zero;
  return nibble_wide_quotient(nibble_wide_sum(nibble_wide_of(n), added), d, fault);
}

static int64_t true_integer_div(const int64_t* s, int64_t x, int64_t y, int* fault) {
  const int64_t d = nibble_add(nibble_multiply(y, s[2]), s[1]);
  if (d == 0) {
    *fault = NIBBLE_DIVISION_BY_ZERO;
    return 0;
  }
  return nibble_multiply(x, floored(nibble_multiply(s[0], s[2]), d));
}

static int64_t no_norm(const int64_t* s, const int64_t* x) {
  const int64_t sum = nibble_add(nibble_multiply(x[0], x[1]), x[2]);
  return nibble_clip(nibble_shift_down(nibble_multiply(sum, s[0]), s[1]), -(s[2] / 2), s[2] / 2 - 1);
}

static int64_t function(const nibble_pointwise* p, const int64_t* x, int* fault) {
  const int64_t* s = p->s;
  switch (p->op) {
    case NIBBLE_RELU: return x[0] > 0 ? x[0] : 0;
    case NIBBLE_NEG: return nibble_subtract(0, x[0]);
    case NIBBLE_ABS: return x[0] < 0 ? nibble_subtract(0, x[0]) : x[0];
    case NIBBLE_ADD: return nibble_add(x[0], x[1]);
    case NIBBLE_SUB: return nibble_subtract(x[0], x[1]);
    case NIBBLE_MUL: return nibble_multiply(x[0], x[1]);
    case NIBBLE_DIV: return nibble_quotient(x[0], x[1], fault);
    case NIBBLE_MIN: return x[0] < x[1] ? x[0] : x[1];
    case NIBBLE_MAX: return x[0] > x[1] ? x[0] : x[1];
    case NIBBLE_WHERE: return x[0] != 0 ? x[1] : x[2];
    case NIBBLE_WEIGHTED:
      return nibble_add(nibble_shift_down(nibble_add(nibble_multiply(x[0], s[0]), s[1]), s[2]),
                        nibble_shift_down(nibble_add(nibble_multiply(x[1], s[3]), s[4]), s[5]));
    case NIBBLE_ROUNDED_DIVISION: return rounded_division(s, x[0], x[1]);
    case NIBBLE_I_GELU: return gelu(s, x[0]);
    case NIBBLE_I_HARD_SWISH:
      return nibble_multiply(nibble_multiply(x[0], nibble_clip(nibble_add(x[0], s[0]), 0, s[1])), s[2]);
    case NIBBLE_INTEGER_DIV: return integer_div(s, x[0], x[1], fault);
    case NIBBLE_TRUE_INTEGER_DIV: return true_integer_div(s, x[0], x[1], fault);
    case NIBBLE_I_NO_NORM: return no_norm(s, x);
    case NIBBLE_FLOAT_SUM: return (int64_t)rintf(fmaf((float)x[0], p->f[0], fmaf((float)x[1], p->f[1], p->f[2])));
    default: return x[0];
  }
}

int nibble_pointwise_reference(const void* parameters, const nibble_call* call) {
  const nibble_pointwise* p = parameters;
  walk w = walk_to(p, call->begin);
  int fault = NIBBLE_FINE;
  for (int64_t item = call->begin; item < call->end; ++item, step_on(p, &w)) {
    int64_t x[3] = {0, 0, 0};
    for (int i = 0; i < 3; ++i)
      if (call->in[i] != NULL) x[i] = nibble_load(call->in[i], p->x_type[i], w.x[i]);
    {
      const int64_t channel = p->channel_axis < 0 ? 0 : w.at[p->channel_axis];
      nibble_store(call->out, p->y_type, w.y, nibble_staged(&p->stage, function(p, x, &fault), channel, &fault));
    }
  }
  return fault;
}
