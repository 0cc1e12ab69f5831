#include "processing/real.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* 2^n for n in [-1022, 1023]. */
static double power_of_two(int n) {
  const uint64_t bits = (uint64_t)(n + 1023) << 52;
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* Sum of x^k / k! for |x| below 0.35, to the last bit. */
static double exp_series(double x) {
  double sum = 1;
  for (int k = 14; k > 0; --k) sum = 1 + x / k * sum;
  return sum;
}

static const double ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33;

double nibble_exp(double x) {
  int n;
  if (!(x == x)) return x;
  if (x < -708) return 0;
  if (x > 709.7) return INFINITY;
  n = (int)(x * 0x1.71547652b82fep0 + (x < 0 ? -0.5 : 0.5));
  x = (x - n * ln2_high) - n * ln2_low;
  return n > 1023 ? exp_series(x) * 2 * power_of_two(n - 1) : exp_series(x) * power_of_two(n);
}

/* log(x) = n ln 2 + 2 artanh((m - 1) / (m + 1)) for x = m 2^n, m within [sqrt(1/2), sqrt(2)). */
double nibble_log(double x) {
  uint64_t bits;
  int n = 0;
  double s, square, sum = 0;
  if (!(x == x) || x < 0) return NAN;
  if (x == 0) return -INFINITY;
  if (x == INFINITY) return x;
  if (x < 0x1p-1022) {
    x *= 0x1p54;
    n = -54;
  }
  memcpy(&bits, &x, sizeof bits);
  n += (int)(bits >> 52) - 1023;
  bits = (bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
  memcpy(&x, &bits, sizeof x);
  if (x > 0x1.6a09e667f3bcdp0) {
    x /= 2;
    ++n;
  }
  s = (x - 1) / (x + 1);
  square = s * s;
  for (int k = 23; k > 1; k -= 2) sum = square * (1.0 / k + sum);
  return n * ln2_high + (n * ln2_low + (2 * s * sum + 2 * s));
}

double nibble_logistic(double x) {
  const double e = nibble_exp(x < 0 ? x : -x);
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

double nibble_tanh(double x) {
  const double size = x < 0 ? -x : x;
  double y;
  if (size < 0x1p-4) { /* odd series by the continued fraction x / (1 + x^2 / (3 + x^2 / (5 + ...))) */
    double below = 17;
    for (int k = 15; k > 0; k -= 2) below = k + x * x / below;
    return x / below;
  }
  y = nibble_exp(-2 * size);
  y = (1 - y) / (1 + y);
  return x < 0 ? -y : y;
}

/* atan of [0, 1]: twice halved, then the series. */
static double atan_of_part(double x) {
  double square, sum = 0;
  x = x / (1 + sqrt(1 + x * x));
  x = x / (1 + sqrt(1 + x * x));
  square = x * x;
  for (int k = 23; k > 0; k -= 2) sum = 1.0 / k - square * sum;
  return 4 * x * sum;
}

static const double half_pi = 0x1.921fb54442d18p0;

double nibble_atan2(double y, double x) {
  const double up = y < 0 ? -y : y, along = x < 0 ? -x : x;
  double angle;
  if (!(x == x) || !(y == y)) return NAN;
  if (up == 0 && along == 0) return 0;
  angle = up <= along ? atan_of_part(up / along) : half_pi - atan_of_part(along / up);
  if (x < 0) angle = 2 * half_pi - angle;
  return y < 0 ? -angle : angle;
}

double nibble_asin(double x) {
  return nibble_atan2(x, sqrt((1 - x) * (1 + x)));
}

/* Of x in [0, pi / 4]. */
static double cos_series(double x) {
  double sum = 1;
  for (int k = 18; k > 0; k -= 2) sum = 1 - x * x / (k * (k - 1)) * sum;
  return sum;
}
static double sin_series(double x) {
  double sum = 1;
  for (int k = 18; k > 0; k -= 2) sum = 1 - x * x / (k * (k + 1)) * sum;
  return x * sum;
}

/* The eighth of a turn in which p / q lies is found in integers: what is left of it is rounded once. */
double nibble_cos_turns(long p, long q) {
  int64_t rest = (int64_t)p % q, whole = q;
  int negative = 0;
  double x;
  if (rest < 0) rest += whole;
  if (2 * rest > whole) rest = whole - rest;
  if (4 * rest > whole) { /* rest / q -> 1/2 - rest / q */
    rest = whole - 2 * rest;
    whole *= 2;
    negative = 1;
  }
  if (8 * rest <= whole)
    x = cos_series(4 * half_pi * (double)rest / (double)whole);
  else
    x = sin_series(half_pi * (double)(whole - 4 * rest) / (double)whole);
  return negative ? -x : x;
}

double nibble_sin_turns(long p, long q) {
  /* cos(2 pi (p / q - 1 / 4)) */
  return nibble_cos_turns(4 * (p % q) - q, 4 * q);
}
