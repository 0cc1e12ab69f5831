/* What becomes of sums, by registers of 512 bits: four positions of 16 channels or two of 32 at once. What avx512vnni.c
 * includes within its target; forms that are rarer are x86_finish.c's. */

/* Parameters of 16 channels. */
typedef struct wide_stage {
  __m512 a, b;
} wide_stage;

/* Of all channels; `sum` where a residual is added. */
typedef struct wide_end {
  __m512 low, high, fa, fb, fc;
  __m512i byte_low, byte_high;
  int sum, y_signed, r_signed;
} wide_end;

static wide_stage wide_stage_of(const nibble_stage* s, int64_t channel) {
  const float *a = s->a, *b = s->b;
  wide_stage r;
  r.a = s->channels > 1 ? _mm512_loadu_ps(a + channel) : _mm512_set1_ps(a[0]);
  r.b = s->channels > 1 ? _mm512_loadu_ps(b + channel) : _mm512_set1_ps(b[0]);
  return r;
}

static wide_end wide_end_of(const nibble_finish* f) {
  const nibble_conv* p = f->p;
  const int sum = f->form == NIBBLE_FINISH_FLOAT_SUM;
  wide_end e;
  e.low = _mm512_set1_ps((float)p->stage.low), e.high = _mm512_set1_ps((float)p->stage.high);
  e.fa = _mm512_set1_ps(p->sum_fa), e.fb = _mm512_set1_ps(p->sum_fb), e.fc = _mm512_set1_ps(p->sum_fc);
  e.byte_low = _mm512_set1_epi8((char)(sum ? p->sum_low : p->stage.low));
  e.byte_high = _mm512_set1_epi8((char)(sum ? p->sum_high : p->stage.high));
  e.sum = sum, e.y_signed = p->y_type == NIBBLE_I8, e.r_signed = p->r_type == NIBBLE_I8;
  return e;
}

/* 16 channels of one position; r: their residuals. */
NIBBLE_INLINE __m512i wide_staged(const wide_end* e, const wide_stage* s, const int32_t* v, const uint8_t* r, int sum) {
  __m512 q = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(v)), s->a, s->b);
  if (sum) {
    const __m128i bytes = _mm_loadu_si128((const __m128i*)r);
    const __m512 other = _mm512_cvtepi32_ps(e->r_signed ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes));
    q = _mm512_roundscale_ps(q, 0);
    q = _mm512_min_ps(_mm512_max_ps(q, e->low), e->high);
    q = _mm512_fmadd_ps(q, e->fa, _mm512_fmadd_ps(other, e->fb, e->fc));
  }
  return _mm512_cvtps_epi32(q);
}

/* Four times 16 numbers to bytes, one after the other. */
NIBBLE_INLINE __m512i wide_bytes(const wide_end* e, __m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i ab = _mm512_packs_epi32(a, b), cd = _mm512_packs_epi32(c, d);
  const __m512i all = e->y_signed
                          ? _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(ab, cd), e->byte_low), e->byte_high)
                          : _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(ab, cd), e->byte_low), e->byte_high);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, all);
}

/* The first `count` of 16 bytes. */
NIBBLE_INLINE void wide_store(uint8_t* to, __m128i bytes, int64_t count) {
  if (count >= 16)
    _mm_storeu_si128((__m128i*)to, bytes);
  else
    nibble_store_some(to, bytes, count);
}

