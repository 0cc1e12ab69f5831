/* Kernels of a small core against the specification, on the core itself: random steps, equal byte for byte. */
#include <stdio.h>
#include <string.h>

#include "kernels/cortex_m/dsp.h"
#include "kernels/cortex_m/helium.h"
#include "kernels/unrolled/unrolled.h"

enum { most = 24576 };
static uint64_t x_room[most / 8], y_room[most / 8], expected_room[most / 8], r_room[most / 8], scratch[most];
static uint64_t shared_room[most / 2];
static uint8_t weights[most];
enum { channels_most = 160 };
static int32_t bias[channels_most], factor[channels_most];
static int64_t addend[channels_most];
static uint8_t shift[channels_most];

static uint32_t state = 1;
static uint32_t draw(uint32_t count) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % count;
}
static int32_t between(int32_t low, int32_t high) {
  return low + (int32_t)draw((uint32_t)(high - low + 1));
}

static void draw_stage(nibble_stage* s, int32_t channels, int32_t y_type) {
  static const uint8_t lowest[] = {21, 33, 8};
  const uint8_t least = lowest[draw(3)];
  memset(s, 0, sizeof *s);
  s->form = draw(5) ? NIBBLE_STAGE_PRODUCT32 : NIBBLE_STAGE_NONE;
  s->channels = draw(4) ? channels : 1;
  s->low = y_type == NIBBLE_I8 ? -128 : 0;
  s->high = draw(3) ? s->low + 255 : s->low + 15;
  for (int32_t i = 0; i < channels; ++i) {
    shift[i] = (uint8_t)(least + draw(6));
    factor[i] = least == 8 ? between(1, 60) : between(1, 1 << 11) - 30;
    addend[i] =
        (int64_t)between(-(1 << 15), 1 << 15) * ((int64_t)1 << (shift[i] > 15 ? shift[i] - 15 : 0)) + between(0, 99);
  }
  s->a = factor;
  s->b = addend;
  s->d = shift;
}

static void draw_conv(nibble_conv* p, int depthwise) {
  static const int32_t bits[] = {8, 4, 2, 1};
  memset(p, 0, sizeof *p);
  p->x_type = draw(2) ? NIBBLE_U8 : NIBBLE_I8;
  p->y_type = draw(2) ? NIBBLE_U8 : NIBBLE_I8;
  p->w_type = NIBBLE_I8;
  p->acc_type = NIBBLE_I32;
  p->w_format = NIBBLE_FOLDED;
  p->w_bits = bits[draw(4)];
  p->w_step = p->w_bits == 8 ? 1 : between(1, 3);
  p->w_low = p->w_bits == 8 ? 0 : between(-8, 2);
  p->batch = between(1, 2);
  p->in_channels = draw(2) ? between(1, 8) * 4 : between(1, 20);
  p->out_channels = depthwise ? p->in_channels : between(1, 20);
  p->groups = depthwise ? p->in_channels : 1;
  p->zero_point = p->x_type == NIBBLE_I8 ? between(-128, 127) : between(0, 255);
  p->split = draw(4) == 0;
  for (int k = 0; k < 3; ++k) {
    p->kernel[k] = k == 0 ? 1 : between(1, 3);
    p->stride[k] = between(1, 2);
    p->dilation[k] = draw(3) ? 1 : 2;
    p->pad[k] = k == 0 ? 0 : between(0, p->kernel[k] - 1);
    p->in[k] = k == 0 ? 1 : between(5, 7);
    p->out[k] = (p->in[k] + 2 * p->pad[k] - (p->kernel[k] - 1) * p->dilation[k] - 1) / p->stride[k] + 1;
  }
  if (draw(6) == 0) {
    /* More channels than are ended at once. */
    p->in_channels = between(4, 9) * 16 + (draw(2) ? 0 : between(0, 5));
    p->out_channels = depthwise ? p->in_channels : between(60, 140);
    p->groups = depthwise ? p->in_channels : 1;
    for (int k = 1; k < 3; ++k) {
      if (!depthwise) p->kernel[k] = 1, p->pad[k] = 0;
      p->in[k] = 5;
      p->out[k] = (p->in[k] + 2 * p->pad[k] - (p->kernel[k] - 1) * p->dilation[k] - 1) / p->stride[k] + 1;
    }
  }
  if (draw(6) == 0) {
    for (int k = 0; k < 3; ++k) p->in[k] = p->out[k] = p->kernel[k] = p->stride[k] = p->dilation[k] = 1, p->pad[k] = 0;
    p->batch = 1;
  }
  if (depthwise && draw(2)) {
    p->in_channels = p->out_channels = p->groups = between(4, 24);
    for (int k = 0; k < 3; ++k) {
      p->kernel[k] = k == 0 ? 1 : 3;
      p->stride[k] = k == 0 ? 1 : between(1, 2);
      p->dilation[k] = 1;
      p->pad[k] = k == 0 ? 0 : between(0, 2);
      p->in[k] = k == 0 ? 1 : between(3, 12);
      p->out[k] = (p->in[k] + 2 * p->pad[k] - p->kernel[k]) / p->stride[k] + 1;
    }
  }
  p->x_stride[3] = p->in_channels;
  p->y_stride[3] = p->r_stride[3] = p->out_channels;
  for (int k = 2; k >= 0; --k) {
    p->x_stride[k] = p->x_stride[k + 1] * p->in[k];
    p->y_stride[k] = p->r_stride[k] = p->y_stride[k + 1] * p->out[k];
  }
  draw_stage(&p->stage, p->out_channels, p->y_type);
  if (draw(3) == 0) {
    p->sum_form = 1;
    p->r_type = draw(2) ? NIBBLE_U8 : NIBBLE_I8;
    p->sum_a = between(1, 1 << 18);
    p->sum_b = between(-(1 << 18), 1 << 18);
    p->sum_c = between(-(1 << 24), 1 << 24);
    p->sum_shift = between(16, 20);
    p->sum_low = p->y_type == NIBBLE_I8 ? -128 : 0;
    p->sum_high = p->sum_low + 255;
  }
  p->weights = weights;
  p->bias = bias;
  const int lowest_weights = draw(8) == 0; /* -128 meets -128 */
  for (int32_t i = 0; i < most; ++i) {
    ((uint8_t*)x_room)[i] = (uint8_t)(lowest_weights ? 128 + draw(2) : draw(256));
    ((uint8_t*)r_room)[i] = (uint8_t)draw(256);
    weights[i] = (uint8_t)(lowest_weights ? 128 + draw(2) : draw(256));
  }
  for (int32_t i = 0; i < channels_most; ++i) bias[i] = between(-100000, 100000);
}

