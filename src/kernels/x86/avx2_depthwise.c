#include "kernels/conv_windows.h"
#include "kernels/x86/avx2.h"
#include "kernels/x86/unpack.h"
#include "kernels/x86/x86.h"
#include "kernels/x86/x86_finish.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma")

NIBBLE_INLINE __m256i load(const void* from) {
  return _mm256_loadu_si256((const __m256i*)from);
}

/* Depthwise convolution: 16 channels of a run of output positions of one row. The rows of the kernel are taken in
 * pairs, an odd one by itself. Every column of x that the run meets is widened once into a strip: for each pair of rows
 * the 16 channels' pairs of 16-bit numbers, 64 bytes, zero points outside x. So any stride, padding and dilation is a sum
 * over columns and pairs of vpmaddwd(strip, weights), and a column's work is shared by all windows that meet it. */

enum { CELL = NIBBLE_STRIP_CELL };

NIBBLE_INLINE __m256i tap_weights(const int8_t* w, int64_t tap, int half) {
  const __m256i quad = _mm256_loadu_si256((const __m256i*)(w + tap / 4 * 64 + half * 32));
  return _mm256_srai_epi32(_mm256_slli_epi32(quad, 24 - 8 * (int)(tap % 4)), 24);
}

/* One block's weights as [column][pair of rows][16 channels][2]. */
static void pair_weights(const nibble_conv* p, const int8_t* w, uint8_t* to) {
  const int64_t rows = (int64_t)p->kernel[0] * p->kernel[1], width = p->kernel[2];
  for (int64_t column = 0; column < width; ++column)
    for (int64_t row = 0; row < rows; row += 2, to += CELL)
      for (int half = 0; half < 2; ++half) {
        const __m256i first = tap_weights(w, row * width + column, half);
        const __m256i second =
            row + 1 < rows ? tap_weights(w, (row + 1) * width + column, half) : _mm256_setzero_si256();
        _mm256_storeu_si256((__m256i*)(to + 32 * half), _mm256_blend_epi16(first, _mm256_slli_epi32(second, 16), 0xaa));
      }
}

NIBBLE_INLINE void put_cell(uint8_t* to, __m128i a, __m128i b, int is_signed) {
  const __m128i low = _mm_unpacklo_epi8(a, b), high = _mm_unpackhi_epi8(a, b);
  _mm256_storeu_si256((__m256i*)to, is_signed ? _mm256_cvtepi8_epi16(low) : _mm256_cvtepu8_epi16(low));
  _mm256_storeu_si256((__m256i*)(to + 32), is_signed ? _mm256_cvtepi8_epi16(high) : _mm256_cvtepu8_epi16(high));
}

/* The strip of `columns` columns from the window at `o` on: [column][pair of rows]. */
NIBBLE_INLINE void build_strip(const nibble_conv* p, const nibble_call* call, const nibble_position* o, int64_t columns,
                               int64_t channel, const uint8_t* zeros, uint8_t* strip, int is_signed) {
  const int64_t rows = (int64_t)p->kernel[0] * p->kernel[1], pairs = (rows + 1) / 2;
  const __m128i zero = _mm_loadu_si128((const __m128i*)zeros);
  int64_t left, right;
  nibble_inner_columns(p, o, columns, &left, &right);
  for (int64_t pair = 0; pair < pairs; ++pair) {
    const nibble_line a = nibble_line_of(p, call, o, 2 * pair, channel, zeros);
    const nibble_line b = 2 * pair + 1 < rows ? nibble_line_of(p, call, o, 2 * pair + 1, channel, zeros) : a;
    uint8_t* to = strip + pair * CELL;
    int64_t at = 0;
    for (; at < left; ++at, to += pairs * CELL) put_cell(to, zero, zero, is_signed);
    for (; at < right; ++at, to += pairs * CELL)
      put_cell(to, _mm_loadu_si128((const __m128i*)(a.at + at * a.step)),
               _mm_loadu_si128((const __m128i*)(b.at + at * b.step)), is_signed);
    for (; at < columns; ++at, to += pairs * CELL) put_cell(to, zero, zero, is_signed);
  }
}

