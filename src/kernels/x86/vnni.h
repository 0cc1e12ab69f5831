/* The convolutions of a set with products of four bytes at once (vpdpbusd), for registers of 256 or 512 bits: a template
 * that a set's file includes within its target, after vec256.h or vec512.h, vnni_three.h, and
 *
 *   TILE_ROWS   positions of a tile of two registers of weights, 6 or 12; TILE_ROWS_OF_ONE, of one, 24 at most
 *   BLOCK_WEIGHTS  nibble_block_weights or its like by wider registers
 *   SPAN_PLANE  span_plane of vnni_three.h for as many channels as are best taken at once; how many
 *   FINISH(f, lanes, v, behind, blocks, count, channel, y, r)  nibble_wide_finish or, of one block, nibble_finish_rows; the
 *               second's sums at v + behind
 *
 * Dense: implicit GEMM. A tile is TILE_ROWS positions by 32 channels (512 bits) or 16 (256 bits); a quad of a position's
 * bytes is spread over a register and multiplied with the quads of the channels. Windows of 1x1 kernels are read where
 * they lie, others are gathered in scratch first, by rows. Depthwise: as the strip of avx2_depthwise.c, with four rows of
 * the kernel in a cell of 64 bytes, [16 channels][4].
 *
 * x of i8 is x + 128 of u8: the sum starts at bias - 128 * (sum of the weights). */
#include "kernels/conv_windows.h"
#include "kernels/x86/avx2.h"
#include "kernels/x86/unpack.h"
#include "kernels/x86/x86_finish.h"
#include "kernels/x86/x86_windows.h"

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
  if (bias != NULL && block * 16 + 16 <= p->out_channels) {
    for (int i = 0; i < 16; i += 16 / VEC_BLOCK)
      VEC_STORE(v + i, VEC_SUB(VEC_LOAD(bias + block * 16 + i), VEC_LOAD(excess + i)));
    return;
  }
  for (int i = 0; i < 16; ++i) {
    const int inside = bias != NULL && block * 16 + i < p->out_channels;
    v[i] = (int32_t)((inside ? (uint32_t)bias[block * 16 + i] : 0) - (uint32_t)excess[i]);
  }
}

/* ---- dense ------------------------------------------------------------------------------------------------------ */

NIBBLE_INLINE int32_t quad_at(const uint8_t* x) {
  int32_t quad;
  __builtin_memcpy(&quad, x, 4);
  return quad;
}

#define TWELVE(ROW) ROW(0) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7) ROW(8) ROW(9) ROW(10) ROW(11)
#define TWELVE_MORE(ROW) ROW(12) ROW(13) ROW(14) ROW(15) ROW(16) ROW(17) ROW(18) ROW(19) ROW(20) ROW(21) ROW(22) ROW(23)

/* The sums of `rows` windows, with one or two registers of weights `apart` bytes apart that start at `start`: to
 * v[row * 16] and v[row * 16 + behind]. More than twelve windows with one register only. */
