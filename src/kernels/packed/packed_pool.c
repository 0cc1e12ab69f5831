#include "kernels/packed/packed.h"

int nibble_pool_packed(const void* parameters, const nibble_call* call, nibble_kernel kernel, int32_t rows,
                       int64_t tiles) {
  const nibble_pool* whole = parameters;
  const nibble_tiles at = nibble_pool_tiles(whole, rows);
  uint8_t* const tile = (uint8_t*)call->scratch + tiles;
  const int packed_y = nibble_is_packed(whole->y_type);
  int fault = NIBBLE_FINE;
  for (int64_t first = call->begin; first < call->end; first += rows) {
    const int32_t count = (int32_t)(call->end - first < rows ? call->end - first : rows);
    nibble_pool part;
    nibble_call of = *call;
    const nibble_span span = nibble_pool_part(whole, (int32_t)first, count, &part);
    const uint8_t* x = (const uint8_t*)call->in[0] + nibble_bytes_to(whole->x_type, span.first * whole->x_stride[2]);
    uint8_t* const y = (uint8_t*)call->out + nibble_bytes_to(whole->y_type, first * whole->y_stride[2]);
    of.in[0] = x;
    if (nibble_is_packed(whole->x_type)) {
      nibble_unpack(tile, x, whole->x_type, span.count * whole->x_stride[2]);
      of.in[0] = tile;
    }
    of.out = packed_y ? tile + at.y : y;
    of.begin = 0;
    of.end = (int64_t)count * whole->out[2];
    fault |= kernel(&part, &of);
    if (packed_y) nibble_pack(y, tile + at.y, whole->y_type, count * whole->y_stride[2]);
  }
  return fault;
}
