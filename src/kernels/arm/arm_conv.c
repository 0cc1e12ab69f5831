#include "kernels/arm/arm.h"

#if defined(__aarch64__)
int nibble_arm_takes_conv(const nibble_conv* p) {
  const int bytes = p->x_type == NIBBLE_I8 || p->x_type == NIBBLE_U8;
  const int64_t low = p->x_type == NIBBLE_U8 ? 0 : -128;
  return p->w_format == NIBBLE_BLOCKED && p->acc_type == NIBBLE_I32 && p->groups == 1 && bytes &&
         p->zero_point >= low && p->zero_point <= low + 255;
}

/* The convolution's geometry, and the output position that is next. */
typedef struct walk {
  const nibble_conv* p;
  const uint8_t* x;
  int64_t segment, padded, segments; /* bytes of a segment, padded to 4; how many */
  int64_t direct_gap;                /* between the segments of a window within x */
  int has_gaps;                      /* a segment's bytes do not lie side by side */
  int always_gathered;               /* no window is read where it lies */
  uint8_t flip, fill;                /* x ^ flip is signed; what stands outside x, flipped */
  int64_t inner_from, inner_to;      /* columns whose window is inside, where its rows are */
  int64_t batch, at[3];
  int row_inside;
  int64_t row_x, row_y, row_r; /* offsets of column 0 */
  int64_t room, pitch, copies; /* bytes of scratch; of copied windows, as many as it holds */
  int strips;                  /* windows are of rectangles of positions, whose inputs are copied where they need be */
} walk;

static int64_t first_inside(int64_t pad, int64_t stride) {
  return (pad + stride - 1) / stride;
}

/* Columns [0, result) end before the input does. */
static int64_t inside_until(const nibble_conv* p, int k) {
  const int64_t room = p->in[k] - 1 - (int64_t)(p->kernel[k] - 1) * p->dilation[k] + p->pad[k];
  return room < 0 ? 0 : room / p->stride[k] + 1;
}

static void enter_row(walk* w) {
  const nibble_conv* p = w->p;
  w->row_inside = 1;
  w->row_x = w->batch * p->x_stride[0] - p->pad[2] * p->x_stride[3];
  w->row_y = w->batch * p->y_stride[0];
  w->row_r = w->batch * p->r_stride[0];
  for (int k = 0; k < 2; ++k) {
    const int64_t start = w->at[k] * p->stride[k] - p->pad[k];
    w->row_inside &= start >= 0 && start + (int64_t)(p->kernel[k] - 1) * p->dilation[k] < p->in[k];
    w->row_x += start * p->x_stride[k + 1];
    w->row_y += w->at[k] * p->y_stride[k + 1];
    w->row_r += w->at[k] * p->r_stride[k + 1];
  }
}

static walk walk_from(const nibble_conv* p, const nibble_call* call, int64_t item) {
  walk w;
  int64_t rest = item;
  w.p = p;
  w.x = call->in[0];
  w.segment = (int64_t)p->kernel[2] * p->in_channels;
  w.padded = (w.segment + 3) / 4 * 4;
  w.segments = (int64_t)p->kernel[0] * p->kernel[1];
  w.direct_gap = (p->kernel[1] > 1 ? p->dilation[1] * p->x_stride[2] : p->dilation[0] * p->x_stride[1]) - w.padded;
  w.flip = p->x_type == NIBBLE_U8 ? 0x80 : 0;
  w.fill = (uint8_t)((uint8_t)p->zero_point ^ w.flip);
  /* Segments of a few bytes are faster in one piece. Those of two axes have no single step between them. */
  w.has_gaps = p->kernel[2] > 1 && (p->dilation[2] > 1 || p->x_stride[3] != p->in_channels);
  w.always_gathered = w.flip || p->w_bits != 8 || (w.segments > 1 && w.segment <= 16) ||
                      (p->kernel[0] > 1 && p->kernel[1] > 1) || w.has_gaps;
  w.strips =
      !w.has_gaps && p->kernel[0] == 1 && p->w_bits == 8 && (w.segments == 1 || w.segment > 16) &&
      p->stride[1] <= p->kernel[1] && p->stride[2] <= p->kernel[2] &&
      (w.flip || p->pad[1] > 0 || p->pad[2] > 0 || inside_until(p, 1) < p->out[1] || inside_until(p, 2) < p->out[2]);
  w.inner_from = first_inside(p->pad[2], p->stride[2]);
  w.inner_to = inside_until(p, 2);
  for (int k = 2; k >= 0; --k) {
    w.at[k] = rest % p->out[k];
    rest /= p->out[k];
  }
  w.batch = rest;
  enter_row(&w);
  return w;
}

