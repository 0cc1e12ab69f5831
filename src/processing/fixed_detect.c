#include "processing/fixed_detect.h"

static int32_t held(int64_t place) {
  const int64_t most = NIBBLE_PLACE_MOST;
  return (int32_t)(place < -most ? -most : place > most ? most : place);
}

/* Keeps objects sorted, best first, of equal ones the first. */
static void keep(nibble_fixed_objects* objects, const nibble_fixed_object* object) {
  int32_t at = objects->count;
  while (at > 0 && object->score > objects->found[at - 1].score) --at;
  if (objects->count < objects->room)
    ++objects->count;
  else
    ++objects->left_out;
  if (at >= objects->room) return;
  for (int32_t k = objects->count - 1; k > at; --k) objects->found[k] = objects->found[k - 1];
  objects->found[at] = *object;
}

static void keep_around(nibble_fixed_objects* objects, int64_t x, int64_t y, int64_t width, int64_t height,
                        int32_t score, int32_t class_index) {
  const nibble_fixed_object object = {
      held(x - width / 2), held(y - height / 2), held(x + width / 2), held(y + height / 2), score, class_index};
  keep(objects, &object);
}

/* 1 / (1 + 2^-octaves) in 1/2^30. */
static int32_t logistic_of(int64_t octaves) {
  const int64_t one = (int64_t)1 << 30, e = nibble_half_to(octaves < 0 ? -octaves : octaves);
  return (int32_t)((((octaves < 0 ? e : one) << 30) + (one + e) / 2) / (one + e));
}

/* size * 2^octaves, at most twice NIBBLE_PLACE_MOST; size up to 2^30. */
static int64_t grown(int64_t size, int64_t octaves) {
  const int64_t most = 2 * NIBBLE_PLACE_MOST, whole = (octaves >> 32) + 1;
  int64_t product;
  if (whole > 31) return size > 0 ? most : 0;
  if (whole < -32) return 0;
  product = size * nibble_half_to(whole * ((int64_t)1 << 32) - octaves);
  if (whole > 30) return product > most >> (whole - 30) ? most : product << (whole - 30);
  product >>= 30 - whole;
  return product > most ? most : product;
}

static int32_t score_alone(const nibble_fixed_scores* scores, int64_t level) {
  const int64_t one = (int64_t)1 << 30, x = nibble_times(level, scores->by);
  if (scores->form != NIBBLE_SCORES) return logistic_of(x);
  return (int32_t)(x < 0 ? 0 : x > one ? one : x);
}

/* `count` integers, `step` elements from one to the next. */
typedef struct row_of_integers {
  nibble_integers lie;
  const void* data;
  int64_t first, step;
  int32_t count;
} row_of_integers;

static int64_t integer_of(const row_of_integers* row, int32_t k) {
  return nibble_integer(row->lie, row->data, row->first + k * row->step);
}

static int64_t largest_of(const row_of_integers* row) {
  int64_t most = integer_of(row, 0);
  for (int32_t k = 1; k < row->count; ++k)
    if (integer_of(row, k) > most) most = integer_of(row, k);
  return most;
}

/* What a number weighs in the softmax over its row, whose largest weighs 2^30. */
static int64_t weight_of(const row_of_integers* row, int64_t most, nibble_factor octaves, int32_t k) {
  return nibble_half_to(nibble_times(most - integer_of(row, k), octaves));
}

static int64_t weight_of_all(const row_of_integers* row, int64_t most, nibble_factor octaves) {
  int64_t sum = 0;
  for (int32_t k = 0; k < row->count; ++k) sum += weight_of(row, most, octaves, k);
  return sum;
}

/* Scores of one place's classes, one after another. */
typedef struct class_scores {
  row_of_integers row;
  const nibble_fixed_scores* scores;
  int64_t most, sum;
} class_scores;

static class_scores scores_of(const nibble_fixed_scores* scores, row_of_integers row) {
  class_scores of = {row, scores, 0, 0};
  if (scores->form == NIBBLE_NORMALISED) {
    of.most = largest_of(&row);
    of.sum = weight_of_all(&row, of.most, scores->by);
  }
  return of;
}

static int32_t class_score(const class_scores* of, int32_t k) {
  if (of->scores->form != NIBBLE_NORMALISED) return score_alone(of->scores, integer_of(&of->row, k));
  return (int32_t)(((weight_of(&of->row, of->most, of->scores->by, k) << 30) + of->sum / 2) / of->sum);
}

