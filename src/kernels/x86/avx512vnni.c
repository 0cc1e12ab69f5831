#include <string.h>

#include "kernels/conv_windows.h"
#include "kernels/x86/unpack.h"
#include "kernels/x86/x86.h"
#include "kernels/x86/x86_finish.h"

#if defined(NIBBLE_X86)
NIBBLE_OPEN_TARGET("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")

#define DOT_256(sum, x, w) _mm256_dpbusd_epi32(sum, x, w)
#include "kernels/x86/vec256.h"
#include "kernels/x86/vnni_three.h"

static int64_t few_channels(nibble_finish* f, int64_t channel, int64_t to, int64_t begin, int64_t end,
                            int8_t* unpacked) {
  span_plane_256(f, channel, to, begin, end, unpacked);
  return 32;
}

#include "kernels/x86/vec512.h"
#include "kernels/x86/vnni_three.h"

static int64_t some_channels(nibble_finish* f, int64_t channel, int64_t to, int64_t begin, int64_t end,
                             int8_t* unpacked) {
  if (narrow_fits(f->p, channel, to, 64) && narrow_plane_512(f, begin, end, unpacked)) return to;
  if (to - channel <= 32) return few_channels(f, channel, to, begin, end, unpacked);
  span_plane_512(f, channel, to, begin, end, unpacked);
  return 64;
}

#define BLOCK_WEIGHTS nibble_wide_block_weights
#define SPAN_PLANE some_channels
#define FINISH nibble_wide_finish
#define TILE_ROWS 12
#define TILE_ROWS_OF_ONE 24
#include "kernels/x86/vnni.h"

NIBBLE_CLOSE_TARGET

#if defined(NIBBLE_EMULATED)
const nibble_kernel_set nibble_avx512vnni_emulated = {"avx512vnni_emulated", nibble_has_avx2, find, nibble_finish_tile,
                                                      1};
#else
const nibble_kernel_set nibble_avx512vnni = {"avx512vnni", nibble_has_avx512vnni, find, nibble_finish_tile, 1};
#endif
#endif
