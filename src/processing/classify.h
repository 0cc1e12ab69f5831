#ifndef NIBBLE_PROCESSING_CLASSIFY_H
#define NIBBLE_PROCESSING_CLASSIFY_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* exp(x[i]) over their sum, of finite x; `step`: elements from one to the next of x. */
void nibble_softmax(const float* x, int64_t count, int64_t step, double* out);

/* Indices of the `most` largest of `count` values, largest first, of equal ones the first; returns how many. */
int64_t nibble_largest(const double* values, int64_t count, int64_t most, int32_t* index);

/* Which of `planes` values is largest at each of `count` places (plane by plane), of equal ones the first. */
void nibble_largest_plane(const float* values, int32_t planes, int64_t count, uint8_t* out);

/* Mean of the squares of a[i] - b[i]. */
double nibble_mean_square_difference(const float* a, const float* b, int64_t count);

#ifdef __cplusplus
}
#endif
#endif
