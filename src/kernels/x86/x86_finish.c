#include "kernels/x86/x86_finish.h"

#include "kernels/x86/x86.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma")

int nibble_within_byte(int64_t low, int64_t high, int32_t type) {
  if (type == NIBBLE_U8) return low >= 0 && high <= 255 && low <= high;
  return type == NIBBLE_I8 && low >= -128 && high <= 127 && low <= high;
}

nibble_conv nibble_stage_alone(const nibble_stage* stage, int32_t channels, int32_t y_type) {
  nibble_conv p = {0};
  p.stage = *stage;
  p.out_channels = channels;
  p.y_type = y_type;
  return p;
}

nibble_finish nibble_finish_of(const nibble_conv* p, const nibble_call* call) {
  nibble_finish f = {p, call, NIBBLE_FINISH_ANY, NIBBLE_FINE};
  const nibble_stage* s = &p->stage;
  const int byte = nibble_within_byte(s->low, s->high, p->y_type), limit = 1 << 24;
  const int sum = (p->r_type == NIBBLE_U8 || p->r_type == NIBBLE_I8) && s->low >= -limit && s->high <= limit &&
                  s->low <= s->high && nibble_within_byte(p->sum_low, p->sum_high, p->y_type);
  if (p->sum_form == 2 && s->form == NIBBLE_STAGE_FLOAT && sum) f.form = NIBBLE_FINISH_FLOAT_SUM;
  if (p->sum_form == 2 && s->form == NIBBLE_STAGE_PRODUCT32 && sum) f.form = NIBBLE_FINISH_PRODUCT32_SUM;
  if (p->sum_form != 0) return f;
  if (s->form == NIBBLE_STAGE_FLOAT && byte) f.form = NIBBLE_FINISH_FLOAT;
  if (s->form == NIBBLE_STAGE_PRODUCT32 && byte) f.form = NIBBLE_FINISH_PRODUCT32;
  if (s->form == NIBBLE_STAGE_NONE && byte) f.form = NIBBLE_FINISH_BYTES;
  if (s->form == NIBBLE_STAGE_NONE && p->y_type == NIBBLE_I32 && s->low <= s->high && s->low <= INT32_MAX &&
      s->high >= INT32_MIN)
    f.form = NIBBLE_FINISH_INTEGERS;
  return f;
}

NIBBLE_INLINE __m256i load(const void* from) {
  return _mm256_loadu_si256((const __m256i*)from);
}

/* Sixteen int32 of a channel's parameter each, or one for all. */
typedef struct floats {
  __m256 a0, a1, b0, b1;
} floats;

static floats floats_of(const nibble_stage* s, int64_t channel) {
  const float *a = s->a, *b = s->b;
  floats r;
  if (s->channels > 1) {
    r.a0 = _mm256_loadu_ps(a + channel);
    r.a1 = _mm256_loadu_ps(a + channel + 8);
    r.b0 = _mm256_loadu_ps(b + channel);
    r.b1 = _mm256_loadu_ps(b + channel + 8);
  } else {
    r.a0 = r.a1 = _mm256_set1_ps(a[0]);
    r.b0 = r.b1 = _mm256_set1_ps(b[0]);
  }
  return r;
}

void nibble_store_some(uint8_t* to, __m128i bytes, int64_t count) {
  if (count & 8) {
    _mm_storel_epi64((__m128i*)to, bytes);
    bytes = _mm_srli_si128(bytes, 8);
    to += 8;
  }
  for (int64_t i = 0; i < (count & 7); ++i) {
    *to++ = (uint8_t)_mm_cvtsi128_si32(bytes);
    bytes = _mm_srli_si128(bytes, 1);
  }
}

/* How packed bytes are clipped and where they go. */
typedef struct bytes {
  __m256i low, high;
  uint8_t* to;
  int64_t channels;
  int is_signed;
} bytes;

static bytes bytes_of(const nibble_finish* f, int64_t channel, int64_t low, int64_t high) {
  const bytes r = {_mm256_set1_epi8((char)low), _mm256_set1_epi8((char)high), (uint8_t*)f->call->out + channel,
                   f->p->out_channels - channel, f->p->y_type == NIBBLE_I8};
  return r;
}

