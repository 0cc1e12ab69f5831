#include "processing/detect.h"

#include "processing/real.h"

static int better(const nibble_object* a, const nibble_object* b) {
  return a->score > b->score;
}

/* Keeps objects sorted, best first. */
static void put(nibble_objects* objects, const nibble_object* object) {
  int64_t at = objects->count;
  while (at > 0 && better(object, &objects->found[at - 1])) --at;
  if (at >= objects->room) return;
  if (objects->count < objects->room) ++objects->count;
  for (int64_t k = objects->count - 1; k > at; --k) objects->found[k] = objects->found[k - 1];
  objects->found[at] = *object;
}

static void put_around(nibble_objects* objects, double x, double y, double width, double height, double score,
                       int32_t class_index) {
  const nibble_object object = {x - width / 2, y - height / 2, x + width / 2, y + height / 2, score, class_index};
  put(objects, &object);
}

static double score_of(nibble_scores form, double x) {
  if (form == NIBBLE_LOGISTIC) return nibble_logistic(x);
  return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* 1 over the sum of the classes' exponentials behind exp(-most). */
static double share(const float* x, int64_t step, int32_t classes, double* most) {
  double sum = 0;
  *most = x[0];
  for (int32_t c = 1; c < classes; ++c)
    if (x[c * step] > *most) *most = x[c * step];
  for (int32_t c = 0; c < classes; ++c) sum += nibble_exp(x[c * step] - *most);
  return 1 / sum;
}

static double class_score(nibble_scores form, double x, double most, double part) {
  return form == NIBBLE_NORMALISED ? nibble_exp(x - most) * part : score_of(form, x);
}

void nibble_decode_ssd(const nibble_ssd* head, const float* offsets, const float* scores, double least,
                       nibble_objects* objects) {
  const int x = head->y_first ? 1 : 0, y = head->y_first ? 0 : 1;
  for (int64_t i = 0; i < head->count; ++i) {
    const float *anchor = head->anchors + 4 * i, *offset = offsets + 4 * i, *score = scores + head->classes * i;
    double most = 0;
    const double part = head->scores == NIBBLE_NORMALISED ? share(score, 1, head->classes, &most) : 1;
    for (int32_t c = 0; c < head->classes; ++c) {
      const double s = class_score(head->scores, score[c], most, part);
      if (c == head->background || !(s >= least)) continue;
      put_around(objects, anchor[0] + offset[x] * head->variance[0] * anchor[2],
                 anchor[1] + offset[y] * head->variance[0] * anchor[3],
                 anchor[2] * nibble_exp(offset[2 + x] * head->variance[1]),
                 anchor[3] * nibble_exp(offset[2 + y] * head->variance[1]), s,
                 head->background >= 0 && c > head->background ? c - 1 : c);
    }
  }
}

/* How far a side lies, in strides. */
static double distance(const float* t, int64_t step, int32_t bins) {
  double most, part, mean = 0;
  if (bins <= 1) return *t;
  part = share(t, step, bins, &most);
  for (int32_t b = 1; b < bins; ++b) mean += b * nibble_exp(t[b * step] - most) * part;
  return mean;
}

static void decode_cell(const nibble_yolo* head, const float* t, int32_t row, int32_t column, int32_t anchor,
                        double score, int32_t c, nibble_objects* objects) {
  const int64_t step = (int64_t)head->rows * head->columns;
  const double s = head->stride;
  const float* size = head->sizes ? head->sizes + 2 * anchor : 0;
  if (head->form == NIBBLE_YOLO_V8) {
    const int64_t side = step * head->bins;
    const double x = column + 0.5, y = row + 0.5;
    const nibble_object object = {(x - distance(t, step, head->bins)) * s,
                                  (y - distance(t + side, step, head->bins)) * s,
                                  (x + distance(t + 2 * side, step, head->bins)) * s,
                                  (y + distance(t + 3 * side, step, head->bins)) * s,
                                  score,
                                  c};
    put(objects, &object);
  } else if (head->form == NIBBLE_YOLO_X) {
    put_around(objects, ((double)t[0] + column) * s, ((double)t[step] + row) * s, nibble_exp(t[2 * step]) * s,
               nibble_exp(t[3 * step]) * s, score, c);
  } else if (head->form == NIBBLE_YOLO_V3) {
    put_around(objects, (nibble_logistic(t[0]) + column) * s, (nibble_logistic(t[step]) + row) * s,
               nibble_exp(t[2 * step]) * size[0], nibble_exp(t[3 * step]) * size[1], score, c);
  } else {
    const double w = 2 * nibble_logistic(t[2 * step]), h = 2 * nibble_logistic(t[3 * step]);
    put_around(objects, (2 * nibble_logistic(t[0]) - 0.5 + column) * s, (2 * nibble_logistic(t[step]) - 0.5 + row) * s,
               w * w * size[0], h * h * size[1], score, c);
  }
}

void nibble_decode_yolo(const nibble_yolo* head, const float* values, double least, nibble_objects* objects) {
  const int64_t step = (int64_t)head->rows * head->columns;
  const int v8 = head->form == NIBBLE_YOLO_V8;
  const int32_t before = v8 ? 4 * head->bins : 5, anchors = head->anchors > 0 ? head->anchors : 1;
  for (int32_t a = 0; a < anchors; ++a)
    for (int32_t row = 0; row < head->rows; ++row)
      for (int32_t column = 0; column < head->columns; ++column) {
        const float* t = values + (int64_t)a * (before + head->classes) * step + (int64_t)row * head->columns + column;
        const nibble_scores alone = head->scores == NIBBLE_NORMALISED ? NIBBLE_LOGISTIC : head->scores;
        const double object = v8 ? 1 : score_of(alone, t[4 * step]);
        double most = 0, part = 1;
        if (!(object >= least)) continue;
        if (head->scores == NIBBLE_NORMALISED) part = share(t + before * step, step, head->classes, &most);
        for (int32_t c = 0; c < head->classes; ++c) {
          const double score = object * class_score(head->scores, t[(before + c) * step], most, part);
          if (score >= least) decode_cell(head, t, row, column, a, score, c, objects);
        }
        if (head->classes == 0) decode_cell(head, t, row, column, a, object, 0, objects);
      }
}

static double overlap_of(const nibble_object* a, const nibble_object* b) {
  const double left = a->left > b->left ? a->left : b->left, right = a->right < b->right ? a->right : b->right;
  const double top = a->top > b->top ? a->top : b->top, bottom = a->bottom < b->bottom ? a->bottom : b->bottom;
  double common, all;
  if (!(right > left) || !(bottom > top)) return 0;
  common = (right - left) * (bottom - top);
  all = (a->right - a->left) * (a->bottom - a->top) + (b->right - b->left) * (b->bottom - b->top) - common;
  return common / all;
}

void nibble_suppress(nibble_objects* objects, double overlap, int32_t across, int64_t most) {
  int64_t kept = 0;
  for (int64_t i = 0; i < objects->count && kept < most; ++i) {
    const nibble_object candidate = objects->found[i];
    int stays = 1;
    for (int64_t k = 0; k < kept && stays; ++k)
      stays = (!across && objects->found[k].class_index != candidate.class_index) ||
              overlap_of(&objects->found[k], &candidate) <= overlap;
    if (stays) objects->found[kept++] = candidate;
  }
  objects->count = kept;
}
