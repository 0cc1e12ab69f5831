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

/* Depthwise convolution, 16 channels at a time. Rows of x are taken in pairs. Every column of a pair that a run of
 * output positions meets is widened once into a strip, 16 channels' pairs of 16-bit numbers in 64 bytes, zero points
 * outside x; so any stride, padding and dilation is a sum over pairs and columns of vpmaddwd(strip, weights).
 *
 * Rows 2q and 2q + 1 are a pair whatever window meets them, so that a strip serves all rows of outputs that do: a window
 * that begins at an odd row has `phase` 1, and zero weights for the row before it. Kernels in depth and dilated ones
 * pair their own rows, for one row of outputs. */

enum { CELL = NIBBLE_STRIP_CELL };

/* One block of channels in a run of columns of outputs. `step`: bytes of a strip from window to window. */
typedef struct run {
  const nibble_conv* p;
  const nibble_call* call;
  nibble_position o; /* the first of the next row of outputs */
  int64_t channel, count, columns, step;
  int64_t left, right;        /* columns inside x */
  int64_t rows, width, pairs; /* of the kernel; the most pairs that a window meets */
  uint64_t ring;              /* strips stand at pair & ring */
  int paired;                 /* by absolute rows */
  int64_t built;              /* the first pair that has no strip yet */
  uint8_t *zeros, *weights, *strips;
} run;

NIBBLE_INLINE __m256i tap_weights(const int8_t* w, int64_t tap, int half) {
  const __m256i quad = _mm256_loadu_si256((const __m256i*)(w + tap / 4 * 64 + half * 32));
  return _mm256_srai_epi32(_mm256_slli_epi32(quad, 24 - 8 * (int)(tap % 4)), 24);
}

static int64_t weight_bytes(const run* u) {
  return u->pairs * u->width * CELL;
}

/* One block's weights as [phase][pair of rows][column][16 channels][2]. */
static void pair_weights(const run* u, const int8_t* w) {
  const __m256i low = _mm256_set1_epi32(0xffff);
  for (int64_t i = 0; i < 2 * weight_bytes(u); i += 32)
    _mm256_storeu_si256((__m256i*)(u->weights + i), _mm256_setzero_si256());
  for (int64_t row = 0, tap = 0; row < u->rows; ++row)
    for (int64_t column = 0; column < u->width; ++column, ++tap)
      for (int half = 0; half < 2; ++half) {
        const __m256i weights = tap_weights(w, tap, half);
        const __m256i first = _mm256_and_si256(weights, low), second = _mm256_slli_epi32(weights, 16);
        for (int64_t phase = 0; phase < 2; ++phase) {
          uint8_t* to =
              u->weights + phase * weight_bytes(u) + ((row + phase) / 2 * u->width + column) * CELL + 32 * half;
          const __m256i own = (row + phase) & 1 ? second : first;
          _mm256_storeu_si256((__m256i*)to, _mm256_or_si256(load(to), own));
        }
      }
}

NIBBLE_INLINE void put_cell(uint8_t* to, __m128i a, __m128i b, int is_signed) {
  const __m128i low = _mm_unpacklo_epi8(a, b), high = _mm_unpackhi_epi8(a, b);
  _mm256_storeu_si256((__m256i*)to, is_signed ? _mm256_cvtepi8_epi16(low) : _mm256_cvtepu8_epi16(low));
  _mm256_storeu_si256((__m256i*)(to + 32), is_signed ? _mm256_cvtepi8_epi16(high) : _mm256_cvtepu8_epi16(high));
}

/* Row `row` of the kernel, which of paired rows may be one before it or after, at the first column of the run. */
NIBBLE_INLINE nibble_line line_of(const run* u, int64_t row) {
  const nibble_conv* p = u->p;
  const nibble_line outside = {u->zeros, 0};
  nibble_line found = {NULL, p->x_stride[3]};
  int inside;
  int64_t from;
  if (!u->paired && row >= u->rows) return outside;
  from = u->paired
             ? nibble_segment_offset(p, &u->o, 0, (int32_t)row, &inside)
             : nibble_segment_offset(p, &u->o, (int32_t)(row / p->kernel[1]), (int32_t)(row % p->kernel[1]), &inside);
  found.at = (const uint8_t*)u->call->in[0] + from + u->channel;
  return inside ? found : outside;
}