void nibble_fixed_decode_ssd(const nibble_fixed_ssd* head, const void* offsets, const void* scores,
                             nibble_fixed_objects* objects) {
  const int32_t x = head->y_first ? 1 : 0, y = 1 - x;
  const int alone = head->scores.form != NIBBLE_NORMALISED;
  for (int32_t i = 0; i < head->count; ++i) {
    const int32_t* anchor = head->anchors + 4 * i;
    const row_of_integers offset = {head->offsets, offsets, i * head->offset_row, head->offset_step, 4};
    const row_of_integers classes = {head->classes, scores, i * head->class_row, head->class_step, head->class_count};
    const class_scores of = scores_of(&head->scores, classes);
    for (int32_t c = 0; c < head->class_count; ++c) {
      int64_t moved[2];
      int32_t score;
      if (c == head->background || (alone && integer_of(&classes, c) < head->scores.least)) continue;
      score = class_score(&of, c);
      if (!alone && score < head->scores.threshold) continue;
      for (int32_t k = 0; k < 2; ++k) {
        const int64_t by = nibble_times(integer_of(&offset, k == 0 ? x : y), head->centre);
        const int64_t most = (int64_t)1 << 32;
        moved[k] = anchor[k] + (((by < -most ? -most : by > most ? most : by) * anchor[2 + k]) >> 24);
      }
      keep_around(objects, moved[0], moved[1], grown(anchor[2], nibble_times(integer_of(&offset, 2 + x), head->size)),
                  grown(anchor[3], nibble_times(integer_of(&offset, 2 + y), head->size)), score,
                  head->background >= 0 && c > head->background ? c - 1 : c);
    }
  }
}

/* How far a side lies. */
static int64_t distance_to(const nibble_fixed_yolo* head, row_of_integers bins) {
  int64_t most, all, mean = 0;
  if (head->bins <= 1) return nibble_times(integer_of(&bins, 0), head->places);
  most = largest_of(&bins);
  all = weight_of_all(&bins, most, head->octaves);
  for (int32_t b = 1; b < bins.count; ++b) mean += b * weight_of(&bins, most, head->octaves, b);
  return (((mean << 20) / all) * head->stride) >> 20;
}

/* The t-th number of the box at the place that `cell` begins. */
static int64_t number_of(const nibble_fixed_yolo* head, const row_of_integers* cell, int32_t t, nibble_factor by) {
  return nibble_times(nibble_integer(head->lie, cell->data, cell->first + t * head->plane), by);
}

static void keep_cell_v8(const nibble_fixed_yolo* head, const row_of_integers* cell, int32_t row, int32_t column,
                         int32_t score, int32_t c, nibble_fixed_objects* objects) {
  const int64_t x = (int64_t)head->stride * column + head->stride / 2,
                y = (int64_t)head->stride * row + head->stride / 2;
  int64_t far[4];
  nibble_fixed_object object;
  for (int32_t side = 0; side < 4; ++side) {
    row_of_integers bins = *cell;
    bins.first += side * head->bins * head->plane;
    bins.count = head->bins;
    far[side] = distance_to(head, bins);
  }
  object.left = held(x - far[0]);
  object.top = held(y - far[1]);
  object.right = held(x + far[2]);
  object.bottom = held(y + far[3]);
  object.score = score;
  object.class_index = c;
  keep(objects, &object);
}

static void keep_cell(const nibble_fixed_yolo* head, const row_of_integers* cell, int32_t row, int32_t column,
                      int32_t anchor, int32_t score, int32_t c, nibble_fixed_objects* objects) {
  const int64_t s = head->stride;
  int64_t centre[2], size[2];
  if (head->form == NIBBLE_YOLO_V8) {
    keep_cell_v8(head, cell, row, column, score, c, objects);
    return;
  }
  for (int32_t k = 0; k < 2; ++k) {
    const int64_t start = s * (k == 0 ? column : row), of = head->sizes ? head->sizes[2 * anchor + k] : s;
    if (head->form == NIBBLE_YOLO_X) {
      centre[k] = start + number_of(head, cell, k, head->places);
    } else {
      const int64_t within = s * logistic_of(number_of(head, cell, k, head->octaves));
      centre[k] = start + (head->form == NIBBLE_YOLO_V3 ? within >> 30 : (within >> 29) - s / 2);
    }
    size[k] = number_of(head, cell, 2 + k, head->octaves);
    if (head->form == NIBBLE_YOLO_V5) {
      const int64_t l = logistic_of(size[k]);
      size[k] = (4 * of * ((l * l) >> 30)) >> 30;
    } else {
      size[k] = grown(of, size[k]);
    }
  }
  keep_around(objects, centre[0], centre[1], size[0], size[1], score, c);
}