static void step_on(walk* w) {
  const nibble_conv* p = w->p;
  if (++w->at[2] < p->out[2]) return;
  w->at[2] = 0;
  if (++w->at[1] == p->out[1]) {
    w->at[1] = 0;
    if (++w->at[0] == p->out[0]) {
      w->at[0] = 0;
      ++w->batch;
    }
  }
  enter_row(w);
}

/* Copies and flips; may write up to 15 bytes beyond. */
static void copy_flipped(uint8_t* to, const uint8_t* from, int64_t bytes, uint8_t flip) {
  const uint8x16_t mask = vdupq_n_u8(flip);
  int64_t i = 0;
  for (; i + 64 <= bytes; i += 64) {
    uint8x16x4_t v = vld1q_u8_x4(from + i);
    v.val[0] = veorq_u8(v.val[0], mask), v.val[1] = veorq_u8(v.val[1], mask);
    v.val[2] = veorq_u8(v.val[2], mask), v.val[3] = veorq_u8(v.val[3], mask);
    vst1q_u8_x4(to + i, v);
  }
  for (; i < bytes; i += 16) vst1q_u8(to + i, veorq_u8(vld1q_u8(from + i), mask));
}

/* Copies a segment whose row of the input is inside; `start` is its first column. */
static void gather_row(const walk* w, uint8_t* to, const uint8_t* row, int64_t start) {
  const nibble_conv* p = w->p;
  const int64_t channels = p->in_channels, pitch = p->x_stride[3];
  if (p->dilation[2] == 1 && pitch == channels) {
    const int64_t before = start < 0 ? (-start < p->kernel[2] ? -start : p->kernel[2]) : 0;
    const int64_t end = start + p->kernel[2], limit = end < p->in[2] ? end : p->in[2];
    const int64_t inside = limit - start - before;
    memset(to, w->fill, (size_t)(before * channels));
    if (inside > 0) copy_flipped(to + before * channels, row + (start + before) * channels, inside * channels, w->flip);
    if (end > limit) {
      const int64_t from = before + (inside > 0 ? inside : 0);
      memset(to + from * channels, w->fill, (size_t)((p->kernel[2] - from) * channels));
    }
    return;
  }
  for (int32_t k = 0; k < p->kernel[2]; ++k) {
    const int64_t at = start + (int64_t)k * p->dilation[2];
    if (at >= 0 && at < p->in[2])
      copy_flipped(to + k * channels, row + at * pitch, channels, w->flip);
    else
      memset(to + k * channels, w->fill, (size_t)channels);
  }
}

/* Copies windows that are inside, `count` of them from x on, x_step apart; their segments are pieces of rows. */
static void gather_inside(const walk* w, uint8_t* to, int64_t pitch, const uint8_t* x, int64_t x_step, int64_t count) {
  const nibble_conv* p = w->p;
  const int64_t plane = p->dilation[0] * p->x_stride[1], row = p->dilation[1] * p->x_stride[2];
  const int64_t bytes = w->segment, padded = w->padded;
  const uint8x16_t mask = vdupq_n_u8(w->flip);
  const int64_t height = p->kernel[1];
  if (p->kernel[0] == 1 && bytes <= 16 && !w->flip) {
    for (; count > 0; --count, to += pitch, x += x_step) {
      uint8_t* segment = to;
      const uint8_t* from = x;
      for (int64_t k = height; k > 0; --k, segment += padded, from += row) vst1q_u8(segment, vld1q_u8(from));
    }
    return;
  }
  for (; count > 0; --count, to += pitch, x += x_step) {
    uint8_t* segment = to;
    for (int32_t i = 0; i < p->kernel[0]; ++i) {
      const uint8_t* from = x + i * plane;
      for (int32_t k = p->kernel[1]; k > 0; --k, segment += padded, from += row) {
        vst1q_u8(segment, veorq_u8(vld1q_u8(from), mask));
        if (bytes > 16) copy_flipped(segment + 16, from + 16, bytes - 16, w->flip);
      }
    }
  }
}

