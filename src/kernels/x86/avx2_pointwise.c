#include "kernels/element.h"
#include "kernels/x86/avx2.h"
#include "kernels/x86/x86.h"
#include "kernels/x86/x86_finish.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma")

/* Pointwise functions whose values fit int32, along rows of the last axis, 16 elements at a time: the function, then the
 * stage as a convolution's (x86_finish.h). */

enum { LEFT = 16, MANY = 256 };

/* Sixteen int32: elements of a byte type or of I32, or one element, 16 times. */
typedef struct sixteen {
  __m256i low, high;
} sixteen;

NIBBLE_INLINE sixteen read(const void* x, int32_t type, int64_t at, int64_t step) {
  sixteen r;
  if (step == 0) {
    r.low = r.high = _mm256_set1_epi32((int32_t)nibble_load(x, type, at));
  } else if (type == NIBBLE_I32) {
    r.low = _mm256_loadu_si256((const __m256i*)((const int32_t*)x + at));
    r.high = _mm256_loadu_si256((const __m256i*)((const int32_t*)x + at + 8));
  } else {
    const __m128i bytes = _mm_loadu_si128((const __m128i*)((const uint8_t*)x + at));
    const __m128i upper = _mm_srli_si128(bytes, 8);
    r.low = type == NIBBLE_U8 ? _mm256_cvtepu8_epi32(bytes) : _mm256_cvtepi8_epi32(bytes);
    r.high = type == NIBBLE_U8 ? _mm256_cvtepu8_epi32(upper) : _mm256_cvtepi8_epi32(upper);
  }
  return r;
}

NIBBLE_INLINE __m256i weighted(const int64_t* s, __m256i x0, __m256i x1) {
  const __m256i a =
      _mm256_add_epi32(_mm256_mullo_epi32(x0, _mm256_set1_epi32((int32_t)s[0])), _mm256_set1_epi32((int32_t)s[1]));
  const __m256i b =
      _mm256_add_epi32(_mm256_mullo_epi32(x1, _mm256_set1_epi32((int32_t)s[3])), _mm256_set1_epi32((int32_t)s[4]));
  return _mm256_add_epi32(_mm256_sra_epi32(a, _mm_cvtsi32_si128((int)s[2])),
                          _mm256_sra_epi32(b, _mm_cvtsi32_si128((int)s[5])));
}

NIBBLE_INLINE __m256i float_sum(const float* f, __m256i x0, __m256i x1) {
  const __m256 b = _mm256_fmadd_ps(_mm256_cvtepi32_ps(x1), _mm256_set1_ps(f[1]), _mm256_set1_ps(f[2]));
  return _mm256_cvtps_epi32(_mm256_fmadd_ps(_mm256_cvtepi32_ps(x0), _mm256_set1_ps(f[0]), b));
}

NIBBLE_INLINE __m256i value(const nibble_pointwise* p, int op, __m256i x0, __m256i x1) {
  switch (op) {
    case NIBBLE_RELU: return _mm256_max_epi32(x0, _mm256_setzero_si256());
    case NIBBLE_ADD: return _mm256_add_epi32(x0, x1);
    case NIBBLE_SUB: return _mm256_sub_epi32(x0, x1);
    case NIBBLE_MUL: return _mm256_mullo_epi32(x0, x1);
    case NIBBLE_MIN: return _mm256_min_epi32(x0, x1);
    case NIBBLE_MAX: return _mm256_max_epi32(x0, x1);
    case NIBBLE_WEIGHTED: return weighted(p->s, x0, x1);
    case NIBBLE_FLOAT_SUM: return float_sum(p->f, x0, x1);
    default: return x0;
  }
}

/* Where `count` elements of a row are read and written. */
typedef struct row {
  const void* x[2];
  int64_t at[2], step[2], y, channel, count;
} row;

/* 16 elements each, from element `from` of the row on: v[groups][16]. */
NIBBLE_INLINE void values(const nibble_pointwise* p, int op, const row* w, int64_t from, int64_t groups, int32_t* v) {
  for (int64_t i = 0; i < groups; ++i, v += LEFT, from += LEFT) {
    const sixteen x0 = read(w->x[0], p->x_type[0], w->at[0] + from * w->step[0], w->step[0]);
    const sixteen x1 = w->x[1] ? read(w->x[1], p->x_type[1], w->at[1] + from * w->step[1], w->step[1]) : x0;
    _mm256_storeu_si256((__m256i*)v, value(p, op, x0.low, x1.low));
    _mm256_storeu_si256((__m256i*)(v + 8), value(p, op, x0.high, x1.high));
  }
}

static void any_values(const nibble_pointwise* p, const row* w, int64_t from, int64_t groups, int32_t* v) {
  switch (p->op) {
    case NIBBLE_WEIGHTED: values(p, NIBBLE_WEIGHTED, w, from, groups, v); break;
    case NIBBLE_FLOAT_SUM: values(p, NIBBLE_FLOAT_SUM, w, from, groups, v); break;
    case NIBBLE_COPY: values(p, NIBBLE_COPY, w, from, groups, v); break;
    case NIBBLE_MUL: values(p, NIBBLE_MUL, w, from, groups, v); break;
    default: values(p, p->op, w, from, groups, v); break;
  }
}