/* 16 int32 of one position and 16 of another to bytes at to + y[0] and to + y[1]. */
NIBBLE_INLINE void put_two(const bytes* o, __m256i u0, __m256i u1, __m256i v0, __m256i v1, const int64_t* y, int both) {
  /* Lanes: channels 0-3 8-11 of both positions, then 4-7 12-15 of both. */
  const __m256i u = _mm256_packs_epi32(u0, u1), v = _mm256_packs_epi32(v0, v1);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  __m256i packed = o->is_signed ? _mm256_min_epi8(_mm256_max_epi8(_mm256_packs_epi16(u, v), o->low), o->high)
                                : _mm256_min_epu8(_mm256_max_epu8(_mm256_packus_epi16(u, v), o->low), o->high);
  packed = _mm256_permutevar8x32_epi32(packed, order);
  if (o->channels >= 16) {
    _mm_storeu_si128((__m128i*)(o->to + y[0]), _mm256_castsi256_si128(packed));
    if (both) _mm_storeu_si128((__m128i*)(o->to + y[1]), _mm256_extracti128_si256(packed, 1));
  } else {
    nibble_store_some(o->to + y[0], _mm256_castsi256_si128(packed), o->channels);
    if (both) nibble_store_some(o->to + y[1], _mm256_extracti128_si256(packed, 1), o->channels);
  }
}

NIBBLE_INLINE __m256i rounded(const int32_t* v, __m256 a, __m256 b) {
  return _mm256_cvtps_epi32(_mm256_fmadd_ps(_mm256_cvtepi32_ps(load(v)), a, b));
}

NIBBLE_INLINE void finish_float(nibble_finish* f, const int32_t* v, int64_t count, int64_t channel, const int64_t* y,
                                int is_signed) {
  const floats s = floats_of(&f->p->stage, channel);
  bytes o = bytes_of(f, channel, f->p->stage.low, f->p->stage.high);
  o.is_signed = is_signed;
  for (int64_t i = 0; i < count; i += 2, v += 32) {
    const int both = i + 1 < count;
    const int32_t* w = both ? v + 16 : v;
    put_two(&o, rounded(v, s.a0, s.b0), rounded(v + 8, s.a1, s.b1), rounded(w, s.a0, s.b0), rounded(w + 8, s.a1, s.b1),
            y + i, both);
  }
}

typedef struct residual {
  __m256 low, high, fa, fb, fc;
} residual;

/* Eight channels of sum_form 2; r: eight bytes. */
NIBBLE_INLINE __m256i added(const residual* s, const int32_t* v, __m256 a, __m256 b, const uint8_t* r, int is_signed) {
  const __m128i eight = _mm_loadl_epi64((const __m128i*)r);
  const __m256 other = _mm256_cvtepi32_ps(is_signed ? _mm256_cvtepi8_epi32(eight) : _mm256_cvtepu8_epi32(eight));
  __m256 q = _mm256_fmadd_ps(_mm256_cvtepi32_ps(load(v)), a, b);
  q = _mm256_round_ps(q, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  q = _mm256_min_ps(_mm256_max_ps(q, s->low), s->high);
  return _mm256_cvtps_epi32(_mm256_fmadd_ps(q, s->fa, _mm256_fmadd_ps(other, s->fb, s->fc)));
}

NIBBLE_INLINE void finish_float_sum(nibble_finish* f, const int32_t* v, int64_t count, int64_t channel,
                                    const int64_t* y, const int64_t* r, int r_signed) {
  const nibble_conv* p = f->p;
  const floats s = floats_of(&p->stage, channel);
  const bytes o = bytes_of(f, channel, p->sum_low, p->sum_high);
  const residual sum = {_mm256_set1_ps((float)p->stage.low), _mm256_set1_ps((float)p->stage.high),
                        _mm256_set1_ps(p->sum_fa), _mm256_set1_ps(p->sum_fb), _mm256_set1_ps(p->sum_fc)};
  const uint8_t* other = (const uint8_t*)f->call->in[1] + channel;
  for (int64_t i = 0; i < count; i += 2, v += 32) {
    const int both = i + 1 < count;
    const int32_t* w = both ? v + 16 : v;
    const uint8_t *first = other + r[i], *second = other + r[both ? i + 1 : i];
    put_two(&o, added(&sum, v, s.a0, s.b0, first, r_signed), added(&sum, v + 8, s.a1, s.b1, first + 8, r_signed),
            added(&sum, w, s.a0, s.b0, second, r_signed), added(&sum, w + 8, s.a1, s.b1, second + 8, r_signed), y + i,
            both);
  }
}

/* Two channels' groups of eight: stage parameters of channels even and odd. 2^62 in b makes every sum positive, so that a
 * shift without a sign serves; `excess` is what it adds to a result, modulo 2^32. */
typedef struct products {
  __m256i a[2], even[2], odd[2], even_shift[2], odd_shift[2], excess[2];
} products;

/* Eight channels' from arrays of eight. */
NIBBLE_INLINE void set_products(products* r, int k, const int32_t* a, const int64_t* b, const uint8_t* d) {
  const __m256i low = load(b), high = load(b + 4), top = _mm256_set1_epi64x((int64_t)1 << 62);
  const __m128i shifts = _mm_min_epu8(_mm_loadl_epi64((const __m128i*)d), _mm_set1_epi8(62));
  const __m128i apart = _mm_shuffle_epi8(shifts, _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 0, 0, 0, 0, 0, 0, 0, 0));
  r->a[k] = load(a);
  r->even_shift[k] = _mm256_cvtepu8_epi64(apart);
  r->odd_shift[k] = _mm256_cvtepu8_epi64(_mm_srli_si128(apart, 4));
  r->even[k] = _mm256_add_epi64(_mm256_permute4x64_epi64(_mm256_unpacklo_epi64(low, high), 0xd8), top);
  r->odd[k] = _mm256_add_epi64(_mm256_permute4x64_epi64(_mm256_unpackhi_epi64(low, high), 0xd8), top);
  r->excess[k] = _mm256_blend_epi32(_mm256_srlv_epi64(top, r->even_shift[k]),
                                    _mm256_slli_epi64(_mm256_srlv_epi64(top, r->odd_shift[k]), 32), 0xaa);
}

