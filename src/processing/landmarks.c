#include "processing/landmarks.h"

#include <math.h>

#include "processing/real.h"

static double parameter(const nibble_face_model* m, const double* y, int32_t at) {
  return y[at] * m->deviation[at] + m->mean[at];
}

void nibble_face_landmarks(const nibble_face_model* m, const double* y, double* landmarks) {
  for (int32_t i = 0; i < m->points; ++i) {
    double v[3], q[2];
    for (int32_t axis = 0; axis < 3; ++axis) {
      const double* row = m->basis + (3 * (int64_t)i + axis) * m->shapes;
      v[axis] = m->average[3 * i + axis];
      for (int32_t k = 0; k < m->shapes; ++k) v[axis] += row[k] * parameter(m, y, 12 + k);
    }
    for (int32_t k = 0; k < 2; ++k)
      q[k] = parameter(m, y, 4 * k) * v[0] + parameter(m, y, 4 * k + 1) * v[1] + parameter(m, y, 4 * k + 2) * v[2] +
             parameter(m, y, 4 * k + 3);
    landmarks[2 * i] = q[0] - 1;
    landmarks[2 * i + 1] = m->height - q[1];
  }
}

static double normalise(double* v) {
  const double length = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
  for (int k = 0; k < 3; ++k) v[k] = length == 0 ? 0 : v[k] / length;
  return length;
}

nibble_head_pose nibble_face_pose(const nibble_face_model* m, const double* y) {
  const double degrees = 0x1.ca5dc1a63c1f8p+5; /* 180 / pi */
  nibble_head_pose pose = {0, 0, 0, 0};
  double a[3], b[3], c[3], sine;
  for (int32_t k = 0; k < 3; ++k) {
    a[k] = parameter(m, y, k);
    b[k] = parameter(m, y, 4 + k);
  }
  pose.scale = normalise(a) / 2;
  pose.scale += normalise(b) / 2;
  c[0] = a[1] * b[2] - a[2] * b[1];
  c[1] = a[2] * b[0] - a[0] * b[2];
  c[2] = a[0] * b[1] - a[1] * b[0];
  sine = c[0] > 1 ? 1 : c[0] < -1 ? -1 : c[0];
  pose.yaw = degrees * nibble_asin(sine);
  if (sine == 1 || sine == -1) {
    pose.pitch = degrees * nibble_atan2(-sine * a[1], -sine * a[2]);
  } else {
    pose.pitch = degrees * nibble_atan2(c[1], c[2]);
    pose.roll = degrees * nibble_atan2(b[0], a[0]);
  }
  return pose;
}
