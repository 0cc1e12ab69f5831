#ifndef NIBBLE_KERNELS_CONV_WINDOWS_H
#define NIBBLE_KERNELS_CONV_WINDOWS_H
#include <string.h>

#include "kernels/element.h"

/* The geometry of a convolution of BLOCKED weights, for sets that compute tiles of output positions: which bytes of x a
 * window reads. A window is kernel[0] * kernel[1] segments; a segment, of kernel[2] * in_channels bytes, is padded to
 * a multiple of 4. Elements of x take one byte. */

typedef struct nibble_position {
  int64_t batch, at[3];
} nibble_position;

static inline nibble_position nibble_position_of(const nibble_conv* p, int64_t item) {
  nibble_position o;
  int64_t rest = item;
  for (int k = 2; k >= 0; --k) {
    o.at[k] = rest % p->out[k];
    rest /= p->out[k];
  }
  o.batch = rest;
  return o;
}

/* By `count` positions, at most to the end of the row. */
static inline void nibble_move_on(const nibble_conv* p, nibble_position* o, int64_t count) {
  if ((o->at[2] += count) < p->out[2]) return;
  o->at[2] = 0;
  if (++o->at[1] < p->out[1]) return;
  o->at[1] = 0;
  if (++o->at[0] < p->out[0]) return;
  o->at[0] = 0;
  ++o->batch;
}

static inline int64_t nibble_offset_of(const nibble_position* o, const int64_t* strides) {
  return o->batch * strides[0] + o->at[0] * strides[1] + o->at[1] * strides[2] + o->at[2] * strides[3];
}

static inline int64_t nibble_segment_bytes(const nibble_conv* p) {
  return ((int64_t)p->kernel[2] * p->in_channels + 3) / 4 * 4;
}

static inline int64_t nibble_window_bytes(const nibble_conv* p) {
  return p->kernel[0] * p->kernel[1] * nibble_segment_bytes(p);
}

static inline int nibble_is_depthwise(const nibble_conv* p) {
  return p->groups > 1 && p->groups == p->in_channels && p->groups == p->out_channels;
}

/* Whether taps along the width lie side by side in x. */
static inline int nibble_is_dense(const nibble_conv* p) {
  return p->kernel[2] == 1 || (p->dilation[2] == 1 && p->x_stride[3] == p->in_channels);
}

/* Offset in x of the segment (depth, height) of the window at `o`, at its first tap, which may lie outside x; *inside
 * is 0 where the whole segment does. */
static inline int64_t nibble_segment_offset(const nibble_conv* p, const nibble_position* o, int32_t depth,
                                            int32_t height, int* inside) {
  const int64_t d = o->at[0] * p->stride[0] - p->pad[0] + (int64_t)depth * p->dilation[0];
  const int64_t h = o->at[1] * p->stride[1] - p->pad[1] + (int64_t)height * p->dilation[1];
  const int64_t w = o->at[2] * p->stride[2] - p->pad[2];
  *inside = d >= 0 && d < p->in[0] && h >= 0 && h < p->in[1];
  return o->batch * p->x_stride[0] + d * p->x_stride[1] + h * p->x_stride[2] + w * p->x_stride[3];
}

/* Of `count` positions of a row from `o` on, [*left, *right) are those whose segments lie in x as they are: every tap
 * inside and side by side. */
static inline void nibble_whole_windows(const nibble_conv* p, const nibble_position* o, int64_t count, int64_t* left,
                                        int64_t* right) {
  const int64_t first = o->at[2] * p->stride[2] - p->pad[2], stride = p->stride[2];
  const int64_t room = p->in[2] - 1 - (int64_t)(p->kernel[2] - 1) * p->dilation[2] - first;
  const int64_t from = first < 0 ? (-first + stride - 1) / stride : 0, to = room < 0 ? 0 : room / stride + 1;
  *left = nibble_is_dense(p) && from < count ? from : count;
  *right = to < count ? to : count;
}

/* Builds a segment tap by tap: x where it lies inside, else `fill`; `from` is where its first tap lies or would. */
static inline void nibble_build_segment(const nibble_conv* p, const nibble_position* o, const uint8_t* x, int64_t from,
                                        uint8_t fill, uint8_t* to) {
  const int64_t first = o->at[2] * p->stride[2] - p->pad[2], channels = p->in_channels;
  for (int32_t tap = 0; tap < p->kernel[2]; ++tap, to += channels) {
    const int64_t at = first + (int64_t)tap * p->dilation[2];
    if (at < 0 || at >= p->in[2])
      memset(to, fill, (size_t)channels);
    else
      memcpy(to, x + from + (int64_t)tap * p->dilation[2] * p->x_stride[3], (size_t)channels);
  }
}