static products products_of(const nibble_stage* s, int64_t channel) {
  int32_t a[16];
  int64_t b[16];
  uint8_t d[16];
  products r;
  if (s->channels >= channel + 16) {
    for (int k = 0; k < 2; ++k)
      set_products(&r, k, (const int32_t*)s->a + channel + 8 * k, (const int64_t*)s->b + channel + 8 * k,
                   (const uint8_t*)s->d + channel + 8 * k);
    return r;
  }
  for (int i = 0; i < 16; ++i) {
    /* A row may begin at any channel: beyond the last nothing is stored. */
    const int64_t own = channel + i < s->channels ? channel + i : 0, c = s->channels > 1 ? own : 0;
    a[i] = ((const int32_t*)s->a)[c];
    b[i] = ((const int64_t*)s->b)[c];
    d[i] = ((const uint8_t*)s->d)[c];
  }
  for (int k = 0; k < 2; ++k) set_products(&r, k, a + 8 * k, b + 8 * k, d + 8 * k);
  return r;
}

/* Eight channels of (v * a + b) >> d. */
NIBBLE_INLINE __m256i turned_eight(const products* s, int k, const int32_t* v) {
  const __m256i x = load(v);
  const __m256i even = _mm256_srlv_epi64(_mm256_add_epi64(_mm256_mul_epi32(x, s->a[k]), s->even[k]), s->even_shift[k]);
  const __m256i odd = _mm256_srlv_epi64(
      _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(s->a[k], 32)), s->odd[k]),
      s->odd_shift[k]);
  return _mm256_sub_epi32(_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa), s->excess[k]);
}

