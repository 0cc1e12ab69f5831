#ifndef NIBBLE_KERNELS_PACKED_H
#define NIBBLE_KERNELS_PACKED_H
#include "kernels/element.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Packed elements: activations of 4 and 2 bits, in the steps that may have them: CONV and POOL over one image (batch, depth
 * and its kernel are 1), and what REDUCE reads.
 *
 * A word of 4 bytes holds n = 32 / bits elements, byte k those of numbers k, k + 4, .. from its low bits on, so that a
 * shift and a mask make four bytes side by side of it. The element at offset o is that of number o % n in word o / n.
 * Channels lie side by side, columns behind each other, and each row begins a word: strides count elements, and a row's is
 * a multiple of n. There are at most NIBBLE_MOST_ROWS of them.
 *
 * No kernel of CONV or POOL reads or writes packed elements. A step is computed some rows of its output at a time: what they are made of
 * is unpacked into a tile of bytes, a kernel computes the part as a step of its own, and the rows are packed. */

enum { NIBBLE_MOST_ROWS = 1 << 16 };

static inline int nibble_is_packed(int32_t type) {
  return type >= NIBBLE_U4 && type <= NIBBLE_I2;
}
static inline int64_t nibble_bits_of(int32_t type) {
  return !nibble_is_packed(type) ? 8 * nibble_size_of(type) : type <= NIBBLE_I4 ? 4 : 2;
}
/* Elements of a word. */
static inline int64_t nibble_per_word(int32_t type) {
  return 32 / nibble_bits_of(type);
}
/* The bytes that a tile holds; any other type is itself. */
static inline int32_t nibble_in_tile(int32_t type) {
  return !nibble_is_packed(type) ? type : type == NIBBLE_U4 || type == NIBBLE_U2 ? NIBBLE_U8 : NIBBLE_I8;
}
/* Bytes to the element at that offset of a buffer; of packed ones, to the word that holds it. */
static inline int64_t nibble_bytes_to(int32_t type, int64_t offset) {
  return nibble_is_packed(type) ? offset / nibble_per_word(type) * 4 : offset * nibble_size_of(type);
}

/* One packed integer. */
static inline int64_t nibble_load_packed(const void* from, int32_t type, int64_t at) {
  const int64_t n = nibble_per_word(type), bits = nibble_bits_of(type), half = (int64_t)1 << (bits - 1);
  const int64_t code = ((const uint8_t*)from)[at / n * 4 + at % 4] >> (at % n / 4 * bits) & (2 * half - 1);
  return nibble_in_tile(type) == NIBBLE_U8 ? code : (code ^ half) - half;
}

/* `count` elements from the beginning of a word on, a multiple of nibble_per_word; bytes are aligned to 4. What does not
 * fit the type is cut to its low bits. */
void nibble_unpack(uint8_t* to, const uint8_t* from, int32_t type, int64_t count);
void nibble_pack(uint8_t* to, const uint8_t* from, int32_t type, int64_t count);

static inline int nibble_has_packed(int kind, const void* parameters) {
  if (kind == NIBBLE_KIND_CONV) {
    const nibble_conv* whole = (const nibble_conv*)parameters;
    return nibble_is_packed(whole->x_type) || nibble_is_packed(whole->y_type) ||
           (whole->sum_form != 0 && nibble_is_packed(whole->r_type));
  }
  if (kind == NIBBLE_KIND_POOL) {
    const nibble_pool* whole = (const nibble_pool*)parameters;
    return nibble_is_packed(whole->x_type) || nibble_is_packed(whole->y_type);
  }
  return 0;
}

/* Rows of the output of a CONV or POOL. */
static inline int32_t nibble_rows(int kind, const void* parameters) {
  return kind == NIBBLE_KIND_CONV ? ((const nibble_conv*)parameters)->out[1] : ((const nibble_pool*)parameters)->out[1];
}

/* What a part reads: `count` rows of x from `first` on, one at least; `pad` rows stand before them. */
typedef struct nibble_span {
  int32_t first, count, pad;
} nibble_span;

/* How windows go along the rows of x. */
typedef struct nibble_height {
  int32_t rows, taps, step, before, apart;
} nibble_height;

/* Of `count` rows of the output, from `first` on. The last window begins within x. */
static inline nibble_span nibble_span_of(nibble_height h, int32_t first, int32_t count) {
  const int32_t begin = first * h.step - h.before, last = begin + (count - 1) * h.step;
  const int64_t end = last + (int64_t)(h.taps - 1) * h.apart + 1;
  nibble_span span;
  span.first = begin < 0 ? 0 : begin;
  span.count = (end <= span.first ? span.first + 1 : end < h.rows ? (int32_t)end : h.rows) - span.first;
  span.pad = span.first - begin;
  return span;
}
static inline nibble_height nibble_conv_height(const nibble_conv* whole) {
  const nibble_height h = {whole->in[1], whole->kernel[1], whole->stride[1], whole->pad[1], whole->dilation[1]};
  return h;
}
static inline nibble_height nibble_pool_height(const nibble_pool* whole) {
  const nibble_height h = {whole->in[1], whole->kernel[1], whole->stride[1], whole->pad[1], whole->dilation[1]};
  return h;
}

