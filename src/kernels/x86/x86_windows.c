#include "kernels/x86/x86_windows.h"

#include "kernels/x86/x86.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma")

NIBBLE_INLINE void copy(uint8_t* to, const uint8_t* from, int64_t bytes, __m256i turn) {
  for (int64_t i = 0; i < bytes; i += 32)
    _mm256_storeu_si256((__m256i*)(to + i), _mm256_xor_si256(_mm256_loadu_si256((const __m256i*)(from + i)), turn));
}

/* One segment of each of `count` windows of a row from `o` on, `step` bytes apart. */
static void gather_segments(const nibble_conv* p, const uint8_t* x, nibble_position o, int64_t from, int64_t count,
                            uint8_t* to, int64_t step, uint8_t* segment, __m256i turn) {
  const int64_t bytes = nibble_segment_bytes(p), x_step = p->stride[2] * p->x_stride[3];
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
                       int64_t step, uint8_t* segment, __m256i turn) {
  const int64_t bytes = nibble_segment_bytes(p);
  const __m256i zero = _mm256_xor_si256(_mm256_set1_epi8((char)p->zero_point), turn);
  for (int32_t depth = 0; depth < p->kernel[0]; ++depth)
    for (int32_t height = 0; height < p->kernel[1]; ++height, to += bytes) {
      int inside;
      const int64_t from = nibble_segment_offset(p, o, depth, height, &inside);
      if (inside)
        gather_segments(p, x, *o, from, count, to, step, segment, turn);
      else
        for (int64_t k = 0; k < count; ++k)
          for (int64_t i = 0; i < bytes; i += 32) _mm256_storeu_si256((__m256i*)(to + k * step + i), zero);
    }
}

/* Whether windows may be read where they lie: 1x1, `step` bytes from one position to the next, over all rows. */
static int lie_in_place(const nibble_conv* p, int64_t* step) {
  const int64_t width = p->stride[2] * p->x_stride[3], height = p->stride[1] * p->x_stride[2];
  *step = width;
  return p->kernel[0] * p->kernel[1] * p->kernel[2] == 1 && p->pad[0] == 0 && p->pad[1] == 0 && p->pad[2] == 0 &&
         p->out[0] == 1 && p->batch == 1 && (p->out[1] == 1 || height == p->out[2] * width) &&
         (p->out[2] - 1) * p->stride[2] < p->in[2] && (p->out[1] - 1) * p->stride[1] < p->in[1];
}

/* Windows that are to be met, `most` at most. */
typedef struct held {
  int64_t count, most;
  nibble_window_runs x;
  int64_t y[NIBBLE_MET_MOST], r[NIBBLE_MET_MOST];
} held;

/* One call's. */
typedef struct progress {
  const nibble_meeting* m;
  held gathered, placed;
} progress;

/* Where the results of `count` positions of a row from `o` on go. */
static void places(const nibble_conv* p, const nibble_position* o, int64_t count, int64_t* y, int64_t* r) {
  const int64_t y0 = nibble_offset_of(o, p->y_stride), r0 = nibble_offset_of(o, p->r_stride);
  for (int64_t k = 0; k < count; ++k) {
    y[k] = y0 + k * p->y_stride[3];
    r[k] = r0 + k * p->r_stride[3];
  }
}

static void flush(const nibble_meeting* m, held* h) {
  if (h->count > 0) m->meet(m->context, &h->x, h->y, h->r);
  h->count = h->x.runs = 0;
}

/* `count` positions of a row from `o` on, gathered: one run. */
static void gather(progress* g, nibble_position o, int64_t count) {
  const nibble_conv* p = g->m->p;
  held* h = &g->gathered;
  uint8_t *to = g->m->call->scratch, *segment = to + nibble_windows(p) * 2 * nibble_window_half(p);
  for (int64_t done = 0, some; done < count; done += some, o.at[2] += some) {
    const int64_t room = h->most - h->count;
    some = count - done < room ? count - done : room;
    places(p, &o, some, h->y + h->count, h->r + h->count);
    gather_row(p, g->m->call->in[0], &o, some, to + h->count * h->x.step, h->x.step, segment,
               _mm256_set1_epi8((char)g->m->turn));
    h->count += some;
    h->x.runs = 1, h->x.at[0] = to, h->x.count[0] = h->count;
    if (h->count == h->most) flush(g->m, h);
  }
}

