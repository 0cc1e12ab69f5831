/* Convolutions by tiles of a matrix unit (AMX): a register of 16 rows by 64 bytes, of which an instruction multiplies 16
 * windows with 16 channels, 64 bytes of each. BLOCKED weights are such tiles as they lie, and so are windows, `step` bytes
 * apart; signed x is multiplied as it is. Layers of one position, depthwise ones and all else are the next set's. */
#include <string.h>

#include "kernels/x86/unpack.h"
#include "kernels/x86/x86.h"
#include "kernels/x86/x86_finish.h"
#include "kernels/x86/x86_windows.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,amx-tile,amx-int8")

/* WINDOWS_BYTES: of windows that meet a block of weights before the next does, as far as the caches keep them. */
enum { LINE = 64, ROWS = 16, COLUMNS = 16, WINDOWS_BYTES = 1 << 16 };

/* How tiles are cut: what the processor reads. Tiles 0 to 3 are sums, 4 and 5 windows, 6 and 7 weights. */
typedef struct shape {
  uint8_t palette, start_row, reserved[14];
  uint16_t bytes[16];
  uint8_t rows[16];
} shape;

enum { TILE_SUMS = ROWS * COLUMNS, TILES_MOST = NIBBLE_RUNS_MOST + NIBBLE_MET_MOST / ROWS };

/* Tiles of windows, all of as many rows: where they begin and which windows of a meeting they are; rows that an earlier tile
 * had are not stored again, as a residual may lie where they were stored. */
typedef struct tiles {
  int64_t count, first[TILES_MOST], had[TILES_MOST];
  const uint8_t* at[TILES_MOST];
  const int64_t *y, *r;
} tiles;

/* Up to four blocks of channels: what becomes of their sums. `folded`: the bias is in the lanes. */
typedef struct blocks {
  int64_t block, count;
  int folded;
  const nibble_lanes* lanes; /* NULL: none */
  nibble_lanes room[4];
  __attribute__((aligned(64))) int32_t bias[4][COLUMNS];
} blocks;

/* Sums that are to be finished: `tiles` by `blocks`, of tiles from `tile` on. */
typedef struct sums {
  int64_t tile, tiles, blocks;
  const blocks* of;
  __attribute__((aligned(64))) int32_t v[4 * TILE_SUMS];
} sums;

/* One call's: the blocks of output channels that it computes, how tiles are cut now, and sums of which one waits while the
 * other is computed. */
typedef struct progress {
  nibble_finish f;
  int64_t from, to, rows, quads;
  int turn;
  sums sums[2];
  blocks blocks[2];
} progress;

/* Windows by `rows`, bytes by `quads` quads. */
static void cut(progress* g, int64_t rows, int64_t quads) {
  shape s;
  if (g->rows == rows && g->quads == quads) return;
  g->rows = rows, g->quads = quads;
  memset(&s, 0, sizeof s);
  s.palette = 1;
  for (int i = 0; i < 4; ++i) s.rows[i] = (uint8_t)rows, s.bytes[i] = LINE;
  for (int i = 4; i < 6; ++i) s.rows[i] = (uint8_t)rows, s.bytes[i] = (uint16_t)(4 * quads);
  for (int i = 6; i < 8; ++i) s.rows[i] = (uint8_t)quads, s.bytes[i] = LINE;
  _tile_loadconfig(&s);
}

/* Into how many equal steps of quads, of 16 at most, a segment's are cut; 0 where steps would be short. */
static int64_t steps_of(int64_t quads) {
  for (int64_t steps = (quads + COLUMNS - 1) / COLUMNS; 6 * steps <= quads || steps == 1; ++steps)
    if (quads % steps == 0) return steps;
  return 0;
}

/* Some tiles: windows of rows from at[i] on, and blocks of weights from w + j * block on, of `steps` steps. */
typedef struct work {
  const uint8_t* at[4];
  int64_t step, segments, apart, steps, bytes; /* bytes: of a step */
  const int8_t* w;
  int64_t block;
  int is_signed;
} work;

