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

/* Convolution by implicit GEMM in products of 16 bits: nothing saturates. A window of x is widened once, for all output
 * channels, into two halves: of each column quad (c0 c1 c2 c3) the pair (c0, c2) goes to `even`, (c1, c3) to `odd`, as
 * 16-bit numbers, four bytes a pair. Of a quad of weights, 32 bytes for 8 channels, shifts give the same pairs, and
 * vpmaddwd sums a pair's products. A tile is up to 6 positions by 16 channels in 12 registers. */

/* Windows that lie `step` bytes apart, `odd` bytes from even half to odd half. */
typedef struct windows {
  uint8_t* at;
  int64_t step, odd, quads;
} windows;

NIBBLE_INLINE void put_halves(uint8_t* even, int64_t odd, __m256i e, __m256i o) {
  _mm256_storeu_si256((__m256i*)even, e);
  _mm256_storeu_si256((__m256i*)(even + odd), o);
}

NIBBLE_INLINE void widen(uint8_t* even, int64_t odd, const uint8_t* from, int64_t bytes, int is_signed) {
  for (int64_t i = 0; i < bytes; i += 32) {
    const __m256i x = load(from + i);
    if (is_signed)
      put_halves(even + i, odd, _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8), _mm256_srai_epi16(x, 8));
    else
      put_halves(even + i, odd, _mm256_and_si256(x, _mm256_set1_epi16(255)), _mm256_srli_epi16(x, 8));
  }
}

/* One segment of each of `count` windows, from window `first` on, of the positions of a row from `o` on; `from`: where
 * the first one's lies in x. `segment` has room for one that has to be built. */
NIBBLE_INLINE void widen_segments(const nibble_conv* p, const uint8_t* x, nibble_position o, int64_t from,
                                  int64_t count, const windows* to, int64_t first, int64_t column, uint8_t* segment,
                                  int is_signed) {
  const int64_t bytes = nibble_segment_bytes(p), step = p->stride[2] * p->x_stride[3];
  uint8_t* even = to->at + first * to->step + column;
  int64_t left, right;
  nibble_whole_windows(p, &o, count, &left, &right);
  for (int64_t i = 0; i < count;) {
    for (; i >= left && i < right; ++i, even += to->step, from += step)
      widen(even, to->odd, x + from, bytes, is_signed);
    if (i < count) {
      o.at[2] += i;
      nibble_build_segment(p, &o, x, from, (uint8_t)p->zero_point, segment);
      o.at[2] -= i;
      widen(even, to->odd, segment, bytes, is_signed);
      ++i, even += to->step, from += step;
    }
  }
}

static void fill_segments(const nibble_conv* p, int64_t count, const windows* to, int64_t first, int64_t column) {
  const int64_t bytes = nibble_segment_bytes(p);
  const __m256i zero = _mm256_set1_epi16((int16_t)p->zero_point);
  uint8_t* even = to->at + first * to->step + column;
  for (int64_t k = 0; k < count; ++k, even += to->step)
    for (int64_t i = 0; i < bytes; i += 32) put_halves(even + i, to->odd, zero, zero);
}

/* The windows of `count` positions of one row, from `o` on. */
NIBBLE_INLINE void widen_row(const nibble_conv* p, const uint8_t* x, const nibble_position* o, int64_t count,
                             const windows* to, int64_t first, uint8_t* segment, int is_signed) {
  int64_t column = 0;
  for (int32_t depth = 0; depth < p->kernel[0]; ++depth)
    for (int32_t height = 0; height < p->kernel[1]; ++height, column += nibble_segment_bytes(p)) {
      int inside;
      const int64_t from = nibble_segment_offset(p, o, depth, height, &inside);
      if (inside)
        widen_segments(p, x, *o, from, count, to, first, column, segment, is_signed);
      else
        fill_segments(p, count, to, first, column);
    }
}

#define SIX(ROW) ROW(0) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5)

