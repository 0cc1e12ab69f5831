#include "kernels/conv_windows.h"
#include "kernels/cortex_m/dsp.h"
#include "kernels/packed/packed.h"

static int64_t product(const int32_t* extents, int32_t count) {
  int64_t result = 1;
  for (int32_t i = 0; i < count; ++i) result *= extents[i];
  return result;
}

int64_t nibble_items(int kind, const void* parameters) {
  if (nibble_has_packed(kind, parameters)) return nibble_rows(kind, parameters);
  switch (kind) {
    case NIBBLE_KIND_CONV:
    case NIBBLE_KIND_CONV_TRANSPOSE: {
      const nibble_conv* p = parameters;
      return p->split ? (p->out_channels + 15) / 16 : p->batch * product(p->out, 3);
    }
    case NIBBLE_KIND_MATMUL: {
      const nibble_matmul* p = parameters;
      return product(p->batch, 3) * p->rows;
    }
    case NIBBLE_KIND_POOL: {
      const nibble_pool* p = parameters;
      return p->batch * product(p->out, 3);
    }
    case NIBBLE_KIND_POINTWISE: {
      const nibble_pointwise* p = parameters;
      return product(p->extent, p->rank);
    }
    case NIBBLE_KIND_MOVE: {
      const nibble_move* p = parameters;
      return product(p->extent, p->rank);
    }
    case NIBBLE_KIND_GATHER: {
      const nibble_gather* p = parameters;
      return (int64_t)p->outer * p->indices;
    }
    case NIBBLE_KIND_REDUCE: {
      const nibble_reduce* p = parameters;
      return product(p->extent, p->rank);
    }
    case NIBBLE_KIND_ROW: {
      const nibble_row* p = parameters;
      return product(p->extent, p->rank);
    }
    case NIBBLE_KIND_REAL: {
      const nibble_real* p = parameters;
      return product(p->extent, p->rank);
    }
    default: return 0;
  }
}

int64_t nibble_scratch(int kind, const void* parameters) {
  if (kind == NIBBLE_KIND_MATMUL) {
    /* Four rows of a, in 16 bits. */
    const nibble_matmul* p = parameters;
    return 4 * 2 * (((int64_t)p->inner + 15) / 16 * 16);
  }
  if (kind == NIBBLE_KIND_ROW) return 8 * (int64_t)((const nibble_row*)parameters)->width;
  if (kind == NIBBLE_KIND_CONV && ((const nibble_conv*)parameters)->w_format == NIBBLE_FOLDED) {
    const int64_t folded = nibble_folded_scratch(parameters);
    const int64_t dsp =
        (nibble_is_depthwise(parameters) ? nibble_depthwise_dsp_order : nibble_conv_dsp_order)(parameters).scratch;
    return folded > dsp ? folded : dsp;
  }
  if (kind == NIBBLE_KIND_CONV) {
    const nibble_conv* p = parameters;
    return p->w_format == NIBBLE_BLOCKED ? nibble_conv_scratch(p) : 0;
  }
  return 0;
}

nibble_order nibble_reference_order(int kind, const void* parameters) {
  nibble_order order = {1, 0, 0, 0};
  switch (kind) {
    case NIBBLE_KIND_POINTWISE: order.early = 7; break;
    case NIBBLE_KIND_MOVE: order.early = 1; break;
    case NIBBLE_KIND_ROW: {
      const nibble_row* p = parameters;
      order.early = p->op < NIBBLE_REAL_SOFTMAX;
      order.scratch = nibble_scratch(kind, parameters);
      break;
    }
    case NIBBLE_KIND_CONV:
    case NIBBLE_KIND_MATMUL:
    case NIBBLE_KIND_POOL:
    case NIBBLE_KIND_REDUCE: break;
    default: order.block = 0;
  }
  return order;
}