NIBBLE_INLINE void tile(int rows, int two, const nibble_window_runs* x, const uint8_t* base, const int8_t* w,
                        int64_t apart, const int32_t* start, int64_t start_apart, int32_t* v, int64_t behind) {
  const VEC s0 = VEC_LOAD(start), s1 = two ? VEC_LOAD(start + start_apart) : VEC_ZERO();
  const int64_t step = x->step;
#define START(i) VEC a##i = s0, b##i = s1;
  TWELVE(START)
#undef START
#define START(i) VEC a##i = s0;
  TWELVE_MORE(START)
#undef START
  for (int64_t segment = 0; segment < x->segments; ++segment, base += x->apart) {
    const uint8_t *at = base, *six = base + 6 * step, *twelve = base + 12 * step, *eighteen = base + 18 * step;
    for (int64_t quad = 0; quad < x->quads; ++quad, w += QUAD, at += 4, six += 4, twelve += 4, eighteen += 4) {
      const VEC w0 = VEC_LOAD(w), w1 = two ? VEC_LOAD(w + apart) : w0;
#define ROW(i)                                                                          \
  if (rows > i) {                                                                       \
    const VEC four = VEC_SPREAD(quad_at(i < 6 ? at + i * step : six + (i - 6) * step)); \
    a##i = VEC_DOT(a##i, four, w0);                                                     \
    if (two) b##i = VEC_DOT(b##i, four, w1);                                            \
  }
      TWELVE(ROW)
#undef ROW
#define ROW(i)  \
  if (rows > i) \
    a##i = VEC_DOT(a##i, VEC_SPREAD(quad_at(i < 18 ? twelve + (i - 12) * step : eighteen + (i - 18) * step)), w0);
      TWELVE_MORE(ROW)
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
#define STORE(i) \
  if (rows > i) VEC_STORE(v + 16 * i, a##i);
  TWELVE_MORE(STORE)
#undef STORE
}

/* One window by one or two registers of weights, `apart` bytes apart, that are read once, as they lie, into four sums each:
 * to v, and to v + behind. */
NIBBLE_INLINE void stream(int two, const uint8_t* x, int64_t quads, const int8_t* w, int64_t apart,
                          const int32_t* start, int64_t start_apart, int32_t* v, int64_t behind) {
  VEC a = VEC_LOAD(start), b = VEC_ZERO(), c = b, d = b, e = two ? VEC_LOAD(start + start_apart) : b, f = b, g = b,
      h = b;
  int64_t quad = 0;
#define ADD(k, to, second)                                         \
  {                                                                \
    const VEC four = VEC_SPREAD(quad_at(x + 4 * (quad + k)));      \
    const int8_t* at = w + (quad + k) * QUAD;                      \
    to = VEC_DOT(to, four, VEC_LOAD(at));                          \
    if (two) second = VEC_DOT(second, four, VEC_LOAD(at + apart)); \
  }
  for (; quad + 4 <= quads; quad += 4) {
    ADD(0, a, e)
    ADD(1, b, f)
    ADD(2, c, g)
    ADD(3, d, h)
  }
  for (; quad < quads; ++quad) ADD(0, a, e)
#undef ADD
  VEC_STORE(v, VEC_ADD(VEC_ADD(a, b), VEC_ADD(c, d)));
  if (two) VEC_STORE(v + behind, VEC_ADD(VEC_ADD(e, f), VEC_ADD(g, h)));
}

/* How many of `count` windows the next tile takes, of `most`: there are tiles of 1 to 8, then of even numbers. */
NIBBLE_INLINE int64_t tile_rows(int64_t count, int64_t most) {
  const int64_t rows = nibble_part(count, most);
  if (rows <= 8 || rows % 2 == 0) return rows;
  return rows < count ? rows + 1 : (rows + 3) / 4 * 2;
}

/* `count` windows, at most NIBBLE_WINDOWS_MOST, with one or two registers of weights: to v[block][most][16]. */
NIBBLE_INLINE void tiles(int two, const nibble_window_runs* x, const uint8_t* at, int64_t count, const int8_t* w,
                         int64_t apart, const int32_t* start, int64_t start_apart, int32_t* v, int64_t behind) {
  const int64_t most = two ? TILE_ROWS : TILE_ROWS_OF_ONE;
  for (int64_t i = 0, rows; i < count; i += rows) {
    rows = tile_rows(count - i, most);
#define CASE(n) \
  case n: tile(n, two, x, at + i * x->step, w, apart, start, start_apart, v + 16 * i, behind); break;
    switch (rows) {
      CASE(1)
      CASE(2)
      CASE(3)
      CASE(4)
      CASE(5)
      CASE(6)
#if TILE_ROWS > 6
      CASE(7)
      CASE(8)
      CASE(10)
      CASE(12)
      default:
        if (!two) switch (rows) {
            CASE(14)
            CASE(16)
            CASE(18)
            CASE(20)
            CASE(22)
            default: tile(24, two, x, at + i * x->step, w, apart, start, start_apart, v + 16 * i, behind);
          }
#endif
    }
#undef CASE
  }
}

/* Blocks of channels whose sums' starts are kept. */
enum { STARTS_KEPT = 64 };

/* One call's: the blocks of output channels that it computes. */
typedef struct progress {
  nibble_finish f;
  int64_t from, to;
  uint64_t started; /* a bit a block */
  int32_t start[STARTS_KEPT * 16];
} progress;

/* The sums' start of a block. */
static void find_start(progress* g, int64_t block, const int8_t* w, int64_t quads, int32_t* start) {
  const int64_t kept = block - g->from;
  if (kept >= STARTS_KEPT) {
    start_of(g->f.p, block, w, quads, start);
    return;
  }
  if (!(g->started >> kept & 1)) start_of(g->f.p, block, w, quads, g->start + 16 * kept);
  g->started |= (uint64_t)1 << kept;
  for (int i = 0; i < 16; i += 16 / VEC_BLOCK) VEC_STORE(start + i, VEC_LOAD(g->start + 16 * kept + i));
}

/* The block at `block`, or two where a tile takes them; returns how many. */
static int64_t some_blocks(progress* g, const nibble_window_runs* x, int64_t block, const int64_t* y,
                           const int64_t* r) {
  const int64_t quads = x->segments * x->quads, size = QUAD * quads, behind = NIBBLE_WINDOWS_MOST * 16;
  const int streams = x->runs == 1 && x->count[0] == 1 && x->segments == 1;
  const int64_t taken = VEC_BLOCK == 1 && g->to - block > 1 ? 2 : 1;
  int8_t* unpacked = g->f.p->w_bits < 8 ? nibble_unpacked(g->f.p, g->f.call->scratch) : NULL;
  const int8_t* w = BLOCK_WEIGHTS(g->f.p, block, quads, unpacked);
  __attribute__((aligned(64))) int32_t v[2 * NIBBLE_WINDOWS_MOST * 16], start[32];
  nibble_lanes room[2];
  const nibble_lanes* lanes = VEC_BLOCK == 1 ? nibble_lanes_of(&g->f, 16 * block, taken, room) : NULL;
  if (taken > 1 && g->f.p->w_bits < 8) BLOCK_WEIGHTS(g->f.p, block + 1, quads, unpacked + size);
  for (int64_t k = 0; k < taken; ++k) find_start(g, block + k, w + k * size, quads, start + 16 * k);
  for (int64_t run = 0; run < x->runs; ++run)
    for (int64_t i = 0, some; i < x->count[run]; i += some, y += some, r += some) {
      const uint8_t* at = x->at[run] + i * x->step;
      some = nibble_part(x->count[run] - i, NIBBLE_WINDOWS_MOST);
      if (streams && VEC_BLOCK == 2)
        stream(1, at, quads, w, VEC_BYTES, start, 8, v, 8);
      else if (streams && taken == 2)
        stream(1, at, quads, w, size, start, 16, v, behind);
      else if (streams)
        stream(0, at, quads, w, 0, start, 0, v, 0);
      else if (VEC_BLOCK == 2)
        tiles(1, x, at, some, w, VEC_BYTES, start, 8, v, 8);
      else if (taken == 2)
        tiles(1, x, at, some, w, size, start, 16, v, behind);
      else
        tiles(0, x, at, some, w, 0, start, 0, v, 0);
      FINISH(&g->f, lanes, v, behind, taken, some, 16 * block, y, r);
    }
  return taken;
}

static void meet(void* context, const nibble_window_runs* x, const int64_t* y, const int64_t* r) {
  progress* g = context;
  for (int64_t block = g->from; block < g->to;) block += some_blocks(g, x, block, y, r);
}

static int conv(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int64_t begin = p->split ? 0 : call->begin, end = p->split ? positions : call->end;
  progress g;
  nibble_meeting m = {p,    call, NIBBLE_WINDOWS_MOST, nibble_window_bytes(p) > 256 ? 4 : 1, (uint8_t)turned_bit(p),
                      meet, &g};
  g.f = nibble_finish_of(p, call);
  g.from = p->split ? call->begin : 0;
  g.to = p->split ? call->end : (p->out_channels + 15) / 16;
  g.started = 0;
  if (begin >= end || g.from >= g.to) return NIBBLE_FINE;
  /* Blocks that are dear to read or to unpack are read seldom. */
  if (p->w_bits < 8 || nibble_window_bytes(p) > 2048) m.wanted = NIBBLE_MET_MOST;
  if (nibble_window_bytes(p) <= 256) m.wanted = 4 * NIBBLE_WINDOWS_MOST;
  nibble_meet_windows(&m, begin, end);
  return g.f.fault;
}

/* ---- depthwise -------------------------------------------------------------------------------------------------- */

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
  const int64_t quads = (lines * width + 3) / 4, last = 16 * to < p->out_channels ? 16 * to : p->out_channels;
  uint8_t *zeros = call->scratch, *weights = zeros + CELL, *strip = weights + (to - from) * cells;
  int8_t* unpacked = (int8_t*)zeros + nibble_conv_scratch(p) - quads * CELL;
  int64_t y[NIBBLE_STRIP_RUN], r[NIBBLE_STRIP_RUN];
  int32_t v[NIBBLE_STRIP_RUN * 16], start[16];
  nibble_finish f = nibble_finish_of(p, call);
  if (begin >= end) return NIBBLE_FINE;
  if (width == 3 && lines == 3 && p->dilation[2] == 1 && p->stride[2] <= 2) {
    for (int64_t channel = 16 * from; channel < last;) channel += SPAN_PLANE(&f, channel, last, begin, end, unpacked);
    return f.fault;
  }
  for (int i = 0; i < CELL; ++i) zeros[i] = (uint8_t)p->zero_point;
  for (int64_t block = from; block < to; ++block)
    four_weights(p, nibble_block_weights(p, block, quads, unpacked), weights + (block - from) * cells);
  for (int64_t item = begin, count; item < end; item += count) {
    const nibble_position o = nibble_position_of(p, item);
    count = nibble_run(p, &o, end - item, y, r);
    for (int64_t block = from; block < to; ++block) {
      const uint8_t* w = weights + (block - from) * cells;
      start_of(p, block, (const int8_t*)w, width * fours, start);
      sum_strip(p, call, &o, count, block * 16, zeros, w, start, strip, v);
      FINISH(&f, NULL, v, 0, 1, count, block * 16, y, r);
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
    const nibble_kernel codes = nibble_avx2_stream(p, kernel_name);
    if (codes != NULL) return codes;
    *kernel_name = "gemm";
    return conv;
  }
  if (!nibble_is_depthwise(p)) return NULL;
  *kernel_name = "depthwise";
  return depthwise;
}