static void gather(const walk* w, uint8_t* to) {
  const nibble_conv* p = w->p;
  const int64_t start = w->at[2] * p->stride[2] - p->pad[2];
  for (int32_t i = 0; i < p->kernel[0]; ++i)
    for (int32_t k = 0; k < p->kernel[1]; ++k, to += w->padded) {
      const int64_t depth = w->at[0] * p->stride[0] - p->pad[0] + (int64_t)i * p->dilation[0];
      const int64_t height = w->at[1] * p->stride[1] - p->pad[1] + (int64_t)k * p->dilation[1];
      if (depth < 0 || depth >= p->in[0] || height < 0 || height >= p->in[1])
        memset(to, w->fill, (size_t)w->segment);
      else
        gather_row(w, to, w->x + w->batch * p->x_stride[0] + depth * p->x_stride[1] + height * p->x_stride[2], start);
    }
}

/* Columns from the next one on whose windows are inside and whose segments are pieces of rows. */
static int64_t inside_run(const walk* w, int64_t most) {
  const int64_t run = w->inner_to - w->at[2];
  if (w->has_gaps || !w->row_inside || w->at[2] < w->inner_from || run <= 0) return 0;
  return run < most ? run : most;
}

/* A rectangle of output positions of one plane, from the next one on, and of the inputs that they read. */
typedef struct rectangle {
  int64_t rows, columns;            /* of positions: whole rows, or one */
  int64_t top, left, height, width; /* of x, which they may leave */
} rectangle;

static rectangle rectangle_of(const walk* w, int64_t rows, int64_t columns) {
  const nibble_conv* p = w->p;
  rectangle r;
  r.rows = rows;
  r.columns = columns;
  r.top = w->at[1] * p->stride[1] - p->pad[1];
  r.left = w->at[2] * p->stride[2] - p->pad[2];
  r.height = (rows - 1) * p->stride[1] + (int64_t)(p->kernel[1] - 1) * p->dilation[1] + 1;
  r.width = (columns - 1) * p->stride[2] + p->kernel[2];
  return r;
}

/* As large as `most` positions and the scratch allow. */
static rectangle next_rectangle(const walk* w, int64_t most) {
  const nibble_conv* p = w->p;
  const int64_t width = p->out[2] - w->at[2], channels = p->in_channels;
  int64_t columns = width < most ? width : most, rows = w->at[2] == 0 && columns == width ? most / width : 1;
  rectangle r;
  if (rows > p->out[1] - w->at[1]) rows = p->out[1] - w->at[1];
  for (r = rectangle_of(w, rows, columns); r.height * r.width * channels + 16 > w->room && rows * columns > 1;
       r = rectangle_of(w, rows, columns)) {
    if (rows > 1)
      --rows;
    else
      --columns;
  }
  return r;
}

/* Copies a rectangle's inputs, rows of `width` positions side by side; what is outside x is `fill`. */
static void copy_strip(const walk* w, const rectangle* r, uint8_t* to) {
  const nibble_conv* p = w->p;
  const int64_t channels = p->in_channels, pitch = r->width * channels;
  const int64_t before = r->left < 0 ? (-r->left < r->width ? -r->left : r->width) : 0;
  const int64_t limit = p->in[2] - r->left < r->width ? p->in[2] - r->left : r->width;
  const int64_t inside = limit > before ? limit - before : 0;
  const int64_t depth = w->at[0] * p->stride[0] - p->pad[0];
  const uint8_t* plane = w->x + w->batch * p->x_stride[0] + depth * p->x_stride[1];
  for (int64_t i = 0; i < r->height; ++i, to += pitch) {
    const int64_t row = r->top + i;
    if (row < 0 || row >= p->in[1] || depth < 0 || depth >= p->in[0] || inside == 0) {
      memset(to, w->fill, (size_t)pitch);
      continue;
    }
    {
      const uint8_t* from = plane + row * p->x_stride[2] + (r->left + before) * p->x_stride[3];
      memset(to, w->fill, (size_t)(before * channels));
      if (p->x_stride[3] == channels)
        copy_flipped(to + before * channels, from, inside * channels, w->flip);
      else
        for (int64_t k = 0; k < inside; ++k)
          copy_flipped(to + (before + k) * channels, from + k * p->x_stride[3], channels, w->flip);
      memset(to + (before + inside) * channels, w->fill, (size_t)((r->width - before - inside) * channels));
    }
  }
}