/* Positions [begin, end), all gathered. */
static void by_rows(progress* g, int64_t begin, int64_t end) {
  const nibble_conv* p = g->m->p;
  nibble_position o = nibble_position_of(p, begin);
  for (int64_t item = begin, run; item < end; item += run, nibble_move_on(p, &o, run)) {
    run = p->out[2] - o.at[2] < end - item ? p->out[2] - o.at[2] : end - item;
    gather(g, o, run);
  }
  flush(g->m, &g->gathered);
}

NIBBLE_INLINE void fill(uint8_t* to, int64_t bytes, __m256i with) {
  for (int64_t i = 0; i < bytes; i += 32) _mm256_storeu_si256((__m256i*)(to + i), with);
}

/* Columns of x that a row of outputs meets, from the first tap's on, and the bytes from one row of a band to the next. */
static int64_t band_columns(const nibble_conv* p) {
  return ((int64_t)p->out[2] - 1) * p->stride[2] + p->kernel[2];
}
static int64_t band_step(const nibble_conv* p) {
  return (band_columns(p) * p->in_channels + 63) / 64 * 64;
}

/* Rows [first, first + rows) of x, as far as there are such and else zero points, with their borders. */
static void copy_band(const nibble_meeting* m, int64_t batch, int64_t first, int64_t rows, uint8_t* to) {
  const nibble_conv* p = m->p;
  const __m256i turn = _mm256_set1_epi8((char)m->turn);
  const __m256i zero = _mm256_xor_si256(_mm256_set1_epi8((char)p->zero_point), turn);
  const int64_t columns = band_columns(p), channels = p->in_channels, step = band_step(p), pad = p->pad[2];
  const int64_t left = pad < columns ? pad : columns;
  const int64_t inside = p->in[2] < columns - left ? p->in[2] : columns - left;
  for (int64_t row = first; row < first + rows; ++row, to += step) {
    const uint8_t* x = (const uint8_t*)m->call->in[0] + batch * p->x_stride[0] + row * p->x_stride[2];
    if (row < 0 || row >= p->in[1]) {
      fill(to, columns * channels, zero);
      continue;
    }
    fill(to, left * channels, zero);
    if (p->x_stride[3] == channels)
      copy(to + left * channels, x, inside * channels, turn);
    else
      for (int64_t i = 0; i < inside; ++i) copy(to + (left + i) * channels, x + i * p->x_stride[3], channels, turn);
    fill(to + (left + inside) * channels, (columns - left - inside) * channels, zero);
  }
}

/* How many rows of outputs a band is for: as many as scratch has room for; 0: too few to be worth it. */
static int64_t band_rows(const nibble_meeting* m) {
  const nibble_conv* p = m->p;
  const int64_t room = nibble_windows(p) * 2 * nibble_window_half(p) - 64, step = band_step(p);
  const int64_t reach = ((int64_t)p->kernel[1] - 1) * p->dilation[1] + 1, rows = step > 0 ? room / step : 0;
  const int64_t outputs = rows < reach ? 0 : (rows - reach) / p->stride[1] + 1;
  if (p->kernel[0] != 1 || p->out[0] != 1 || p->pad[0] != 0 || p->out[2] < m->narrow) return 0;
  if (p->kernel[2] > 1 && p->dilation[2] != 1) return 0;
  return outputs < 2 && outputs < p->out[1] ? 0 : outputs;
}

/* `count` windows of few bytes, that begin `step` bytes apart in a band, side by side. */
static void lay_side_by_side(const nibble_conv* p, const uint8_t* from, int64_t step, int64_t count, uint8_t* to) {
  const int64_t apart = p->dilation[1] * band_step(p), bytes = nibble_segment_bytes(p);
  for (int64_t i = 0; i < count; ++i, from += step, to += NIBBLE_SMALL_WINDOW)
    for (int32_t segment = 0; segment < p->kernel[1]; ++segment)
      _mm_storeu_si128((__m128i*)(to + segment * bytes), _mm_loadu_si128((const __m128i*)(from + segment * apart)));
}

