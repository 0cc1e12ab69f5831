#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernels/packed/packed.h"
#include "runtime/loaded.h"

/* Every step is checked by what its kernel may touch, from its parameters alone: a file decides nothing that is not
 * checked here. Extents are at most 2^31, offsets at most 2^40. */

typedef struct checker {
  const nibble_program* program;
  const nibble_loaded_step* step;
  const char* wrong; /* the first thing that is */
  int64_t scratch;   /* what the steps so far ask for */
} checker;

static const int64_t far = (int64_t)1 << 40;

static void refuse(checker* c, const char* wrong) {
  if (c->wrong == NULL) c->wrong = wrong;
}

static void require(checker* c, int holds, const char* wrong) {
  if (!holds) refuse(c, wrong);
}

static int is_type(int32_t type) {
  return type >= NIBBLE_I8 && type <= NIBBLE_F64;
}

static int is_integer(int32_t type) {
  return type >= NIBBLE_I8 && type <= NIBBLE_I64;
}

/* The elements that a walk over extents with strides touches, from *low to *high. */
typedef struct reach {
  int64_t low, high;
  int64_t count; /* of the walk's steps */
  int empty;
} reach;

static reach nowhere(void) {
  const reach r = {0, 0, 1, 0};
  return r;
}

static void walk(checker* c, reach* r, int64_t extent, int64_t stride) {
  if (extent < 0 || extent > INT32_MAX || stride > far || stride < -far) {
    refuse(c, "an extent or stride beyond what a tensor has");
    return;
  }
  if (extent == 0) {
    r->empty = 1;
    return;
  }
  if (r->count > far / extent) {
    refuse(c, "more elements than a tensor has");
    return;
  }
  r->count *= extent;
  {
    /* Both are at most 2^40 and 2^31: the product may leave 64 bits. */
    int64_t by = 0;
    if (extent > 1 && (stride > far / (extent - 1) || stride < -far / (extent - 1))) {
      refuse(c, "an offset beyond what a tensor has");
      return;
    }
    by = (extent - 1) * stride;
    if (by > 0)
      r->high += by;
    else
      r->low += by;
    if (r->high > far || r->low < -far) refuse(c, "an offset beyond what a tensor has");
  }
}

/* As many elements as are reached, each its own: a step's work is bounded by the memory that there is. */
static void check_distinct(checker* c, int64_t place, int32_t type, reach r) {
  const int64_t size = place >= 0 && place % 2 != 0 ? c->program->constant_bytes : c->program->arena;
  require(c, r.empty || r.count <= size * 8 / nibble_bits_of(type), "more elements than there is memory");
}

/* What a reduction reads may be packed; values that are no step's operand stand with the step that made them. */
static int reads_packed(const nibble_loaded_step* step, int64_t place) {
  return step->kind == NIBBLE_KIND_REDUCE && place == step->in[0];
}

/* Operand `place` holds what is reached, in elements of `type`; packed ones are those of steps that say so. */
static void check_place(checker* c, int64_t place, int writes, int32_t type, reach r) {
  const int constant = place >= 0 && place % 2 != 0;
  const int64_t size = constant ? c->program->constant_bytes : c->program->arena;
  const int packed = nibble_is_packed(type) && c->step != NULL && (c->step->rows > 0 || reads_packed(c->step, place));
  const int64_t begin = place / 2, unit = packed ? 4 : nibble_size_of(type);
  const int64_t low = packed ? r.low : r.low * unit;
  const int64_t end = packed ? nibble_bytes_to(type, r.high) + unit : (r.high + 1) * unit;
  require(c, is_type(type) || packed, "an element type that is none");
  require(c, !packed || r.low == 0 || r.empty, "packed elements before the first");
  require(c, place >= 0, "an operand that is not there");
  require(c, !(writes && constant), "a constant that is written");
  if (c->wrong != NULL || r.empty) return;
  require(c, begin % unit == 0, "an operand that is not aligned");
  require(c, begin <= size && begin + low >= 0 && begin + end <= size - NIBBLE_SLACK,
          "an operand beyond the memory that there is");
  if (writes) check_distinct(c, place, type, r);
}

static int64_t in_place(const checker* c, int operand) {
  return operand < c->step->operands ? c->step->in[operand] : -1;
}

/* A constant of `bytes` bytes. */
static void check_constant(checker* c, const void* field, int64_t bytes) {
  const int64_t at = (int64_t)((const uint8_t*)field - c->program->constants);
  if (c->wrong != NULL) return;
  require(c, field != NULL, "a constant that is not there");
  if (c->wrong != NULL) return;
  require(c,
          bytes >= 0 && bytes <= c->program->constant_bytes && at + bytes + NIBBLE_SLACK <= c->program->constant_bytes,
          "a constant beyond the constants");
}