static void draw_reduce(nibble_reduce* p) {
  const int32_t channels = between(1, 40), height = between(1, 6), width = between(1, 6);
  memset(p, 0, sizeof *p);
  p->x_type = draw(2) ? NIBBLE_U8 : NIBBLE_I8;
  p->y_type = draw(2) ? NIBBLE_U8 : NIBBLE_I8;
  p->zero_point = p->x_type == NIBBLE_I8 ? between(-128, 127) : between(0, 255);
  p->rank = 2;
  p->extent[0] = between(1, 3);
  p->extent[1] = channels;
  p->x_stride[0] = (int64_t)height * width * channels;
  p->x_stride[1] = 1;
  p->y_stride[0] = channels;
  p->y_stride[1] = 1;
  p->reduced_rank = between(1, 2);
  p->reduced[0] = p->reduced_rank == 1 ? height * width : height;
  p->reduced[1] = width;
  p->reduced_stride[0] = p->reduced_rank == 1 ? channels : (int64_t)width * channels;
  p->reduced_stride[1] = channels;
  p->channel_axis = draw(2) ? 1 : -1;
  draw_stage(&p->stage, channels, p->y_type);
  if (p->channel_axis < 0) p->stage.channels = 1;
}

static void draw_bytes(void) {
  for (int32_t i = 0; i < most; ++i) ((uint8_t*)x_room)[i] = (uint8_t)draw(256);
}

/* The first byte of x that position `item` reads; INT64_MAX where it reads none. */
static int64_t first_read(const nibble_conv* p, int64_t item) {
  int64_t first = INT64_MAX;
  for (int32_t h = 0; h < p->kernel[1]; ++h)
    for (int32_t w = 0; w < p->kernel[2]; ++w) {
      const int64_t row = item / p->out[2] % p->out[1] * p->stride[1] - p->pad[1] + (int64_t)h * p->dilation[1];
      const int64_t column = item % p->out[2] * p->stride[2] - p->pad[2] + (int64_t)w * p->dilation[2];
      const int64_t batch = item / p->out[2] / p->out[1];
      const int64_t at = ((batch * p->in[1] + row) * p->in[2] + column) * p->in_channels;
      if (row >= 0 && row < p->in[1] && column >= 0 && column < p->in[2] && at < first) first = at;
    }
  return first;
}

/* The lead of y before operand 0 or 1 (src/lower/arena/overlap.hpp), from the definition. */
static int64_t lead_of(const nibble_conv* p, nibble_order order, int operand) {
  const int64_t items = (int64_t)p->batch * p->out[1] * p->out[2];
  int64_t lead = -most;
  for (int64_t i = 0; i < items; i += order.block) {
    const int64_t end = i + order.block < items ? i + order.block : items;
    for (int64_t j = order.early >> operand & 1 ? end : i; j < items; ++j) {
      const int64_t read = operand == 0 ? first_read(p, j) : j * p->out_channels;
      if (read != INT64_MAX && end * p->out_channels - read > lead) lead = end * p->out_channels - read;
    }
  }
  return lead;
}

/* y over an operand, as near as its lead allows; or scratch over x. expected_room holds the result. */
static int differs_over(const nibble_conv* p, nibble_kernel kernel, nibble_order order, int operand) {
  const int64_t items = (int64_t)p->batch * p->out[1] * p->out[2];
  const size_t bytes = (size_t)(items * p->out_channels);
  uint8_t* const middle = (uint8_t*)shared_room + most * 2;
  nibble_call call = {{x_room, r_room, 0, 0}, y_room, scratch, 0, nibble_items(NIBBLE_KIND_CONV, p)};
  memcpy(middle, operand == 1 ? r_room : x_room, most);
  call.in[operand == 1] = middle;
  if (operand == 2)
    call.scratch = middle - order.over_input;
  else
    call.out = middle - lead_of(p, order, operand);
  return kernel(p, &call) != NIBBLE_FINE || memcmp(call.out, expected_room, bytes) != 0;
}

