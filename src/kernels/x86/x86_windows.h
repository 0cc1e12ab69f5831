#ifndef NIBBLE_KERNELS_X86_WINDOWS_H
#define NIBBLE_KERNELS_X86_WINDOWS_H
#include "kernels/conv_windows.h"

/* The windows of a convolution without groups, whose x are bytes, for kernels that multiply them with blocks of weights:
 * read where they lie, or gathered in scratch by rows. */

/* Windows `step` bytes apart, each of `segments` segments `apart` bytes apart, of `quads` quads. */
typedef struct nibble_window_run {
  const uint8_t* at;
  int64_t step, segments, apart, quads;
} nibble_window_run;

/* `count` windows, whose results go to y[] of the output; residuals are at r[]. */
typedef void (*nibble_meet)(void* context, const nibble_window_run* x, int64_t count, const int64_t* y,
                            const int64_t* r);

enum { NIBBLE_GATHERED_MOST = 96 };

/* How a call meets its windows: `wanted` at a time, NIBBLE_GATHERED_MOST at most, as far as scratch has room. Bytes of x
 * are turned by exclusive or with `turn`, what is not 0 asks for gathering. `few`: so few channels of output that
 * gathering is dear. */
typedef struct nibble_meeting {
  const nibble_conv* p;
  const nibble_call* call;
  int64_t wanted;
  uint8_t turn;
  int few;
  nibble_meet meet;
  void* context;
} nibble_meeting;

/* Positions [begin, end). */
void nibble_meet_windows(const nibble_meeting* m, int64_t begin, int64_t end);

#endif
