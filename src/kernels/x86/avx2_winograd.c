#include "kernels/conv_windows.h"
#include "kernels/x86/avx2.h"
#include "kernels/x86/unpack.h"
#include "kernels/x86/x86.h"
#include "kernels/x86/x86_finish.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma")

/* Convolution of 3x3 windows at stride 1 by F(2x2, 3x3) of Winograd, in integers (Lavin and Gray, "Fast algorithms for
 * convolutional neural networks", 2016): of a tile of 4x4 inputs d and a window g,
 *
 *     2x2 outputs = A^t ((2G g 2G^t) . (B^t d B)) A / 4
 *
 * in 16 products where the sum itself takes 36. B holds 0 and +-1, 2G integers: d becomes at most 4 * 255, g at most
 * 9 * 128, both 16 bits, which vpmaddwd multiplies at the rate at which it multiplies bytes that were widened. Sums wrap
 * on the way, which is undone as long as four times the result fits 32 bits: nibble_takes_winograd bounds the channels.
 *
 * A group of tiles is transformed once, [16][tile][channels] of 16 bits; then for 16 output channels at a time the
 * weights, a chunk of channels at a time, [16][pairs of channels][16][2]; 16 products of matrices give sums
 * [16][tile][16] of 32 bits, whose outputs are finished as any other kernel's. */

NIBBLE_INLINE __m256i load(const void* from) {
  return _mm256_loadu_si256((const __m256i*)from);
}

NIBBLE_INLINE void store(void* to, __m256i v) {
  _mm256_storeu_si256((__m256i*)to, v);
}

enum { TILES = NIBBLE_WINOGRAD_TILES, CHUNK = NIBBLE_WINOGRAD_CHUNK, OUTPUTS = 4 * TILES };

/* One group of one plane, and the parts of scratch. */
typedef struct group {
  const nibble_conv* p;
  int64_t channels;                         /* of x, whole registers */
  int64_t count, wide;                      /* tiles; tiles of a row of the plane */
  int64_t tile_step, weight_step, sum_step; /* bytes from place to place */
  uint8_t *tiles, *weights, *sums, *edge;
  int8_t* unpacked;
} group;

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

NIBBLE_INLINE __m256i sixteen(const uint8_t* x, int is_signed) {
  const __m128i bytes = _mm_loadu_si128((const __m128i*)x);
  return is_signed ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
}

/* B^t v. */
NIBBLE_INLINE void turn_inputs(__m256i* a, __m256i* b, __m256i* c, __m256i* d) {
  const __m256i first = _mm256_sub_epi16(*a, *c), second = _mm256_add_epi16(*b, *c);
  const __m256i third = _mm256_sub_epi16(*c, *b), fourth = _mm256_sub_epi16(*b, *d);
  *a = first, *b = second, *c = third, *d = fourth;
}