static void check_shifts(checker* c, const uint8_t* d, int64_t count, int64_t most) {
  for (int64_t i = 0; i < count && c->wrong == NULL; ++i)
    require(c, d[i] <= most, "a shift of more bits than there are");
}

static void check_stage(checker* c, const nibble_stage* s, int64_t channels) {
  const int64_t n = s->channels > 1 ? s->channels : 1, padded = (n + 15) / 16 * 16;
  require(c, s->channels >= 0 && (s->channels <= 1 || s->channels >= channels), "a stage of too few channels");
  require(c, s->low <= s->high || s->form == NIBBLE_STAGE_THRESHOLDS || s->form == NIBBLE_STAGE_TABLE,
          "a clip without levels");
  if (c->wrong != NULL) return;
  switch (s->form) {
    case NIBBLE_STAGE_NONE: break;
    case NIBBLE_STAGE_PRODUCT:
    case NIBBLE_STAGE_PRODUCT32:
      check_constant(c, s->a, padded * (s->form == NIBBLE_STAGE_PRODUCT ? 8 : 4));
      check_constant(c, s->b, padded * 8);
      check_constant(c, s->d, padded);
      if (c->wrong == NULL) check_shifts(c, s->d, n, 127);
      break;
    case NIBBLE_STAGE_FLOAT:
      check_constant(c, s->a, padded * 4);
      check_constant(c, s->b, padded * 4);
      break;
    case NIBBLE_STAGE_DIVIDE:
      check_constant(c, s->a, padded * 8);
      check_constant(c, s->b, padded * 8);
      check_constant(c, s->d, padded * 8);
      for (int64_t i = 0; i < n && c->wrong == NULL; ++i)
        require(c, ((const int64_t*)s->d)[i] > 0, "a divisor that is not positive");
      break;
    case NIBBLE_STAGE_THRESHOLDS:
      require(c, s->steps >= 0, "thresholds of no number");
      check_constant(c, s->a, padded * s->steps * 8);
      if (s->d != NULL) check_constant(c, s->d, padded);
      break;
    case NIBBLE_STAGE_TABLE:
    case NIBBLE_STAGE_INTERPOLATED:
      require(c, s->steps >= 0 && s->shift >= 0 && s->shift < 62 && s->fraction >= 0 && s->shift + s->fraction < 63,
              "a table of no number");
      check_constant(c, s->a, (int64_t)s->steps * 8);
      break;
    default: refuse(c, "a stage of a form that this version does not know");
  }
}

static int64_t padded_columns(const nibble_conv* p) {
  const int64_t per_group = p->in_channels / p->groups;
  if (p->groups > 1) return ((int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2] + 3) / 4 * 4;
  return (int64_t)p->kernel[0] * p->kernel[1] * ((p->kernel[2] * per_group + 3) / 4 * 4);
}

/* Extents, windows and strides that convolutions and pools have in common. */
static void check_windows(checker* c, const int32_t* in, const int32_t* out, const int32_t* kernel,
                          const int32_t* stride, const int32_t* pad, const int32_t* dilation) {
  for (int k = 0; k < 3; ++k) {
    require(c, in[k] >= 0 && out[k] >= 0 && kernel[k] >= 0 && kernel[k] <= 1 << 20, "an extent below 0");
    require(c, stride[k] > 0 && dilation[k] > 0 && stride[k] <= 1 << 20 && dilation[k] <= 1 << 20,
            "a step that is not positive");
    require(c, pad[k] >= 0 && pad[k] <= 1 << 20, "a pad below 0");
  }
}

static reach reach_of_positions(checker* c, int64_t batch, const int32_t* extent, const int64_t* strides,
                                int64_t channels) {
  reach r = nowhere();
  walk(c, &r, batch, strides[0]);
  for (int k = 0; k < 3; ++k) walk(c, &r, extent[k], strides[k + 1]);
  walk(c, &r, channels, 1);
  return r;
}

/* What windows are over: every element its own. */
static void check_positions(checker* c, int32_t type, int64_t batch, const int32_t* extent, const int64_t* strides,
                            int64_t channels) {
  const reach r = reach_of_positions(c, batch, extent, strides, channels);
  check_place(c, in_place(c, 0), 0, type, r);
  if (c->wrong == NULL) check_distinct(c, in_place(c, 0), type, r);
}

static void check_count(checker* c, int64_t a, int64_t b) {
  require(c, a >= 0 && b >= 0 && (b == 0 || a <= far / b), "more elements than a tensor has");
}

