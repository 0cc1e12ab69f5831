/* Depthwise convolutions of three rows and three columns, side by side, at strides of 1 and 2 along the width: a template
 * that a set's file includes after vec256.h or vec512.h.
 *
 * A span is 32 (64) channels. The three rows of x at one column, as they lie, are woven into four registers of cells, a
 * cell the three bytes of a channel and a zero; a column's cells meet the weights of all three columns of the kernel at
 * once, so that each is woven once. Weaving leaves channels in an order that packing undoes: register j holds, in lane
 * l, channels 16 l + 4 j to 16 l + 4 j + 3 of the span. What belongs to channels is laid out in that order once a span. */

#if !defined(NIBBLE_KERNELS_X86_VNNI_THREE_H)
#define NIBBLE_KERNELS_X86_VNNI_THREE_H

enum { CELL = NIBBLE_STRIP_CELL, SPAN_MOST = 64, SPAN_RUN = 16 };

/* One block's weights as [column][four rows][16 channels][4], of [taps / 4][16][4]. */
static void four_weights(const nibble_conv* p, const int8_t* w, uint8_t* to) {
  const int64_t rows = (int64_t)p->kernel[0] * p->kernel[1], width = p->kernel[2];
  for (int64_t column = 0; column < width; ++column)
    for (int64_t row = 0; row < rows; row += 4, to += CELL)
      for (int half = 0; half < 2; ++half) {
        __m256i cell = _mm256_setzero_si256();
        for (int k = 0; k < 4 && row + k < rows; ++k) {
          const int64_t tap = (row + k) * width + column;
          __m256i one = _mm256_loadu_si256((const __m256i*)(w + tap / 4 * CELL + half * 32));
          one = _mm256_and_si256(_mm256_srl_epi32(one, _mm_cvtsi32_si128(8 * (int)(tap % 4))), _mm256_set1_epi32(255));
          cell = _mm256_or_si256(cell, _mm256_sll_epi32(one, _mm_cvtsi32_si128(8 * k)));
        }
        _mm256_storeu_si256((__m256i*)(to + 32 * half), cell);
      }
}

/* What belongs to the channels of a span, and how one of its runs ends. */
typedef struct span {
  __attribute__((aligned(64))) uint8_t w[3][4 * SPAN_MOST]; /* a column's */
  int32_t start[SPAN_MOST];
  int32_t a[SPAN_MOST], odd_a[SPAN_MOST], even[SPAN_MOST], odd[SPAN_MOST], shift[SPAN_MOST]; /* as of nibble_lanes */
  uint8_t zeros[SPAN_MOST], low[SPAN_MOST], high[SPAN_MOST];
  int64_t channels; /* that there are */
  int x_signed, y_signed;
  int form; /* FLOAT, PRODUCT32, or ANY: sums are finished afterwards */
} span;

/* A column's outside [left, right) are zero points. */
typedef struct span_rows {
  nibble_line line[3];
  int64_t left, right;
} span_rows;

NIBBLE_INLINE void put_quarters(const void* from, void* to, int64_t apart) {
  for (int j = 0; j < 4; ++j)
    _mm_storeu_si128((__m128i*)((char*)to + j * apart), _mm_loadu_si128((const __m128i*)from + j));
}

