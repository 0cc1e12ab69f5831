#ifndef NIBBLE_PROCESSING_HEADS_H
#define NIBBLE_PROCESSING_HEADS_H

/* The forms that a detector's outputs come in, for reals (detect.h) and for integers (fixed_detect.h). */

typedef enum nibble_scores {
  NIBBLE_SCORES,    /* the network gives them; held within [0, 1] */
  NIBBLE_LOGISTIC,  /* 1 / (1 + exp(-x)) each */
  NIBBLE_NORMALISED /* softmax over the classes */
} nibble_scores;

typedef enum nibble_yolo_form {
  NIBBLE_YOLO_V3, /* centre (logistic + cell) stride, size exp(t) anchor */
  NIBBLE_YOLO_V5, /* centre (2 logistic - 1/2 + cell) stride, size (2 logistic)^2 anchor */
  NIBBLE_YOLO_X,  /* centre (t + cell) stride, size exp(t) stride; no anchors */
  NIBBLE_YOLO_V8  /* distances of the sides from the cell's centre in strides; no anchors, no objectness. Each the
                     softmax's mean over `bins`, where there are more than one */
} nibble_yolo_form;

#endif
