#ifndef NIBBLE_PROCESSING_FIXED_DETECT_H
#define NIBBLE_PROCESSING_FIXED_DETECT_H
#include "processing/fixed.h"
#include "processing/heads.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Boxes from the integers of a detector's outputs, as detect.h finds them in its reals (docs/design/applications.md says
 * what may differ). Places are in 1/65536 pixel of the network's input, held within 16384 pixels of its corner. */
#define NIBBLE_PLACE_MOST ((int64_t)1 << 30)

typedef struct nibble_fixed_object {
  int32_t left, top, right, bottom;
  int32_t score; /* 1/2^30 */
  int32_t class_index;
} nibble_fixed_object;

/* What is found, at most `room` objects: of more the best are kept, and how many are not is counted. */
typedef struct nibble_fixed_objects {
  nibble_fixed_object* found;
  int32_t count, room, left_out;
} nibble_fixed_objects;

/* How an output's integers become scores within 2^-23. */
typedef struct nibble_fixed_scores {
  nibble_scores form;
  nibble_factor by;  /* NIBBLE_SCORES: to the score in 1/2^30; else to its logarithm to base 2 in 1/2^32 */
  int32_t threshold; /* 1/2^30: the least score of an object */
  int64_t least;     /* the least integer, less the zero point, whose score, alone, is not below the threshold */
} nibble_fixed_scores;

/* nibble_ssd by integers. */
typedef struct nibble_fixed_ssd {
  nibble_integers offsets, classes; /* how the outputs lie, row by row where the steps say so */
  int64_t offset_row, offset_step;  /* elements from an anchor, a number to the next */
  int64_t class_row, class_step;
  const int32_t* anchors; /* [count, 4] in 1/65536 pixel, at most 8192 pixels each */
  int32_t count, class_count, background, y_first;
  nibble_factor centre; /* offset to anchors' sizes in 1/2^24 */
  nibble_factor size;   /* offset to the logarithm of the size to base 2, in 1/2^32 */
  nibble_fixed_scores scores;
} nibble_fixed_ssd;

/* nibble_yolo by integers. */
typedef struct nibble_fixed_yolo {
  nibble_yolo_form form;
  nibble_integers lie;
  int64_t plane, row, column; /* elements from one to the next */
  int32_t rows, columns, anchors, classes, bins;
  const int32_t* sizes;  /* of the anchors: width, height in 1/65536 pixel, at most 8192 pixels */
  int32_t stride;        /* 1/65536 pixel, at most 8192 pixels */
  nibble_factor places;  /* to 1/65536 pixel: a number times the stride */
  nibble_factor octaves; /* to the number's logarithm's base 2, in 1/2^32: times log2(e) */
  nibble_fixed_scores scores;
} nibble_fixed_yolo;

void nibble_fixed_decode_ssd(const nibble_fixed_ssd* head, const void* offsets, const void* scores,
                             nibble_fixed_objects* objects);
void nibble_fixed_decode_yolo(const nibble_fixed_yolo* head, const void* data, nibble_fixed_objects* objects);

/* nibble_suppress by integers; `overlap` in 1/2^31. */
void nibble_fixed_suppress(nibble_fixed_objects* objects, int64_t overlap, int32_t across, int32_t most);

#ifdef __cplusplus
}
#endif
#endif