NIBBLE_INLINE void build_strip(const run* u, int64_t row, uint8_t* to, int is_signed) {
  const nibble_line a = line_of(u, row), b = line_of(u, row + 1);
  const __m128i zero = _mm_loadu_si128((const __m128i*)u->zeros);
  const uint8_t *x = a.at + u->left * a.step, *y = b.at + u->left * b.step;
  int64_t at = 0;
  for (; at < u->left; ++at, to += CELL) put_cell(to, zero, zero, is_signed);
  for (; at < u->right; ++at, to += CELL, x += a.step, y += b.step)
    put_cell(to, _mm_loadu_si128((const __m128i*)x), _mm_loadu_si128((const __m128i*)y), is_signed);
  for (; at < u->columns; ++at, to += CELL) put_cell(to, zero, zero, is_signed);
}

/* Two rows of 16 channels' sums. */
NIBBLE_INLINE void add_pair(const uint8_t* x, int64_t next, const uint8_t* w, __m256i* a) {
  const __m256i w0 = load(w), w1 = load(w + 32);
  a[0] = _mm256_add_epi32(a[0], _mm256_madd_epi16(w0, load(x)));
  NIBBLE_KEEP(a[0]);
  a[1] = _mm256_add_epi32(a[1], _mm256_madd_epi16(w1, load(x + 32)));
  NIBBLE_KEEP(a[1]);
  a[2] = _mm256_add_epi32(a[2], _mm256_madd_epi16(w0, load(x + next)));
  NIBBLE_KEEP(a[2]);
  a[3] = _mm256_add_epi32(a[3], _mm256_madd_epi16(w1, load(x + next + 32)));
  NIBBLE_KEEP(a[3]);
}

/* The strip of a pair of rows. */
NIBBLE_INLINE uint8_t* strip_of(const run* u, int64_t pair) {
  return u->strips + (int64_t)((uint64_t)pair & u->ring) * u->columns * CELL;
}

/* The sums of a row of the run to v[count][16], over `pairs` pairs from `first` on. */
NIBBLE_INLINE void sum_any(const run* u, int64_t first, int64_t pairs, int64_t width, int64_t dilation,
                           const uint8_t* weights, __m256i s0, __m256i s1, int32_t* v) {
  for (int64_t i = 0; i < u->count; i += 2, v += 32) {
    const int64_t next = i + 1 < u->count ? u->step : 0;
    const uint8_t* w = weights;
    __m256i a[4] = {s0, s1, s0, s1};
    for (int64_t pair = 0; pair < pairs; ++pair) {
      const uint8_t* x = strip_of(u, first + pair) + i * u->step;
      for (int64_t column = 0; column < width; ++column, x += dilation * CELL, w += CELL) add_pair(x, next, w, a);
    }
    for (int k = 0; k < 4; ++k) _mm256_storeu_si256((__m256i*)(v + 8 * k), a[k]);
  }
}

/* Eight channels, two pairs of rows by three columns: the weights stay in registers. */
NIBBLE_INLINE void sum_three(const uint8_t* x, const uint8_t* y, int64_t count, int64_t step, const uint8_t* w,
                             __m256i start, int32_t* v) {
  const __m256i w0 = load(w), w1 = load(w + CELL), w2 = load(w + 2 * CELL);
  const __m256i w3 = load(w + 3 * CELL), w4 = load(w + 4 * CELL), w5 = load(w + 5 * CELL);
  for (int64_t i = 0, at = 0; i < count; ++i, at += step) {
    __m256i a = _mm256_add_epi32(start, _mm256_madd_epi16(w0, load(x + at)));
    __m256i b = _mm256_madd_epi16(w3, load(y + at));
    a = _mm256_add_epi32(a, _mm256_madd_epi16(w1, load(x + at + CELL)));
    b = _mm256_add_epi32(b, _mm256_madd_epi16(w4, load(y + at + CELL)));
    a = _mm256_add_epi32(a, _mm256_madd_epi16(w2, load(x + at + 2 * CELL)));
    b = _mm256_add_epi32(b, _mm256_madd_epi16(w5, load(y + at + 2 * CELL)));
    _mm256_storeu_si256((__m256i*)(v + 16 * i), _mm256_add_epi32(a, b));
  }
}

/* The sums of a row of the run, whose strips it builds where earlier rows have not. */
static void sum_row(run* u, int32_t* v) {
  const int32_t* bias = u->p->bias ? (const int32_t*)u->p->bias + u->channel : NULL;
  const __m256i s0 = bias ? load(bias) : _mm256_setzero_si256(), s1 = bias ? load(bias + 8) : _mm256_setzero_si256();
  const int64_t row = u->paired ? u->o.at[1] * u->p->stride[1] - u->p->pad[1] : 0, phase = row & 1;
  const int64_t first = (row - phase) / 2, pairs = (u->rows + phase + 1) / 2;
  const uint8_t* w = u->weights + phase * weight_bytes(u);
  if (!u->paired || u->built < first) u->built = first;
  for (; u->built < first + pairs; ++u->built) {
    if (u->p->x_type == NIBBLE_U8)
      build_strip(u, 2 * u->built - row, strip_of(u, u->built), 0);
    else
      build_strip(u, 2 * u->built - row, strip_of(u, u->built), 1);
  }
  if (pairs == 2 && u->width == 3 && u->p->dilation[2] == 1) {
    const uint8_t *x = strip_of(u, first), *y = strip_of(u, first + 1);
    sum_three(x, y, u->count, u->step, w, s0, v);
    sum_three(x + 32, y + 32, u->count, u->step, w + 32, s1, v + 8);
  } else if (pairs == 3 && u->width == 5 && u->p->dilation[2] == 1) {
    sum_any(u, first, 3, 5, 1, w, s0, s1, v);
  } else {
    sum_any(u, first, pairs, u->width, u->p->dilation[2], w, s0, s1, v);
  }
}