/* A stage of one channel: groups of 16 one below the other. Of channels along the row: a group has its own. */
static void finish_row(const nibble_pointwise* p, nibble_conv* stage, nibble_finish* f, const row* w) {
  const int each = stage->stage.channels > 1;
  for (int64_t i = 0, groups; i < w->count; i += groups * LEFT) {
    const int64_t rest = w->count - i;
    int64_t y[LEFT];
    int32_t v[LEFT * LEFT];
    groups = each || rest < 2 * LEFT ? 1 : rest / LEFT < LEFT ? rest / LEFT : LEFT;
    any_values(p, w, i, groups, v);
    for (int64_t k = 0; k < groups; ++k) y[k] = w->y + i + k * LEFT - (each ? w->channel + i : 0);
    stage->out_channels = (int32_t)((each ? w->channel + i : 0) + (rest < LEFT ? rest : LEFT));
    nibble_finish_rows(f, v, groups, each ? w->channel + i : 0, y, y);
  }
}

/* The row of the items from `item` on, to the end of the last axis or to `end`. */
static row row_at(const nibble_pointwise* p, const nibble_call* call, int64_t item, int64_t end) {
  const int last = p->rank - 1;
  int64_t at[NIBBLE_MAX_RANK];
  row w = {{call->in[0], call->in[1]}, {0, 0}, {p->x_stride[last], p->x_stride[NIBBLE_MAX_RANK + last]}, 0, 0, 0};
  nibble_place(item, p->extent, p->rank, at);
  for (int i = 0; i < 2; ++i) w.at[i] = nibble_offset(at, p->x_stride + i * NIBBLE_MAX_RANK, p->rank);
  w.y = nibble_offset(at, p->y_stride, p->rank);
  w.channel = at[last];
  w.count = p->extent[last] - at[last] < end - item ? p->extent[last] - at[last] : end - item;
  return w;
}

static int pointwise(const void* parameters, const nibble_call* call) {
  const nibble_pointwise* p = parameters;
  nibble_conv stage = nibble_stage_alone(&p->stage, 0, p->y_type);
  nibble_finish f = nibble_finish_of(&stage, call);
  for (int64_t item = call->begin; item < call->end;) {
    const row w = row_at(p, call, item, call->end);
    finish_row(p, &stage, &f, &w);
    item += w.count;
  }
  return f.fault;
}

/* Bytes through a table of bytes. */
static int table(const void* parameters, const nibble_call* call) {
  const nibble_pointwise* p = parameters;
  uint8_t bytes[256];
  if (call->end - call->begin < MANY) return nibble_pointwise_reference(parameters, call);
  for (int i = 0; i < 256; ++i) {
    int fault = NIBBLE_FINE;
    const int64_t x = p->x_type[0] == NIBBLE_U8 ? i : (int8_t)i;
    bytes[i] = (uint8_t)nibble_staged(&p->stage, p->op == NIBBLE_RELU && x < 0 ? 0 : x, 0, &fault);
  }
  for (int64_t item = call->begin; item < call->end;) {
    const row w = row_at(p, call, item, call->end);
    const uint8_t* x = (const uint8_t*)w.x[0] + w.at[0];
    uint8_t* y = (uint8_t*)call->out + w.y;
    for (int64_t i = 0; i < w.count; ++i) y[i] = bytes[x[i * w.step[0]]];
    item += w.count;
  }
  return NIBBLE_FINE;
}

static int is_byte(int32_t type) {
  return type == NIBBLE_U8 || type == NIBBLE_I8;
}

/* Whether WEIGHTED's two terms and their sum fit int32 for any bytes. */
static int fits(const int64_t* s) {
  const int64_t most = 1 << 20, addend = 1 << 28;
  for (int i = 0; i < 6; i += 3)
    if (s[i] < -most || s[i] > most || s[i + 1] < -addend || s[i + 1] > addend || s[i + 2] < 0 || s[i + 2] > 31)
      return 0;
  return 1;
}

nibble_kernel nibble_avx2_pointwise(const nibble_pointwise* p, const char** name) {
  const int last = p->rank - 1, two = p->op != NIBBLE_COPY && p->op != NIBBLE_RELU;
  const nibble_stage* s = &p->stage;
  if (p->rank < 1 || p->y_stride[last] != 1 || p->extent[last] < 1) return NULL;
  for (int i = 0; i < (two ? 2 : 1); ++i) {
    const int64_t step = p->x_stride[i * NIBBLE_MAX_RANK + last];
    if (step != 1 && step != 0) return NULL;
    if (!is_byte(p->x_type[i]) && (two || p->x_type[i] != NIBBLE_I32)) return NULL;
  }
  if (s->channels > 1 && p->channel_axis != last) return NULL;
  switch (p->op) {
    case NIBBLE_COPY:
    case NIBBLE_RELU:
      if (s->form == NIBBLE_STAGE_TABLE && is_byte(p->x_type[0]) && is_byte(p->y_type) &&
          s->first <= (p->x_type[0] == NIBBLE_U8 ? 0 : -128) &&
          s->first + s->steps > (p->x_type[0] == NIBBLE_U8 ? 255 : 127)) {
        *name = "table";
        return table;
      }
      break;
    case NIBBLE_ADD:
    case NIBBLE_SUB:
    case NIBBLE_MUL:
    case NIBBLE_MIN:
    case NIBBLE_MAX:
    case NIBBLE_FLOAT_SUM: break;
    case NIBBLE_WEIGHTED:
      if (fits(p->s)) break;
      return NULL;
    default: return NULL;
  }
  *name = "rows";
  return pointwise;
}

NIBBLE_CLOSE_TARGET
#endif
