#include "kernels/conv_windows.h"
#include "kernels/x86/avx2.h"
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

static int depthwise(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int64_t pairs = ((int64_t)p->kernel[0] * p->kernel[1] + 1) / 2, width = p->kernel[2];
  const int64_t quads = ((int64_t)p->kernel[0] * p->kernel[1] * width + 3) / 4, cells = width * pairs * CELL;
  const int64_t begin = p->split ? 0 : call->begin, end = p->split ? positions : call->end;
  const int64_t from = p->split ? call->begin : 0, to = p->split ? call->end : (p->out_channels + 15) / 16;
  uint8_t *zeros = call->scratch, *weights = zeros + CELL, *strip = weights + (to - from) * cells;
  const int64_t step = p->stride[2] * pairs * CELL;
  const int32_t* bias = p->bias;
  int64_t y[NIBBLE_STRIP_RUN], r[NIBBLE_STRIP_RUN];
  int32_t v[(NIBBLE_STRIP_RUN + 1) * 16];
  nibble_finish f = nibble_finish_of(p, call);
  if (begin >= end) return NIBBLE_FINE;
  for (int i = 0; i < CELL; ++i) zeros[i] = (uint8_t)p->zero_point;
  for (int64_t block = from; block < to; ++block)
    pair_weights(p, (const int8_t*)p->weights + block * quads * 64, weights + (block - from) * cells);
  for (int64_t item = begin, count; item < end; item += count) {
    const nibble_position o = nibble_position_of(p, item);
    count = nibble_run(p, &o, end - item, y, r);
    for (int64_t block = from; block < to; ++block) {
      const int64_t columns = (count - 1) * p->stride[2] + (width - 1) * p->dilation[2] + 1;
      const uint8_t* w = weights + (block - from) * cells;
      if (p->x_type == NIBBLE_U8)
        build_strip(p, call, &o, columns, block * 16, zeros, strip, 0);
      else
        build_strip(p, call, &o, columns, block * 16, zeros, strip, 1);
      if (width == 3 && pairs == 2 && p->dilation[2] == 1)
        sum_run(strip, count, step, w, 3, 2, 1, bias ? bias + 16 * block : NULL, v);
      else if (width == 5 && pairs == 3 && p->dilation[2] == 1)
        sum_run(strip, count, step, w, 5, 3, 1, bias ? bias + 16 * block : NULL, v);
      else
        sum_run(strip, count, step, w, width, pairs, p->dilation[2], bias ? bias + 16 * block : NULL, v);
      nibble_finish_rows(&f, v, count, block * 16, y, r);
    }
  }
  return f.fault;
}

nibble_kernel nibble_avx2_depthwise(const nibble_conv* p, const char** name) {
  if (p->w_format != NIBBLE_BLOCKED || p->w_bits != 8 || p->acc_type != NIBBLE_I32 || !nibble_is_depthwise(p))
    return NULL;
  if (!nibble_within_byte(p->zero_point, p->zero_point, p->x_type)) return NULL;
  *name = "depthwise16";
  return depthwise;
}

NIBBLE_CLOSE_TARGET
#endif
