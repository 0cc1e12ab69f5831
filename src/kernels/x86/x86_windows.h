#ifndef NIBBLE_KERNELS_X86_WINDOWS_H
#define NIBBLE_KERNELS_X86_WINDOWS_H
#include "kernels/conv_windows.h"

/* The windows of a convolution without groups, whose x are bytes, for kernels that multiply them with blocks of weights:
 * read where they lie, in bands of rows copied to scratch with their borders, or gathered one by one. */

enum { NIBBLE_MET_MOST = 256, NIBBLE_RUNS_MOST = 32 };

/* Windows in runs: of a run `step` bytes apart, each of `segments` segments `apart` bytes apart, of `quads` quads. */
typedef struct nibble_window_runs {
  int64_t runs, step, segments, apart, quads;
  const uint8_t* at[NIBBLE_RUNS_MOST];
  int64_t count[NIBBLE_RUNS_MOST];
} nibble_window_runs;

/* Windows whose results go to y[] of the output; residuals are at r[]. */
typedef void (*nibble_meet)(void* context, const nibble_window_runs* x, const int64_t* y, const int64_t* r);

/* How a call meets its windows: `wanted` at a time, NIBBLE_MET_MOST at most, gathered ones as far as scratch has room. Bytes
 * of x are turned by exclusive or with `turn`; what is not 0 asks for a copy. Rows of fewer outputs than `narrow` are
 * gathered. */
typedef struct nibble_meeting {
  const nibble_conv* p;
  const nibble_call* call;
  int64_t wanted, narrow;
  uint8_t turn;
  nibble_meet meet;
  void* context;
} nibble_meeting;

/* Positions [begin, end). */
void nibble_meet_windows(const nibble_meeting* m, int64_t begin, int64_t end);

#endif
