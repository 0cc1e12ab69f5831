#include "kernels/element.h"

/* A row's integers, read into the scratch, where its function is computed in place; its operands. */
typedef struct row {
  int64_t* x;
  int64_t width;
  const nibble_row* p;
  const nibble_call* call;
} row;

static int64_t operand(const row* r, int which, int64_t at) {
  return nibble_load(r->call->in[1 + which], r->p->operand_type[which], at * r->p->operand_step[which]);
}

static int64_t largest(const int64_t* x, int64_t count) {
  int64_t most = x[0];
  for (int64_t k = 1; k < count; ++k) most = x[k] > most ? x[k] : most;
  return most;
}

static int64_t levelled(int64_t x, int64_t levels) {
  return nibble_clip(x, -(levels / 2), levels / 2 - 1);
}

static void table_softmax(const row* r, int* fault) {
  const int64_t *s = r->p->s, *table = r->p->table, most = largest(r->x, r->width);
  int64_t sum = 0;
  nibble_wide divisor;
  for (int64_t k = 0; k < r->width; ++k) {
    const uint64_t distance = (uint64_t)most - (uint64_t)r->x[k];
    r->x[k] = distance < (uint64_t)r->p->steps ? table[distance] : 0;
    sum = nibble_add(sum, r->x[k]);
  }
  divisor = nibble_wide_shift_up(nibble_wide_of(sum), s[1]);
  if (nibble_wide_sign(divisor) <= 0) {
    *fault = NIBBLE_DIVISION_BY_ZERO;
    return;
  }
  for (int64_t k = 0; k < r->width; ++k) {
    const nibble_wide level = nibble_wide_rounded(nibble_wide_product(r->x[k], s[0]), divisor, s[2]);
    r->x[k] = nibble_wide_clip(nibble_wide_sum(level, nibble_wide_of(s[3])), s[4], s[5]);
  }
}

/* u over x; gives r (graph/ops.hpp, IntegerNormalization). */
static int64_t reciprocal_deviation(const row* r, int* fault) {
  const int64_t *s = r->p->s, n = r->width;
  int64_t sum = 0, squares = 0, mean, variance, root;
  for (int64_t k = 0; k < n; ++k) {
    r->x[k] = nibble_subtract(r->x[k], s[1]);
    sum = nibble_add(sum, r->x[k]);
    squares = nibble_add(squares, nibble_multiply(r->x[k], r->x[k]));
  }
  mean = s[0] ? sum : 0;
  for (int64_t k = 0; k < n; ++k) r->x[k] = nibble_subtract(nibble_multiply(n, r->x[k]), mean);
  variance = nibble_subtract(nibble_multiply(n, squares), nibble_multiply(mean, mean));
  root = (int64_t)nibble_root((uint64_t)nibble_add(nibble_shift_up(variance, 2 * s[3]), s[2]));
  return root == 0 ? 0 : nibble_quotient(nibble_add(nibble_shift_up(1, s[4]), root / 2), root, fault);
}

static void normalisation(const row* r, int* fault) {
  const int64_t* s = r->p->s;
  const int64_t reciprocal = reciprocal_deviation(r, fault);
  for (int64_t k = 0; k < r->width; ++k) {
    const int64_t scaled = nibble_multiply(nibble_multiply(r->x[k], reciprocal), operand(r, 0, k));
    r->x[k] = nibble_clip(nibble_shift_down(nibble_add(scaled, operand(r, 1, k)), s[5]), s[6], s[7]);
  }
}

static void i_softmax(const row* r, int* fault) {
  const int64_t *s = r->p->s, most = largest(r->x, r->width);
  int64_t sum = 0;
  for (int64_t k = 0; k < r->width; ++k) {
    const int64_t t = nibble_subtract(r->x[k], most);
    const int64_t z = nibble_clip(nibble_subtract(0, nibble_quotient(t, s[3], fault)), 0, 31);
    const int64_t p = nibble_add(nibble_add(t, nibble_multiply(z, s[3])), s[1]);
    r->x[k] = nibble_shift_down(nibble_add(nibble_multiply(s[0], nibble_multiply(p, p)), s[2]), z);
    sum = nibble_add(sum, r->x[k]);
  }
  for (int64_t k = 0; k < r->width; ++k)
    r->x[k] = nibble_wide_quotient(nibble_wide_product(r->x[k], nibble_subtract(s[4], 1)), sum, fault);
}

static int64_t ita_shift(int64_t most, int64_t x) {
  return nibble_shift_down(nibble_add(nibble_subtract(most, x), 16), 5);
}

static int64_t sum_of_powers(const int64_t* x, int64_t count, int64_t most) {
  int64_t sum = 0;
  for (int64_t k = 0; k < count; ++k) sum = nibble_add(sum, nibble_shift_down(256, ita_shift(most, x[k])));
  return sum;
}

