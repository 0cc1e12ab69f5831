#ifndef NIBBLE_PROCESSING_STREAM_H
#define NIBBLE_PROCESSING_STREAM_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* A sound that does not end, window by window: nothing allocated, nothing global. */

/* Windows of `length` samples, each `hop` behind the one before, of samples that come in pieces of any size. */
typedef struct nibble_windows {
  float* samples; /* `length` of them, the caller's */
  int32_t length, hop;
  int32_t filled; /* of the window that is being filled: below 0, samples to pass over first */
} nibble_windows;

/* length and hop are at least 1. */
void nibble_windows_start(nibble_windows* windows, float* samples, int32_t length, int32_t hop);

/* Takes of `count` samples those that the next window still lacks, and says how many. The window is whole when
 * `filled` is `length`; it stands in `samples` until the next call. */
int64_t nibble_windows_take(nibble_windows* windows, const float* samples, int64_t count);

/* The mean of the last `windows` results, `classes` values each. */
typedef struct nibble_smoothing {
  float* results; /* windows x classes, the caller's */
  int32_t windows, classes;
  int32_t kept, next;
} nibble_smoothing;

/* windows and classes are at least 1. */
void nibble_smoothing_start(nibble_smoothing* smoothing, float* results, int32_t windows, int32_t classes);

/* Keeps a result in place of the oldest and writes the mean of those kept, summed in doubles from the oldest on. `means`
 * may be `result`. */
void nibble_smoothing_add(nibble_smoothing* smoothing, const float* result, float* means);

#ifdef __cplusplus
}
#endif
#endif
