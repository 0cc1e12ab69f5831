#include "kernels/packed/packed.h"

int nibble_conv_packed(const void* parameters, const nibble_call* call, nibble_kernel kernel, int32_t rows,
                       int64_t tiles) {
  const nibble_conv* whole = parameters;
  const nibble_tiles at = nibble_conv_tiles(whole, rows);
  uint8_t* const tile = (uint8_t*)call->scratch + tiles;
  const int packed_r = whole->sum_form != 0 && nibble_is_packed(whole->r_type),
            packed_y = nibble_is_packed(whole->y_type);
  int fault = NIBBLE_FINE;
  for (int64_t first = call->begin; first < call->end; first += rows) {
    const int32_t count = (int32_t)(call->end - first < rows ? call->end - first : rows);
    nibble_conv part;
    nibble_call of = *call;
    const nibble_span span = nibble_conv_part(whole, (int32_t)first, count, &part);
    const uint8_t* x = (const uint8_t*)call->in[0] + nibble_bytes_to(whole->x_type, span.first * whole->x_stride[2]);
    uint8_t* const y = (uint8_t*)call->out + nibble_bytes_to(whole->y_type, first * whole->y_stride[2]);
    of.in[0] = x;
    if (nibble_is_packed(whole->x_type)) {
      nibble_unpack(tile, x, whole->x_type, span.count * whole->x_stride[2]);
      of.in[0] = tile;
    }
    if (whole->sum_form != 0) {
      const uint8_t* r = (const uint8_t*)call->in[1] + nibble_bytes_to(whole->r_type, first * whole->r_stride[2]);
      of.in[1] = r;
      if (packed_r) {
        nibble_unpack(tile + at.r, r, whole->r_type, count * whole->r_stride[2]);
        of.in[1] = tile + at.r;
      }
    }
    of.out = packed_y ? tile + at.y : y;
    of.begin = 0;
    of.end = whole->split ? (whole->out_channels + 15) / 16 : (int64_t)count * whole->out[2];
    fault |= kernel(&part, &of);
    if (packed_y) nibble_pack(y, tile + at.y, whole->y_type, count * whole->y_stride[2]);
  }
  return fault;
}
