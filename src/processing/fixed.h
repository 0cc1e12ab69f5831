#ifndef NIBBLE_PROCESSING_FIXED_H
#define NIBBLE_PROCESSING_FIXED_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* What is done behind a network on machines without reals: integers alone. */

/* Indices of the `most` largest of `count` levels, largest first, of equal ones the first; returns how many. */
int32_t nibble_largest_levels(const int32_t* levels, int32_t count, int32_t most, int32_t* index);

/* Shares of the softmax in 1/32768, within one of them: level i weighs 2^(levels[i] * slope / 2^32), slope = scale *
 * log2(e) * 2^32, 0 to 2^40. The levels' distances are at most 2^32. */
void nibble_softmax_levels(const int32_t* levels, int32_t count, int64_t slope, uint16_t* share);

#ifdef __cplusplus
}
#endif
#endif
