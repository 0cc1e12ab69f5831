#include "processing/image.h"

#include <string.h>

static int32_t rounded_share(int64_t a, int64_t b, int64_t c) { /* a * b / c, half up, at least 1 */
  const int64_t share = (2 * a * b + c) / (2 * c);
  return share < 1 ? 1 : (int32_t)share;
}

static int32_t middle(int32_t whole, int32_t part) {
  const int32_t rest = whole - part;
  return rest >= 0 ? rest / 2 : -((1 - rest) / 2);
}

nibble_placement nibble_place(const nibble_image_input* input, nibble_rectangle part) {
  nibble_placement at = {part, {0, 0, input->width, input->height}};
  /* Whether the input is the wider of the two. */
  const int wider = (int64_t)input->width * part.height > (int64_t)input->height * part.width;
  if (input->fit == NIBBLE_LETTERBOX) {
    if (wider)
      at.to.width = rounded_share(part.width, input->height, part.height);
    else
      at.to.height = rounded_share(part.height, input->width, part.width);
    at.to.left = middle(input->width, at.to.width);
    at.to.top = middle(input->height, at.to.height);
  } else if (input->fit == NIBBLE_COVER) {
    if (wider)
      at.from.height = rounded_share(part.width, input->height, input->width);
    else
      at.from.width = rounded_share(part.height, input->width, input->height);
    at.from.width = rounded_share(at.from.width, input->percent, 100);
    at.from.height = rounded_share(at.from.height, input->percent, 100);
    at.from.left += middle(part.width, at.from.width);
    at.from.top += middle(part.height, at.from.height);
  }
  return at;
}

/* What one place of a result reads along an axis: `count` places from `first` on, whose weights add up to the axis's. */
typedef struct taps {
  int32_t first, count;
} taps;

typedef struct axis {
  int32_t from, to;
  int area;
} axis;

static axis axis_of(nibble_filter filter, int32_t from, int32_t to) {
  const axis a = {from, to, filter == NIBBLE_AREA && from > to};
  return a;
}

static int64_t weights_of(const axis* a) {
  return a->from == a->to ? 1 : a->area ? a->from : 2 * (int64_t)a->to;
}

static int32_t most_taps(const axis* a) {
  return a->area ? a->from / a->to + 2 : 2;
}

static taps taps_at(const axis* a, int32_t at, int32_t* weights) {
  taps t = {at, 1};
  if (a->from == a->to) {
    weights[0] = 1;
  } else if (a->area) { /* in units of 1 / to of a pixel */
    const int64_t low = (int64_t)at * a->from, high = low + a->from;
    t.first = (int32_t)(low / a->to);
    t.count = 0;
    for (int64_t k = t.first; k * a->to < high; ++k) {
      const int64_t begin = k * a->to > low ? k * a->to : low;
      const int64_t end = (k + 1) * a->to < high ? (k + 1) * a->to : high;
      weights[t.count++] = (int32_t)(end - begin);
    }
  } else { /* centre ((2 at + 1) from - to) / (2 to), held within [0, from - 1] */
    const int64_t whole = 2 * (int64_t)a->to, last = whole * (a->from - 1);
    int64_t centre = (2 * (int64_t)at + 1) * a->from - a->to;
    centre = centre < 0 ? 0 : centre > last ? last : centre;
    t.first = (int32_t)(centre / whole);
    weights[1] = (int32_t)(centre % whole);
    weights[0] = (int32_t)(whole - weights[1]);
    t.count = weights[1] != 0 ? 2 : 1;
  }
  return t;
}

/* Of the scratch: one row of the picture with its padding, two rows of sums along x with the row that each holds, one
 * row of sums along both, and the taps along x. */
typedef struct room {
  int32_t *held, *rows[2], *weights, *down;
  taps* across;
  int64_t* sums;
  uint8_t* padded;
} room;

static size_t whole(size_t bytes) {
  return (bytes + 7) / 8 * 8;
}

static size_t divide(room* r, uint8_t* base, const axis* x, const axis* y, int32_t channels) {
  const size_t out = (size_t)x->to * (size_t)channels, misaligned = (size_t)((uintptr_t)base & 7);
  size_t at = misaligned ? 8 - misaligned : 0;
  r->sums = (int64_t*)(void*)(base + at), at += out * sizeof(int64_t);
  r->rows[0] = (int32_t*)(void*)(base + at), at += whole(out * sizeof(int32_t));
  r->rows[1] = (int32_t*)(void*)(base + at), at += whole(out * sizeof(int32_t));
  r->held = (int32_t*)(void*)(base + at), at += whole(2 * sizeof(int32_t));
  r->across = (taps*)(void*)(base + at), at += whole((size_t)x->to * sizeof(taps));
  r->weights = (int32_t*)(void*)(base + at), at += whole((size_t)x->to * (size_t)most_taps(x) * sizeof(int32_t));
  r->down = (int32_t*)(void*)(base + at), at += whole((size_t)most_taps(y) * sizeof(int32_t));
  r->padded = base + at, at += whole((size_t)x->from * (size_t)channels);
  return at;
}

size_t nibble_resize_scratch(const nibble_image_input* input, const nibble_placement* at, int32_t channels) {
  const axis x = axis_of(input->filter, at->from.width, at->to.width);
  const axis y = axis_of(input->filter, at->from.height, at->to.height);
  static uint64_t nowhere;
  room r;
  return divide(&r, (uint8_t*)&nowhere, &x, &y, channels) + 8;
}