/* Lane `lane`, of `lanes`, of the 16 channels from `channel` on, from their block's weights. */
static void set_lane(span* s, const nibble_finish* f, int64_t channel, int64_t lane, int64_t lanes, const int8_t* w) {
  const nibble_conv* p = f->p;
  const int64_t apart = 16 * lanes, at = 16 * lane;
  const int32_t* bias = p->bias;
  nibble_lanes own;
  uint8_t cells[3 * CELL];
  int32_t start[16];
  four_weights(p, w, cells);
  for (int column = 0; column < 3; ++column) put_quarters(cells + column * CELL, s->w[column] + at, apart);
  for (int i = 0; i < 16; ++i) start[i] = bias != NULL && channel + i < p->out_channels ? bias[channel + i] : 0;
  for (int half = 0; half < 2 && s->x_signed; ++half) {
    __m256i v = _mm256_loadu_si256((const __m256i*)start + half);
    for (int column = 0; column < 3; ++column) {
      const __m256i cell = _mm256_loadu_si256((const __m256i*)(cells + column * CELL) + half);
      const __m256i sum = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), cell), _mm256_set1_epi16(128));
      v = _mm256_sub_epi32(v, sum);
    }
    _mm256_storeu_si256((__m256i*)start + half, v);
  }
  put_quarters(start, (char*)s->start + at, apart);
  if (s->form == NIBBLE_FINISH_ANY) return;
  if (nibble_lanes_of(f, channel, 1, &own) == NULL) {
    s->form = NIBBLE_FINISH_ANY;
    return;
  }
  put_quarters(own.a, (char*)s->a + at, apart);
  put_quarters(own.even, (char*)s->even + at, apart);
  if (s->form == NIBBLE_FINISH_FLOAT) return;
  put_quarters(own.odd_a, (char*)s->odd_a + at, apart);
  put_quarters(own.odd, (char*)s->odd + at, apart);
  put_quarters(own.shift, (char*)s->shift + at, apart);
}

/* Channels [channel, to), `most` (32 or 64) of them at most. */
static void set_span(span* s, const nibble_finish* f, int64_t channel, int64_t to, int64_t most, int8_t* unpacked) {
  const nibble_conv* p = f->p;
  memset(s, 0, sizeof *s);
  s->channels = to - channel < most ? to - channel : most;
  s->x_signed = p->x_type == NIBBLE_I8;
  s->y_signed = p->y_type == NIBBLE_I8;
  s->form = f->form == NIBBLE_FINISH_FLOAT || f->form == NIBBLE_FINISH_PRODUCT32 ? f->form : NIBBLE_FINISH_ANY;
  memset(s->zeros, (uint8_t)p->zero_point, sizeof s->zeros);
  memset(s->low, (uint8_t)p->stage.low, sizeof s->low);
  memset(s->high, (uint8_t)p->stage.high, sizeof s->high);
  for (int64_t c = 0; c < s->channels; c += 16)
    set_lane(s, f, channel + c, c / 16, most / 16, nibble_block_weights(p, (channel + c) / 16, 3, unpacked));
}

/* Of 4, 8 or 16 channels, a quarter of a register at most, several positions of a row lie side by side in it as they lie in
 * memory, and so are a span. Whether p's are: in all of its channels, at a stride of 1. */
static int narrow_fits(const nibble_conv* p, int64_t channel, int64_t to, int64_t bytes) {
  const int64_t channels = p->out_channels;
  return channel == 0 && to == channels && p->stride[2] == 1 && channels >= 4 && bytes % channels == 0 &&
         4 * channels <= bytes && p->x_stride[3] == channels && p->y_stride[3] == channels && p->out[2] > 2;
}

/* Numbers of a span by its first `channels` channels, for every position alike. */
NIBBLE_INLINE void repeat_numbers(void* numbers, int64_t channels, int64_t lanes) {
  char* all = numbers;
  for (int64_t lane = lanes - 1; lane >= 0; --lane)
    for (int64_t j = 3; j >= 0; --j) {
      const int64_t from = (16 * lane + 4 * j) % channels; /* in lane 0 */
      memmove(all + (j * lanes + lane) * 16, all + from / 4 * lanes * 16, 16);
    }
}

static void repeat_span(span* s, int64_t channels, int64_t lanes) {
  for (int column = 0; column < 3; ++column) repeat_numbers(s->w[column], channels, lanes);
  repeat_numbers(s->start, channels, lanes);
  repeat_numbers(s->a, channels, lanes);
  repeat_numbers(s->odd_a, channels, lanes);
  repeat_numbers(s->even, channels, lanes);
  repeat_numbers(s->odd, channels, lanes);
  repeat_numbers(s->shift, channels, lanes);
}

/* Columns of three rows, whole pixels side by side, with what lies outside x. */
enum { NARROW_ROW = 2048 };
typedef struct narrow_rows {
  uint8_t row[3][NARROW_ROW + 2 * SPAN_MOST];
} narrow_rows;