/* The sums of `count` windows, `step` bytes of strip apart, to v[count][16]. */
NIBBLE_INLINE void sum_run(const uint8_t* strip, int64_t count, int64_t step, const uint8_t* w, int64_t width,
                           int64_t pairs, int64_t dilation, const int32_t* bias, int32_t* v) {
  const __m256i s0 = bias ? load(bias) : _mm256_setzero_si256(), s1 = bias ? load(bias + 8) : _mm256_setzero_si256();
  for (int64_t i = 0; i < count; i += 2, strip += 2 * step, v += 32) {
    const int64_t next = i + 1 < count ? step : 0;
    __m256i a0 = s0, a1 = s1, b0 = s0, b1 = s1;
    for (int64_t column = 0; column < width; ++column)
      for (int64_t pair = 0; pair < pairs; ++pair) {
        const uint8_t* x = strip + (column * dilation * pairs + pair) * CELL;
        const uint8_t* cell = w + (column * pairs + pair) * CELL;
        const __m256i w0 = load(cell), w1 = load(cell + 32);
        a0 = _mm256_add_epi32(a0, _mm256_madd_epi16(w0, load(x)));
        NIBBLE_KEEP(a0);
        a1 = _mm256_add_epi32(a1, _mm256_madd_epi16(w1, load(x + 32)));
        NIBBLE_KEEP(a1);
        b0 = _mm256_add_epi32(b0, _mm256_madd_epi16(w0, load(x + next)));
        NIBBLE_KEEP(b0);
        b1 = _mm256_add_epi32(b1, _mm256_madd_epi16(w1, load(x + next + 32)));
        NIBBLE_KEEP(b1);
      }
    _mm256_storeu_si256((__m256i*)v, a0);
    _mm256_storeu_si256((__m256i*)(v + 8), a1);
    _mm256_storeu_si256((__m256i*)(v + 16), b0);
    _mm256_storeu_si256((__m256i*)(v + 24), b1);
  }
}

/* The sums of a run, by way of its strip. */
static void sum_strip(const nibble_conv* p, const nibble_call* call, const nibble_position* o, int64_t count,
                      int64_t channel, const uint8_t* zeros, const uint8_t* w, uint8_t* strip, int32_t* v) {
  const int64_t pairs = ((int64_t)p->kernel[0] * p->kernel[1] + 1) / 2, width = p->kernel[2];
  const int64_t columns = (count - 1) * p->stride[2] + (width - 1) * p->dilation[2] + 1;
  const int64_t step = p->stride[2] * pairs * CELL;
  const int32_t* bias = p->bias ? (const int32_t*)p->bias + channel : NULL;
  if (p->x_type == NIBBLE_U8)
    build_strip(p, call, o, columns, channel, zeros, strip, 0);
  else
    build_strip(p, call, o, columns, channel, zeros, strip, 1);
  if (width == 5 && pairs == 3 && p->dilation[2] == 1)
    sum_run(strip, count, step, w, 5, 3, 1, bias, v);
  else
    sum_run(strip, count, step, w, width, pairs, p->dilation[2], bias, v);
}

/* ---- three rows by three columns: columns of eight channels roll through registers ------------------------------ */

/* Eight channels of a column: pairs of rows 0 and 1; row 2 by itself. */
typedef struct column {
  __m256i pair, last;
} column;

/* Three rows of x from the first column of a run on; columns [left, right) of them lie inside. */
typedef struct rows {
  nibble_line line[3];
  int64_t left, right;
  const uint8_t* zeros;
} rows;

NIBBLE_INLINE __m128i eight_at(const rows* x, int k, int64_t at, int64_t lane, int outside) {
  const uint8_t* inside = x->line[k].at + at * x->line[k].step + lane;
  return _mm_loadl_epi64((const __m128i*)(outside ? x->zeros : inside));
}

NIBBLE_INLINE column column_at(const rows* x, int64_t at, int64_t lane, int checked, int is_signed) {
  const int outside = checked && (at < x->left || at >= x->right);
  const __m128i last = eight_at(x, 2, at, lane, outside);
  const __m128i pair = _mm_unpacklo_epi8(eight_at(x, 0, at, lane, outside), eight_at(x, 1, at, lane, outside));
  column c;
  c.pair = is_signed ? _mm256_cvtepi8_epi16(pair) : _mm256_cvtepu8_epi16(pair);
  c.last = is_signed ? _mm256_cvtepi8_epi32(last) : _mm256_cvtepu8_epi32(last);
  return c;
}

NIBBLE_INLINE __m256i plus(__m256i sum, const column* c, __m256i pair, __m256i last) {
  sum = _mm256_add_epi32(sum, _mm256_madd_epi16(c->pair, pair));
  NIBBLE_KEEP(sum);
  sum = _mm256_add_epi32(sum, _mm256_madd_epi16(c->last, last));
  NIBBLE_KEEP(sum);
  return sum;
}

/* Positions [from, to) of a run. */
NIBBLE_INLINE void roll(const rows* of, int64_t from, int64_t to, int64_t lane, const uint8_t* w, __m256i start,
                        int32_t* v, int stride, int checked, int is_signed) {
  const __m256i w0 = load(w), w1 = load(w + CELL), w2 = load(w + 2 * CELL), w3 = load(w + 3 * CELL);
  const __m256i w4 = load(w + 4 * CELL), w5 = load(w + 5 * CELL);
  const rows local = *of, *x = &local;
  column a, b, c;
  if (from >= to) return;
  a = column_at(x, from * stride, lane, checked, is_signed);
  b = stride == 1 ? column_at(x, from + 1, lane, checked, is_signed) : a;
  for (int64_t i = from; i < to; ++i) {
    __m256i sum = start;
    if (stride == 2) b = column_at(x, 2 * i + 1, lane, checked, is_signed);
    c = column_at(x, i * stride + 2, lane, checked, is_signed);
    sum = plus(sum, &a, w0, w1);
    sum = plus(sum, &b, w2, w3);
    sum = plus(sum, &c, w4, w5);
    _mm256_storeu_si256((__m256i*)(v + 16 * i), sum);
    a = stride == 1 ? b : c;
    b = c;
  }
}

