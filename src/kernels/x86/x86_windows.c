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

/* One call's: the windows gathered so far. */
typedef struct progress {
  const nibble_meeting* m;
  int64_t count, most;
  nibble_window_run gathered;
  int64_t y[NIBBLE_GATHERED_MOST], r[NIBBLE_GATHERED_MOST];
} progress;

/* Where the results of `count` positions of a row from `o` on go. */
static void places(const nibble_conv* p, const nibble_position* o, int64_t count, int64_t* y, int64_t* r) {
  const int64_t y0 = nibble_offset_of(o, p->y_stride), r0 = nibble_offset_of(o, p->r_stride);
  for (int64_t k = 0; k < count; ++k) {
    y[k] = y0 + k * p->y_stride[3];
    r[k] = r0 + k * p->r_stride[3];
  }
}

static void flush(progress* g) {
  if (g->count > 0) g->m->meet(g->m->context, &g->gathered, g->count, g->y, g->r);
  g->count = 0;
}

/* `count` positions of a row from `o` on, gathered. */
static void gathered(progress* g, nibble_position o, int64_t count) {
  const nibble_conv* p = g->m->p;
  uint8_t *to = g->m->call->scratch, *segment = to + nibble_windows(p) * 2 * nibble_window_half(p);
  for (int64_t done = 0, some; done < count; done += some, o.at[2] += some) {
    const int64_t room = g->most - g->count;
    some = count - done < room ? count - done : room;
    places(p, &o, some, g->y + g->count, g->r + g->count);
    gather_row(p, g->m->call->in[0], &o, some, to + g->count * g->gathered.step, g->gathered.step, segment,
               _mm256_set1_epi8((char)g->m->turn));
    g->count += some;
    if (g->count == g->most) flush(g);
  }
}

/* `count` positions of a row from `o` on, whose windows lie in x as they are, from `from` on. */
static void in_place(progress* g, nibble_position o, int64_t count, int64_t from) {
  const nibble_conv* p = g->m->p;
  nibble_window_run x = {(const uint8_t*)g->m->call->in[0] + from, p->stride[2] * p->x_stride[3], p->kernel[1],
                         p->dilation[1] * p->x_stride[2], nibble_segment_bytes(p) / 4};
  for (int64_t done = 0, some; done < count; done += some, o.at[2] += some, x.at += some * x.step) {
    int64_t y[NIBBLE_WINDOWS_MOST], r[NIBBLE_WINDOWS_MOST];
    some = nibble_part(count - done, NIBBLE_WINDOWS_MOST);
    places(p, &o, some, y, r);
    g->m->meet(g->m->context, &x, some, y, r);
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
  const nibble_conv* p = g->m->p;
  const int cheap = !g->m->few || p->kernel[0] > 1 || g->m->turn != 0;
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
  const nibble_conv* p = g->m->p;
  nibble_window_run x = {(const uint8_t*)g->m->call->in[0] + begin * step, step, 1, 0, nibble_segment_bytes(p) / 4};
  nibble_position o = nibble_position_of(p, begin);
  for (int64_t first = begin, count; first < end; first += count, x.at += count * step) {
    count = nibble_part(end - first, g->most);
    for (int64_t i = 0, run; i < count; i += run) {
      run = p->out[2] - o.at[2] < count - i ? p->out[2] - o.at[2] : count - i;
      places(p, &o, run, g->y + i, g->r + i);
      nibble_move_on(p, &o, run);
    }
    g->m->meet(g->m->context, &x, count, g->y, g->r);
  }
}

void nibble_meet_windows(const nibble_meeting* m, int64_t begin, int64_t end) {
  const nibble_conv* p = m->p;
  progress g;
  int64_t step, room;
  g.m = m;
  g.count = 0;
  g.gathered.at = m->call->scratch;
  g.gathered.step = (nibble_window_bytes(p) + 63) / 64 * 64 + 64;
  g.gathered.segments = 1;
  g.gathered.apart = 0;
  g.gathered.quads = nibble_window_bytes(p) / 4;
  room = nibble_windows(p) * 2 * nibble_window_half(p) / g.gathered.step;
  g.most = nibble_part(end - begin, m->wanted < room ? m->wanted : room);
  if (m->turn == 0 && lie_in_place(p, &step))
    by_plane(&g, begin, end, step);
  else
    by_rows(&g, begin, end);
}

NIBBLE_CLOSE_TARGET
#endif
