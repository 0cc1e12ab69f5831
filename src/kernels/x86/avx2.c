#include "kernels/x86/avx2.h"

#include "kernels/x86/x86.h"
#include "kernels/x86/x86_finish.h"

#if defined(NIBBLE_X86)

static nibble_kernel find(int kind, const void* parameters, const char** kernel_name) {
  switch (kind) {
    case NIBBLE_KIND_CONV: {
      nibble_kernel kernel = nibble_avx2_stream(parameters, kernel_name);
      if (kernel == NULL) kernel = nibble_avx2_winograd(parameters, kernel_name);
      if (kernel == NULL) kernel = nibble_avx2_conv(parameters, kernel_name);
      return kernel != NULL ? kernel : nibble_avx2_depthwise(parameters, kernel_name);
    }
    case NIBBLE_KIND_MATMUL: return nibble_avx2_matmul(parameters, kernel_name);
    case NIBBLE_KIND_POOL: return nibble_avx2_pool(parameters, kernel_name);
    case NIBBLE_KIND_POINTWISE: return nibble_avx2_pointwise(parameters, kernel_name);
    case NIBBLE_KIND_MOVE: return nibble_avx2_move(parameters, kernel_name);
    case NIBBLE_KIND_REDUCE: return nibble_avx2_reduce(parameters, kernel_name);
    default: return NULL;
  }
}

const nibble_kernel_set nibble_avx2 = {"avx2", nibble_has_avx2, find, nibble_finish_tile, 0};

#endif
