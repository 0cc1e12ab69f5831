/* Kernels of a small core against the specification, on the core itself: random steps, equal byte for byte. */
#include <stdio.h>
#include <string.h>

#include "kernels/cortex_m/dsp.h"

enum { most = 16384 };
static uint64_t x_room[most / 8], y_room[most / 8], expected_room[most / 8], r_room[most / 8], scratch[most];
static uint64_t shared_room[most / 2];
static uint8_t weights[most];
static int32_t bias[64], factor[64];
static int64_t addend[64];
static uint8_t shift[64];

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
    for (int k = 0; k < 3; ++k) p->in[k] = p->out[k] = p->kernel[k] = p->stride[k] = p->dilation[k] = 1, p->pad[k] = 0;
    p->batch = 1;
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
  for (int32_t i = 0; i < most; ++i) {
    ((uint8_t*)x_room)[i] = (uint8_t)draw(256);
    ((uint8_t*)r_room)[i] = (uint8_t)draw(256);
    weights[i] = (uint8_t)draw(256);
  }
  for (int32_t i = 0; i < 64; ++i) bias[i] = between(-100000, 100000);
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

static int differs(const nibble_conv* p, nibble_kernel kernel, nibble_order order, const char* name, int number) {
  nibble_call call = {{x_room, r_room, 0, 0}, expected_room, scratch, 0, nibble_items(NIBBLE_KIND_CONV, p)};
  const int64_t room = order.scratch;
  int wrong;
  memset(expected_room, 0x5a, sizeof expected_room);
  memset(y_room, 0x5a, sizeof y_room);
  memset(scratch, 0x77, sizeof scratch);
  wrong = room > (int64_t)sizeof scratch - 8 || nibble_conv_reference(p, &call) != NIBBLE_FINE;
  call.out = y_room;
  wrong |= kernel(p, &call) != NIBBLE_FINE || memcmp(y_room, expected_room, sizeof y_room) != 0;
  wrong |= room > nibble_scratch(NIBBLE_KIND_CONV, p);
  for (int64_t i = room; i < (int64_t)sizeof scratch; ++i) wrong |= ((const uint8_t*)scratch)[i] != 0x77;
  wrong |= differs_over(p, kernel, order, 0);
  if (p->sum_form != 0) wrong |= differs_over(p, kernel, order, 1);
  if (order.over_input != 0) wrong |= differs_over(p, kernel, order, 2);
  if (wrong)
    printf("%s %d: bits %d, channels %d to %d, kernel %dx%d, form %d, sum %d, split %d\n", name, number, (int)p->w_bits,
           (int)p->in_channels, (int)p->out_channels, (int)p->kernel[1], (int)p->kernel[2], (int)p->stage.form,
           (int)p->sum_form, (int)p->split);
  return wrong;
}

int main(void) {
  int wrong = 0, count = 0;
  for (int i = 0; i < 400; ++i) {
    nibble_conv p;
    const int depthwise = i % 3 == 0;
    draw_conv(&p, depthwise);
    wrong += depthwise ? differs(&p, nibble_depthwise_portable, nibble_one_by_one_order(), "portable", i)
                       : differs(&p, nibble_conv_portable, nibble_conv_portable_order(&p), "portable", i);
    wrong += depthwise ? differs(&p, nibble_depthwise_dsp, nibble_depthwise_dsp_order(&p), "dsp", i)
                       : differs(&p, nibble_conv_dsp, nibble_conv_dsp_order(&p), "dsp", i);
    wrong += differs(&p, nibble_conv_reference, nibble_reference_order(NIBBLE_KIND_CONV, &p), "reference", i);
    count += 3;
  }
  printf("%d of %d steps equal\n", count - wrong, count);
  return wrong != 0;
}