static void leave_rectangle(walk* w, const rectangle* r) {
  w->at[2] += r->columns - 1;
  w->at[1] += r->rows - 1;
  step_on(w);
}

/* The windows of the next rectangle: in x where all of them are inside and need no flip, else in a copy. */
static void windows_of_rectangle(walk* w, nibble_arm_windows* windows, int64_t most, uint8_t* scratch) {
  const nibble_conv* p = w->p;
  const rectangle r = next_rectangle(w, most);
  const int64_t channels = p->in_channels;
  const int inside = r.top >= 0 && r.top + r.height <= p->in[1] && r.left >= 0 && r.left + r.width <= p->in[2] &&
                     w->at[0] * p->stride[0] >= p->pad[0] && w->at[0] * p->stride[0] - p->pad[0] < p->in[0];
  const int direct = inside && !w->flip;
  const int64_t row = direct ? p->x_stride[2] : r.width * channels, column = direct ? p->x_stride[3] : channels;
  const uint8_t* x = direct ? w->x + w->row_x + w->at[2] * p->stride[2] * p->x_stride[3] : scratch;
  int count = 0;
  if (!direct) copy_strip(w, &r, scratch);
  for (int64_t i = 0; i < r.rows; ++i) {
    const uint8_t* from = x + i * p->stride[1] * row;
    int64_t y = w->row_y + i * p->y_stride[2] + w->at[2] * p->y_stride[3];
    int64_t residual = w->row_r + i * p->r_stride[2] + w->at[2] * p->r_stride[3];
    for (int64_t k = 0; k < r.columns; ++k, ++count) {
      windows->x[count] = (const int8_t*)from, windows->gap[count] = p->dilation[1] * row - w->padded;
      windows->y[count] = y, windows->r[count] = residual;
      from += p->stride[2] * column, y += p->y_stride[3], residual += p->r_stride[3];
    }
  }
  windows->count = count;
  leave_rectangle(w, &r);
}

/* The windows of positions that follow, at most `most`; those that are copied end where the scratch does. Returns
 * whether all were copied, which makes each one segment. */
static int windows_of(walk* w, nibble_arm_windows* windows, int64_t most, uint8_t* scratch) {
  const nibble_conv* p = w->p;
  const int64_t x_step = p->stride[2] * p->x_stride[3], pitch = w->pitch, copies = w->copies;
  int64_t copied = 0, i = 0;
  if (w->strips) {
    windows_of_rectangle(w, windows, most, scratch);
    return 0;
  }
  while (i < most) {
    const int64_t column = w->at[2];
    const uint8_t* x = w->x + w->row_x + column * x_step;
    const int8_t* from = (const int8_t*)x;
    int64_t y = w->row_y + column * p->y_stride[3], r = w->row_r + column * p->r_stride[3];
    int64_t run = inside_run(w, most - i), step = x_step, gap = w->direct_gap;
    if (run == 0 || w->always_gathered) {
      uint8_t* copy = scratch + copied * pitch;
      if (copied == copies) break;
      if (run > copies - copied) run = copies - copied;
      if (run == 0)
        gather(w, copy);
      else
        gather_inside(w, copy, pitch, x, x_step, run);
      run += run == 0;
      copied += run;
      from = (const int8_t*)copy, step = pitch, gap = 0;
    }
    w->at[2] += run - 1;
    for (; run > 0; --run, ++i, from += step, y += p->y_stride[3], r += p->r_stride[3]) {
      windows->x[i] = from, windows->gap[i] = gap;
      windows->y[i] = y, windows->r[i] = r;
    }
    step_on(w);
  }
  windows->count = (int)i;
  return copied == i;
}

