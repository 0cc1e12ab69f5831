#ifndef NIBBLE_PROCESSING_LANDMARKS_H
#define NIBBLE_PROCESSING_LANDMARKS_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* A face as a linear model of its shape, seen by an affine camera: with p = y * deviation + mean,
 *
 *     R|t = the first 12 of p as 3x4      v = average + basis * (the rest of p), points (x, y, z)
 *     q = R v + t                         a landmark, in pixels of the crop: (q_x - 1, height - q_y)
 *
 * Sources: Blanz and Vetter 1999; the conventions are 3DDFA_V2's (Guo et al. 2020). */
typedef struct nibble_face_model {
  const double *mean, *deviation; /* [12 + shapes] */
  const double* average;          /* [3 * points]: x, y, z of each */
  const double* basis;            /* [3 * points, shapes] */
  int32_t points, shapes;
  double height; /* of the crop, pixels */
} nibble_face_model;

/* Landmarks [points, 2] of a network's outputs y [12 + shapes]. */
void nibble_face_landmarks(const nibble_face_model* model, const double* y, double* landmarks);

/* How a head is turned, in degrees, and its size. R's first two rows are made of length 1, the third is their product:
 * R = Rz(roll) Ry(-yaw) Rx(pitch), yaw in [-90, 90]; where it is turned by a full 90 roll is 0. Source: Slabaugh 1999. */
typedef struct nibble_head_pose {
  double yaw, pitch, roll;
  double scale; /* mean length of R's first two rows, pixels a unit of the model */
} nibble_head_pose;
nibble_head_pose nibble_face_pose(const nibble_face_model* model, const double* y);

#ifdef __cplusplus
}
#endif
#endif
