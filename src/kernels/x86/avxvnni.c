#include <string.h>

#include "kernels/conv_windows.h"
#include "kernels/x86/unpack.h"
#include "kernels/x86/x86.h"
#include "kernels/x86/x86_finish.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma,avxvnni")

#if defined(NIBBLE_EMULATED)
#define DOT_256(sum, x, w) _mm256_dpbusd_epi32(sum, x, w)
#else
#define DOT_256(sum, x, w) _mm256_dpbusd_avx_epi32(sum, x, w)
#endif
#include "kernels/x86/vec256.h"
#include "kernels/x86/vnni_three.h"

static int64_t some_channels(nibble_finish* f, int64_t channel, int64_t to, int64_t begin, int64_t end,
                             int8_t* unpacked) {
  if (narrow_fits(f->p, channel, to, 32) && narrow_plane_256(f, begin, end, unpacked)) return to;
  span_plane_256(f, channel, to, begin, end, unpacked);
  return 32;
}

#define BLOCK_WEIGHTS nibble_block_weights
#define SPAN_PLANE some_channels
#define FINISH(f, lanes, v, behind, blocks, count, channel, y, r) \
  ((void)(lanes), nibble_finish_rows(f, v, count, channel, y, r))
#define TILE_ROWS 6
#define TILE_ROWS_OF_ONE 6
#include "kernels/x86/vnni.h"

NIBBLE_CLOSE_TARGET

#if defined(NIBBLE_EMULATED)
const nibble_kernel_set nibble_avxvnni_emulated = {"avxvnni_emulated", nibble_has_avx2, find, nibble_finish_tile, 0};
#else
const nibble_kernel_set nibble_avxvnni = {"avxvnni", nibble_has_avxvnni, find, nibble_finish_tile, 0};
#endif
#endif