/* Sums of weights that take less than a byte: unpacked piece by piece, onto sums that are kept. */
static void sums_by_pieces(const nibble_conv* p, nibble_arm_windows windows, nibble_arm_block block, int64_t b,
                           nibble_arm_sums sums_of, int32_t (*sums)[16]) {
  const int64_t quads = block.quads;
  const uint8_t* weights = nibble_arm_weights_of(p, b, quads);
  int8_t buffer[64 * NIBBLE_ARM_PIECE];
  int32_t more[NIBBLE_ARM_POSITIONS][16];
  nibble_arm_target keep;
  memset(&keep, 0, sizeof keep);
  keep.rows = 16;
  for (int64_t from = 0; from < quads; from += NIBBLE_ARM_PIECE) {
    block.quads = quads - from < NIBBLE_ARM_PIECE ? quads - from : NIBBLE_ARM_PIECE;
    block.weights = nibble_arm_unpacked(p, weights, from, block.quads, buffer);
    keep.sums = from == 0 ? sums : more;
    sums_of(&windows, &block, &keep);
    block.bias = nibble_arm_zeros;
    for (int i = 0; i < windows.count; ++i) {
      windows.x[i] += 4 * NIBBLE_ARM_PIECE;
      for (int k = 0; k < 16 && from > 0; k += 4)
        vst1q_s32(sums[i] + k, vaddq_s32(vld1q_s32(sums[i] + k), vld1q_s32(more[i] + k)));
    }
  }
}

/* Shares the scratch: corrected biases of blocks [first, last) behind the copied windows, where at least eight of these
 * fit, or all; else NULL, and biases are corrected when they are needed. */
static int32_t* share_scratch(walk* w, const nibble_call* call, int64_t first, int64_t last, int64_t positions) {
  const nibble_conv* p = w->p;
  const int64_t bytes = w->segments * w->padded, quads = bytes / 4;
  const int64_t scratch = nibble_scratch(NIBBLE_KIND_CONV, p), enough = positions < 8 ? positions : 8;
  const int64_t room = scratch / 64 * 64 - 64 * (last - first);
  int32_t* corrected;
  /* Copies are written 16 bytes at a time. */
  w->pitch = bytes + 16;
  w->copies = scratch / w->pitch;
  w->room = scratch;
  if (!w->flip || room < enough * w->pitch) return NULL;
  w->copies = room / w->pitch;
  w->room = room;
  corrected = (int32_t*)(void*)((uint8_t*)call->scratch + room);
  for (int64_t b = first; b < last; ++b) nibble_arm_correct_bias(p, b, quads, corrected + 16 * (b - first));
  return corrected;
}

int nibble_arm_conv(const nibble_conv* p, const nibble_call* call, nibble_arm_sums sums_of) {
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int64_t last = p->split ? positions : call->end, first_block = p->split ? call->begin : 0;
  const int64_t last_block = p->split ? call->end : (p->out_channels + 15) / 16;
  int64_t item = p->split ? 0 : call->begin;
  walk w = walk_from(p, call, item);
  const int64_t all_quads = w.segments * w.padded / 4;
  const int32_t* corrected = share_scratch(&w, call, first_block, last_block, last - item);
  int fault = NIBBLE_FINE;
  nibble_arm_target target;
  nibble_arm_repeated repeated;
  nibble_arm_aim(p, &target, &repeated);
  if (p->w_bits != 8) target.whole_way = NIBBLE_ARM_KEEP;
  while (item < last) {
    nibble_arm_windows windows;
    const int64_t most = last - item < NIBBLE_ARM_POSITIONS ? last - item : NIBBLE_ARM_POSITIONS;
    const int copied = windows_of(&w, &windows, most, call->scratch);
    nibble_arm_block block;
    block.segments = copied ? 1 : w.segments;
    block.quads = copied ? all_quads : w.padded / 4;
    for (int64_t b = first_block; b < last_block; ++b) {
      int32_t sums[NIBBLE_ARM_POSITIONS][16], now[16];
      block.bias = nibble_arm_bias_of(p, b);
      if (w.flip && corrected == NULL) nibble_arm_correct_bias(p, b, all_quads, now);
      if (w.flip) block.bias = corrected == NULL ? now : corrected + 16 * (b - first_block);
      nibble_arm_aim_at(p, call, b, sums, &target);
      if (p->w_bits != 8) {
        sums_by_pieces(p, windows, block, b, sums_of, sums);
      } else {
        block.weights = (const int8_t*)nibble_arm_weights_of(p, b, all_quads);
        sums_of(&windows, &block, &target);
      }
      if (target.way == NIBBLE_ARM_KEEP) nibble_arm_finish(p, call, &windows, 16 * b, sums, &fault);
    }
    item += windows.count;
  }
  return fault;
}
#endif