/* The next of the parts, as equal as can be, into which `rest` is cut so that none exceeds `most`. */
static inline int64_t nibble_part(int64_t rest, int64_t most) {
  const int64_t parts = (rest + most - 1) / most;
  return (rest + parts - 1) / parts;
}

/* How many output positions the scratch of a convolution of BLOCKED weights has windows for (items.c). */
enum { NIBBLE_WINDOWS_MOST = 24, NIBBLE_WINDOWS_LEAST = 8, NIBBLE_WINDOWS_BYTES = 1 << 18 };

static inline int64_t nibble_windows(const nibble_conv* p) {
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  int64_t count = NIBBLE_WINDOWS_BYTES / (2 * (nibble_window_bytes(p) + 64));
  if (count > NIBBLE_WINDOWS_MOST) count = NIBBLE_WINDOWS_MOST;
  if (count < NIBBLE_WINDOWS_LEAST) count = NIBBLE_WINDOWS_LEAST;
  return count < positions ? count : positions;
}

/* Bytes of a window's halves, each of which may be written up to 32 bytes beyond its end. */
static inline int64_t nibble_window_half(const nibble_conv* p) {
  return (nibble_window_bytes(p) + 31) / 32 * 32 + 32;
}

/* Depthwise sets work on runs of positions of a row: the weights of all blocks, the columns that a run meets, zero
 * points and one block's unpacked weights, in cells of 16 channels by 4 bytes, one for two rows of the kernel. */
enum { NIBBLE_STRIP_RUN = 64, NIBBLE_STRIP_CELL = 64 };

/* A row of x at the first column of a run, `step` bytes from column to column. */
typedef struct nibble_line {
  const uint8_t* at;
  int64_t step;
} nibble_line;

/* Row `index` of the kernel for the windows from `o` on, from channel `channel` on; `zeros`, all at one place, where the
 * row lies outside x. */
static inline nibble_line nibble_line_of(const nibble_conv* p, const nibble_call* call, const nibble_position* o,
                                         int64_t index, int64_t channel, const uint8_t* zeros) {
  int inside;
  const int64_t from =
      nibble_segment_offset(p, o, (int32_t)(index / p->kernel[1]), (int32_t)(index % p->kernel[1]), &inside);
  const nibble_line outside = {zeros, 0};
  nibble_line found = {NULL, p->x_stride[3]};
  if (!inside) return outside;
  found.at = (const uint8_t*)call->in[0] + from + channel;
  return found;
}

/* Of `columns` columns of x from the first of the window at `o` on, [*left, *right) lie inside x. */
static inline void nibble_inner_columns(const nibble_conv* p, const nibble_position* o, int64_t columns, int64_t* left,
                                        int64_t* right) {
  const int64_t first = o->at[2] * p->stride[2] - p->pad[2], inside = p->in[2] - first;
  *left = first < 0 ? (-first < columns ? -first : columns) : 0;
  *right = inside < *left ? *left : inside < columns ? inside : columns;
}

/* How many positions of the row from `o` on are a run, `rest` at most, and where their results go. */
static inline int64_t nibble_run(const nibble_conv* p, const nibble_position* o, int64_t rest, int64_t* y, int64_t* r) {
  const int64_t left = p->out[2] - o->at[2], most = rest < NIBBLE_STRIP_RUN ? rest : NIBBLE_STRIP_RUN;
  const int64_t count = left < most ? left : most;
  for (int64_t i = 0; i < count; ++i) {
    y[i] = nibble_offset_of(o, p->y_stride) + i * p->y_stride[3];
    r[i] = nibble_offset_of(o, p->r_stride) + i * p->r_stride[3];
  }
  return count;
}

/* Room for the strips of the pairs of rows that a window meets, wherever it begins: a power of two. */
static inline int64_t nibble_strip_ring(const nibble_conv* p) {
  int64_t ring = 1;
  while (ring < ((int64_t)p->kernel[0] * p->kernel[1] + 2) / 2) ring *= 2;
  return ring;
}

static inline int64_t nibble_strip_scratch(const nibble_conv* p) {
  const int64_t pairs = nibble_strip_ring(p), blocks = (p->out_channels + 15) / 16;
  const int64_t run = p->out[2] < NIBBLE_STRIP_RUN ? p->out[2] : NIBBLE_STRIP_RUN;
  const int64_t columns = (run - 1) * p->stride[2] + (int64_t)(p->kernel[2] - 1) * p->dilation[2] + 1;
  const int64_t quads = ((int64_t)p->kernel[0] * p->kernel[1] * p->kernel[2] + 3) / 4;
  return NIBBLE_STRIP_CELL * (1 + pairs * ((blocks < 2 ? 2 : blocks) * p->kernel[2] + columns) + quads);
}