static void copy_rows(const span_rows* x, int64_t columns, int64_t channels, uint8_t zero, narrow_rows* to) {
  for (int k = 0; k < 3; ++k) {
    const int64_t left = x->line[k].step == 0 ? columns : x->left, right = x->line[k].step == 0 ? columns : x->right;
    memset(to->row[k], zero, (size_t)(left * channels));
    if (left < right)
      memcpy(to->row[k] + left * channels, x->line[k].at + left * channels, (size_t)((right - left) * channels));
    memset(to->row[k] + right * channels, zero, (size_t)((columns - right) * channels));
  }
}

/* The first `count` of a span's bytes. */
NIBBLE_INLINE void put_some(uint8_t* to, const uint8_t* from, int64_t count) {
  for (; count >= 16; count -= 16, to += 16, from += 16)
    _mm_storeu_si128((__m128i*)to, _mm_loadu_si128((const __m128i*)from));
  if (count > 0) nibble_store_some(to, _mm_loadu_si128((const __m128i*)from), count);
}

#endif

/* Four registers: cells, or sums. */
typedef struct VEC_NAME(four) {
  VEC v0, v1, v2, v3;
} VEC_NAME(four);

#define FOUR VEC_NAME(four)
enum { VEC_NAME(vec_bytes) = 64 / VEC_BLOCK };

NIBBLE_INLINE FOUR VEC_NAME(load_four)(const void* from) {
  const char* at = from;
  const int64_t apart = VEC_NAME(vec_bytes);
  const FOUR r = {VEC_LOAD(at), VEC_LOAD(at + apart), VEC_LOAD(at + 2 * apart), VEC_LOAD(at + 3 * apart)};
  return r;
}

NIBBLE_INLINE FOUR VEC_NAME(dot_four)(FOUR sum, FOUR x, FOUR w) {
  const FOUR r = {VEC_DOT(sum.v0, x.v0, w.v0), VEC_DOT(sum.v1, x.v1, w.v1), VEC_DOT(sum.v2, x.v2, w.v2),
                  VEC_DOT(sum.v3, x.v3, w.v3)};
  return r;
}

/* The cells of column `at`. */
NIBBLE_INLINE FOUR VEC_NAME(weave)(const span* s, const span_rows* x, int64_t at) {
  const int inside = at >= x->left && at < x->right;
  VEC a = VEC_LOAD(inside ? x->line[0].at + at * x->line[0].step : s->zeros);
  VEC b = VEC_LOAD(inside ? x->line[1].at + at * x->line[1].step : s->zeros);
  VEC c = VEC_LOAD(inside ? x->line[2].at + at * x->line[2].step : s->zeros);
  VEC low, high, low2, high2;
  FOUR r;
  if (s->x_signed) {
    const VEC turn = VEC_SPREAD_BYTE((char)0x80);
    a = VEC_XOR(a, turn), b = VEC_XOR(b, turn), c = VEC_XOR(c, turn);
  }
  low = VEC_PAIRS(a, b), high = VEC_HIGH_PAIRS(a, b);
  low2 = VEC_PAIRS(c, VEC_ZERO()), high2 = VEC_HIGH_PAIRS(c, VEC_ZERO());
  r.v0 = VEC_FOURS(low, low2), r.v1 = VEC_HIGH_FOURS(low, low2);
  r.v2 = VEC_FOURS(high, high2), r.v3 = VEC_HIGH_FOURS(high, high2);
  return r;
}

/* Register j of a position's sums, staged. */
NIBBLE_INLINE VEC VEC_NAME(staged)(const span* s, VEC v, int j) {
  const int64_t at = j * VEC_NAME(vec_bytes) / 4;
  if (s->form == NIBBLE_FINISH_FLOAT) return VEC_STAGE(v, (const float*)s->a + at, (const float*)s->even + at);
  return VEC_DOWN(VEC_UPPER(VEC_ADD_WIDE(VEC_MULTIPLY(v, VEC_LOAD(s->a + at)), VEC_LOAD(s->even + at)),
                            VEC_ADD_WIDE(VEC_MULTIPLY(VEC_ODD(v), VEC_LOAD(s->odd_a + at)), VEC_LOAD(s->odd + at))),
                  VEC_LOAD(s->shift + at));
}

