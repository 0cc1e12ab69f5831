#ifndef NIBBLE_PROCESSING_FIXED_H
#define NIBBLE_PROCESSING_FIXED_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* What is done behind a network on machines without reals: integers alone. */

/* Multiplication by a real: x * mantissa / 2^shift, rounded half up; |x * mantissa| <= 2^62, shift 1 to 61. */
typedef struct nibble_factor {
  int64_t mantissa;
  int32_t shift;
} nibble_factor;
int64_t nibble_times(int64_t x, nibble_factor by);

/* How an output's integers lie: `bytes` of each, 1, 2 or 4, below 0 where they have a sign, and what stands for 0. */
typedef struct nibble_integers {
  int32_t bytes, zero_point;
} nibble_integers;
/* The integer at that element, less the zero point. */
int64_t nibble_integer(nibble_integers lie, const void* data, int64_t at);

/* 2^-x in 1/2^30, for x >= 0 in 1/2^32; within 2^-24. */
int64_t nibble_half_to(int64_t x);

/* A place along an axis of the network's input, in 1/65536 pixel, |at| <= 2^32, as one of the picture in 1/16 pixel,
 * rounded half up: the input's [to, to + to_size) is the picture's [from, from + from_size). */
int32_t nibble_place_in_picture(int64_t at, int32_t to, int32_t to_size, int32_t from, int32_t from_size);

/* Indices of the `most` largest of `count` levels, largest first, of equal ones the first; returns how many. */
int32_t nibble_largest_levels(const int32_t* levels, int32_t count, int32_t most, int32_t* index);

/* Shares of the softmax in 1/32768, within one of them: level i weighs 2^(levels[i] * slope / 2^32), slope = scale *
 * log2(e) * 2^32, 0 to 2^40. The levels' distances are at most 2^32. */
void nibble_softmax_levels(const int32_t* levels, int32_t count, int64_t slope, uint16_t* share);

#ifdef __cplusplus
}
#endif
#endif