/* The sums of `rows` windows, from `first` on, with 16 channels' weights: to v[rows][16]. */
NIBBLE_INLINE void tile(int rows, const windows* x, int64_t first, const int8_t* w, __m256i s0, __m256i s1,
                        int32_t* v) {
  const uint8_t *even = x->at + first * x->step, *odd = even + x->odd;
  const int64_t step = x->step;
#define START(i) __m256i a##i = s0, b##i = s1;
  SIX(START)
#undef START
#define ROW(i) \
  if (rows > i) NIBBLE_ADD_PRODUCTS(a##i, b##i, *(const int32_t*)(half + i * step), w0, w1);
  for (int64_t quad = 0; quad < x->quads; ++quad, w += 64, even += 4, odd += 4) {
    {
      const uint8_t* half = even;
      const __m256i w0 = _mm256_srai_epi16(_mm256_slli_epi16(load(w), 8), 8);
      const __m256i w1 = _mm256_srai_epi16(_mm256_slli_epi16(load(w + 32), 8), 8);
      SIX(ROW)
    }
    __asm__("" : "+r"(w)); /* loads the weights again, rather than keep them in registers that it has not */
    {
      const uint8_t* half = odd;
      const __m256i w0 = _mm256_srai_epi16(load(w), 8), w1 = _mm256_srai_epi16(load(w + 32), 8);
      SIX(ROW)
    }
  }
#undef ROW
#define STORE(i)                                           \
  if (rows > i) {                                          \
    _mm256_storeu_si256((__m256i*)(v + 16 * i), a##i);     \
    _mm256_storeu_si256((__m256i*)(v + 16 * i + 8), b##i); \
  }
  SIX(STORE)
#undef STORE
}

/* `count` windows with 16 channels' weights: to v[count][16]. */
static void tiles(const windows* x, int64_t count, const int8_t* w, const int32_t* bias, int32_t* v) {
  const __m256i s0 = bias ? load(bias) : _mm256_setzero_si256(), s1 = bias ? load(bias + 8) : _mm256_setzero_si256();
  int64_t i = 0;
  for (; count - i > 10 || count - i == 6; i += 6) tile(6, x, i, w, s0, s1, v + 16 * i);
  for (int64_t rows; i < count; i += rows) {
    rows = nibble_part(count - i, 6);
    switch (rows) {
      case 1: tile(1, x, i, w, s0, s1, v + 16 * i); break;
      case 2: tile(2, x, i, w, s0, s1, v + 16 * i); break;
      case 3: tile(3, x, i, w, s0, s1, v + 16 * i); break;
      case 4: tile(4, x, i, w, s0, s1, v + 16 * i); break;
      case 5: tile(5, x, i, w, s0, s1, v + 16 * i); break;
      default: tile(6, x, i, w, s0, s1, v + 16 * i); break;
    }
  }
}

/* The windows of `count` positions from *o on, and where their results go; *o moves on. */
static void take(const nibble_conv* p, const nibble_call* call, nibble_position* o, int64_t count, const windows* x,
                 uint8_t* segment, int64_t* y, int64_t* r) {
  for (int64_t i = 0, run; i < count; i += run) {
    const int64_t y0 = nibble_offset_of(o, p->y_stride), r0 = nibble_offset_of(o, p->r_stride),
                  rest = p->out[2] - o->at[2];
    run = count - i < rest ? count - i : rest;
    for (int64_t k = 0; k < run; ++k) {
      y[i + k] = y0 + k * p->y_stride[3];
      r[i + k] = r0 + k * p->r_stride[3];
    }
    if (p->x_type == NIBBLE_U8)
      widen_row(p, call->in[0], o, run, x, i, segment, 0);
    else
      widen_row(p, call->in[0], o, run, x, i, segment, 1);
    nibble_move_on(p, o, run);
  }
}

/* ---- one row ----------------------------------------------------------------------------------------------------- */

/* A fully connected layer of one row has no tile whose positions share the unpacking of weights. Its x is widened in
 * order, so that a quad of it meets the weights of four channels widened as they lie; each channel's two sums are added
 * at the end. */
static void widen_in_order(uint8_t* to, const uint8_t* x, int64_t bytes, int is_signed) {
  for (int64_t i = 0; i < bytes; i += 16) {
    const __m128i from = _mm_loadu_si128((const __m128i*)(x + i));
    _mm256_storeu_si256((__m256i*)(to + 2 * i), is_signed ? _mm256_cvtepi8_epi16(from) : _mm256_cvtepu8_epi16(from));
  }
}

/* The products of a quad of x, four times over, and the weights of four channels. */
NIBBLE_INLINE __m256i quad_products(__m256i x, const int8_t* w) {
  return _mm256_madd_epi16(x, _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)w)));
}

NIBBLE_INLINE __m256i eight_sums(__m256i a, __m256i b, const int32_t* bias) {
  const __m256i sums = _mm256_permute4x64_epi64(_mm256_hadd_epi32(a, b), 0xd8);
  return bias ? _mm256_add_epi32(sums, load(bias)) : sums;
}