/* The sums of one position, staged, to y, or as they are to v[lane][SPAN_RUN][16]. */
NIBBLE_INLINE void VEC_NAME(put_span)(const span* s, FOUR sum, uint8_t* y, int32_t* v) {
  const int64_t bytes = VEC_NAME(vec_bytes);
  VEC u, w;
  if (s->form == NIBBLE_FINISH_ANY) {
    int32_t kept[SPAN_MOST];
    VEC_STORE(kept, sum.v0), VEC_STORE(kept + bytes / 4, sum.v1);
    VEC_STORE(kept + bytes / 2, sum.v2), VEC_STORE(kept + bytes / 4 * 3, sum.v3);
    for (int64_t lane = 0; lane < bytes / 16; ++lane)
      for (int64_t j = 0; j < 4; ++j)
        _mm_storeu_si128((__m128i*)(v + lane * 16 * SPAN_RUN + 4 * j),
                         _mm_loadu_si128((const __m128i*)kept + j * bytes / 16 + lane));
    return;
  }
  u = VEC_HALVES(VEC_NAME(staged)(s, sum.v0, 0), VEC_NAME(staged)(s, sum.v1, 1));
  w = VEC_HALVES(VEC_NAME(staged)(s, sum.v2, 2), VEC_NAME(staged)(s, sum.v3, 3));
  u = s->y_signed ? VEC_SIGNED(u, w, VEC_LOAD(s->low), VEC_LOAD(s->high))
                  : VEC_UNSIGNED(u, w, VEC_LOAD(s->low), VEC_LOAD(s->high));
  if (s->channels == bytes) {
    VEC_STORE(y, u);
  } else {
    uint8_t kept[SPAN_MOST];
    VEC_STORE(kept, u);
    put_some(y, kept, s->channels);
  }
}

/* `count` positions of a row; with sums, SPAN_RUN at most. */
NIBBLE_INLINE void VEC_NAME(span_run)(const span* s, const span_rows* x, int64_t count, uint8_t* y, int64_t y_step,
                                      int32_t* v, int stride) {
  const FOUR w0 = VEC_NAME(load_four)(s->w[0]), w1 = VEC_NAME(load_four)(s->w[1]), w2 = VEC_NAME(load_four)(s->w[2]);
  const span_rows local = *x;
  FOUR cells = VEC_NAME(weave)(s, &local, 0), first = VEC_NAME(dot_four)(VEC_NAME(load_four)(s->start), cells, w0);
  FOUR second = first;
  if (stride == 1) {
    cells = VEC_NAME(weave)(s, &local, 1);
    first = VEC_NAME(dot_four)(first, cells, w1);
    second = VEC_NAME(dot_four)(VEC_NAME(load_four)(s->start), cells, w0);
  }
  for (int64_t i = 0; i < count; ++i, y += y_step, v += 16) {
    const int32_t* start = s->start;
    FOUR sum;
    __asm__("" : "+r"(start)); /* registers are for weights */
    if (stride == 2) first = VEC_NAME(dot_four)(first, VEC_NAME(weave)(s, &local, 2 * i + 1), w1);
    cells = VEC_NAME(weave)(s, &local, stride * i + 2);
    sum = VEC_NAME(dot_four)(first, cells, w2);
    first = VEC_NAME(load_four)(start);
    if (stride == 1) {
      const FOUR next = VEC_NAME(dot_four)(second, cells, w1);
      second = VEC_NAME(dot_four)(first, cells, w0);
      first = next;
    } else {
      first = VEC_NAME(dot_four)(first, cells, w0);
    }
    VEC_NAME(put_span)(s, sum, y, v);
  }
}