/* A pool's taps are no constants, which would bound them: not far more than it has elements to meet. */
static void check_taps(checker* c, const nibble_pool* p) {
  int64_t most = 1 << 16, taps = 1;
  for (int k = 0; k < 3 && c->wrong == NULL; ++k) {
    check_count(c, taps, p->kernel[k]);
    if (c->wrong == NULL) taps *= p->kernel[k];
  }
  for (int k = 0; k < 3 && most < far; ++k) most *= p->in[k] > 0 ? p->in[k] : 1;
  require(c, taps <= most, "a window far beyond what it is over");
}

static void check_conv(checker* c, const nibble_conv* p, int transposed) {
  int64_t weights = 0, positions = 0;
  check_windows(c, p->in, p->out, p->kernel, p->stride, p->pad, p->dilation);
  require(c, p->batch >= 0 && p->in_channels > 0 && p->out_channels > 0 && p->groups > 0,
          "a convolution without channels");
  if (c->wrong != NULL) return;
  require(c, p->in_channels % p->groups == 0 && p->out_channels % p->groups == 0,
          "groups that do not divide the channels");
  require(c, p->acc_type == NIBBLE_I32 || p->acc_type == NIBBLE_I64 || p->acc_type == NIBBLE_F64,
          "an accumulator of no type");
  check_count(c, p->kernel[0], p->kernel[1]);
  if (c->wrong != NULL) return;
  weights = (int64_t)p->kernel[0] * p->kernel[1];
  check_count(c, weights, (int64_t)p->kernel[2] * (p->in_channels / p->groups) + 3);
  if (c->wrong != NULL) return;
  weights *= (int64_t)p->kernel[2] * (p->in_channels / p->groups);
  check_count(c, weights, p->out_channels);
  positions = p->batch;
  for (int k = 0; k < 3; ++k) {
    check_count(c, positions, p->out[k]);
    if (c->wrong != NULL) return;
    positions *= p->out[k];
  }
  require(c, positions > 0, "a convolution without positions");
  check_positions(c, p->x_type, p->batch, p->in, p->x_stride, p->in_channels);
  check_place(c, c->step->out, 1, p->y_type, reach_of_positions(c, p->batch, p->out, p->y_stride, p->out_channels));
  require(c, (p->x_type == NIBBLE_F64) == (p->y_type == NIBBLE_F64), "reals where integers are");
  if (p->x_type == NIBBLE_F64)
    require(c, p->w_format == NIBBLE_PLAIN && p->w_type == NIBBLE_F64 && p->acc_type == NIBBLE_F64 && !transposed,
            "reals where integers are");
  /* Kernels count along the residual's strides though there is none. */
  reach_of_positions(c, p->batch, p->out, p->r_stride, p->out_channels);
  if (p->sum_form != 0) {
    require(c, p->sum_form == 1 || p->sum_form == 2, "a sum of a form that this version does not know");
    require(c, p->sum_shift >= 0 && p->sum_shift < 64 && p->sum_low <= p->sum_high && !transposed,
            "a sum that is none");
    check_place(c, in_place(c, 1), 0, p->r_type, reach_of_positions(c, p->batch, p->out, p->r_stride, p->out_channels));
  }
  if (p->w_format == NIBBLE_BLOCKED) {
    const int64_t rows = ((int64_t)p->out_channels + 15) / 16 * 16;
    require(c, p->groups == 1 || (p->groups == p->in_channels && p->groups == p->out_channels),
            "packed weights of groups");
    require(c, p->w_bits == 8 || p->w_bits == 4 || p->w_bits == 2 || p->w_bits == 1, "weights of a width that is none");
    require(c, p->w_low >= INT16_MIN && p->w_low <= INT16_MAX && p->w_step >= INT16_MIN && p->w_step <= INT16_MAX,
            "weights beyond 16 bits");
    require(c, p->zero_point >= INT32_MIN && p->zero_point <= INT32_MAX && p->acc_type == NIBBLE_I32 && !transposed,
            "packed weights for wide sums");
    if (c->wrong != NULL) return;
    check_constant(c, p->weights, rows * padded_columns(p) * p->w_bits / 8);
    check_constant(c, p->bias, rows * 4);
    if (p->pair_saturates != NULL) check_constant(c, p->pair_saturates, rows / 16);
  } else if (p->w_format == NIBBLE_FOLDED) {
    const int depthwise = p->groups > 1 && p->groups == p->in_channels && p->groups == p->out_channels;
    const int64_t taps = (int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2];
    const int64_t rows = depthwise ? taps : p->out_channels;
    const int64_t columns = depthwise ? p->out_channels : weights;
    require(c, p->w_bits == 8 || p->w_bits == 4 || p->w_bits == 2 || p->w_bits == 1, "weights of a width that is none");
    require(c, p->w_low >= INT16_MIN && p->w_low <= INT16_MAX && p->w_step >= INT16_MIN && p->w_step <= INT16_MAX,
            "weights beyond 16 bits");
    require(c, p->zero_point >= INT32_MIN && p->zero_point <= INT32_MAX && p->acc_type == NIBBLE_I32 && !transposed,
            "folded weights for wide sums");
    check_constant(c, p->weights, rows * ((columns * p->w_bits + 7) / 8));
    check_constant(c, p->bias, (int64_t)p->out_channels * 4);
  } else {
    require(c, p->w_format == NIBBLE_PLAIN && is_type(p->w_type),
            "weights of a format that this version does not know");
    if (c->wrong != NULL) return;
    /* [in][kernel][out / groups], or [out][kernel][in / groups]: as many. */
    check_constant(c, p->weights, weights * p->out_channels * nibble_size_of(p->w_type));
    if (p->bias != NULL) check_constant(c, p->bias, p->out_channels * nibble_size_of(p->acc_type));
  }
  check_stage(c, &p->stage, p->out_channels);
}

