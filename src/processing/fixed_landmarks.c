#include "processing/fixed_landmarks.h"

static int32_t within_reach(int64_t place) {
  const int64_t most = (int64_t)1 << 30;
  return (int32_t)(place < -most ? -most : place > most ? most : place);
}

void nibble_fixed_landmarks(const nibble_fixed_face* face, nibble_integers lie, const void* integers, int64_t* p,
                            int32_t* landmarks) {
  for (int32_t k = 0; k < 12 + face->shapes; ++k)
    p[k] = nibble_times(nibble_integer(lie, integers, k), face->parameters[k].by) + face->parameters[k].mean;
  for (int32_t i = 0; i < face->points; ++i) {
    int64_t v[3], q[2];
    for (int32_t axis = 0; axis < 3; ++axis) {
      const int32_t* row = face->basis + (3 * (int64_t)i + axis) * face->shapes;
      int64_t sum = (int64_t)1 << 29;
      for (int32_t k = 0; k < face->shapes; ++k) sum += row[k] * p[12 + k];
      v[axis] = face->average[3 * i + axis] + (sum >> 30);
    }
    for (int32_t k = 0; k < 2; ++k) {
      const int64_t* r = p + 4 * k;
      const int64_t turned = r[0] * v[0] + r[1] * v[1] + r[2] * v[2];
      q[k] = ((turned + ((int64_t)1 << (face->shift - 1))) >> face->shift) + r[3];
    }
    landmarks[2 * i] = within_reach(q[0] - 65536);
    landmarks[2 * i + 1] = within_reach(face->height - q[1]);
  }
}
