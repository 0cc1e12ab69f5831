/* The convolutions of a set with products of four bytes at once (vpdpbusd), for registers of 256 or 512 bits: a template
 * that a set's file includes within its target, after
 *
 *   VEC, VEC_LOAD(from), VEC_STORE(to, v), VEC_ZERO(), VEC_SPREAD(int32)
 *   VEC_DOT(sum, x, w)   sum of int32 + four products of bytes of x, unsigned, and of w, signed, each
 *   VEC_WIDEN(from)      of bytes, unsigned, to int32; VEC_UP(v, bits) shifts, VEC_OR, VEC_XOR, VEC_ADD
 *   VEC_BLOCK            registers that a block of 16 channels takes: 2 or 1
 *   TILE_ROWS            positions of a tile, at most 12
 *
 * Dense: implicit GEMM. A tile is TILE_ROWS positions by 32 channels (512 bits) or 16 (256 bits); a quad of a position's
 * bytes is spread over a register and multiplied with the quads of the channels. Windows of 1x1 kernels are read where
 * they lie, others are gathered in scratch first, by rows. Depthwise: as the strip of avx2_depthwise.c, with four rows of
 * the kernel in a cell of 64 bytes, [16 channels][4].
 *
 * x of i8 is x + 128 of u8: the sum starts at bias - 128 * (sum of the weights). */
#include "kernels/conv_windows.h"
#include "kernels/x86/unpack.h"
#include "kernels/x86/x86_finish.h"

enum { QUAD = 64, VEC_BYTES = 64 / VEC_BLOCK };

/* x of i8 with its highest bit turned is u8. */
static int turned_bit(const nibble_conv* p) {
  return p->x_type == NIBBLE_I8 ? 0x80 : 0;
}

/* A block's sums at the start: v[16]. `quads` of weights. */
static void start_of(const nibble_conv* p, int64_t block, const int8_t* w, int64_t quads, int32_t* v) {
  const int32_t* bias = p->bias;
  int32_t excess[16] = {0};
  if (turned_bit(p))
    for (int k = 0; k < VEC_BLOCK; ++k) {
      VEC sum = VEC_ZERO();
      for (int64_t quad = 0; quad < quads; ++quad)
        sum = VEC_DOT(sum, VEC_SPREAD((int32_t)0x80808080u), VEC_LOAD(w + quad * QUAD + k * VEC_BYTES));
      VEC_STORE(excess + 16 / VEC_BLOCK * k, sum);
    }
  for (int i = 0; i < 16; ++i) {
    const int inside = bias != NULL && block * 16 + i < p->out_channels;
    v[i] = (int32_t)((inside ? (uint32_t)bias[block * 16 + i] : 0) - (uint32_t)excess[i]);
  }
}

/* ---- dense ------------------------------------------------------------------------------------------------------ */

/* Windows `step` bytes apart, each of `segments` segments `apart` bytes apart, of `quads` quads. */
typedef struct windows {
  const uint8_t* at;
  int64_t step, segments, apart, quads;
} windows;

NIBBLE_INLINE int32_t quad_at(const uint8_t* x) {
  int32_t quad;
  __builtin_memcpy(&quad, x, 4);
  return quad;
}

#define TWELVE(ROW) ROW(0) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7) ROW(8) ROW(9) ROW(10) ROW(11)

/* The sums of `rows` windows, with one or two registers of weights `apart` bytes apart that start at `start`: to
 * v[row * 16] and v[row * 16 + behind]. */
