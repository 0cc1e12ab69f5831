#include <stddef.h>

#include "kernels/portable/portable.h"

static int everywhere(void) {
  return 1;
}

static nibble_kernel find(int kind, const void* parameters, const char** kernel_name) {
  if (kind == NIBBLE_KIND_CONV && nibble_portable_takes_conv(parameters)) {
    const nibble_conv* p = parameters;
    const int depthwise = p->groups > 1;
    if (depthwise && p->kernel[0] * p->kernel[1] * p->kernel[2] > 64) return NULL;
    *kernel_name = depthwise ? "depthwise" : "conv";
    return depthwise ? nibble_depthwise_portable : nibble_conv_portable;
  }
  if (kind == NIBBLE_KIND_POOL && nibble_portable_takes_pool(parameters)) {
    *kernel_name = "pool";
    return nibble_pool_portable;
  }
  if (kind == NIBBLE_KIND_MOVE && nibble_portable_takes_move(parameters)) {
    *kernel_name = "rows";
    return nibble_move_portable;
  }
  return NULL;
}

const nibble_kernel_set nibble_portable = {"portable", everywhere, find, NULL, 0};
