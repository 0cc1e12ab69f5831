#ifndef NIBBLE_PROCESSING_FIXED_LANDMARKS_H
#define NIBBLE_PROCESSING_FIXED_LANDMARKS_H
#include "processing/fixed.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A parameter of a face model from the network's integer, less its zero point: the number and its mean in one. */
typedef struct nibble_fixed_parameter {
  nibble_factor by;
  int64_t mean;
} nibble_fixed_parameter;

/* nibble_face_model by integers. With sizes V = the largest coordinate that shapes can make, r = the largest of R, P[k] =
 * the largest of parameter k over all integers that the network may give, each below a power of two:
 *
 *     parameters   R in r / 2^30, t in 1/65536 pixel, the rest in P[k] / 2^30
 *     average      in V / 2^30
 *     basis        column k times P[k], in V / 2^30
 *
 * so that no sum leaves 63 bits: a row of the basis adds up to at most 2^30. */
typedef struct nibble_fixed_face {
  const nibble_fixed_parameter* parameters; /* [12 + shapes] */
  const int32_t* average;                   /* [3 * points] */
  const int32_t* basis;                     /* [3 * points, shapes] */
  int32_t points, shapes;
  int32_t shift;  /* of R v, in r V / 2^60, to 1/65536 pixel; 1 to 62 */
  int64_t height; /* of the crop, 1/65536 pixel */
} nibble_fixed_face;

/* Landmarks [points, 2] in 1/65536 pixel of the crop of the network's integers [12 + shapes]; `p` is room for as many.
 * Landmarks are held within 16384 pixels of the crop's corner. */
void nibble_fixed_landmarks(const nibble_fixed_face* face, nibble_integers lie, const void* integers, int64_t* p,
                            int32_t* landmarks);

#ifdef __cplusplus
}
#endif
#endif