/* Positions [begin, end) of channels [channel, to), a span of them at most. `unpacked`: room for a block's weights. */
static void VEC_NAME(span_plane)(nibble_finish* f, int64_t channel, int64_t to, int64_t begin, int64_t end,
                                 int8_t* unpacked) {
  const nibble_conv* p = f->p;
  int32_t v[SPAN_MOST * SPAN_RUN];
  int64_t y[SPAN_RUN], r[SPAN_RUN];
  nibble_position o = nibble_position_of(p, begin);
  span s;
  set_span(&s, f, channel, to, VEC_NAME(vec_bytes), unpacked);
  for (int64_t item = begin, count; item < end; item += count, nibble_move_on(p, &o, count)) {
    const int64_t left = p->out[2] - o.at[2], first = nibble_offset_of(&o, p->y_stride);
    uint8_t* bytes = (uint8_t*)f->call->out + (s.form != NIBBLE_FINISH_ANY ? first + channel : 0);
    span_rows x;
    count = left < end - item ? left : end - item;
    if (s.form == NIBBLE_FINISH_ANY && count > SPAN_RUN) count = SPAN_RUN;
    for (int k = 0; k < 3; ++k) x.line[k] = nibble_line_of(p, f->call, &o, k, channel, s.zeros);
    nibble_inner_columns(p, &o, (count - 1) * p->stride[2] + 3, &x.left, &x.right);
    if (p->stride[2] == 1)
      VEC_NAME(span_run)(&s, &x, count, bytes, p->y_stride[3], v, 1);
    else
      VEC_NAME(span_run)(&s, &x, count, bytes, p->y_stride[3], v, 2);
    if (s.form != NIBBLE_FINISH_ANY) continue;
    for (int64_t i = 0; i < count; ++i) {
      y[i] = first + i * p->y_stride[3];
      r[i] = nibble_offset_of(&o, p->r_stride) + i * p->r_stride[3];
    }
    for (int64_t c = 0; c < s.channels; c += 16) nibble_finish_rows(f, v + c * SPAN_RUN, count, channel + c, y, r);
  }
}

/* Positions [begin, end) of all channels, of which several positions are a span (narrow_fits). 0: not staged by spans. */
static inline int VEC_NAME(narrow_plane)(nibble_finish* f, int64_t begin, int64_t end, int8_t* unpacked) {
  const nibble_conv* p = f->p;
  const int64_t channels = p->out_channels, bytes = VEC_NAME(vec_bytes), together = bytes / channels;
  const int64_t most = NARROW_ROW / channels - 2;
  nibble_position o = nibble_position_of(p, begin);
  narrow_rows rows;
  span_rows x, copied;
  span s;
  set_span(&s, f, 0, channels, bytes, unpacked);
  if (s.form == NIBBLE_FINISH_ANY) return 0;
  repeat_span(&s, channels, bytes / 16);
  memset(&rows, 0, sizeof rows);
  copied.left = 0, copied.right = most + 2;
  for (int k = 0; k < 3; ++k) copied.line[k].at = rows.row[k], copied.line[k].step = channels;
  for (int64_t item = begin, count; item < end; item += count, nibble_move_on(p, &o, count)) {
    uint8_t* y = (uint8_t*)f->call->out + nibble_offset_of(&o, p->y_stride);
    count = p->out[2] - o.at[2] < end - item ? p->out[2] - o.at[2] : end - item;
    if (count > most) count = most;
    for (int k = 0; k < 3; ++k) x.line[k] = nibble_line_of(p, f->call, &o, k, 0, s.zeros);
    nibble_inner_columns(p, &o, count + 2, &x.left, &x.right);
    copy_rows(&x, count + 2, channels, s.zeros[0], &rows);
    for (int64_t i = 0; i < count; i += together, y += bytes) {
      FOUR sum = VEC_NAME(load_four)(s.start);
      s.channels = count - i < together ? (count - i) * channels : bytes;
      for (int column = 0; column < 3; ++column)
        sum = VEC_NAME(dot_four)(sum, VEC_NAME(weave)(&s, &copied, i + column), VEC_NAME(load_four)(s.w[column]));
      VEC_NAME(put_span)(&s, sum, y, NULL);
    }
  }
  return 1;
}

#undef FOUR