#define DOT(sum, x, w)         \
  do {                         \
    if (is_signed)             \
      _tile_dpbssd(sum, x, w); \
    else                       \
      _tile_dpbusd(sum, x, w); \
  } while (0)
/* Over all steps of all segments: `i` bytes into a window, `w` at the step's weights. */
#define EACH_STEP(k, body)                                                                  \
  do {                                                                                      \
    const int8_t* w = k->w;                                                                 \
    const int is_signed = k->is_signed;                                                     \
    for (int64_t segment = 0, from = 0; segment < k->segments; ++segment, from += k->apart) \
      for (int64_t i = from, s = 0; s < k->steps; ++s, i += k->bytes, w += 16 * k->bytes) { \
        body                                                                                \
      }                                                                                     \
  } while (0)

/* Two tiles of windows by two blocks; `two_tiles`, `two_blocks`: or one. */
static void square(const work* k, int two_tiles, int two_blocks) {
  EACH_STEP(k, {
    _tile_loadd(4, k->at[0] + i, k->step);
    _tile_loadd(6, w, LINE);
    DOT(0, 4, 6);
    if (two_blocks) {
      _tile_loadd(7, w + k->block, LINE);
      DOT(1, 4, 7);
    }
    if (two_tiles) {
      _tile_loadd(5, k->at[1] + i, k->step);
      DOT(2, 5, 6);
      if (two_blocks) DOT(3, 5, 7);
    }
  });
}

/* One tile of windows by `count` (3 or 4) blocks. */
static void wide(const work* k, int64_t count) {
  EACH_STEP(k, {
    _tile_loadd(4, k->at[0] + i, k->step);
    _tile_loadd(6, w, LINE);
    DOT(0, 4, 6);
    _tile_loadd(7, w + k->block, LINE);
    DOT(1, 4, 7);
    _tile_loadd(6, w + 2 * k->block, LINE);
    DOT(2, 4, 6);
    if (count > 3) {
      _tile_loadd(7, w + 3 * k->block, LINE);
      DOT(3, 4, 7);
    }
  });
}

/* `count` (3 or 4) tiles of windows by one block. */
static void tall(const work* k, int64_t count) {
  EACH_STEP(k, {
    _tile_loadd(6, w, LINE);
    _tile_loadd(4, k->at[0] + i, k->step);
    DOT(0, 4, 6);
    _tile_loadd(5, k->at[1] + i, k->step);
    DOT(1, 5, 6);
    _tile_loadd(4, k->at[2] + i, k->step);
    DOT(2, 4, 6);
    if (count > 3) {
      _tile_loadd(5, k->at[3] + i, k->step);
      DOT(3, 5, 6);
    }
  });
}

static void take_blocks(progress* g, int64_t block, int64_t count, blocks* b) {
  const nibble_conv* p = g->f.p;
  b->block = block, b->count = count;
  b->lanes = nibble_lanes_of(&g->f, block * COLUMNS, count, b->room);
  b->folded = b->lanes != NULL && (g->f.form == NIBBLE_FINISH_PRODUCT32 || g->f.form == NIBBLE_FINISH_PRODUCT32_SUM);
  memset(b->bias, 0, sizeof b->bias);
  if (p->bias == NULL) return;
  for (int64_t k = 0; k < count; ++k) {
    const int64_t left = p->out_channels - (block + k) * COLUMNS;
    memcpy(b->bias[k], (const int32_t*)p->bias + (block + k) * COLUMNS, 4 * (size_t)(left < COLUMNS ? left : COLUMNS));
    if (b->folded) {
      nibble_lanes* l = b->room + k;
      const __m512i bias = _mm512_loadu_si512(b->bias[k]);
      const __m512i even = _mm512_mul_epi32(bias, _mm512_loadu_si512(l->a));
      const __m512i odd = _mm512_mul_epi32(_mm512_shuffle_epi32(bias, 0xf5), _mm512_loadu_si512(l->odd_a));
      _mm512_storeu_si512(l->even, _mm512_add_epi64(even, _mm512_loadu_si512(l->even)));
      _mm512_storeu_si512(l->odd, _mm512_add_epi64(odd, _mm512_loadu_si512(l->odd)));
    }
  }
}