NIBBLE_INLINE void tile(int rows, int two, const windows* x, int64_t first, const int8_t* w, int64_t apart,
                        const int32_t* start, int64_t start_apart, int32_t* v, int64_t behind) {
  const VEC s0 = VEC_LOAD(start), s1 = two ? VEC_LOAD(start + start_apart) : VEC_ZERO();
  const int64_t step = x->step;
  const uint8_t* base = x->at + first * step;
#define START(i) VEC a##i = s0, b##i = s1;
  TWELVE(START)
#undef START
  for (int64_t segment = 0; segment < x->segments; ++segment, base += x->apart) {
    const uint8_t *at = base, *six = base + 6 * step;
    for (int64_t quad = 0; quad < x->quads; ++quad, w += QUAD, at += 4, six += 4) {
      const VEC w0 = VEC_LOAD(w), w1 = two ? VEC_LOAD(w + apart) : w0;
#define ROW(i)                                                                          \
  if (rows > i) {                                                                       \
    const VEC four = VEC_SPREAD(quad_at(i < 6 ? at + i * step : six + (i - 6) * step)); \
    a##i = VEC_DOT(a##i, four, w0);                                                     \
    if (two) b##i = VEC_DOT(b##i, four, w1);                                            \
  }
      TWELVE(ROW)
#undef ROW
    }
  }
#define STORE(i)                                   \
  if (rows > i) {                                  \
    VEC_STORE(v + 16 * i, a##i);                   \
    if (two) VEC_STORE(v + 16 * i + behind, b##i); \
  }
  TWELVE(STORE)
#undef STORE
}

/* One window: the weights are read once, as they lie, into four sums. */
static void stream(const uint8_t* x, int64_t quads, const int8_t* w, const int32_t* start, int32_t* v) {
  for (int k = 0; k < VEC_BLOCK; ++k, w += VEC_BYTES) {
    VEC a = VEC_LOAD(start + 16 / VEC_BLOCK * k), b = VEC_ZERO(), c = b, d = b;
    int64_t quad = 0;
    for (; quad + 4 <= quads; quad += 4) {
      const int8_t* at = w + quad * QUAD;
      a = VEC_DOT(a, VEC_SPREAD(quad_at(x + 4 * quad)), VEC_LOAD(at));
      b = VEC_DOT(b, VEC_SPREAD(quad_at(x + 4 * quad + 4)), VEC_LOAD(at + QUAD));
      c = VEC_DOT(c, VEC_SPREAD(quad_at(x + 4 * quad + 8)), VEC_LOAD(at + 2 * QUAD));
      d = VEC_DOT(d, VEC_SPREAD(quad_at(x + 4 * quad + 12)), VEC_LOAD(at + 3 * QUAD));
    }
    for (; quad < quads; ++quad) a = VEC_DOT(a, VEC_SPREAD(quad_at(x + 4 * quad)), VEC_LOAD(w + quad * QUAD));
    VEC_STORE(v + 16 / VEC_BLOCK * k, VEC_ADD(VEC_ADD(a, b), VEC_ADD(c, d)));
  }
}

/* `count` windows with one or two blocks of weights, `apart` bytes apart, two registers at most: to v[block][most][16].
 */
NIBBLE_INLINE void tiles(int two, const windows* x, int64_t count, const int8_t* w, int64_t apart, const int32_t* start,
                         int64_t start_apart, int32_t* v, int64_t behind) {
  for (int64_t i = 0, rows; i < count; i += rows) {
    rows = nibble_part(count - i, TILE_ROWS);
    switch (rows) {
#define CASE(n) \
  case n: tile(n, two, x, i, w, apart, start, start_apart, v + 16 * i, behind); break;
      CASE(1)
      CASE(2)
      CASE(3)
      CASE(4)
      CASE(5)
#if TILE_ROWS > 6
      CASE(6)
      CASE(7)
      CASE(8)
      CASE(9)
      CASE(10)
      CASE(11)
#endif
      default: tile(TILE_ROWS, two, x, i, w, apart, start, start_apart, v + 16 * i, behind); break;
#undef CASE
    }
  }
}

/* Blocks [block, to), as many as a tile takes; returns how many. */
static int64_t some_blocks(nibble_finish* f, const windows* x, int64_t count, int64_t block, int64_t to,
                           const int64_t* y, const int64_t* r) {
  const int64_t quads = x->segments * x->quads, size = QUAD * quads, behind = NIBBLE_WINDOWS_MOST * 16;
  const int64_t taken = VEC_BLOCK == 1 && count > 1 && to - block > 1 ? 2 : 1;
  int8_t* unpacked = nibble_unpacked(f->p, f->call->scratch);
  const int8_t* w = nibble_block_weights(f->p, block, quads, unpacked);
  int32_t v[2 * NIBBLE_WINDOWS_MOST * 16], start[32];
  if (taken > 1) nibble_block_weights(f->p, block + 1, quads, unpacked + size);
  for (int64_t k = 0; k < taken; ++k) start_of(f->p, block + k, w + k * size, quads, start + 16 * k);
  if (count == 1 && x->segments == 1)
    stream(x->at, quads, w, start, v);
  else if (VEC_BLOCK == 2)
    tiles(1, x, count, w, VEC_BYTES, start, 8, v, 8);
  else if (taken == 2)
    tiles(1, x, count, w, size, start, 16, v, behind);
  else
    tiles(0, x, count, w, 0, start, 0, v, 0);
  for (int64_t k = 0; k < taken; ++k) nibble_finish_rows(f, v + k * behind, count, 16 * (block + k), y, r);
  return taken;
}

NIBBLE_INLINE void copy(uint8_t* to, const uint8_t* from, int64_t bytes, __m256i turn) {
  for (int64_t i = 0; i < bytes; i += 32)
    _mm256_storeu_si256((__m256i*)(to + i), _mm256_xor_si256(_mm256_loadu_si256((const __m256i*)(from + i)), turn));
}

/* One segment of each of `count` windows of a row from `o` on, `step` bytes apart. */
static void gather_segments(const nibble_conv* p, const uint8_t* x, nibble_position o, int64_t from, int64_t count,
                            uint8_t* to, int64_t step, uint8_t* segment) {
  const int64_t bytes = nibble_segment_bytes(p), x_step = p->stride[2] * p->x_stride[3];
  const __m256i turn = _mm256_set1_epi8((char)turned_bit(p));
  int64_t left, right;
  nibble_whole_windows(p, &o, count, &left, &right);
  for (int64_t i = 0; i < count;) {
    for (; i >= left && i < right; ++i, to += step, from += x_step) copy(to, x + from, bytes, turn);
    if (i < count) {
      o.at[2] += i;
      nibble_build_segment(p, &o, x, from, (uint8_t)p->zero_point, segment);
      o.at[2] -= i;
      copy(to, segment, bytes, turn);
      ++i, to += step, from += x_step;
    }
  }
}

/* The windows of `count` positions of one row, from `o` on. */
static void gather_row(const nibble_conv* p, const uint8_t* x, const nibble_position* o, int64_t count, uint8_t* to,
                       int64_t step, uint8_t* segment) {
  const int64_t bytes = nibble_segment_bytes(p);
  const __m256i zero = _mm256_set1_epi8((char)(p->zero_point ^ turned_bit(p)));
  for (int32_t depth = 0; depth < p->kernel[0]; ++depth)
    for (int32_t height = 0; height < p->kernel[1]; ++height, to += bytes) {
      int inside;
      const int64_t from = nibble_segment_offset(p, o, depth, height, &inside);
      if (inside)
        gather_segments(p, x, *o, from, count, to, step, segment);
      else
        for (int64_t k = 0; k < count; ++k)
          for (int64_t i = 0; i < bytes; i += 32) _mm256_storeu_si256((__m256i*)(to + k * step + i), zero);
    }
}

/* Whether windows may be read where they lie: 1x1, of u8, `step` bytes from one position to the next, over all rows. */
static int lie_in_place(const nibble_conv* p, int64_t* step) {
  const int64_t width = p->stride[2] * p->x_stride[3], height = p->stride[1] * p->x_stride[2];
  *step = width;
  return p->kernel[0] * p->kernel[1] * p->kernel[2] == 1 && p->pad[0] == 0 && p->pad[1] == 0 && p->pad[2] == 0 &&
         p->out[0] == 1 && p->batch == 1 && p->x_type == NIBBLE_U8 && (p->out[1] == 1 || height == p->out[2] * width) &&
         (p->out[2] - 1) * p->stride[2] < p->in[2] && (p->out[1] - 1) * p->stride[1] < p->in[1];
}

/* One call's: the blocks of output channels that it computes, and the windows gathered so far. */
typedef struct progress {
  nibble_finish f;
  int64_t from, to, count, most;
  windows gathered;
  int64_t y[NIBBLE_WINDOWS_MOST], r[NIBBLE_WINDOWS_MOST];
} progress;

static void compute(progress* g, const windows* x, int64_t count, const int64_t* y, const int64_t* r) {
  for (int64_t block = g->from; block < g->to;) block += some_blocks(&g->f, x, count, block, g->to, y, r);
}

/* Where the results of `count` positions of a row from `o` on go. */
static void places(const nibble_conv* p, const nibble_position* o, int64_t count, int64_t* y, int64_t* r) {
  const int64_t y0 = nibble_offset_of(o, p->y_stride), r0 = nibble_offset_of(o, p->r_stride);
  for (int64_t k = 0; k < count; ++k) {
    y[k] = y0 + k * p->y_stride[3];
    r[k] = r0 + k * p->r_stride[3];
  }
}

static void flush(progress* g) {
  if (g->count > 0) compute(g, &g->gathered, g->count, g->y, g->r);
  g->count = 0;
}

/* `count` positions of a row from `o` on, gathered. */
static void gathered(progress* g, nibble_position o, int64_t count) {
  const nibble_conv* p = g->f.p;
  uint8_t *to = g->f.call->scratch, *segment = to + nibble_windows(p) * 2 * nibble_window_half(p);
  for (int64_t done = 0, some; done < count; done += some, o.at[2] += some) {
    const int64_t room = g->most - g->count;
    some = count - done < room ? count - done : room;
    places(p, &o, some, g->y + g->count, g->r + g->count);
    gather_row(p, g->f.call->in[0], &o, some, to + g->count * g->gathered.step, g->gathered.step, segment);
    g->count += some;
    if (g->count == g->most) flush(g);
  }
}

/* `count` positions of a row from `o` on, whose windows lie in x as they are, from `from` on. */
static void in_place(progress* g, nibble_position o, int64_t count, int64_t from) {
  const nibble_conv* p = g->f.p;
  windows x = {(const uint8_t*)g->f.call->in[0] + from, p->stride[2] * p->x_stride[3], p->kernel[1],
               p->dilation[1] * p->x_stride[2], nibble_segment_bytes(p) / 4};
  for (int64_t done = 0, some; done < count; done += some, o.at[2] += some, x.at += some * x.step) {
    int64_t y[NIBBLE_WINDOWS_MOST], r[NIBBLE_WINDOWS_MOST];
    some = nibble_part(count - done, NIBBLE_WINDOWS_MOST);
    places(p, &o, some, y, r);
    compute(g, &x, some, y, r);
  }
}

/* Whether all rows of the window at `o` lie inside x; its first tap's offset. */
static int rows_inside(const nibble_conv* p, const nibble_position* o, int64_t* from) {
  int first, last;
  nibble_segment_offset(p, o, p->kernel[0] - 1, p->kernel[1] - 1, &last);
  *from = nibble_segment_offset(p, o, 0, 0, &first);
  return first && last;
}

/* Rows of the output: windows are gathered but where few channels make that dear, and they lie in x as they are. */
static void by_rows(progress* g, int64_t begin, int64_t end) {
  const nibble_conv* p = g->f.p;
  const int cheap = (g->to - g->from) * 16 > 64 || p->kernel[0] > 1 || p->x_type != NIBBLE_U8;
  nibble_position o = nibble_position_of(p, begin);
  for (int64_t item = begin, run; item < end; item += run, nibble_move_on(p, &o, run)) {
    int64_t left, right, from;
    run = p->out[2] - o.at[2] < end - item ? p->out[2] - o.at[2] : end - item;
    nibble_whole_windows(p, &o, run, &left, &right);
    if (cheap || right <= left || !rows_inside(p, &o, &from)) {
      gathered(g, o, run);
    } else {
      nibble_position at = o;
      gathered(g, o, left);
      at.at[2] = o.at[2] + left;
      in_place(g, at, right - left, from + left * p->stride[2] * p->x_stride[3]);
      at.at[2] = o.at[2] + right;
      gathered(g, at, run - right);
    }
  }
  flush(g);
}

/* Windows that lie in place over all rows: positions [begin, end), `step` bytes apart. */
static void by_plane(progress* g, int64_t begin, int64_t end, int64_t step) {
  const nibble_conv* p = g->f.p;
  windows x = {(const uint8_t*)g->f.call->in[0] + begin * step, step, 1, 0, nibble_segment_bytes(p) / 4};
  nibble_position o = nibble_position_of(p, begin);
  for (int64_t first = begin, count; first < end; first += count, x.at += count * step) {
    count = nibble_part(end - first, g->most);
    for (int64_t i = 0, run; i < count; i += run) {
      run = p->out[2] - o.at[2] < count - i ? p->out[2] - o.at[2] : count - i;
      places(p, &o, run, g->y + i, g->r + i);
      nibble_move_on(p, &o, run);
    }
    compute(g, &x, count, g->y, g->r);
  }
}

static int conv(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int64_t begin = p->split ? 0 : call->begin, end = p->split ? positions : call->end;
  progress g;
  int64_t step;
  g.f = nibble_finish_of(p, call);
  g.from = p->split ? call->begin : 0;
  g.to = p->split ? call->end : (p->out_channels + 15) / 16;
  g.count = 0;
  if (begin >= end || g.from >= g.to) return NIBBLE_FINE;
  g.most = nibble_part(end - begin, nibble_windows(p));
  g.gathered.at = call->scratch;
  g.gathered.step = (nibble_window_bytes(p) + 63) / 64 * 64 + 64;
  g.gathered.segments = 1;
  g.gathered.apart = 0;
  g.gathered.quads = nibble_window_bytes(p) / 4;
  if (lie_in_place(p, &step))
    by_plane(&g, begin, end, step);
  else
    by_rows(&g, begin, end);
  return g.f.fault;
}

/* ---- depthwise -------------------------------------------------------------------------------------------------- */

enum { CELL = NIBBLE_STRIP_CELL };

/* One block's weights as [column][four rows][16 channels][4], of [taps / 4][16][4]. */
static void four_weights(const nibble_conv* p, const int8_t* w, uint8_t* to) {
  const int64_t rows = (int64_t)p->kernel[0] * p->kernel[1], width = p->kernel[2];
  for (int64_t column = 0; column < width; ++column)
    for (int64_t row = 0; row < rows; row += 4, to += CELL)
      for (int half = 0; half < 2; ++half) {
        __m256i cell = _mm256_setzero_si256();
        for (int k = 0; k < 4 && row + k < rows; ++k) {
          const int64_t tap = (row + k) * width + column;
          __m256i one = _mm256_loadu_si256((const __m256i*)(w + tap / 4 * QUAD + half * 32));
          one = _mm256_and_si256(_mm256_srl_epi32(one, _mm_cvtsi32_si128(8 * (int)(tap % 4))), _mm256_set1_epi32(255));
          cell = _mm256_or_si256(cell, _mm256_sll_epi32(one, _mm_cvtsi32_si128(8 * k)));
        }
        _mm256_storeu_si256((__m256i*)(to + 32 * half), cell);
      }
}

/* Four rows of 16 channels to a cell. */
NIBBLE_INLINE void put_cell(uint8_t* to, __m128i a, __m128i b, __m128i c, __m128i d, __m128i turn) {
  const __m128i low = _mm_xor_si128(_mm_unpacklo_epi8(a, b), turn), high = _mm_xor_si128(_mm_unpackhi_epi8(a, b), turn);
  const __m128i low2 = _mm_xor_si128(_mm_unpacklo_epi8(c, d), turn);
  const __m128i high2 = _mm_xor_si128(_mm_unpackhi_epi8(c, d), turn);
  _mm_storeu_si128((__m128i*)to, _mm_unpacklo_epi16(low, low2));
  _mm_storeu_si128((__m128i*)(to + 16), _mm_unpackhi_epi16(low, low2));
  _mm_storeu_si128((__m128i*)(to + 32), _mm_unpacklo_epi16(high, high2));
  _mm_storeu_si128((__m128i*)(to + 48), _mm_unpackhi_epi16(high, high2));
}

NIBBLE_INLINE __m128i sixteen(const nibble_line* row, int64_t at) {
  return _mm_loadu_si128((const __m128i*)(row->at + at * row->step));
}

/* The strip of `columns` columns from the window at `o` on: [column][four rows]. */
static void build_strip(const nibble_conv* p, const nibble_call* call, const nibble_position* o, int64_t columns,
                        int64_t channel, const uint8_t* zeros, uint8_t* strip) {
  const int64_t rows = (int64_t)p->kernel[0] * p->kernel[1], fours = (rows + 3) / 4;
  const __m128i zero = _mm_loadu_si128((const __m128i*)zeros), turn = _mm_set1_epi8((char)turned_bit(p));
  int64_t left, right;
  nibble_inner_columns(p, o, columns, &left, &right);
  for (int64_t four = 0; four < fours; ++four) {
    nibble_line r[4];
    uint8_t* to = strip + four * CELL;
    int64_t at = 0;
    for (int k = 0; k < 4; ++k)
      r[k] = nibble_line_of(p, call, o, 4 * four + k < rows ? 4 * four + k : 4 * four, channel, zeros);
    for (; at < left; ++at, to += fours * CELL) put_cell(to, zero, zero, zero, zero, turn);
    for (; at < right; ++at, to += fours * CELL)
      put_cell(to, sixteen(r, at), sixteen(r + 1, at), sixteen(r + 2, at), sixteen(r + 3, at), turn);
    for (; at < columns; ++at, to += fours * CELL) put_cell(to, zero, zero, zero, zero, turn);
  }
}

/* The sums of `count` windows, `step` bytes of strip apart, to v[count][16]. */
NIBBLE_INLINE void sum_run(const uint8_t* strip, int64_t count, int64_t step, const uint8_t* w, int64_t width,
                           int64_t fours, int64_t dilation, const int32_t* start, int32_t* v) {
  for (int64_t i = 0; i < count; ++i, strip += step, v += 16)
    for (int k = 0; k < VEC_BLOCK; ++k) {
      VEC sum = VEC_LOAD(start + 16 / VEC_BLOCK * k);
      for (int64_t column = 0; column < width; ++column)
        for (int64_t four = 0; four < fours; ++four)
          sum = VEC_DOT(sum, VEC_LOAD(strip + (column * dilation * fours + four) * CELL + k * VEC_BYTES),
                        VEC_LOAD(w + (column * fours + four) * CELL + k * VEC_BYTES));
      VEC_STORE(v + 16 / VEC_BLOCK * k, sum);
    }
}

/* Three rows of x from the first column of a run on; columns [left, right) of them lie inside. */
typedef struct rows {
  nibble_line line[3];
  int64_t left, right;
  const uint8_t* zeros;
} rows;

/* The channels of a register from `lane` on of one column: bytes of the three rows, and 0. */
NIBBLE_INLINE VEC column_at(const rows* x, int64_t at, int64_t lane, int checked, int is_signed) {
  const int outside = checked && (at < x->left || at >= x->right);
  const VEC a = VEC_WIDEN(outside ? x->zeros : x->line[0].at + at * x->line[0].step + lane);
  const VEC b = VEC_WIDEN(outside ? x->zeros : x->line[1].at + at * x->line[1].step + lane);
  const VEC c = VEC_WIDEN(outside ? x->zeros : x->line[2].at + at * x->line[2].step + lane);
  const VEC all = VEC_OR(VEC_OR(a, VEC_UP(b, 8)), VEC_UP(c, 16));
  return is_signed ? VEC_XOR(all, VEC_SPREAD((int32_t)0x80808080u)) : all;
}

/* Positions [from, to) of a run of windows of three rows and three columns. */
NIBBLE_INLINE void roll(const rows* of, int64_t from, int64_t to, int64_t lane, const uint8_t* w, VEC start, int32_t* v,
                        int stride, int checked, int is_signed) {
  const VEC w0 = VEC_LOAD(w), w1 = VEC_LOAD(w + CELL), w2 = VEC_LOAD(w + 2 * CELL);
  const rows local = *of, *x = &local;
  VEC a, b, c;
  if (from >= to) return;
  a = column_at(x, from * stride, lane, checked, is_signed);
  b = stride == 1 ? column_at(x, from + 1, lane, checked, is_signed) : a;
  for (int64_t i = from; i < to; ++i) {
    VEC sum = VEC_DOT(start, a, w0);
    if (stride == 2) b = column_at(x, 2 * i + 1, lane, checked, is_signed);
    c = column_at(x, i * stride + 2, lane, checked, is_signed);
    sum = VEC_DOT(sum, b, w1);
    VEC_STORE(v + 16 * i, VEC_DOT(sum, c, w2));
    a = stride == 1 ? b : c;
    b = c;
  }
}

NIBBLE_INLINE void roll_run(const rows* x, int64_t count, const uint8_t* w, const int32_t* start, int32_t* v,
                            int stride, int is_signed) {
  int64_t from = (x->left + stride - 1) / stride, to = x->right < 3 ? 0 : (x->right - 3) / stride + 1;
  if (from > count) from = count;
  to = to < from ? from : to < count ? to : count;
  for (int k = 0; k < VEC_BLOCK; ++k, w += VEC_BYTES, v += 16 / VEC_BLOCK) {
    const VEC s = VEC_LOAD(start + 16 / VEC_BLOCK * k);
    roll(x, 0, from, 8 * k, w, s, v, stride, 1, is_signed);
    roll(x, from, to, 8 * k, w, s, v, stride, 0, is_signed);
    roll(x, to, count, 8 * k, w, s, v, stride, 1, is_signed);
  }
}

/* The sums of a run of a kernel of three rows and three columns. */
static void sum_three(const nibble_conv* p, const nibble_call* call, const nibble_position* o, int64_t count,
                      int64_t channel, const uint8_t* zeros, const uint8_t* w, const int32_t* start, int32_t* v) {
  const int is_signed = p->x_type == NIBBLE_I8;
  rows x;
  for (int k = 0; k < 3; ++k) x.line[k] = nibble_line_of(p, call, o, k, channel, zeros);
  x.zeros = zeros;
  nibble_inner_columns(p, o, (count - 1) * p->stride[2] + 3, &x.left, &x.right);
  if (p->stride[2] == 1) {
    if (is_signed)
      roll_run(&x, count, w, start, v, 1, 1);
    else
      roll_run(&x, count, w, start, v, 1, 0);
  } else {
    if (is_signed)
      roll_run(&x, count, w, start, v, 2, 1);
    else
      roll_run(&x, count, w, start, v, 2, 0);
  }
}

/* The sums of a run, by way of its strip. */
static void sum_strip(const nibble_conv* p, const nibble_call* call, const nibble_position* o, int64_t count,
                      int64_t channel, const uint8_t* zeros, const uint8_t* w, const int32_t* start, uint8_t* strip,
                      int32_t* v) {
  const int64_t fours = ((int64_t)p->kernel[0] * p->kernel[1] + 3) / 4, width = p->kernel[2];
  const int64_t step = p->stride[2] * fours * CELL;
  build_strip(p, call, o, (count - 1) * p->stride[2] + (width - 1) * p->dilation[2] + 1, channel, zeros, strip);
  if (width == 5 && fours == 2 && p->dilation[2] == 1)
    sum_run(strip, count, step, w, 5, 2, 1, start, v);
  else
    sum_run(strip, count, step, w, width, fours, p->dilation[2], start, v);
}

static int depthwise(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2], width = p->kernel[2];
  const int64_t lines = (int64_t)p->kernel[0] * p->kernel[1], fours = (lines + 3) / 4, cells = width * fours * CELL;
  const int64_t begin = p->split ? 0 : call->begin, end = p->split ? positions : call->end;
  const int64_t from = p->split ? call->begin : 0, to = p->split ? call->end : (p->out_channels + 15) / 16;
  const int64_t quads = (lines * width + 3) / 4;
  const int three = width == 3 && lines == 3 && p->dilation[2] == 1 && p->stride[2] <= 2;
  uint8_t *zeros = call->scratch, *weights = zeros + CELL, *strip = weights + (to - from) * cells;
  int64_t y[NIBBLE_STRIP_RUN], r[NIBBLE_STRIP_RUN];
  int32_t v[NIBBLE_STRIP_RUN * 16], start[16];
  nibble_finish f = nibble_finish_of(p, call);
  if (begin >= end) return NIBBLE_FINE;
  for (int i = 0; i < CELL; ++i) zeros[i] = (uint8_t)p->zero_point;
  for (int64_t block = from; block < to; ++block)
    four_weights(p, nibble_block_weights(p, block, quads, (int8_t*)zeros + nibble_conv_scratch(p) - quads * CELL),
                 weights + (block - from) * cells);
  for (int64_t item = begin, count; item < end; item += count) {
    const nibble_position o = nibble_position_of(p, item);
    count = nibble_run(p, &o, end - item, y, r);
    for (int64_t block = from; block < to; ++block) {
      const uint8_t* w = weights + (block - from) * cells;
      start_of(p, block, (const int8_t*)w, width * fours, start);
      if (three)
        sum_three(p, call, &o, count, block * 16, zeros, w, start, v);
      else
        sum_strip(p, call, &o, count, block * 16, zeros, w, start, strip, v);
      nibble_finish_rows(&f, v, count, block * 16, y, r);
    }
  }
  return f.fault;
}

static nibble_kernel find(int kind, const void* parameters, const char** kernel_name) {
  const nibble_conv* p = parameters;
  if (kind != NIBBLE_KIND_CONV || p->w_format != NIBBLE_BLOCKED || !nibble_are_bytes(p) || p->acc_type != NIBBLE_I32 ||
      !nibble_within_byte(p->zero_point, p->zero_point, p->x_type))
    return NULL;
  if (p->groups == 1) {
    *kernel_name = "gemm";
    return conv;
  }
  if (!nibble_is_depthwise(p)) return NULL;
  *kernel_name = "depthwise";
  return depthwise;
}
