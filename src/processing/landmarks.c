#include "processing/landmarks.h"

#include <math.h>

#include "processing/real.h"

static double parameter(const nibble_face_model* m, const float* y, int32_t at) {
  return (double)y[at] * m->deviation[at] + m->mean[at];
}

/* q = R v + t; R | t are the first twelve parameters, three rows of four. */
void nibble_face_points(const nibble_face_model* m, const float* y, double* points) {
  for (int32_t i = 0; i < m->points; ++i) {
    double v[3], q[3];
    for (int32_t k = 0; k < 3; ++k) {
      const int64_t row = 3 * (int64_t)i + k;
      v[k] = m->centre[row];
      for (int32_t s = 0; s < m->shapes; ++s) v[k] += m->shape[row * m->shapes + s] * parameter(m, y, 12 + s);
      for (int32_t e = 0; e < m->expressions; ++e)
        v[k] += m->expression[row * m->expressions + e] * parameter(m, y, 12 + m->shapes + e);
    }
    for (int32_t k = 0; k < 3; ++k) {
      q[k] = parameter(m, y, 4 * k + 3);
      for (int32_t j = 0; j < 3; ++j) q[k] += parameter(m, y, 4 * k + j) * v[j];
    }
    points[3 * i] = q[0] - 1;
    points[3 * i + 1] = m->side - q[1];
    points[3 * i + 2] = q[2];
  }
}

static void normalise(double* v) {
  const double length = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
  for (int k = 0; k < 3 && length > 0; ++k) v[k] /= length;
}

void nibble_face_pose(const nibble_face_model* m, const float* y, double pose[3]) {
  const double degrees = 0x1.ca5dc1a63c1f8p+5; /* 180 / pi */
  double a[3], b[3], c[3], level;
  for (int32_t k = 0; k < 3; ++k) {
    a[k] = parameter(m, y, k);
    b[k] = parameter(m, y, 4 + k);
  }
  normalise(a);
  normalise(b);
  c[0] = a[1] * b[2] - a[2] * b[1];
  c[1] = a[2] * b[0] - a[0] * b[2];
  c[2] = a[0] * b[1] - a[1] * b[0];
  c[0] = c[0] > 1 ? 1 : c[0] < -1 ? -1 : c[0];
  level = sqrt((1 - c[0]) * (1 + c[0]));
  pose[0] = nibble_asin(c[0]) * degrees;
  pose[1] = level > 0 ? nibble_atan2(b[2] / level, c[2] / level) * degrees : 0;
  pose[2] = level > 0 ? nibble_atan2(a[1] / level, a[0] / level) * degrees : nibble_atan2(b[0], -a[1]) * degrees;
}