/* Convolutions that x86/avx2_winograd.c takes: 3x3 at stride 1, so few channels that four times a sum fits 32 bits, and
 * enough of outputs and channels that the transforms pay. */
enum { NIBBLE_WINOGRAD_TILES = 24, NIBBLE_WINOGRAD_CHUNK = 128, NIBBLE_WINOGRAD_BYTES = 1 << 18 };

static inline int nibble_takes_winograd(const nibble_conv* p) {
  const int64_t plane = (int64_t)p->out[1] * p->out[2];
  if (p->w_format != NIBBLE_BLOCKED || p->acc_type != NIBBLE_I32 || p->groups != 1 || p->split) return 0;
  if (p->kernel[0] != 1 || p->pad[0] != 0 || p->stride[0] != 1 || p->kernel[1] != 3 || p->kernel[2] != 3) return 0;
  if (p->stride[1] != 1 || p->stride[2] != 1 || p->dilation[1] != 1 || p->dilation[2] != 1) return 0;
  return p->in_channels % 4 == 0 && p->in_channels >= 16 && p->in_channels <= 1792 && p->out_channels > 8 &&
         plane >= 36;
}

/* Channels of a transformed tile. */
static inline int64_t nibble_winograd_channels(const nibble_conv* p) {
  return ((int64_t)p->in_channels + 15) / 16 * 16;
}

/* Tiles that are transformed at once, 32 bytes a channel each. */
static inline int64_t nibble_winograd_tiles(const nibble_conv* p) {
  const int64_t count = NIBBLE_WINOGRAD_BYTES / (32 * nibble_winograd_channels(p));
  return count < NIBBLE_WINOGRAD_TILES ? count : NIBBLE_WINOGRAD_TILES;
}

/* An odd number of cache lines, so that the 16 places of a transform, so far apart, do not share a set of the cache. */
static inline int64_t nibble_odd_lines(int64_t bytes) {
  return (((bytes + 63) / 64) | 1) * 64;
}

/* Transformed tiles, weights and sums; the bytes of a tile at an edge. */
static inline int64_t nibble_winograd_scratch(const nibble_conv* p) {
  const int64_t channels = nibble_winograd_channels(p), tiles = nibble_winograd_tiles(p);
  const int64_t chunk = channels < NIBBLE_WINOGRAD_CHUNK ? channels : NIBBLE_WINOGRAD_CHUNK;
  return 16 * (nibble_odd_lines(2 * channels * tiles) + nibble_odd_lines(32 * chunk) + nibble_odd_lines(64 * tiles)) +
         16 * channels + 64;
}

/* Windows of few bytes, of several segments, which x86's sets lay side by side: how many have room, and in how many bytes
 * each. */
enum { NIBBLE_SMALL_WINDOWS = 256, NIBBLE_SMALL_WINDOW = 64 };

static inline int nibble_are_small_windows(const nibble_conv* p) {
  return p->groups == 1 && p->kernel[0] == 1 && p->kernel[1] > 1 && nibble_segment_bytes(p) <= 8 &&
         nibble_window_bytes(p) <= NIBBLE_SMALL_WINDOW;
}

/* Of BLOCKED weights. Without groups: windows in halves of 16 bits, or in bytes with pointers to their segments, and a
 * segment to build one in, and one of zero points; or what Winograd's kernel keeps. Two blocks of weights, unpacked. */
static inline int64_t nibble_conv_scratch(const nibble_conv* p) {
  const int64_t pointers = 8 * (int64_t)p->kernel[0] * p->kernel[1];
  const int64_t unpacked = p->w_bits == 8 ? 0 : 2 * 16 * nibble_window_bytes(p);
  const int64_t windows = nibble_windows(p) * (2 * nibble_window_half(p) + pointers) +
                          (2 * (nibble_segment_bytes(p) + NIBBLE_SLACK) + 63) / 64 * 64;
  const int64_t tiles = nibble_takes_winograd(p) ? nibble_winograd_scratch(p) : 0;
  const int64_t positions = (int64_t)p->batch * p->out[0] * p->out[1] * p->out[2];
  const int64_t laid = positions < NIBBLE_SMALL_WINDOWS ? positions : NIBBLE_SMALL_WINDOWS;
  const int64_t small = nibble_are_small_windows(p) ? laid * NIBBLE_SMALL_WINDOW + 64 : 0;
  return nibble_is_depthwise(p) ? nibble_strip_scratch(p) : (tiles > windows ? tiles : windows) + small + unpacked;
}

/* Where in scratch the unpacked weights of a convolution without groups stand. */
static inline int8_t* nibble_unpacked(const nibble_conv* p, void* scratch) {
  return (int8_t*)scratch + nibble_conv_scratch(p) - 2 * 16 * nibble_window_bytes(p);
}

#endif