static int block_lanes(const nibble_finish* f, int64_t channel, nibble_lanes* lanes) {
  const nibble_stage* s = &f->p->stage;
  const int product = f->form == NIBBLE_FINISH_PRODUCT32 || f->form == NIBBLE_FINISH_PRODUCT32_SUM;
  const int64_t rest = f->p->out_channels - channel, last = rest < 16 ? rest : 16;
  if (!product && f->form != NIBBLE_FINISH_FLOAT && f->form != NIBBLE_FINISH_FLOAT_SUM) return 0;
  for (int k = 0; k < 2; ++k) {
    const int64_t from = channel + 8 * k;
    const int32_t* a = (const int32_t*)s->a + (s->channels > 1 ? from : 0);
    const __m256i all = s->channels > 1 ? load(a) : _mm256_set1_epi32(*a);
    _mm256_storeu_si256((__m256i*)lanes->a + k, all);
    if (!product) {
      const int32_t* b = (const int32_t*)s->b + (s->channels > 1 ? from : 0);
      _mm256_storeu_si256((__m256i*)lanes->even + k, s->channels > 1 ? load(b) : _mm256_set1_epi32(*b));
    } else {
      const int64_t* b = (const int64_t*)s->b + (s->channels > 1 ? from : 0);
      const __m256i low = s->channels > 1 ? load(b) : _mm256_set1_epi64x(*b),
                    high = s->channels > 1 ? load(b + 4) : low;
      const __m256i even = _mm256_permute4x64_epi64(_mm256_unpacklo_epi64(low, high), 0xd8);
      const __m256i odd = _mm256_permute4x64_epi64(_mm256_unpackhi_epi64(low, high), 0xd8);
      _mm256_storeu_si256((__m256i*)lanes->odd_a + k, _mm256_srli_epi64(all, 32));
      _mm256_storeu_si256((__m256i*)lanes->even + k, even);
      _mm256_storeu_si256((__m256i*)lanes->odd + k, odd);
    }
  }
  if (!product) return 1;
  {
    const uint8_t* d = (const uint8_t*)s->d + (s->channels > 1 ? channel : 0);
    const __m128i given = s->channels > 1 ? _mm_loadu_si128((const __m128i*)d) : _mm_set1_epi8((char)*d);
    /* Beyond the last channel stands nothing that counts. */
    const __m128i places = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m128i counts = _mm_cmpgt_epi8(_mm_set1_epi8((char)last), places);
    const __m128i above = _mm_subs_epu8(given, _mm_set1_epi8(32));
    const __m128i small = _mm_and_si128(_mm_cmpgt_epi8(_mm_set1_epi8(32), given), counts);
    _mm256_storeu_si256((__m256i*)lanes->shift, _mm256_cvtepu8_epi32(above));
    _mm256_storeu_si256((__m256i*)lanes->shift + 1, _mm256_cvtepu8_epi32(_mm_srli_si128(above, 8)));
    return _mm_movemask_epi8(small) == 0;
  }
}

const nibble_lanes* nibble_lanes_of(const nibble_finish* f, int64_t channel, int64_t blocks, nibble_lanes* lanes) {
  for (int64_t k = 0; k < blocks; ++k)
    if (!block_lanes(f, channel + 16 * k, lanes + k)) return NULL;
  return lanes;
}

static void finish_product32(nibble_finish* f, const int32_t* v, int64_t count, int64_t channel, const int64_t* y) {
  const products s = products_of(&f->p->stage, channel);
  const bytes o = bytes_of(f, channel, f->p->stage.low, f->p->stage.high);
  for (int64_t i = 0; i < count; i += 2, v += 32) {
    const int both = i + 1 < count;
    const int32_t* w = both ? v + 16 : v;
    put_two(&o, turned_eight(&s, 0, v), turned_eight(&s, 1, v + 8), turned_eight(&s, 0, w), turned_eight(&s, 1, w + 8),
            y + i, both);
  }
}

/* Eight channels of PRODUCT32 and then sum_form 2; r: eight bytes. */
NIBBLE_INLINE __m256i turned_and_added(const residual* s, const products* m, int k, const int32_t* v, const uint8_t* r,
                                       int is_signed) {
  const __m128i eight = _mm_loadl_epi64((const __m128i*)r);
  const __m256 other = _mm256_cvtepi32_ps(is_signed ? _mm256_cvtepi8_epi32(eight) : _mm256_cvtepu8_epi32(eight));
  __m256 q = _mm256_cvtepi32_ps(turned_eight(m, k, v));
  q = _mm256_min_ps(_mm256_max_ps(q, s->low), s->high);
  return _mm256_cvtps_epi32(_mm256_fmadd_ps(q, s->fa, _mm256_fmadd_ps(other, s->fb, s->fc)));
}

NIBBLE_INLINE void finish_product32_sum(nibble_finish* f, const int32_t* v, int64_t count, int64_t channel,
                                        const int64_t* y, const int64_t* r, int r_signed) {
  const nibble_conv* p = f->p;
  const products s = products_of(&p->stage, channel);
  const bytes o = bytes_of(f, channel, p->sum_low, p->sum_high);
  const residual sum = {_mm256_set1_ps((float)p->stage.low), _mm256_set1_ps((float)p->stage.high),
                        _mm256_set1_ps(p->sum_fa), _mm256_set1_ps(p->sum_fb), _mm256_set1_ps(p->sum_fc)};
  const uint8_t* other = (const uint8_t*)f->call->in[1] + channel;
  for (int64_t i = 0; i < count; i += 2, v += 32) {
    const int both = i + 1 < count;
    const int32_t* w = both ? v + 16 : v;
    const uint8_t *first = other + r[i], *second = other + r[both ? i + 1 : i];
    put_two(&o, turned_and_added(&sum, &s, 0, v, first, r_signed),
            turned_and_added(&sum, &s, 1, v + 8, first + 8, r_signed),
            turned_and_added(&sum, &s, 0, w, second, r_signed),
            turned_and_added(&sum, &s, 1, w + 8, second + 8, r_signed), y + i, both);
  }
}