/* The step of `count` rows of the output of `whole`, from `first` on, as a kernel takes it. */
static inline nibble_span nibble_conv_part(const nibble_conv* whole, int32_t first, int32_t count, nibble_conv* part) {
  const nibble_span span = nibble_span_of(nibble_conv_height(whole), first, count);
  *part = *whole;
  part->in[1] = span.count;
  part->out[1] = count;
  part->pad[1] = span.pad;
  part->x_type = nibble_in_tile(whole->x_type);
  part->y_type = nibble_in_tile(whole->y_type);
  part->r_type = nibble_in_tile(whole->r_type);
  return span;
}
static inline nibble_span nibble_pool_part(const nibble_pool* whole, int32_t first, int32_t count, nibble_pool* part) {
  const nibble_span span = nibble_span_of(nibble_pool_height(whole), first, count);
  *part = *whole;
  part->in[1] = span.count;
  part->out[1] = count;
  part->pad[1] = span.pad;
  part->x_type = nibble_in_tile(whole->x_type);
  part->y_type = nibble_in_tile(whole->y_type);
  return span;
}

/* The same of either kind. */
typedef union nibble_part_step {
  nibble_conv conv;
  nibble_pool pool;
} nibble_part_step;
static inline void nibble_part_of(int kind, const void* whole, int32_t first, int32_t count, nibble_part_step* part) {
  if (kind == NIBBLE_KIND_CONV)
    nibble_conv_part((const nibble_conv*)whole, first, count, &part->conv);
  else
    nibble_pool_part((const nibble_pool*)whole, first, count, &part->pool);
}

/* Where the tiles of x, r and y begin, in bytes from the first on, and end: those of packed operands alone. */
typedef struct nibble_tiles {
  int64_t r, y, end;
} nibble_tiles;

/* Rows of x that `count` rows of the output are made of, at most. */
static inline int64_t nibble_most_read(nibble_height h, int64_t count) {
  const int64_t read = (count - 1) * h.step + (int64_t)(h.taps - 1) * h.apart + 1;
  return read < h.rows ? read : h.rows;
}
static inline nibble_tiles nibble_conv_tiles(const nibble_conv* whole, int32_t rows) {
  const int64_t count = rows < whole->out[1] ? rows : whole->out[1];
  const int64_t x = nibble_most_read(nibble_conv_height(whole), count) * whole->x_stride[2];
  const int64_t r = whole->sum_form != 0 && nibble_is_packed(whole->r_type) ? count * whole->r_stride[2] : 0;
  nibble_tiles tiles;
  tiles.r = nibble_is_packed(whole->x_type) ? x : 0;
  tiles.y = tiles.r + r;
  tiles.end = tiles.y + (nibble_is_packed(whole->y_type) ? count * whole->y_stride[2] : 0);
  return tiles;
}
static inline nibble_tiles nibble_pool_tiles(const nibble_pool* whole, int32_t rows) {
  const int64_t count = rows < whole->out[1] ? rows : whole->out[1];
  const int64_t x = nibble_most_read(nibble_pool_height(whole), count) * whole->x_stride[2];
  nibble_tiles tiles;
  tiles.r = tiles.y = nibble_is_packed(whole->x_type) ? x : 0;
  tiles.end = tiles.y + (nibble_is_packed(whole->y_type) ? count * whole->y_stride[2] : 0);
  return tiles;
}

static inline int64_t nibble_tiles_bytes(int kind, const void* parameters, int32_t rows) {
  return kind == NIBBLE_KIND_CONV ? nibble_conv_tiles((const nibble_conv*)parameters, rows).end
                                  : nibble_pool_tiles((const nibble_pool*)parameters, rows).end;
}

/* Computes rows [call->begin, call->end) of the output, `rows` of them at a time, by a kernel that takes each part. Tiles
 * stand `tiles` bytes into scratch, a multiple of 8, behind what the kernel needs. */
int nibble_conv_packed(const void* parameters, const nibble_call* call, nibble_kernel kernel, int32_t rows,
                       int64_t tiles);
int nibble_pool_packed(const void* parameters, const nibble_call* call, nibble_kernel kernel, int32_t rows,
                       int64_t tiles);

/* REDUCE of packed x, which it reads where it is, not in parts: a word of channels before these are stored. */
int nibble_reduce_packed(const void* parameters, const nibble_call* call);
static inline nibble_order nibble_packed_reduce_order(const nibble_reduce* p) {
  const nibble_order order = {p->rank > 0 ? p->extent[p->rank - 1] : 1, 0, 0, 0};
  return order;
}

#ifdef __cplusplus
}
#endif
#endif