/* 4x4 inputs of 16 channels, `row` and `column` bytes apart, to 16 places `step` bytes apart. */
NIBBLE_INLINE void turn_tile(const uint8_t* x, int64_t row, int64_t column, uint8_t* to, int64_t step, int is_signed) {
#define COLUMN(j)                                                                                                   \
  __m256i a##j = sixteen(x + j * column, is_signed), b##j = sixteen(x + row + j * column, is_signed),               \
          c##j = sixteen(x + 2 * row + j * column, is_signed), d##j = sixteen(x + 3 * row + j * column, is_signed); \
  turn_inputs(&a##j, &b##j, &c##j, &d##j);
  COLUMN(0)
  COLUMN(1)
  COLUMN(2)
  COLUMN(3)
#undef COLUMN
#define LINE(v, i)                         \
  turn_inputs(&v##0, &v##1, &v##2, &v##3); \
  store(to + (4 * i) * step, v##0);        \
  store(to + (4 * i + 1) * step, v##1);    \
  store(to + (4 * i + 2) * step, v##2);    \
  store(to + (4 * i + 3) * step, v##3);
  LINE(a, 0) LINE(b, 1) LINE(c, 2) LINE(d, 3)
#undef LINE
}

/* The tile at row and column (h, w) of x, part of which lies outside: bytes of it in `edge`. */
static void build_edge(const group* g, const uint8_t* x, int64_t h, int64_t w) {
  const nibble_conv* p = g->p;
  const __m128i zero = _mm_set1_epi8((char)p->zero_point);
  for (int64_t i = 0; i < 16; ++i) {
    const int64_t row = h + i / 4, column = w + i % 4;
    const int inside = row >= 0 && row < p->in[1] && column >= 0 && column < p->in[2];
    const uint8_t* from = x + row * p->x_stride[2] + column * p->x_stride[3];
    for (int64_t c = 0; c < g->channels; c += 16)
      _mm_storeu_si128((__m128i*)(g->edge + i * g->channels + c),
                       inside ? _mm_loadu_si128((const __m128i*)(from + c)) : zero);
  }
}

/* Tile `tile` of the plane, at place `at` of the group; x: the plane. */
NIBBLE_INLINE void take_tile(const group* g, const uint8_t* x, int64_t tile, int64_t at, int is_signed) {
  const nibble_conv* p = g->p;
  const int64_t h = tile / g->wide * 2 - p->pad[1], w = tile % g->wide * 2 - p->pad[2];
  const int inside = h >= 0 && w >= 0 && h + 4 <= p->in[1] && w + 4 <= p->in[2];
  const uint8_t* from = inside ? x + h * p->x_stride[2] + w * p->x_stride[3] : g->edge;
  const int64_t row = inside ? p->x_stride[2] : 4 * g->channels, column = inside ? p->x_stride[3] : g->channels;
  uint8_t* to = g->tiles + at * 2 * g->channels;
  if (!inside) build_edge(g, x, h, w);
  for (int64_t c = 0; c < g->channels; c += 16) turn_tile(from + c, row, column, to + 2 * c, g->tile_step, is_signed);
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

/* 2G v, in four numbers of three. */
NIBBLE_INLINE void turn_weights(__m256i* a, __m256i* b, __m256i* c, __m256i* d) {
  const __m256i ends = _mm256_add_epi16(*a, *c), first = _mm256_add_epi16(*a, *a), last = _mm256_add_epi16(*c, *c);
  *c = _mm256_sub_epi16(ends, *b);
  *b = _mm256_add_epi16(ends, *b);
  *a = first, *d = last;
}

/* Of the quad at `w`, 16 channels by four columns, channels [8 * half, 8 * half + 8) by columns 2 * pair and
 * 2 * pair + 1, in the order of eight_of (below). */
NIBBLE_INLINE __m256i pair_of(const int8_t* w, int half, int pair) {
  const __m256 low = _mm256_castsi256_ps(_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)(w + 32 * half))));
  const __m256 high = _mm256_castsi256_ps(_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)(w + 32 * half + 16))));
  return _mm256_castps_si256(pair ? _mm256_shuffle_ps(low, high, 0xdd) : _mm256_shuffle_ps(low, high, 0x88));
}

/* One pair of columns of eight channels; the taps of a quad lie `tap` bytes apart, places `step` bytes. */
NIBBLE_INLINE void turn_pair(const int8_t* w, const int64_t* tap, uint8_t* to, int64_t step, int half, int pair) {
#define COLUMN(j)                                                                             \
  __m256i a##j = pair_of(w + tap[j], half, pair), b##j = pair_of(w + tap[3 + j], half, pair), \
          c##j = pair_of(w + tap[6 + j], half, pair), d##j;                                   \
  turn_weights(&a##j, &b##j, &c##j, &d##j);
  COLUMN(0)
  COLUMN(1)
  COLUMN(2)
#undef COLUMN
#define LINE(v, i)                            \
  {                                           \
    __m256i last;                             \
    turn_weights(&v##0, &v##1, &v##2, &last); \
    store(to + (4 * i) * step, v##0);         \
    store(to + (4 * i + 1) * step, v##1);     \
    store(to + (4 * i + 2) * step, v##2);     \
    store(to + (4 * i + 3) * step, last);     \
  }
  LINE(a, 0) LINE(b, 1) LINE(c, 2) LINE(d, 3)
#undef LINE
}

/* Columns [from, from + count) of a block of 16 output channels. */
static void take_weights(const group* g, const int8_t* w, int64_t from, int64_t count) {
  const int64_t segment = nibble_segment_bytes(g->p), step = g->weight_step;
  int64_t tap[9];
  for (int64_t i = 0; i < 9; ++i) tap[i] = (i / 3 * segment + i % 3 * g->p->in_channels) / 4 * 64;
  for (int64_t c = 0; c < count; c += 4) {
    const int8_t* quad = w + (from + c) / 4 * 64;
    uint8_t* to = g->weights + c / 2 * 64;
    turn_pair(quad, tap, to, step, 0, 0);
    turn_pair(quad, tap, to + 32, step, 1, 0);
    turn_pair(quad, tap, to + 64, step, 0, 1);
    turn_pair(quad, tap, to + 96, step, 1, 1);
  }
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

#define SIX(ROW) ROW(0) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5)

/* `rows` tiles, `step` bytes apart, by 16 channels, over `pairs` pairs of columns, an even number: to m[rows][16], or added to it. */
NIBBLE_INLINE void multiply(int rows, const uint8_t* x, int64_t step, const uint8_t* w, int64_t pairs, int32_t* m,
                            int more) {
#define START(i)                                                               \
  __m256i a##i = rows > i && more ? load(m + 16 * i) : _mm256_setzero_si256(); \
  __m256i b##i = rows > i && more ? load(m + 16 * i + 8) : _mm256_setzero_si256();
  SIX(START)
#undef START
#define ROW(i) \
  if (rows > i) NIBBLE_ADD_PRODUCTS(a##i, b##i, *(const int32_t*)(x + i * step), w0, w1);
#define NEXT(i) \
  if (rows > i) NIBBLE_ADD_PRODUCTS(a##i, b##i, *(const int32_t*)(x + 4 + i * step), w0, w1);
  for (int64_t pair = 0; pair < pairs; pair += 2, w += 128, x += 8) {
    {
      const __m256i w0 = load(w), w1 = load(w + 32);
      SIX(ROW)
    }
    {
      const __m256i w0 = load(w + 64), w1 = load(w + 96);
      SIX(NEXT)
    }
  }
#undef NEXT
#undef ROW
#define STORE(i)                 \
  if (rows > i) {                \
    store(m + 16 * i, a##i);     \
    store(m + 16 * i + 8, b##i); \
  }
  SIX(STORE)
#undef STORE
}

static void multiply_all(const group* g, int64_t column, int64_t columns, int more) {
  const int64_t step = 2 * g->channels;
  for (int64_t place = 0; place < 16; ++place) {
    const uint8_t* x = g->tiles + place * g->tile_step + 2 * column;
    const uint8_t* w = g->weights + place * g->weight_step;
    int32_t* m = (int32_t*)(void*)(g->sums + place * g->sum_step);
    for (int64_t i = 0, rows; i < g->count; i += rows, x += rows * step, m += rows * 16) {
      rows = nibble_part(g->count - i, 6);
      switch (rows) {
        case 1: multiply(1, x, step, w, columns / 2, m, more); break;
        case 2: multiply(2, x, step, w, columns / 2, m, more); break;
        case 3: multiply(3, x, step, w, columns / 2, m, more); break;
        case 4: multiply(4, x, step, w, columns / 2, m, more); break;
        case 5: multiply(5, x, step, w, columns / 2, m, more); break;
        default: multiply(6, x, step, w, columns / 2, m, more); break;
      }
    }
  }
}

/* ---- outputs ----------------------------------------------------------------------------------------------------- */

/* Four times eight channels' result to the result, channels in order, and the bias. */
NIBBLE_INLINE __m256i eight_of(__m256i four_times, __m256i bias) {
  return _mm256_add_epi32(_mm256_permute4x64_epi64(_mm256_srai_epi32(four_times, 2), 0xd8), bias);
}

/* The 2x2 outputs of a tile, eight channels: sums `step` int32 apart, outputs to v[at[k]]. */
NIBBLE_INLINE void turn_sums(const int32_t* m, int64_t step, __m256i bias, int32_t (*v)[16], const int32_t* at,
                             int half) {
#define COLUMN(j)                                                                          \
  const __m256i q##j = load(m + (4 + j) * step), r##j = load(m + (8 + j) * step);          \
  const __m256i s##j = _mm256_add_epi32(load(m + j * step), _mm256_add_epi32(q##j, r##j)); \
  const __m256i t##j = _mm256_sub_epi32(_mm256_sub_epi32(q##j, r##j), load(m + (12 + j) * step));
  COLUMN(0)
  COLUMN(1)
  COLUMN(2)
  COLUMN(3)
#undef COLUMN
  store(v[at[0]] + 8 * half, eight_of(_mm256_add_epi32(s0, _mm256_add_epi32(s1, s2)), bias));
  store(v[at[1]] + 8 * half, eight_of(_mm256_sub_epi32(_mm256_sub_epi32(s1, s2), s3), bias));
  store(v[at[2]] + 8 * half, eight_of(_mm256_add_epi32(t0, _mm256_add_epi32(t1, t2)), bias));
  store(v[at[3]] + 8 * half, eight_of(_mm256_sub_epi32(_mm256_sub_epi32(t1, t2), t3), bias));
}

/* Where the outputs of the group's tiles go: those of `o`'s plane with items in [begin, end), in `count` places; the
 * others to a place that nobody reads. */
typedef struct places {
  int64_t count, y[OUTPUTS], r[OUTPUTS];
  int32_t at[OUTPUTS];
} places;

static void place_outputs(const group* g, const nibble_position* plane, int64_t first, int64_t begin, int64_t end,
                          places* to) {
  const nibble_conv* p = g->p;
  const int64_t y0 = nibble_offset_of(plane, p->y_stride), r0 = nibble_offset_of(plane, p->r_stride);
  int64_t h = first / g->wide * 2, w = first % g->wide * 2;
  to->count = 0;
  for (int64_t i = 0; i < 4 * g->count; ++i) {
    const int64_t row = h + i % 4 / 2, column = w + i % 2, item = row * p->out[2] + column;
    if (row < p->out[1] && column < p->out[2] && item >= begin && item < end) {
      to->y[to->count] = y0 + row * p->y_stride[2] + column * p->y_stride[3];
      to->r[to->count] = r0 + row * p->r_stride[2] + column * p->r_stride[3];
      to->at[i] = (int32_t)to->count++;
    } else {
      to->at[i] = OUTPUTS;
    }
    if (i % 4 == 3 && (w += 2) >= 2 * g->wide) w = 0, h += 2;
  }
}

static void take_group(const group* g, const places* to, nibble_finish* f) {
  const nibble_conv* p = g->p;
  const int64_t quads = nibble_window_bytes(p) / 4, step = g->sum_step / 4;
  const __m256i zero = _mm256_setzero_si256();
  int32_t v[OUTPUTS + 1][16];
  for (int64_t block = 0; block < (p->out_channels + 15) / 16; ++block) {
    const int8_t* w = nibble_block_weights(p, block, quads, g->unpacked);
    const int32_t* bias = p->bias ? (const int32_t*)p->bias + 16 * block : NULL;
    const __m256i b0 = bias ? load(bias) : zero, b1 = bias ? load(bias + 8) : zero;
    for (int64_t column = 0, columns; column < p->in_channels; column += columns) {
      columns = p->in_channels - column < CHUNK ? p->in_channels - column : CHUNK;
      take_weights(g, w, column, columns);
      multiply_all(g, column, columns, column > 0);
    }
    for (int64_t tile = 0; tile < g->count; ++tile) {
      const int32_t* m = (const int32_t*)g->sums + 16 * tile;
      turn_sums(m, step, b0, v, to->at + 4 * tile, 0);
      turn_sums(m + 8, step, b1, v, to->at + 4 * tile, 1);
    }
    nibble_finish_rows(f, v[0], to->count, 16 * block, to->y, to->r);
  }
}

/* ------------------------------------------------------------------------------------------------------------------ */

/* Items [begin, end) of the plane of outputs whose first is `plane`. */
static void take_plane(group* g, const nibble_call* call, nibble_position plane, int64_t begin, int64_t end,
                       nibble_finish* f) {
  const nibble_conv* p = g->p;
  const uint8_t* x = (const uint8_t*)call->in[0] + plane.batch * p->x_stride[0] + plane.at[0] * p->x_stride[1];
  const int64_t last = ((end - 1) / p->out[2] / 2 + 1) * g->wide, most = nibble_winograd_tiles(p);
  for (int64_t first = begin / p->out[2] / 2 * g->wide; first < last; first += g->count) {
    places to;
    g->count = nibble_part(last - first, most);
    for (int64_t i = 0; i < g->count; ++i) {
      if (p->x_type == NIBBLE_U8)
        take_tile(g, x, first + i, i, 0);
      else
        take_tile(g, x, first + i, i, 1);
    }
    place_outputs(g, &plane, first, begin, end, &to);
    take_group(g, &to, f);
  }
}

static int winograd(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int64_t plane = (int64_t)p->out[1] * p->out[2];
  nibble_finish f = nibble_finish_of(p, call);
  group g = {0};
  g.p = p;
  g.channels = nibble_winograd_channels(p);
  g.wide = (p->out[2] + 1) / 2;
  g.tile_step = nibble_odd_lines(2 * g.channels * nibble_winograd_tiles(p));
  g.weight_step = nibble_odd_lines(32 * (g.channels < CHUNK ? g.channels : CHUNK));
  g.sum_step = nibble_odd_lines(64 * nibble_winograd_tiles(p));
  g.tiles = call->scratch;
  g.weights = g.tiles + 16 * g.tile_step;
  g.sums = g.weights + 16 * g.weight_step;
  g.edge = g.sums + 16 * g.sum_step;
  g.unpacked = nibble_unpacked(p, call->scratch);
  for (int64_t item = call->begin, end; item < call->end; item = end) {
    const int64_t start = item - item % plane;
    end = call->end < start + plane ? call->end : start + plane;
    take_plane(&g, call, nibble_position_of(p, start), item - start, end - start, &f);
  }
  return f.fault;
}

nibble_kernel nibble_avx2_winograd(const nibble_conv* p, const char** name) {
  if (!nibble_takes_winograd(p) || !nibble_are_bytes(p)) return NULL;
  if (!nibble_within_byte(p->zero_point, p->zero_point, p->x_type)) return NULL;
  *name = "winograd16";
  return winograd;
}

NIBBLE_CLOSE_TARGET
#endif