/* The sums' terms are elements of their own, whatever is repeated along the batch. */
static void check_inner(checker* c, const nibble_matmul* p) {
  reach a = nowhere(), b = nowhere();
  walk(c, &a, p->rows, p->a_stride[3]);
  walk(c, &a, p->inner, p->a_stride[4]);
  walk(c, &b, p->inner, p->b_stride[3]);
  walk(c, &b, p->columns, p->b_stride[4]);
  if (c->wrong != NULL) return;
  check_distinct(c, in_place(c, 0), p->a_type, a);
  check_distinct(c, in_place(c, 1), p->b_type, b);
}

static void check_matmul(checker* c, const nibble_matmul* p) {
  reach a = nowhere(), b = nowhere(), y = nowhere();
  int64_t count = 1;
  for (int k = 0; k < 3; ++k) {
    walk(c, &a, p->batch[k], p->a_stride[k]);
    walk(c, &b, p->batch[k], p->b_stride[k]);
    walk(c, &y, p->batch[k], p->y_stride[k]);
    check_count(c, count, p->batch[k]);
    if (c->wrong != NULL) return;
    count *= p->batch[k];
  }
  check_count(c, count, p->rows);
  walk(c, &a, p->rows, p->a_stride[3]);
  walk(c, &a, p->inner, p->a_stride[4]);
  walk(c, &b, p->inner, p->b_stride[3]);
  walk(c, &b, p->columns, p->b_stride[4]);
  walk(c, &y, p->rows, p->y_stride[3]);
  walk(c, &y, p->columns, p->y_stride[4]);
  check_place(c, in_place(c, 0), 0, p->a_type, a);
  check_place(c, in_place(c, 1), 0, p->b_type, b);
  require(
      c,
      (p->a_type == NIBBLE_F64) == (p->b_type == NIBBLE_F64) && (p->a_type == NIBBLE_F64) == (p->y_type == NIBBLE_F64),
      "reals where integers are");
  check_inner(c, p);
  check_place(c, c->step->out, 1, p->y_type, y);
  check_stage(c, &p->stage, p->columns);
}

static void check_pool(checker* c, const nibble_pool* p) {
  int64_t positions = p->batch;
  check_windows(c, p->in, p->out, p->kernel, p->stride, p->pad, p->dilation);
  require(c, p->batch >= 0 && p->channels >= 0 && p->op >= 0 && p->op <= 1, "a pool that is none");
  for (int k = 0; k < 3 && c->wrong == NULL; ++k) {
    check_count(c, positions, p->out[k]);
    if (c->wrong == NULL) positions *= p->out[k];
  }
  check_positions(c, p->x_type, p->batch, p->in, p->x_stride, p->channels);
  require(c, (p->x_type == NIBBLE_F64) == (p->y_type == NIBBLE_F64), "reals where integers are");
  check_taps(c, p);
  check_place(c, c->step->out, 1, p->y_type, reach_of_positions(c, p->batch, p->out, p->y_stride, p->channels));
  check_stage(c, &p->stage, p->channels);
}

/* ---- packed operands -------------------------------------------------------------------------------------------- */

