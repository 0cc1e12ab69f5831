#ifndef NIBBLE_KERNELS_X86_UNPACK_H
#define NIBBLE_KERNELS_X86_UNPACK_H
#include "kernels/kernels.h"

/* Whether BLOCKED weights of 8, 4, 2 or 1 bits are numbers of 8 bits. */
int nibble_are_bytes(const nibble_conv* p);

/* One block's weights as bytes, [quads][16][4]: where they lie, or, of fewer than 8 bits, unpacked to `to`, which has
 * room for quads * 64 bytes; columns beyond a segment are zeros. */
const int8_t* nibble_block_weights(const nibble_conv* p, int64_t block, int64_t quads, int8_t* to);

/* The same by registers of 512 bits. */
#if defined(NIBBLE_EMULATED)
#define nibble_wide_block_weights nibble_block_weights
#else
const int8_t* nibble_wide_block_weights(const nibble_conv* p, int64_t block, int64_t quads, int8_t* to);
#endif

#endif