/* A row of the part of the picture, padding where it reaches beyond. */
static const uint8_t* part_row(const nibble_image_input* input, const nibble_picture* picture,
                               const nibble_rectangle* from, int32_t row, uint8_t* padded) {
  const int32_t c = picture->channels, y = from->top + row;
  const int32_t left = from->left < 0 ? -from->left : 0;
  const int32_t past = from->left + from->width - picture->width, inside = from->width - (past > 0 ? past : 0);
  const uint8_t* line = picture->pixels + (int64_t)y * picture->width * c;
  if (y >= 0 && y < picture->height && left == 0 && past <= 0) return line + (int64_t)from->left * c;
  for (int32_t i = 0; i < from->width; ++i)
    for (int32_t k = 0; k < c; ++k) padded[i * c + k] = input->pad[k];
  if (y >= 0 && y < picture->height && inside > left)
    memcpy(padded + (size_t)left * (size_t)c, line + (int64_t)(from->left + left) * c,
           (size_t)(inside - left) * (size_t)c);
  return padded;
}

static void sum_across(const room* r, const axis* x, int32_t channels, const uint8_t* line, int32_t* out) {
  const int32_t most = most_taps(x);
  for (int32_t i = 0; i < x->to; ++i) {
    const taps t = r->across[i];
    const int32_t* weights = r->weights + (int64_t)i * most;
    for (int32_t c = 0; c < channels; ++c) {
      const uint8_t* in = line + (int64_t)t.first * channels + c;
      int32_t sum = 0;
      for (int32_t k = 0; k < t.count; ++k) sum += weights[k] * in[(int64_t)k * channels];
      *out++ = sum;
    }
  }
}

/* sum / whole, half up. The quotient by doubles is off by one at most and put right; where there are none in hardware,
 * integers divide: the same pixel. */
#ifdef NIBBLE_INTEGERS_ALONE
static uint8_t mean_of(int64_t sum, int64_t whole_weight, int inverse) {
  (void)inverse;
  return (uint8_t)((2 * sum + whole_weight) / (2 * whole_weight));
}
#else
static uint8_t mean_of(int64_t sum, int64_t whole_weight, double inverse) {
  const int64_t doubled = 2 * sum + whole_weight, by = 2 * whole_weight;
  int64_t q = (int64_t)((double)doubled * inverse);
  if (q * by > doubled) --q;
  if ((q + 1) * by <= doubled) ++q;
  return (uint8_t)q;
}
#endif

void nibble_resize(const nibble_image_input* input, const nibble_placement* at, const nibble_picture* picture,
                   void* scratch, uint8_t* out) {
  const int32_t c = picture->channels;
  const axis x = axis_of(input->filter, at->from.width, at->to.width);
  const axis y = axis_of(input->filter, at->from.height, at->to.height);
  const int64_t weight = weights_of(&x) * weights_of(&y);
#ifdef NIBBLE_INTEGERS_ALONE
  const int inverse = 0;
#else
  const double inverse = 1.0 / (2.0 * (double)weight);
#endif
  const int64_t line = (int64_t)x.to * c;
  room r;
  divide(&r, scratch, &x, &y, c);
  r.held[0] = r.held[1] = -1;
  for (int32_t i = 0; i < x.to; ++i) r.across[i] = taps_at(&x, i, r.weights + (int64_t)i * most_taps(&x));
  for (int64_t i = 0; i < (int64_t)input->height * input->width; ++i)
    for (int32_t k = 0; k < c; ++k) out[i * c + k] = input->pad[k];
  for (int32_t i = 0; i < y.to; ++i) {
    const taps t = taps_at(&y, i, r.down);
    uint8_t* to = out + ((int64_t)(at->to.top + i) * input->width + at->to.left) * c;
    for (int64_t j = 0; j < line; ++j) r.sums[j] = 0;
    for (int32_t k = 0; k < t.count; ++k) {
      const int32_t row = t.first + k;
      int32_t* sums = r.rows[row & 1];
      if (r.held[row & 1] != row) {
        sum_across(&r, &x, c, part_row(input, picture, &at->from, row, r.padded), sums);
        r.held[row & 1] = row;
      }
      for (int64_t j = 0; j < line; ++j) r.sums[j] += (int64_t)r.down[k] * sums[j];
    }
    if (weight == 1)
      for (int64_t j = 0; j < line; ++j) to[j] = (uint8_t)r.sums[j];
    else
      for (int64_t j = 0; j < line; ++j) to[j] = mean_of(r.sums[j], weight, inverse);
  }
}

static void put_level(void* out, int64_t at, int32_t bytes, int32_t level) {
  if (bytes == 1)
    ((uint8_t*)out)[at] = (uint8_t)level;
  else if (bytes == 2)
    ((uint16_t*)out)[at] = (uint16_t)level;
  else
    ((int32_t*)out)[at] = level;
}

void nibble_pixels_to_levels(const uint8_t* pixels, int64_t count, int32_t channels, int32_t planes,
                             const uint8_t order[3], const int32_t* table, int32_t bytes, void* out) {
  if (planes == 1 && channels == 3) {
    for (int64_t i = 0; i < count; ++i) {
      const uint8_t* p = pixels + 3 * i;
      put_level(out, i, bytes, table[(299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000]);
    }
    return;
  }
  for (int32_t c = 0; c < planes; ++c) {
    const uint8_t* from = pixels + (channels == 1 ? 0 : order[c]);
    const int32_t* levels = table + 256 * c;
    for (int64_t i = 0; i < count; ++i) put_level(out, c * count + i, bytes, levels[from[i * channels]]);
  }
}