/* Rows of `columns` positions of so many channels, each a number of whole words and beginning one. */
static void check_rows(checker* c, int64_t place, int writes, int32_t type, int64_t rows, int64_t columns,
                       int64_t channels, const int64_t* strides) {
  reach r = nowhere();
  if (c->wrong != NULL || !nibble_is_packed(type)) return;
  require(c, strides[2] > 0 && strides[2] % nibble_per_word(type) == 0, "packed rows that begin within a word");
  require(c, columns > 0 && (columns == 1 || strides[3] >= 0), "packed elements before the first");
  if (c->wrong != NULL) return;
  require(c, columns == 1 || strides[3] <= strides[2] / (columns - 1), "packed rows that meet");
  if (c->wrong != NULL) return;
  require(c, (columns == 1 ? 0 : (columns - 1) * strides[3]) + channels <= strides[2], "packed rows that meet");
  walk(c, &r, rows, strides[2]);
  walk(c, &r, strides[2], 1);
  check_place(c, place, writes, type, r);
}

static void check_heights(checker* c, const int32_t* in, const int32_t* out, const int32_t* kernel,
                          const int32_t* stride, const int32_t* pad, int32_t batch) {
  require(c, batch == 1 && in[0] == 1 && out[0] == 1 && kernel[0] == 1 && pad[0] == 0,
          "packed operands of more than one image");
  require(c, out[1] > 0 && out[1] <= NIBBLE_MOST_ROWS && kernel[1] > 0, "packed operands without rows");
  require(c, ((int64_t)out[1] - 1) * stride[1] - pad[1] < in[1], "a window beyond packed rows");
}

/* A step with packed operands, whose strides and places are checked as any; sets where in scratch its tiles stand. */
static void check_packed(checker* c, nibble_loaded_step* step) {
  int64_t own = 0;
  require(c, step->rows > 0 && step->rows <= NIBBLE_MOST_ROWS, "packed operands in no part");
  if (step->kind == NIBBLE_KIND_CONV) {
    const nibble_conv* p = step->parameters;
    check_heights(c, p->in, p->out, p->kernel, p->stride, p->pad, p->batch);
    check_rows(c, in_place(c, 0), 0, p->x_type, p->in[1], p->in[2], p->in_channels, p->x_stride);
    check_rows(c, step->out, 1, p->y_type, p->out[1], p->out[2], p->out_channels, p->y_stride);
    if (p->sum_form != 0)
      check_rows(c, in_place(c, 1), 0, p->r_type, p->out[1], p->out[2], p->out_channels, p->r_stride);
  } else {
    const nibble_pool* p = step->parameters;
    check_heights(c, p->in, p->out, p->kernel, p->stride, p->pad, p->batch);
    check_rows(c, in_place(c, 0), 0, p->x_type, p->in[1], p->in[2], p->channels, p->x_stride);
    check_rows(c, step->out, 1, p->y_type, p->out[1], p->out[2], p->channels, p->y_stride);
  }
  for (int32_t first = 0; c->wrong == NULL && first < nibble_rows(step->kind, step->parameters); first += step->rows) {
    const int32_t rest = nibble_rows(step->kind, step->parameters) - first;
    nibble_part_step part;
    nibble_part_of(step->kind, step->parameters, first, rest < step->rows ? rest : step->rows, &part);
    if (nibble_scratch(step->kind, &part) > own) own = nibble_scratch(step->kind, &part);
  }
  if (c->wrong != NULL) return;
  step->tiles = (own + 63) / 64 * 64;
  own = step->tiles + nibble_tiles_bytes(step->kind, step->parameters, step->rows);
  if (own > c->scratch) c->scratch = own;
}

static reach reach_of(checker* c, int32_t rank, const int32_t* extent, const int64_t* strides) {
  reach r = nowhere();
  require(c, rank >= 0 && rank <= NIBBLE_MAX_RANK, "more axes than a step has");
  if (c->wrong != NULL) return r;
  for (int32_t k = 0; k < rank; ++k) walk(c, &r, extent[k], strides[k]);
  return r;
}

static void check_elements(checker* c, int32_t rank, const int32_t* extent) {
  int64_t count = 1;
  require(c, rank >= 0 && rank <= NIBBLE_MAX_RANK, "more axes than a step has");
  for (int32_t k = 0; k < rank && c->wrong == NULL; ++k) {
    check_count(c, count, extent[k]);
    if (c->wrong == NULL) count *= extent[k];
  }
}

static int64_t channels_along(checker* c, int32_t axis, int32_t rank, const int32_t* extent) {
  require(c, axis >= -1 && axis < rank, "a channel axis that is none");
  return c->wrong != NULL || axis < 0 ? 1 : extent[axis];
}

static int operands_of(int32_t op) {
  switch (op) {
    case NIBBLE_WHERE:
    case NIBBLE_I_NO_NORM: return 3;
    case NIBBLE_COPY:
    case NIBBLE_RELU:
    case NIBBLE_NEG:
    case NIBBLE_ABS:
    case NIBBLE_I_GELU:
    case NIBBLE_I_HARD_SWISH: return 1;
    default: return 2;
  }
}