/* Positions [begin, end), in bands of `rows` rows of outputs: runs of equal lengths. */
static void by_bands(progress* g, int64_t begin, int64_t end, int64_t rows) {
  const nibble_conv* p = g->m->p;
  held* h = &g->placed;
  const int small = nibble_are_small_windows(p);
  const int64_t step = (int64_t)p->stride[2] * p->in_channels;
  uint8_t *band = g->m->call->scratch, *laid = band + (nibble_windows(p) * 2 * nibble_window_half(p) + 63) / 64 * 64;
  nibble_position o = nibble_position_of(p, begin);
  int64_t batch = -1, first = 0; /* the row of outputs that the band begins with */
  for (int64_t item = begin, run; item < end; item += run, nibble_move_on(p, &o, run)) {
    const uint8_t* at;
    run = p->out[2] - o.at[2] < end - item ? p->out[2] - o.at[2] : end - item;
    if (o.batch != batch || o.at[1] >= first + rows) {
      const int64_t left = p->out[1] - o.at[1], last = o.at[1] + (end - item + o.at[2] - 1) / p->out[2];
      const int64_t asked = last - o.at[1] + 1 < left ? last - o.at[1] + 1 : left, taken = asked < rows ? asked : rows;
      flush(g->m, h);
      batch = o.batch, first = o.at[1];
      copy_band(g->m, batch, first * p->stride[1] - p->pad[1],
                (taken - 1) * p->stride[1] + ((int64_t)p->kernel[1] - 1) * p->dilation[1] + 1, band);
    }
    at = band + (o.at[1] - first) * p->stride[1] * band_step(p) + o.at[2] * p->stride[2] * p->in_channels;
    for (int64_t done = 0, some; done < run; done += some, at += some * step) {
      nibble_position from = o;
      from.at[2] += done;
      some = nibble_part(run - done, h->most);
      if (h->count + some > h->most ||
          (!small && (h->x.runs == NIBBLE_RUNS_MOST || (h->x.runs > 0 && h->x.count[0] != some))))
        flush(g->m, h);
      places(p, &from, some, h->y + h->count, h->r + h->count);
      if (small) {
        lay_side_by_side(p, at, step, some, laid + h->count * NIBBLE_SMALL_WINDOW);
        h->x.runs = 1, h->x.at[0] = laid, h->x.count[0] = h->count + some;
      } else {
        h->x.at[h->x.runs] = at;
        h->x.count[h->x.runs++] = some;
      }
      h->count += some;
    }
  }
  flush(g->m, h);
}

/* Windows that lie in place over all rows: positions [begin, end), as far apart as h->x says. */
static void by_plane(const nibble_meeting* m, held* h, int64_t begin, int64_t end) {
  const nibble_conv* p = m->p;
  nibble_position o = nibble_position_of(p, begin);
  for (int64_t first = begin; first < end; first += h->x.count[0]) {
    const int64_t count = nibble_part(end - first, h->most);
    for (int64_t i = 0, run; i < count; i += run) {
      run = p->out[2] - o.at[2] < count - i ? p->out[2] - o.at[2] : count - i;
      places(p, &o, run, h->y + i, h->r + i);
      nibble_move_on(p, &o, run);
    }
    h->x.runs = 1;
    h->x.at[0] = (const uint8_t*)m->call->in[0] + first * h->x.step;
    h->x.count[0] = count;
    m->meet(m->context, &h->x, h->y, h->r);
  }
}

void nibble_meet_windows(const nibble_meeting* m, int64_t begin, int64_t end) {
  const nibble_conv* p = m->p;
  progress g;
  const int64_t rows = band_rows(m);
  int64_t step, room;
  g.m = m;
  g.gathered.count = g.gathered.x.runs = g.placed.count = g.placed.x.runs = 0;
  g.gathered.x.step = (nibble_window_bytes(p) + 63) / 64 * 64 + 64;
  g.gathered.x.segments = 1;
  g.gathered.x.apart = 0;
  g.gathered.x.quads = nibble_window_bytes(p) / 4;
  room = nibble_windows(p) * 2 * nibble_window_half(p) / g.gathered.x.step;
  g.gathered.most = nibble_part(end - begin, m->wanted < room ? m->wanted : room);
  g.placed.x.step = (int64_t)p->stride[2] * p->in_channels;
  g.placed.x.segments = p->kernel[1];
  g.placed.x.apart = p->dilation[1] * band_step(p);
  g.placed.x.quads = nibble_segment_bytes(p) / 4;
  g.placed.most = m->wanted;
  if (m->turn == 0 && lie_in_place(p, &step)) {
    g.placed.x.step = step;
    by_plane(m, &g.placed, begin, end);
  } else if (rows > 0) {
    if (nibble_are_small_windows(p)) {
      g.placed.x.step = NIBBLE_SMALL_WINDOW;
      g.placed.x.segments = 1;
      g.placed.x.quads = nibble_window_bytes(p) / 4;
    }
    by_bands(&g, begin, end, rows);
  } else {
    by_rows(&g, begin, end);
  }
}

NIBBLE_CLOSE_TARGET
#endif