/* Of one tile the sums of one block or two, the second's TILE_SUMS behind. */
static void finish_tile(progress* g, const tiles* t, int64_t tile, const blocks* b, int64_t from, int64_t count,
                        int32_t* v) {
  const int64_t had = t->had[tile], first = t->first[tile] + had;
  for (int64_t k = 0; k < count && !b->folded; ++k) {
    const __m512i bias = _mm512_loadu_si512(b->bias[from + k]);
    for (int64_t row = had; row < g->rows; ++row) {
      int32_t* at = v + k * TILE_SUMS + row * COLUMNS;
      _mm512_storeu_si512(at, _mm512_add_epi32(bias, _mm512_loadu_si512(at)));
    }
  }
  nibble_wide_finish(&g->f, b->lanes == NULL ? NULL : b->lanes + from, v + had * COLUMNS, TILE_SUMS, count,
                     g->rows - had, (b->block + from) * COLUMNS, t->y + first, t->r + first);
}

static void finish(progress* g, const tiles* t, sums* s) {
  if (s->tiles > 0 && s->blocks > 2) {
    finish_tile(g, t, s->tile, s->of, 0, 2, s->v);
    finish_tile(g, t, s->tile, s->of, 2, s->blocks - 2, s->v + 2 * TILE_SUMS);
  } else {
    const int64_t apart = s->tiles > 2 ? TILE_SUMS : 2 * TILE_SUMS;
    for (int64_t i = 0; i < s->tiles; ++i) finish_tile(g, t, s->tile + i, s->of, 0, s->blocks, s->v + i * apart);
  }
  s->tiles = 0;
}

/* The sums of s->tiles by s->blocks, four at most. */
static void some_tiles(const tiles* t, work* k, sums* s) {
  for (int64_t i = 0; i < s->tiles; ++i) k->at[i] = t->at[s->tile + i];
  __asm__ volatile("" ::: "memory"); /* compilers do not know that tiles are loaded from memory */
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  if (s->blocks > 2)
    wide(k, s->blocks);
  else if (s->tiles > 2)
    tall(k, s->tiles);
  else
    square(k, s->tiles > 1, s->blocks > 1);
  _tile_stored(0, s->v, LINE);
  if (s->blocks > 1 || s->tiles > 2) _tile_stored(1, s->v + TILE_SUMS, LINE);
  if (s->blocks > 2 || s->tiles > 1) _tile_stored(2, s->v + 2 * TILE_SUMS, LINE);
  if (s->blocks * s->tiles > 3) _tile_stored(3, s->v + 3 * TILE_SUMS, LINE);
}

static void cut_windows(const nibble_window_runs* x, int64_t rows, tiles* t) {
  int64_t before = 0;
  t->count = 0;
  for (int64_t run = 0; run < x->runs; before += x->count[run], ++run)
    for (int64_t i = 0; i < x->count[run]; i += rows) {
      const int64_t rest = x->count[run] - i, had = rest < rows ? rows - rest : 0;
      t->first[t->count] = before + i - had;
      t->had[t->count] = had;
      t->at[t->count++] = x->at[run] + (i - had) * x->step;
    }
}

