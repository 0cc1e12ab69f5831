#ifndef NIBBLE_PROCESSING_DETECT_H
#define NIBBLE_PROCESSING_DETECT_H
#include <stdint.h>

#include "processing/heads.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Boxes from a detector's outputs. Places are pixels of the network's input, x to the right and y down, the pixel at
 * the top left spanning [0, 1). */
typedef struct nibble_object {
  double left, top, right, bottom;
  double score; /* in [0, 1] */
  int32_t class_index;
} nibble_object;

/* What is found, at most `room` objects: of more the best are kept. */
typedef struct nibble_objects {
  nibble_object* found;
  int64_t count, room;
} nibble_objects;

/* SSD: [count, 4] offsets and [count, classes] scores for `count` anchors (centre x, centre y, width, height in
 * pixels). centre = anchor centre + offset * variance[0] * anchor size; size = anchor size * exp(offset * variance[1]).
 * Source: Liu et al. 2016, "SSD: Single Shot MultiBox Detector". */
typedef struct nibble_ssd {
  const float* anchors; /* [count, 4] */
  int64_t count;
  int32_t classes, background; /* index of the class that is none, -1 without one: later ones count from it on */
  nibble_scores scores;
  double variance[2];
  int32_t y_first; /* offsets in the order y, x, height, width */
} nibble_ssd;

/* One scale of a YOLO head: [anchors * (4 + 1 + classes), rows, columns], of V8 [4 * bins + classes, rows, columns]. */
typedef struct nibble_yolo {
  nibble_yolo_form form;
  int32_t rows, columns, anchors, classes, bins;
  const float* sizes; /* of the anchors: width, height in pixels */
  double stride;      /* pixels a cell */
  nibble_scores scores;
} nibble_yolo;

void nibble_decode_ssd(const nibble_ssd* head, const float* offsets, const float* scores, double least,
                       nibble_objects* objects);
void nibble_decode_yolo(const nibble_yolo* head, const float* values, double least, nibble_objects* objects);

/* Keeps, best first, what overlaps nothing better of its class (of any class where `across`) by more than `overlap`,
 * intersection over union. Equal scores stay in the order in which they were found. */
void nibble_suppress(nibble_objects* objects, double overlap, int32_t across, int64_t most);

#ifdef __cplusplus
}
#endif
#endif