NIBBLE_INLINE void wide_block(const nibble_finish* f, const wide_end* e, const int32_t* v, int64_t count,
                              int64_t channel, const int64_t* y, const int64_t* r, int sum) {
  const wide_stage s = wide_stage_of(&f->p->stage, channel);
  const int64_t channels = f->p->out_channels - channel;
  uint8_t* to = (uint8_t*)f->call->out + channel;
  const uint8_t* other = sum ? (const uint8_t*)f->call->in[1] + channel : NULL;
  for (int64_t i = 0; i < count; i += 4, v += 64) {
    const int64_t j = i + 1 < count ? 1 : 0, k = i + 2 < count ? 2 : 0, l = i + 3 < count ? 3 : 0;
    const __m512i all = wide_bytes(e, wide_staged(e, &s, v, sum ? other + r[i] : NULL, sum),
                                   wide_staged(e, &s, v + 16 * j, sum ? other + r[i + j] : NULL, sum),
                                   wide_staged(e, &s, v + 16 * k, sum ? other + r[i + k] : NULL, sum),
                                   wide_staged(e, &s, v + 16 * l, sum ? other + r[i + l] : NULL, sum));
    wide_store(to + y[i], _mm512_castsi512_si128(all), channels);
    if (j) wide_store(to + y[i + 1], _mm512_extracti32x4_epi32(all, 1), channels);
    if (k) wide_store(to + y[i + 2], _mm512_extracti32x4_epi32(all, 2), channels);
    if (l) wide_store(to + y[i + 3], _mm512_extracti32x4_epi32(all, 3), channels);
  }
}

/* Two blocks, of which the first is whole. */
NIBBLE_INLINE void wide_blocks(const nibble_finish* f, const wide_end* e, const int32_t* v, int64_t behind,
                               int64_t count, int64_t channel, const int64_t* y, const int64_t* r, int sum) {
  const wide_stage s = wide_stage_of(&f->p->stage, channel), t = wide_stage_of(&f->p->stage, channel + 16);
  const int64_t channels = f->p->out_channels - channel;
  uint8_t* to = (uint8_t*)f->call->out + channel;
  const uint8_t* other = sum ? (const uint8_t*)f->call->in[1] + channel : NULL;
  for (int64_t i = 0; i < count; i += 2, v += 32) {
    const int64_t j = i + 1 < count ? 1 : 0;
    const uint8_t *first = sum ? other + r[i] : NULL, *second = sum ? other + r[i + j] : NULL;
    const __m512i all =
        wide_bytes(e, wide_staged(e, &s, v, first, sum), wide_staged(e, &t, v + behind, sum ? first + 16 : NULL, sum),
                   wide_staged(e, &s, v + 16 * j, second, sum),
                   wide_staged(e, &t, v + 16 * j + behind, sum ? second + 16 : NULL, sum));
    const __m256i one = _mm512_castsi512_si256(all), two = _mm512_extracti64x4_epi64(all, 1);
    if (channels >= 32) {
      _mm256_storeu_si256((__m256i*)(to + y[i]), one);
      if (j) _mm256_storeu_si256((__m256i*)(to + y[i + 1]), two);
    } else {
      _mm_storeu_si128((__m128i*)(to + y[i]), _mm256_castsi256_si128(one));
      nibble_store_some(to + y[i] + 16, _mm256_extracti128_si256(one, 1), channels - 16);
      if (!j) continue;
      _mm_storeu_si128((__m128i*)(to + y[i + 1]), _mm256_castsi256_si128(two));
      nibble_store_some(to + y[i + 1] + 16, _mm256_extracti128_si256(two, 1), channels - 16);
    }
  }
}

/* `blocks` (1 or 2) of channels from `channel` on: the second's sums at v + behind. */
static void wide_finish(nibble_finish* f, const int32_t* v, int64_t behind, int64_t blocks, int64_t count,
                        int64_t channel, const int64_t* y, const int64_t* r) {
  if (f->form == NIBBLE_FINISH_FLOAT || f->form == NIBBLE_FINISH_FLOAT_SUM) {
    const wide_end e = wide_end_of(f);
    if (blocks == 2 && e.sum)
      wide_blocks(f, &e, v, behind, count, channel, y, r, 1);
    else if (blocks == 2)
      wide_blocks(f, &e, v, behind, count, channel, y, r, 0);
    else if (e.sum)
      wide_block(f, &e, v, count, channel, y, r, 1);
    else
      wide_block(f, &e, v, count, channel, y, r, 0);
    return;
  }
  for (int64_t k = 0; k < blocks; ++k) nibble_finish_rows(f, v + k * behind, count, channel + 16 * k, y, r);
}