/* Of one place: the objects of each class. */
static void decode_place(const nibble_fixed_yolo* head, const row_of_integers* cell, int32_t row, int32_t column,
                         int32_t anchor, nibble_fixed_objects* objects) {
  const int v8 = head->form == NIBBLE_YOLO_V8, alone = v8 && head->scores.form != NIBBLE_NORMALISED;
  int32_t object = (int32_t)1 << 30;
  row_of_integers classes = *cell;
  class_scores of;
  if (!v8) {
    const int64_t level = nibble_integer(head->lie, cell->data, cell->first + 4 * head->plane);
    if (level < head->scores.least) return;
    object = score_alone(&head->scores, level);
  }
  if (head->classes == 0) {
    keep_cell(head, cell, row, column, anchor, object, 0, objects);
    return;
  }
  classes.first += (v8 ? 4 * head->bins : 5) * head->plane;
  classes.count = head->classes;
  of = scores_of(&head->scores, classes);
  for (int32_t c = 0; c < head->classes; ++c) {
    int32_t score;
    if (alone && integer_of(&classes, c) < head->scores.least) continue;
    score = (int32_t)(((int64_t)object * class_score(&of, c) + (1 << 29)) >> 30);
    if (alone || score >= head->scores.threshold) keep_cell(head, cell, row, column, anchor, score, c, objects);
  }
}

void nibble_fixed_decode_yolo(const nibble_fixed_yolo* head, const void* data, nibble_fixed_objects* objects) {
  const int32_t before = head->form == NIBBLE_YOLO_V8 ? 4 * head->bins : 5,
                anchors = head->anchors > 0 ? head->anchors : 1;
  for (int32_t a = 0; a < anchors; ++a)
    for (int32_t row = 0; row < head->rows; ++row)
      for (int32_t column = 0; column < head->columns; ++column) {
        const int64_t at =
            (int64_t)a * (before + head->classes) * head->plane + row * head->row + column * head->column;
        const row_of_integers cell = {head->lie, data, at, head->plane, before};
        decode_place(head, &cell, row, column, a, objects);
      }
}

/* Whether common / all > overlap / 2^31; common <= all <= 2^63. */
static int is_above(uint64_t common, uint64_t all, uint64_t overlap) {
  const uint64_t low = (all & 0xffffffff) * overlap, high = (all >> 32) * overlap + (low >> 32);
  const uint64_t common_high = common >> 1, common_low = (common & 1) << 31;
  return common_high != high ? common_high > high : common_low > (low & 0xffffffff);
}

static uint64_t area_of(int64_t width, int64_t height) {
  return width > 0 && height > 0 ? (uint64_t)width * (uint64_t)height : 0;
}

static int overlap_more(const nibble_fixed_object* a, const nibble_fixed_object* b, int64_t overlap) {
  const int32_t left = a->left > b->left ? a->left : b->left, right = a->right < b->right ? a->right : b->right;
  const int32_t top = a->top > b->top ? a->top : b->top, bottom = a->bottom < b->bottom ? a->bottom : b->bottom;
  const uint64_t common = area_of((int64_t)right - left, (int64_t)bottom - top);
  const uint64_t first = area_of((int64_t)a->right - a->left, (int64_t)a->bottom - a->top);
  return is_above(common, first + area_of((int64_t)b->right - b->left, (int64_t)b->bottom - b->top) - common,
                  (uint64_t)overlap);
}

void nibble_fixed_suppress(nibble_fixed_objects* objects, int64_t overlap, int32_t across, int32_t most) {
  int32_t kept = 0;
  for (int32_t i = 0; i < objects->count && kept < most; ++i) {
    const nibble_fixed_object candidate = objects->found[i];
    int stays = 1;
    for (int32_t k = 0; k < kept && stays; ++k)
      stays = (!across && objects->found[k].class_index != candidate.class_index) ||
              !overlap_more(&objects->found[k], &candidate, overlap);
    if (stays) objects->found[kept++] = candidate;
  }
  objects->count = kept;
}