static void give_powers(const row* r, int64_t most, int64_t inverse) {
  for (int64_t k = 0; k < r->width; ++k) r->x[k] = nibble_shift_down(inverse, ita_shift(most, r->x[k]));
}

static void ita_max(const row* r, int* fault) {
  const int64_t most = largest(r->x, r->width), whole = nibble_multiply(nibble_subtract(r->p->s[0], 1), 256);
  give_powers(r, most, nibble_quotient(whole, sum_of_powers(r->x, r->width, most), fault));
}

static void ita_partial_max(const row* r, int* fault) {
  const int64_t group = r->p->s[1] > 0 ? r->p->s[1] : r->width;
  int64_t most = -128, sum = 0;
  for (int64_t at = 0; at < r->width; at += group) {
    const int64_t count = group < r->width - at ? group : r->width - at, own = largest(r->x + at, count);
    if (own > most) {
      sum = nibble_shift_down(sum, ita_shift(own, most));
      most = own;
    }
    sum = nibble_add(sum, sum_of_powers(r->x + at, count, most));
  }
  give_powers(r, most, nibble_quotient(nibble_multiply(r->p->s[0] / 2 - 1, 256), sum, fault));
}

/* isqrt(sum of squares / N + 1) */
static int64_t deviation(const row* r) {
  int64_t sum = 0;
  for (int64_t k = 0; k < r->width; ++k) sum = nibble_add(sum, nibble_multiply(r->x[k], r->x[k]));
  return (int64_t)nibble_root((uint64_t)(sum / r->width + 1));
}

static void dialect_norm(const row* r, int centred, int* fault) {
  int64_t sum = 0, mean, s;
  for (int64_t k = 0; k < r->width; ++k) sum = nibble_add(sum, r->x[k]);
  mean = centred ? sum / r->width : 0;
  for (int64_t k = 0; k < r->width; ++k) r->x[k] = nibble_subtract(r->x[k], mean);
  s = deviation(r);
  for (int64_t k = 0; k < r->width; ++k) {
    const int64_t scaled = nibble_quotient(nibble_multiply(r->x[k], operand(r, 0, k)), s, fault);
    const int64_t moved = centred ? nibble_add(scaled, operand(r, 1, k)) : scaled;
    r->x[k] = levelled(nibble_shift_down(moved, r->p->s[0]), r->p->s[1]);
  }
}

static void compute(const row* r, int* fault) {
  switch (r->p->op) {
    case NIBBLE_TABLE_SOFTMAX: table_softmax(r, fault); break;
    case NIBBLE_NORMALISATION: normalisation(r, fault); break;
    case NIBBLE_I_SOFTMAX: i_softmax(r, fault); break;
    case NIBBLE_ITA_MAX: ita_max(r, fault); break;
    case NIBBLE_ITA_PARTIAL_MAX: ita_partial_max(r, fault); break;
    case NIBBLE_I_LAYER_NORM: dialect_norm(r, 1, fault); break;
    case NIBBLE_I_RMS_NORM: dialect_norm(r, 0, fault); break;
    default: break;
  }
}

/* exp(x - max) / sum, or its logarithm. */
static void real_softmax(const nibble_row* p, const double* x, double* y) {
  double most = x[0], sum = 0;
  for (int64_t k = 0; k < p->width; ++k) most = most < x[k * p->x_step] ? x[k * p->x_step] : most;
  if (p->op == NIBBLE_REAL_LOG_SOFTMAX) {
    for (int64_t k = 0; k < p->width; ++k) sum += exp(x[k * p->x_step] - most);
    for (int64_t k = 0; k < p->width; ++k) y[k * p->y_step] = x[k * p->x_step] - (most + log(sum));
    return;
  }
  for (int64_t k = 0; k < p->width; ++k) sum += y[k * p->y_step] = exp(x[k * p->x_step] - most);
  for (int64_t k = 0; k < p->width; ++k) y[k * p->y_step] /= sum;
}

int nibble_row_reference(const void* parameters, const nibble_call* call) {
  const nibble_row* p = parameters;
  const row r = {call->scratch, p->width, p, call};
  int fault = NIBBLE_FINE;
  if (p->width <= 0) return NIBBLE_FINE;
  for (int64_t item = call->begin; item < call->end; ++item) {
    int64_t at[NIBBLE_MAX_RANK] = {0}, from, to;
    nibble_place(item, p->extent, p->rank, at);
    from = nibble_offset(at, p->x_stride, p->rank);
    to = nibble_offset(at, p->y_stride, p->rank);
    if (p->op >= NIBBLE_REAL_SOFTMAX) {
      real_softmax(p, (const double*)call->in[0] + from, (double*)call->out + to);
      continue;
    }
    for (int64_t k = 0; k < p->width; ++k) r.x[k] = nibble_load(call->in[0], p->x_type, from + k * p->x_step);
    compute(&r, &fault);
    for (int64_t k = 0; k < p->width; ++k) nibble_store(call->out, p->y_type, to + k * p->y_step, r.x[k]);
  }
  return fault;
}