/* From one row of outputs to the next. */
static void next_row(run* u) {
  const nibble_position was = u->o;
  u->o.at[2] = u->p->out[2];
  nibble_move_on(u->p, &u->o, 0);
  u->o.at[2] = was.at[2];
  if (u->o.at[1] != was.at[1] + 1) u->built = INT64_MIN;
}

/* `rows` rows of the run, many of which are finished at once where they are short. */
static void take_rows(run* u, int64_t rows, nibble_finish* f) {
  const nibble_conv* p = u->p;
  int64_t y[NIBBLE_STRIP_RUN], r[NIBBLE_STRIP_RUN], held = 0;
  int32_t v[(NIBBLE_STRIP_RUN + 1) * 16];
  for (; rows > 0; --rows, next_row(u)) {
    int64_t to = nibble_offset_of(&u->o, p->y_stride), other = nibble_offset_of(&u->o, p->r_stride);
    sum_row(u, v + 16 * held);
    for (int64_t i = held; i < held + u->count; ++i, to += p->y_stride[3]) y[i] = to;
    if (p->sum_form)
      for (int64_t i = held; i < held + u->count; ++i, other += p->r_stride[3]) r[i] = other;
    held += u->count;
    if (rows > 1 && held + u->count <= NIBBLE_STRIP_RUN) continue;
    nibble_finish_rows(f, v, held, u->channel, y, r);
    held = 0;
  }
}

static run run_of(const nibble_conv* p, const nibble_call* call) {
  run u = {0};
  u.p = p;
  u.call = call;
  u.rows = (int64_t)p->kernel[0] * p->kernel[1];
  u.width = p->kernel[2];
  u.pairs = (u.rows + 2) / 2;
  u.ring = (uint64_t)nibble_strip_ring(p) - 1;
  u.step = p->stride[2] * CELL;
  u.paired = p->kernel[0] == 1 && p->dilation[1] == 1;
  u.zeros = call->scratch;
  u.weights = u.zeros + CELL;
  u.strips = u.weights + 2 * weight_bytes(&u);
  for (int i = 0; i < CELL; ++i) u.zeros[i] = (uint8_t)p->zero_point;
  return u;
}

/* Items [begin, end): part of a row, or whole rows, in runs of columns. */
static void take_items(run* u, int64_t begin, int64_t end, nibble_finish* f) {
  const nibble_conv* p = u->p;
  const int64_t width = p->out[2];
  for (int64_t item = begin, most, rows; item < end; item += rows * most) {
    const nibble_position o = nibble_position_of(p, item);
    most = end - item < width - o.at[2] ? end - item : width - o.at[2];
    rows = most == width ? (end - item) / width : 1;
    for (int64_t done = 0; done < most; done += u->count) {
      u->o = o;
      u->o.at[2] += done;
      u->count = most - done < NIBBLE_STRIP_RUN ? most - done : NIBBLE_STRIP_RUN;
      u->columns = (u->count - 1) * p->stride[2] + (u->width - 1) * p->dilation[2] + 1;
      u->built = INT64_MIN;
      nibble_inner_columns(p, &u->o, u->columns, &u->left, &u->right);
      take_rows(u, rows, f);
    }
  }
}

static int depthwise(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int64_t quads = ((int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2] + 3) / 4;
  const int64_t begin = p->split ? 0 : call->begin, end = p->split ? positions : call->end;
  const int64_t from = p->split ? call->begin : 0, to = p->split ? call->end : (p->out_channels + 15) / 16;
  int8_t* unpacked = (int8_t*)call->scratch + nibble_conv_scratch(p) - quads * CELL;
  nibble_finish f = nibble_finish_of(p, call);
  run u = run_of(p, call);
  for (int64_t block = from; block < to; ++block) {
    pair_weights(&u, nibble_block_weights(p, block, quads, unpacked));
    u.channel = 16 * block;
    take_items(&u, begin, end, &f);
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