static int is_shift(int64_t s) {
  return s >= 0 && s < 64;
}

static void check_pointwise(checker* c, const nibble_pointwise* p) {
  const int operands = operands_of(p->op);
  require(c, p->op >= 0 && p->op <= NIBBLE_FLOAT_SUM, "a function that this version does not know");
  require(c, c->step->operands == operands, "another number of operands than the function has");
  check_elements(c, p->rank, p->extent);
  for (int i = 0; i < operands; ++i) {
    require(c, is_integer(p->x_type[i]), "reals where integers are read");
    check_place(c, in_place(c, i), 0, p->x_type[i], reach_of(c, p->rank, p->extent, p->x_stride + i * NIBBLE_MAX_RANK));
  }
  require(c, is_integer(p->y_type), "reals where integers are written");
  check_place(c, c->step->out, 1, p->y_type, reach_of(c, p->rank, p->extent, p->y_stride));
  check_stage(c, &p->stage, channels_along(c, p->channel_axis, p->rank, p->extent));
  if (p->op == NIBBLE_WEIGHTED)
    require(c, is_shift(p->s[2]) && is_shift(p->s[5]), "a shift of more bits than there are");
  if (p->op == NIBBLE_ROUNDED_DIVISION)
    require(c, is_shift(p->s[3]) && p->s[6] <= p->s[7] && p->s[5] >= INT32_MIN && p->s[5] <= INT32_MAX,
            "a division that is none");
  if (p->op == NIBBLE_I_NO_NORM) require(c, is_shift(p->s[1]), "a shift of more bits than there are");
}

static void check_move(checker* c, const nibble_move* p) {
  reach x = nowhere();
  check_elements(c, p->rank, p->extent);
  if (c->wrong != NULL) return;
  for (int32_t k = 0; k < p->rank; ++k) {
    if (p->listed >> k & 1) {
      int64_t most = 0;
      require(c, p->first[k] >= 0, "a list before its beginning");
      check_constant(c, p->offsets, ((int64_t)p->first[k] + p->extent[k]) * 8);
      for (int32_t i = 0; i < p->extent[k] && c->wrong == NULL; ++i) {
        const int64_t offset = ((const int64_t*)p->offsets)[p->first[k] + i];
        require(c, offset >= -1 && offset <= far, "an offset beyond what a tensor has");
        if (offset > most) most = offset;
      }
      x.high += most;
      if (x.high > far) refuse(c, "an offset beyond what a tensor has");
      if (p->extent[k] == 0) x.empty = 1;
    } else {
      walk(c, &x, p->extent[k], p->x_stride[k]);
    }
  }
  require(c, (p->x_type == NIBBLE_F64) == (p->y_type == NIBBLE_F64), "reals moved to integers");
  check_place(c, in_place(c, 0), 0, p->x_type, x);
  check_place(c, c->step->out, 1, p->y_type, reach_of(c, p->rank, p->extent, p->y_stride));
}

static void check_gather(checker* c, const nibble_gather* p) {
  const int32_t x[3] = {p->outer, p->extent, p->inner}, y[3] = {p->outer, p->indices, p->inner};
  const int32_t indices[1] = {p->indices};
  const int64_t one[1] = {1};
  check_elements(c, 3, x);
  check_elements(c, 3, y);
  check_place(c, in_place(c, 0), 0, p->x_type, reach_of(c, 3, x, p->x_stride));
  check_place(c, in_place(c, 1), 0, p->index_type, reach_of(c, 1, indices, one));
  check_place(c, c->step->out, 1, p->y_type, reach_of(c, 3, y, p->y_stride));
  require(c, (p->x_type == NIBBLE_F64) == (p->y_type == NIBBLE_F64), "reals moved to integers");
}

static void check_reduce(checker* c, const nibble_reduce* p) {
  reach x = reach_of(c, p->rank, p->extent, p->x_stride);
  const reach over = reach_of(c, p->reduced_rank, p->reduced, p->reduced_stride);
  check_elements(c, p->rank, p->extent);
  check_elements(c, p->reduced_rank, p->reduced);
  require(c, p->op >= 0 && p->op <= 3, "a reduction that this version does not know");
  x.low += over.low;
  x.high += over.high;
  x.empty = x.empty || over.empty;
  require(c, p->x_type != NIBBLE_F64 || (p->op < 2) == (p->y_type == NIBBLE_F64), "reals where integers are");
  require(c, p->x_type == NIBBLE_F64 || p->y_type != NIBBLE_F64, "reals where integers are");
  check_place(c, in_place(c, 0), 0, p->x_type, x);
  if (c->wrong == NULL) check_distinct(c, in_place(c, 0), p->x_type, over);
  check_place(c, c->step->out, 1, p->y_type, reach_of(c, p->rank, p->extent, p->y_stride));
  check_stage(c, &p->stage, channels_along(c, p->channel_axis, p->rank, p->extent));
}