NIBBLE_INLINE void roll_run(const rows* x, int64_t count, const uint8_t* w, const int32_t* bias, int32_t* v, int stride,
                            int is_signed) {
  int64_t from = (x->left + stride - 1) / stride, to = x->right < 3 ? 0 : (x->right - 3) / stride + 1;
  if (from > count) from = count;
  to = to < from ? from : to < count ? to : count;
  for (int half = 0; half < 2; ++half, w += 32, v += 8) {
    const __m256i start = bias ? load(bias + 8 * half) : _mm256_setzero_si256();
    roll(x, 0, from, 8 * half, w, start, v, stride, 1, is_signed);
    roll(x, from, to, 8 * half, w, start, v, stride, 0, is_signed);
    roll(x, to, count, 8 * half, w, start, v, stride, 1, is_signed);
  }
}

/* The sums of a run of a kernel of three rows and three columns. */
static void sum_three(const nibble_conv* p, const nibble_call* call, const nibble_position* o, int64_t count,
                      int64_t channel, const uint8_t* zeros, const uint8_t* w, int32_t* v) {
  const int32_t* bias = p->bias ? (const int32_t*)p->bias + channel : NULL;
  const int64_t columns = (count - 1) * p->stride[2] + 3;
  rows x;
  for (int k = 0; k < 3; ++k) x.line[k] = nibble_line_of(p, call, o, k, channel, zeros);
  x.zeros = zeros;
  nibble_inner_columns(p, o, columns, &x.left, &x.right);
  if (p->stride[2] == 1) {
    if (p->x_type == NIBBLE_U8)
      roll_run(&x, count, w, bias, v, 1, 0);
    else
      roll_run(&x, count, w, bias, v, 1, 1);
  } else {
    if (p->x_type == NIBBLE_U8)
      roll_run(&x, count, w, bias, v, 2, 0);
    else
      roll_run(&x, count, w, bias, v, 2, 1);
  }
}

/* ---------------------------------------------------------------------------------------------------------------- */

static int depthwise(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int64_t pairs = ((int64_t)p->kernel[0] * p->kernel[1] + 1) / 2, width = p->kernel[2];
  const int64_t quads = ((int64_t)p->kernel[0] * p->kernel[1] * width + 3) / 4, cells = width * pairs * CELL;
  const int64_t begin = p->split ? 0 : call->begin, end = p->split ? positions : call->end;
  const int64_t from = p->split ? call->begin : 0, to = p->split ? call->end : (p->out_channels + 15) / 16;
  uint8_t *zeros = call->scratch, *weights = zeros + CELL, *strip = weights + (to - from) * cells;
  const int three = width == 3 && p->kernel[0] * p->kernel[1] == 3 && p->dilation[2] == 1 && p->stride[2] <= 2;
  int64_t y[NIBBLE_STRIP_RUN], r[NIBBLE_STRIP_RUN];
  int32_t v[(NIBBLE_STRIP_RUN + 1) * 16];
  nibble_finish f = nibble_finish_of(p, call);
  if (begin >= end) return NIBBLE_FINE;
  for (int i = 0; i < CELL; ++i) zeros[i] = (uint8_t)p->zero_point;
  for (int64_t block = from; block < to; ++block)
    pair_weights(p, nibble_block_weights(p, block, quads, (int8_t*)zeros + nibble_conv_scratch(p) - quads * CELL),
                 weights + (block - from) * cells);
  for (int64_t item = begin, count; item < end; item += count) {
    const nibble_position o = nibble_position_of(p, item);
    count = nibble_run(p, &o, end - item, y, r);
    for (int64_t block = from; block < to; ++block) {
      const uint8_t* w = weights + (block - from) * cells;
      if (three)
        sum_three(p, call, &o, count, block * 16, zeros, w, v);
      else
        sum_strip(p, call, &o, count, block * 16, zeros, w, strip, v);
      nibble_finish_rows(&f, v, count, block * 16, y, r);
    }
  }
  return f.fault;
}

nibble_kernel nibble_avx2_depthwise(const nibble_conv* p, const char** name) {
  if (p->w_format != NIBBLE_BLOCKED || !nibble_are_bytes(p) || p->acc_type != NIBBLE_I32 || !nibble_is_depthwise(p))
    return NULL;
  if (!nibble_within_byte(p->zero_point, p->zero_point, p->x_type)) return NULL;
  *name = "depthwise16";
  return depthwise;
}

NIBBLE_CLOSE_TARGET
#endif