/* Bytes that a kernel and the specification leave, scratch beyond the `room` that it says it needs included. */
static int leaves_others(int kind, const void* p, nibble_kernel kernel, nibble_kernel specification, int64_t room) {
  nibble_call call = {{x_room, r_room, 0, 0}, expected_room, scratch, 0, nibble_items(kind, p)};
  int wrong;
  memset(expected_room, 0x5a, sizeof expected_room);
  memset(y_room, 0x5a, sizeof y_room);
  memset(scratch, 0x77, sizeof scratch);
  wrong = room > (int64_t)sizeof scratch - 8 || specification(p, &call) != NIBBLE_FINE;
  call.out = y_room;
  wrong |= kernel(p, &call) != NIBBLE_FINE || memcmp(y_room, expected_room, sizeof y_room) != 0;
  wrong |= room > nibble_scratch(kind, p);
  for (int64_t i = room; i < (int64_t)sizeof scratch; ++i) wrong |= ((const uint8_t*)scratch)[i] != 0x77;
  return wrong;
}

/* `order`: how the kernel goes through memory. */
static int differs(const nibble_conv* p, nibble_kernel kernel, const nibble_order* order, const char* name,
                   int number) {
  int wrong = leaves_others(NIBBLE_KIND_CONV, p, kernel, nibble_conv_reference, order->scratch);
  wrong |= differs_over(p, kernel, *order, 0);
  if (p->sum_form != 0) wrong |= differs_over(p, kernel, *order, 1);
  if (order->over_input != 0) wrong |= differs_over(p, kernel, *order, 2);
  if (wrong)
    printf("%s %d: bits %d, channels %d to %d, kernel %dx%d, form %d, sum %d, split %d\n", name, number, (int)p->w_bits,
           (int)p->in_channels, (int)p->out_channels, (int)p->kernel[1], (int)p->kernel[2], (int)p->stage.form,
           (int)p->sum_form, (int)p->split);
  return wrong;
}

static int reduces_otherwise(const nibble_reduce* p, nibble_kernel kernel, const char* name, int number) {
  const int wrong =
      leaves_others(NIBBLE_KIND_REDUCE, p, kernel, nibble_reduce_reference, nibble_scratch(NIBBLE_KIND_REDUCE, p));
  if (wrong)
    printf("%s %d: sum of %d channels, %d axes, form %d\n", name, number, (int)p->extent[1], (int)p->reduced_rank,
           (int)p->stage.form);
  return wrong;
}

int main(void) {
  int wrong = 0, count = 0;
  for (int i = 0; i < 240; ++i) {
    nibble_conv p;
    const int depthwise = i % 3 == 0;
    draw_conv(&p, depthwise);
    {
      const nibble_order order = depthwise ? nibble_one_by_one_order() : nibble_conv_portable_order(&p);
      wrong += differs(&p, depthwise ? nibble_depthwise_portable : nibble_conv_portable, &order, "portable", i);
    }
    {
      const nibble_order order = depthwise ? nibble_depthwise_dsp_order(&p) : nibble_conv_dsp_order(&p);
      wrong += differs(&p, depthwise ? nibble_depthwise_dsp : nibble_conv_dsp, &order, "dsp", i);
    }
    {
      const nibble_order order = nibble_reference_order(NIBBLE_KIND_CONV, &p);
      wrong += differs(&p, nibble_conv_reference, &order, "reference", i);
    }
    {
      const nibble_order order = depthwise ? nibble_depthwise_unrolled_order(&p) : nibble_conv_unrolled_order(&p);
      wrong += differs(&p, depthwise ? nibble_depthwise_unrolled : nibble_conv_unrolled, &order, "unrolled", i);
    }
    count += 4;
    if (depthwise ? nibble_mve_takes_depthwise(&p) : nibble_mve_takes_conv(&p)) {
      const nibble_order order = depthwise ? nibble_depthwise_mve_order(&p) : nibble_conv_mve_order(&p);
      wrong += differs(&p, depthwise ? nibble_depthwise_mve : nibble_conv_mve, &order, "mve", i);
      ++count;
    }
  }
  for (int i = 0; i < 100; ++i) {
    nibble_reduce p;
    draw_reduce(&p);
    draw_bytes();
    wrong += reduces_otherwise(&p, nibble_reduce_portable, "portable", i);
    ++count;
#if defined(__ARM_FEATURE_MVE)
    if (nibble_mve_takes_reduce(&p)) {
      wrong += reduces_otherwise(&p, nibble_reduce_mve, "mve", i);
      ++count;
    }
#endif
  }
  printf("%d of %d steps equal\n", count - wrong, count);
  return wrong != 0;
}