static void meet(void* context, const nibble_window_runs* x, const int64_t* y, const int64_t* r) {
  progress* g = context;
  const nibble_conv* p = g->f.p;
  const int64_t quads = x->segments * x->quads, steps = steps_of(x->quads), size = LINE * quads;
  const int64_t parts = (x->count[0] + ROWS - 1) / ROWS;
  int8_t* unpacked = p->w_bits < 8 ? nibble_unpacked(p, g->f.call->scratch) : NULL;
  int64_t most;
  tiles t;
  work k;
  cut(g, (x->count[0] + parts - 1) / parts, x->quads / steps);
  cut_windows(x, g->rows, &t);
  t.y = y, t.r = r;
  /* A tile of windows alone meets four blocks at once, two meet two, and one block is met by four tiles. */
  most = t.count == 1 && p->w_bits == 8 ? 4 : 2;
  k.step = x->step, k.segments = x->segments, k.apart = x->apart, k.steps = steps, k.bytes = 4 * g->quads;
  k.block = size, k.is_signed = p->x_type == NIBBLE_I8;
  for (int64_t block = g->from, taken; block < g->to; block += taken) {
    blocks* b = g->sums[g->turn ^ 1].of == g->blocks ? g->blocks + 1 : g->blocks; /* not those that wait */
    taken = g->to - block < most ? g->to - block : most;
    k.w = nibble_wide_block_weights(p, block, quads, unpacked);
    if (taken > 1 && p->w_bits < 8) nibble_wide_block_weights(p, block + 1, quads, unpacked + size);
    take_blocks(g, block, taken, b);
    for (int64_t tile = 0, some; tile < t.count; tile += some) {
      sums* s = &g->sums[g->turn];
      some = taken == 1 ? 4 : 2;
      if (t.count - tile < some) some = t.count - tile;
      s->tile = tile, s->tiles = some, s->blocks = taken, s->of = b;
      some_tiles(&t, &k, s);
      g->turn ^= 1;
      finish(g, &t, &g->sums[g->turn]);
    }
  }
  finish(g, &t, &g->sums[g->turn ^ 1]);
}

static int conv(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int64_t begin = p->split ? 0 : call->begin, end = p->split ? positions : call->end;
  const int64_t kept = WINDOWS_BYTES / nibble_window_bytes(p);
  progress g;
  nibble_meeting m = {p, call, NIBBLE_MET_MOST, nibble_window_bytes(p) > 256 ? 8 : 1, 0, meet, &g};
  g.f = nibble_finish_of(p, call);
  g.from = p->split ? call->begin : 0;
  g.to = p->split ? call->end : (p->out_channels + COLUMNS - 1) / COLUMNS;
  g.rows = g.quads = g.turn = 0;
  g.sums[0].tiles = g.sums[1].tiles = 0;
  g.sums[0].of = g.sums[1].of = NULL;
  if (begin >= end || g.from >= g.to) return NIBBLE_FINE;
  if (p->w_bits == 8 && kept < m.wanted) m.wanted = kept < 2 * ROWS ? 2 * ROWS : kept;
  nibble_meet_windows(&m, begin, end);
  _tile_release();
  return g.f.fault;
}

static nibble_kernel find(int kind, const void* parameters, const char** kernel_name) {
  const nibble_conv* p = parameters;
  if (kind != NIBBLE_KIND_CONV || p->w_format != NIBBLE_BLOCKED || !nibble_are_bytes(p) || p->acc_type != NIBBLE_I32 ||
      !nibble_within_byte(p->zero_point, p->zero_point, p->x_type) || p->groups != 1)
    return NULL;
  /* What a tile costs beside its products pays where there are enough of them. */
  if ((int64_t)p->batch * p->out[0] * p->out[1] * p->out[2] < 2 || nibble_window_bytes(p) * p->out_channels < 768)
    return NULL;
  /* Sums without their bias stay within 32 bits. */
  if (nibble_window_bytes(p) > 1 << 16) return NULL;
  if (steps_of(nibble_window_bytes(p) / 4) == 0 || steps_of(nibble_segment_bytes(p) / 4) == 0) return NULL;
  *kernel_name = "tiles";
  return conv;
}

NIBBLE_CLOSE_TARGET

#if defined(NIBBLE_EMULATED)
const nibble_kernel_set nibble_amx_emulated = {"amx_emulated", nibble_has_avx2, find, nibble_finish_tile, 1};
#else
const nibble_kernel_set nibble_amx = {"amx", nibble_has_amx, find, nibble_finish_tile, 1};
#endif
#endif