static void finish_bytes(nibble_finish* f, const int32_t* v, int64_t count, int64_t channel, const int64_t* y) {
  const bytes o = bytes_of(f, channel, f->p->stage.low, f->p->stage.high);
  for (int64_t i = 0; i < count; i += 2, v += 32) {
    const int both = i + 1 < count;
    const int32_t* w = both ? v + 16 : v;
    put_two(&o, load(v), load(v + 8), load(w), load(w + 8), y + i, both);
  }
}

NIBBLE_INLINE __m256i within(__m256i v, __m256i low, __m256i high) {
  return _mm256_min_epi32(_mm256_max_epi32(v, low), high);
}

static void finish_integers(nibble_finish* f, const int32_t* v, int64_t count, int64_t channel, const int64_t* y) {
  const int64_t channels = f->p->out_channels - channel;
  const nibble_stage* s = &f->p->stage;
  const __m256i low = _mm256_set1_epi32(s->low < INT32_MIN ? INT32_MIN : (int32_t)s->low);
  const __m256i high = _mm256_set1_epi32(s->high > INT32_MAX ? INT32_MAX : (int32_t)s->high);
  for (int64_t i = 0; i < count; ++i, v += 16) {
    int32_t* to = (int32_t*)f->call->out + y[i] + channel;
    int32_t kept[16];
    int32_t* at = channels < 16 ? kept : to;
    _mm256_storeu_si256((__m256i*)at, within(load(v), low, high));
    _mm256_storeu_si256((__m256i*)(at + 8), within(load(v + 8), low, high));
    for (int64_t c = 0; c < channels && channels < 16; ++c) to[c] = kept[c];
  }
}

static void finish_any(nibble_finish* f, const int32_t* v, int64_t count, int64_t channel, const int64_t* y,
                       const int64_t* r) {
  const nibble_conv* p = f->p;
  const int64_t rest = p->out_channels - channel, channels = rest < 16 ? rest : 16;
  for (int64_t i = 0; i < count; ++i, v += 16)
    for (int64_t c = channel; c < channel + channels; ++c) {
      const int64_t q = nibble_staged(&p->stage, v[c - channel], c, &f->fault);
      const int64_t other = p->sum_form ? nibble_load(f->call->in[1], p->r_type, r[i] + c) : 0;
      nibble_store(f->call->out, p->y_type, y[i] + c, nibble_conv_summed(p, q, other));
    }
}

void nibble_finish_rows(nibble_finish* f, const int32_t* v, int64_t count, int64_t channel, const int64_t* y,
                        const int64_t* r) {
  switch (f->form) {
    case NIBBLE_FINISH_FLOAT:
      if (f->p->y_type == NIBBLE_I8)
        finish_float(f, v, count, channel, y, 1);
      else
        finish_float(f, v, count, channel, y, 0);
      break;
    case NIBBLE_FINISH_FLOAT_SUM:
      if (f->p->r_type == NIBBLE_I8)
        finish_float_sum(f, v, count, channel, y, r, 1);
      else
        finish_float_sum(f, v, count, channel, y, r, 0);
      break;
    case NIBBLE_FINISH_PRODUCT32_SUM:
      if (f->p->r_type == NIBBLE_I8)
        finish_product32_sum(f, v, count, channel, y, r, 1);
      else
        finish_product32_sum(f, v, count, channel, y, r, 0);
      break;
    case NIBBLE_FINISH_PRODUCT32: finish_product32(f, v, count, channel, y); break;
    case NIBBLE_FINISH_BYTES: finish_bytes(f, v, count, channel, y); break;
    case NIBBLE_FINISH_INTEGERS: finish_integers(f, v, count, channel, y); break;
    default: finish_any(f, v, count, channel, y, r); break;
  }
}

int nibble_finish_tile(const nibble_conv* p, const nibble_call* call, const int32_t* v, int64_t count, int64_t channel,
                       const int64_t* y, const int64_t* r) {
  nibble_finish f = nibble_finish_of(p, call);
  nibble_finish_rows(&f, v, count, channel, y, r);
  return f.fault;
}

NIBBLE_CLOSE_TARGET
#endif
