#ifndef NIBBLE_RUNTIME_PEAK_H
#define NIBBLE_RUNTIME_PEAK_H
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif

/* What this CPU can do at most, measured: loops of nothing but the multiply-accumulates that a kernel set is made of, on
 * `threads` threads (1 to 64) at once. Each takes some tens of milliseconds. */

/* 8-bit multiply-accumulates a second; 0 for a set that this file does not know. Only for a set that runs here. */
double nibble_peak_operations(const char* set, int threads);
/* Bytes a second read from memory, of which no cache holds much. 0 where there is no memory to try it. */
double nibble_peak_bandwidth(int threads);

#ifdef __cplusplus
}
#endif
#endif
