#ifndef NIBBLE_KERNELS_X86_FINISH_H
#define NIBBLE_KERNELS_X86_FINISH_H
#include "kernels/kernels.h"

/* What becomes of accumulators before they are stored: stage, residual, clip. */

enum nibble_finish_form {
  NIBBLE_FINISH_ANY = 0, /* by the specification, one after the other */
  NIBBLE_FINISH_FLOAT,
  NIBBLE_FINISH_FLOAT_SUM, /* FLOAT, then sum_form 2 */
  NIBBLE_FINISH_PRODUCT32,
  NIBBLE_FINISH_BYTES,         /* NONE, to bytes */
  NIBBLE_FINISH_PRODUCT32_SUM, /* PRODUCT32, then sum_form 2 */
  NIBBLE_FINISH_INTEGERS       /* NONE, to I32 */
};

/* One call's. p: the convolution whose stage, out_channels, y_type and residual count; `fault` is what the call returns.
 */
typedef struct nibble_finish {
  const nibble_conv* p;
  const nibble_call* call;
  int form;
  int fault;
} nibble_finish;

nibble_finish nibble_finish_of(const nibble_conv* p, const nibble_call* call);

/* `count` positions by the 16 channels from `channel` on, a multiple of 16: accumulators v[count][16], to the offsets
 * y[count] of the output; residuals are at r[count]. Channels beyond out_channels are left out. */
void nibble_finish_rows(nibble_finish* f, const int32_t* v, int64_t count, int64_t channel, const int64_t* y,
                        const int64_t* r);

/* Parameters of 16 channels for a FLOAT stage (a; b as floats in even) or PRODUCT32, whose products of channels in even and
 * in odd places are apart and whose sums' upper words are shifted by `shift` more. */
typedef struct nibble_lanes {
  __attribute__((aligned(64))) int32_t a[16];
  int32_t odd_a[16];
  int64_t even[8], odd[8];
  int32_t shift[16];
} nibble_lanes;

/* Of `blocks` blocks of 16 channels from `channel` on, to lanes[blocks], which it returns; NULL of other forms and of
 * shifts below 32. */
const nibble_lanes* nibble_lanes_of(const nibble_finish* f, int64_t channel, int64_t blocks, nibble_lanes* lanes);

/* As nibble_finish_rows, by registers of 512 bits, of one or two blocks of 16 channels; the second's accumulators are at
 * v + behind. lanes: the blocks', or NULL where one has none. */
#if defined(NIBBLE_EMULATED)
#define nibble_wide_finish nibble_wide_finish_emulated
#endif
void nibble_wide_finish(nibble_finish* f, const nibble_lanes* lanes, const int32_t* v, int64_t behind, int64_t blocks,
                        int64_t count, int64_t channel, const int64_t* y, const int64_t* r);

/* The sets' finisher (kernels.h). */
int nibble_finish_tile(const nibble_conv* p, const nibble_call* call, const int32_t* v, int64_t count, int64_t channel,
                       const int64_t* y, const int64_t* r);

/* A convolution of which only the stage is, for other kinds of steps. */
nibble_conv nibble_stage_alone(const nibble_stage* stage, int32_t channels, int32_t y_type);

#if defined(__SSE2__)
#include <emmintrin.h>
/* The first `count` (1 to 15) of 16 bytes. */
void nibble_store_some(uint8_t* to, __m128i bytes, int64_t count);
#endif

/* Whether [low, high] lies within the type, of 8 bits. */
int nibble_within_byte(int64_t low, int64_t high, int32_t type);

#endif