/* Shifts that are shifts, divisors that are not 0. */
static int is_sound_row(const nibble_row* p) {
  const int64_t* s = p->s;
  switch (p->op) {
    case NIBBLE_TABLE_SOFTMAX: return is_shift(s[1]) && s[4] <= s[5];
    case NIBBLE_NORMALISATION:
      return s[3] >= 0 && s[3] < 31 && s[4] >= 0 && s[4] < 63 && is_shift(s[5]) && s[6] <= s[7];
    case NIBBLE_I_SOFTMAX: return s[3] > 0;
    case NIBBLE_ITA_PARTIAL_MAX: return s[1] > 0 && p->width % s[1] == 0;
    case NIBBLE_I_LAYER_NORM:
    case NIBBLE_I_RMS_NORM: return is_shift(s[0]);
    default: return 1;
  }
}

static void check_row(checker* c, const nibble_row* p) {
  reach x = reach_of(c, p->rank, p->extent, p->x_stride), y = reach_of(c, p->rank, p->extent, p->y_stride);
  const int operands = p->op == NIBBLE_NORMALISATION || p->op == NIBBLE_I_LAYER_NORM ? 2
                       : p->op == NIBBLE_I_RMS_NORM                                  ? 1
                                                                                     : 0;
  check_elements(c, p->rank, p->extent);
  walk(c, &x, p->width, p->x_step);
  walk(c, &y, p->width, p->y_step);
  check_place(c, in_place(c, 0), 0, p->x_type, x);
  check_place(c, c->step->out, 1, p->y_type, y);
  for (int i = 0; i < operands; ++i) {
    reach r = nowhere();
    require(c, p->operand_step[i] == 0 || p->operand_step[i] == 1, "an operand of a row that is none");
    walk(c, &r, p->operand_step[i] == 0 ? 1 : p->width, 1);
    check_place(c, in_place(c, i + 1), 0, p->operand_type[i], r);
  }
  if (c->wrong != NULL) return;
  require(c,
          (p->x_type == NIBBLE_F64) == (p->op >= NIBBLE_REAL_SOFTMAX) &&
              (p->x_type == NIBBLE_F64) == (p->y_type == NIBBLE_F64),
          "reals where integers are");
  require(c, p->op >= 0 && p->op <= NIBBLE_REAL_LOG_SOFTMAX && is_sound_row(p),
          "a function of rows with parameters that it does not take");
  if (p->op == NIBBLE_TABLE_SOFTMAX) {
    require(c, p->steps > 0, "a table of no number");
    check_constant(c, p->table, (int64_t)p->steps * 8);
  }
}

static int operands_of_reals(int32_t op) {
  switch (op) {
    case NIBBLE_REAL_WHERE: return 3;
    case NIBBLE_REAL_ADD:
    case NIBBLE_REAL_SUB:
    case NIBBLE_REAL_MUL:
    case NIBBLE_REAL_DIV:
    case NIBBLE_REAL_MIN:
    case NIBBLE_REAL_MAX:
    case NIBBLE_REAL_POW:
    case NIBBLE_REAL_PRELU: return 2;
    default: return 1;
  }
}

static void check_real(checker* c, const nibble_real* p) {
  const int operands = operands_of_reals(p->op);
  require(c, p->op >= 0 && p->op <= NIBBLE_REAL_PRELU, "a function that this version does not know");
  require(c, c->step->operands == operands, "another number of operands than the function has");
  check_elements(c, p->rank, p->extent);
  for (int i = 0; i < operands; ++i)
    check_place(c, in_place(c, i), 0, p->x_type[i], reach_of(c, p->rank, p->extent, p->x_stride + i * NIBBLE_MAX_RANK));
  check_place(c, c->step->out, 1, NIBBLE_F64, reach_of(c, p->rank, p->extent, p->y_stride));
  if (p->op == 0) {
    require(
        c,
        p->channels >= 1 && (p->channels == 1 || p->channels >= channels_along(c, p->channel_axis, p->rank, p->extent)),
        "scales of too few channels");
    check_constant(c, p->a, (int64_t)p->channels * 8);
  }
}

/* Also those that the kernel does not ask for begin in the memory that there is. */
static void check_operands(checker* c) {
  for (int i = 0; i < c->step->operands; ++i) {
    const int64_t place = c->step->in[i];
    require(c, place >= -1 && place / 2 <= (place % 2 != 0 ? c->program->constant_bytes : c->program->arena),
            "an operand beyond the memory that there is");
  }
}

