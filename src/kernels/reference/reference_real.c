#include "kernels/element.h"

/* The standard's min, max and clamp, which say what NaN gives. */
static double least(double a, double b) {
  return b < a ? b : a;
}
static double most(double a, double b) {
  return a < b ? b : a;
}
static double within(double x, double low, double high) {
  return x < low ? low : high < x ? high : x;
}

static double softplus(double x) {
  return most(x, 0) + log1p(exp(-fabs(x)));
}

static double gelu(double x, int tanh_form) {
  const double sqrt_2 = 1.41421356237309504880168872420969807857, pi = 3.14159265358979323846264338327950288420;
  if (!tanh_form) return x / 2 * (1 + erf(x / sqrt_2));
  return x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)));
}

static double shrink(double x, double bias, double lambd) {
  return x < -lambd ? x + bias : x > lambd ? x - bias : 0;
}

/* Functions of one real. */
static double function(int op, const double* r, double x) {
  switch (op) {
    case NIBBLE_REAL_HARD_SWISH: return x * within(x / 6 + 0.5, 0, 1);
    case NIBBLE_REAL_SIGMOID: return 1 / (1 + exp(-x));
    case NIBBLE_REAL_TANH: return tanh(x);
    case NIBBLE_REAL_ERF: return erf(x);
    case NIBBLE_REAL_EXP: return exp(x);
    case NIBBLE_REAL_LOG: return log(x);
    case NIBBLE_REAL_SQRT: return sqrt(x);
    case NIBBLE_REAL_RECIPROCAL: return 1 / x;
    case NIBBLE_REAL_SOFTPLUS: return softplus(x);
    case NIBBLE_REAL_LEAKY_RELU: return x >= 0 ? x : r[0] * x;
    case NIBBLE_REAL_HARD_SIGMOID: return within(r[0] * x + r[1], 0, 1);
    case NIBBLE_REAL_GELU: return gelu(x, r[0] != 0);
    case NIBBLE_REAL_MISH: return x * tanh(softplus(x));
    case NIBBLE_REAL_ELU: return x >= 0 ? x : r[0] * expm1(x);
    case NIBBLE_REAL_SWISH: return x / (1 + exp(-r[0] * x));
    case NIBBLE_REAL_SELU: return r[1] * (x > 0 ? x : r[0] * expm1(x));
    case NIBBLE_REAL_CELU: return most(x, 0) + least(0, r[0] * expm1(x / r[0]));
    case NIBBLE_REAL_THRESHOLDED_RELU: return x > r[0] ? x : 0;
    case NIBBLE_REAL_SHRINK: return shrink(x, r[0], r[1]);
    case NIBBLE_REAL_SOFTSIGN: return x / (1 + fabs(x));
    case NIBBLE_REAL_ROUND: return nearbyint(x);
    case NIBBLE_REAL_FLOOR: return floor(x);
    case NIBBLE_REAL_CEIL: return ceil(x);
    case NIBBLE_REAL_SIGN: return (double)((x > 0) - (x < 0));
    case NIBBLE_REAL_SIN: return sin(x);
    case NIBBLE_REAL_COS: return cos(x);
    case NIBBLE_REAL_RELU: return most(x, 0);
    case NIBBLE_REAL_NEG: return -1 * x;
    case NIBBLE_REAL_ABS: return x <= 0 ? 0 - x : x;
    case NIBBLE_REAL_CLIP: return least(most(x, r[0]), r[1]);
    default: return x;
  }
}

/* Functions of more. */
static double combined(int op, const double* r, const double* x) {
  switch (op) {
    case NIBBLE_REAL_ADD: return x[0] + x[1];
    case NIBBLE_REAL_SUB: return x[0] - x[1];
    case NIBBLE_REAL_MUL: return x[0] * x[1];
    case NIBBLE_REAL_DIV: return x[0] / x[1];
    case NIBBLE_REAL_MIN: return least(x[0], x[1]);
    case NIBBLE_REAL_MAX: return most(x[0], x[1]);
    case NIBBLE_REAL_POW: return pow(x[0], x[1]);
    case NIBBLE_REAL_WHERE: return x[0] != 0 ? x[1] : x[2];
    case NIBBLE_REAL_PRELU: return x[0] >= 0 ? x[0] : x[1] * x[0];
    default: return function(op, r, x[0]);
  }
}

static double dequantised(const nibble_real* p, const nibble_call* call, int64_t x, const int64_t* at) {
  const int64_t c = p->channels > 1 && p->channel_axis >= 0 ? at[p->channel_axis] : 0;
  const int64_t level = nibble_subtract(nibble_load(call->in[0], p->x_type[0], x), p->zero_point);
  return ((const double*)p->a)[c] * (double)level;
}

int nibble_real_reference(const void* parameters, const nibble_call* call) {
  const nibble_real* p = parameters;
  for (int64_t item = call->begin; item < call->end; ++item) {
    int64_t at[NIBBLE_MAX_RANK] = {0}, offset[3] = {0, 0, 0};
    double x[3] = {0, 0, 0}, *y = call->out;
    nibble_place(item, p->extent, p->rank, at);
    y += nibble_offset(at, p->y_stride, p->rank);
    for (int i = 0; i < 3; ++i) {
      if (call->in[i] == NULL) continue;
      offset[i] = nibble_offset(at, p->x_stride + i * NIBBLE_MAX_RANK, p->rank);
      x[i] = nibble_load_real(call->in[i], p->x_type[i], offset[i]);
    }
    *y = p->op == NIBBLE_REAL_DEQUANTISE ? dequantised(p, call, offset[0], at) : combined(p->op, p->r, x);
  }
  return NIBBLE_FINE;
}
