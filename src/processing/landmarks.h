#ifndef NIBBLE_PROCESSING_LANDMARKS_H
#define NIBBLE_PROCESSING_LANDMARKS_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* A face as a linear model of its shape, seen by an affine camera (Guo et al. 2020, "Towards Fast, Accurate and Stable
 * 3D Dense Face Alignment"). */
typedef struct nibble_face_model {
  const float *mean, *deviation;   /* [12 + shapes + expressions]: parameter = y * deviation + mean */
  const float* centre;             /* [3 * points]: x, y, z of each point of the mean face */
  const float *shape, *expression; /* [3 * points, shapes], [3 * points, expressions] */
  int32_t points, shapes, expressions;
  double side; /* of the square input, pixels: y is counted from its foot */
} nibble_face_model;

/* Points [points, 3] in the input's pixels (x to the right, y down, z towards the viewer) of a network's output y. */
void nibble_face_points(const nibble_face_model* model, const float* y, double* points);

/* How the head is turned: yaw, pitch, roll in degrees. */
void nibble_face_pose(const nibble_face_model* model, const float* y, double pose[3]);

#ifdef __cplusplus
}
#endif
#endif