static void check_step(checker* c, nibble_loaded_step* step) {
  const void* p = c->step->parameters;
  check_operands(c);
  require(c, step->rows == 0 || nibble_has_packed(step->kind, p), "parts of a step without packed operands");
  switch (c->step->kind) {
    case NIBBLE_KIND_CONV: check_conv(c, p, 0); break;
    case NIBBLE_KIND_CONV_TRANSPOSE: check_conv(c, p, 1); break;
    case NIBBLE_KIND_MATMUL: check_matmul(c, p); break;
    case NIBBLE_KIND_POOL: check_pool(c, p); break;
    case NIBBLE_KIND_POINTWISE: check_pointwise(c, p); break;
    case NIBBLE_KIND_MOVE: check_move(c, p); break;
    case NIBBLE_KIND_GATHER: check_gather(c, p); break;
    case NIBBLE_KIND_REDUCE: check_reduce(c, p); break;
    case NIBBLE_KIND_ROW: check_row(c, p); break;
    case NIBBLE_KIND_REAL: check_real(c, p); break;
    default: refuse(c, "a step of a kind that this version does not know");
  }
  /* An item writes an element at least. */
  if (c->wrong == NULL)
    require(c, nibble_items(c->step->kind, p) <= c->program->arena, "more work than there is memory for its results");
  if (c->wrong == NULL && step->rows > 0)
    check_packed(c, step);
  else if (c->wrong == NULL && nibble_scratch(c->step->kind, p) > c->scratch)
    c->scratch = nibble_scratch(c->step->kind, p);
}

static void check_value(checker* c, const nibble_value* value) {
  reach r = nowhere();
  int64_t count = 1;
  require(c, value->rank >= 0 && value->rank <= 32, "a tensor of too many axes");
  for (int k = 0; k < value->rank && c->wrong == NULL; ++k) {
    walk(c, &r, value->extents[k], value->strides[k]);
    check_count(c, count, value->extents[k]);
    if (c->wrong == NULL) count *= value->extents[k];
  }
  require(c, value->offset >= 0 && value->offset <= far, "a tensor beyond the memory that there is");
  if (c->wrong != NULL) return;
  check_place(c, 2 * value->offset + value->constant, 0, value->type, r);
  if (c->wrong == NULL) check_distinct(c, 2 * value->offset + value->constant, value->type, r);
}

static int is_near(int64_t level) {
  return level >= -((int64_t)1 << 50) && level <= (int64_t)1 << 50;
}

static void check_ports(checker* c, const nibble_loaded_port* ports, size_t count, int writes) {
  for (size_t i = 0; i < count && c->wrong == NULL; ++i) {
    const nibble_loaded_port* port = &ports[i];
    check_value(c, &port->value);
    require(c, !(writes && port->value.constant), "an input among the constants");
    require(c, port->axis >= -1 && port->axis < port->value.rank, "a scale's axis that is none");
    require(c, port->rounding >= 0 && port->rounding <= 2, "a rounding that is none");
    require(c, port->low <= port->high, "an input without levels");
    require(c, !writes || port->scales == 0 || (is_near(port->low) && is_near(port->high) && is_near(port->zero_point)),
            "an input of reals with levels beyond 2^50");
    if (c->wrong == NULL && port->axis >= 0 && port->scales > 0)
      require(c, (int64_t)port->scales >= port->value.extents[port->axis], "scales of too few channels");
    for (size_t s = 0; s < port->scales && c->wrong == NULL; ++s)
      require(c, port->scale[s] > 0 && port->scale[s] < 1e300, "a scale that is not positive");
  }
}

nibble_status nibble_verify(nibble_program* program, char* message, size_t size) {
  checker c = {program, NULL, NULL, 0};
  const char *kind = "the program", *name = "";
  require(&c, program->arena >= NIBBLE_SLACK && program->arena <= far, "an arena that is none");
  check_ports(&c, program->inputs, program->input_count, 1);
  check_ports(&c, program->outputs, program->output_count, 0);
  for (size_t i = 0; i < program->step_count && c.wrong == NULL; ++i) {
    c.step = &program->steps[i];
    kind = "step";
    name = c.step->name;
    check_step(&c, &program->steps[i]);
    for (size_t v = 0; v < c.step->value_count && c.wrong == NULL; ++v) check_value(&c, &c.step->values[v]);
  }
  program->scratch = c.scratch;
  if (c.wrong == NULL) return NIBBLE_OK;
  if (message != NULL && size > 0) snprintf(message, size, "%s %s: %s", kind, name, c.wrong);
  return NIBBLE_BAD_PROGRAM;
}