static void row_sums(const uint8_t* x, int64_t quads, const int8_t* w, const int32_t* bias, int32_t* v) {
  __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
  for (int64_t i = 0; i < quads; ++i) {
    const __m256i quad = _mm256_castpd_si256(_mm256_broadcast_sd((const double*)(x + 8 * i)));
    a = _mm256_add_epi32(a, quad_products(quad, w + 64 * i));
    NIBBLE_KEEP(a);
    b = _mm256_add_epi32(b, quad_products(quad, w + 64 * i + 16));
    NIBBLE_KEEP(b);
    c = _mm256_add_epi32(c, quad_products(quad, w + 64 * i + 32));
    NIBBLE_KEEP(c);
    d = _mm256_add_epi32(d, quad_products(quad, w + 64 * i + 48));
    NIBBLE_KEEP(d);
  }
  _mm256_storeu_si256((__m256i*)v, eight_sums(a, b, bias));
  _mm256_storeu_si256((__m256i*)(v + 8), eight_sums(c, d, bias ? bias + 8 : NULL));
}

static int row(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int64_t quads = nibble_window_bytes(p) / 4, zero = 0;
  const int64_t from = p->split ? call->begin : 0, to = p->split ? call->end : (p->out_channels + 15) / 16;
  const int32_t* bias = p->bias;
  uint8_t* x = call->scratch;
  nibble_finish f = nibble_finish_of(p, call);
  if (!p->split && call->begin >= call->end) return NIBBLE_FINE;
  widen_in_order(x, call->in[0], 4 * quads, p->x_type == NIBBLE_I8);
  for (int64_t block = from; block < to; ++block) {
    int32_t v[16];
    const int8_t* w = nibble_block_weights(p, block, quads, nibble_unpacked(p, call->scratch));
    row_sums(x, quads, w, bias ? bias + 16 * block : NULL, v);
    nibble_finish_rows(&f, v, 1, 16 * block, &zero, &zero);
  }
  return f.fault;
}

/* One position of one tap, inside x. */
static int is_row(const nibble_conv* p) {
  for (int k = 0; k < 3; ++k)
    if (p->in[k] != 1 || p->kernel[k] != 1 || p->out[k] != 1 || p->pad[k] != 0) return 0;
  return p->batch == 1;
}

/* ------------------------------------------------------------------------------------------------------------------ */

static int conv(const void* parameters, const nibble_call* call) {
  const nibble_conv* p = parameters;
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2], most = nibble_windows(p);
  const int64_t blocks = (p->out_channels + 15) / 16, half = nibble_window_half(p);
  const int64_t begin = p->split ? 0 : call->begin, end = p->split ? positions : call->end;
  const int64_t from = p->split ? call->begin : 0, to = p->split ? call->end : blocks;
  const windows x = {call->scratch, 2 * half, half, nibble_window_bytes(p) / 4};
  const int32_t* bias = p->bias;
  nibble_finish f = nibble_finish_of(p, call);
  nibble_position o = nibble_position_of(p, begin);
  for (int64_t first = begin, count; first < end && from < to; first += count) {
    int64_t y[NIBBLE_WINDOWS_MOST], r[NIBBLE_WINDOWS_MOST];
    int32_t v[NIBBLE_WINDOWS_MOST * 16];
    count = nibble_part(end - first, most);
    take(p, call, &o, count, &x, x.at + most * x.step, y, r);
    for (int64_t block = from; block < to; ++block) {
      const int8_t* w = nibble_block_weights(p, block, x.quads, nibble_unpacked(p, call->scratch));
      tiles(&x, count, w, bias ? bias + 16 * block : NULL, v);
      nibble_finish_rows(&f, v, count, 16 * block, y, r);
    }
  }
  return f.fault;
}

nibble_kernel nibble_avx2_conv(const nibble_conv* p, const char** name) {
  if (p->w_format != NIBBLE_BLOCKED || !nibble_are_bytes(p) || p->acc_type != NIBBLE_I32 || p->groups != 1) return NULL;
  if (!nibble_within_byte(p->zero_point, p->zero_point, p->x_type)) return NULL;
  *name = is_row(p) ? "row16" : "gemm16";
  return is_row(p) ? row : conv;
}

NIBBLE_CLOSE_TARGET
#endif
