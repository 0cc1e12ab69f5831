/* One layer of a network through the kernels of a set, for an emulator that counts the instructions between
 * count_begin and count_end:
 *
 *   layer SET i8|u8 float|product conv|depthwise HEIGHT WIDTH IN OUT KERNEL_HEIGHT KERNEL_WIDTH STRIDE [residual]
 *   layer SET i8|u8 float|product mean|add HEIGHT WIDTH CHANNELS
 *
 * Activations of bytes, signed or not; stage FLOAT or PRODUCT32. Prints the kernel's name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"

__attribute__((noinline)) void count_begin(void) {
  __asm__ volatile("");
}
__attribute__((noinline)) void count_end(void) {
  __asm__ volatile("");
}

static int32_t type, lowest, highest; /* of activations */
static int by_products;
static uint32_t state = 1;
static int32_t between(int32_t low, int32_t high) {
  state = state * 1664525u + 1013904223u;
  return low + (int32_t)((state >> 8) % (uint32_t)(high - low + 1));
}

static int8_t* bytes(size_t count, int32_t low) {
  int8_t* b = malloc(count + NIBBLE_SLACK);
  for (size_t i = 0; i < count; ++i) b[i] = (int8_t)between(low, 127);
  return b;
}

static void set_stage(nibble_stage* s, int32_t channels, float gain) {
  float* a = calloc((size_t)channels + 16, sizeof *a);
  float* b = calloc((size_t)channels + 16, sizeof *b);
  for (int32_t i = 0; i < channels; ++i) {
    a[i] = gain;
    b[i] = 0.25f;
  }
  s->form = NIBBLE_STAGE_FLOAT;
  s->channels = channels;
  s->a = a;
  s->b = b;
  if (by_products) {
    int32_t* m = calloc((size_t)channels + 16, sizeof *m);
    int64_t* add = calloc((size_t)channels + 16, sizeof *add);
    uint8_t* d = calloc((size_t)channels + 16, sizeof *d);
    for (int32_t i = 0; i < channels; ++i) {
      m[i] = (int32_t)(gain * (float)(1 << 30));
      add[i] = 1 << 28;
      d[i] = 30;
    }
    s->form = NIBBLE_STAGE_PRODUCT32;
    s->a = m;
    s->b = add;
    s->d = d;
  }
  s->low = lowest;
  s->high = highest;
}

static void set_strides(int64_t* strides, const int32_t* extents, int32_t channels) {
  strides[3] = channels;
  strides[2] = strides[3] * extents[2];
  strides[1] = strides[2] * extents[1];
  strides[0] = strides[1] * extents[0];
}

static void run(const char* set_name, int kind, const void* p, const int8_t* x, const int8_t* r, size_t out) {
  nibble_call call = {{x, r, NULL, NULL}, malloc(out), NULL, 0, nibble_items(kind, p)};
  call.scratch = malloc((size_t)nibble_scratch(kind, p) + 64);
  int found = 0;
  for (const nibble_kernel_set* const* set = nibble_kernel_sets; *set; ++set) {
    const char* name = "";
    nibble_kernel kernel;
    found |= strcmp((*set)->name, set_name) == 0;
    if (!found || (kernel = (*set)->find(kind, p, &name)) == NULL) continue;
    count_begin();
    kernel(p, &call);
    count_end();
    printf("%s/%s\n", (*set)->name, name);
    return;
  }
}

static void run_conv(const char* set, int depthwise, char** v, int residual) {
  nibble_conv p;
  memset(&p, 0, sizeof p);
  p.x_type = p.y_type = p.r_type = type;
  p.w_type = NIBBLE_I8;
  p.acc_type = NIBBLE_I32;
  p.w_format = NIBBLE_BLOCKED;
  p.w_bits = 8;
  p.batch = 1;
  p.in[0] = p.out[0] = p.kernel[0] = 1;
  p.in[1] = atoi(v[0]);
  p.in[2] = atoi(v[1]);
  p.in_channels = atoi(v[2]);
  p.out_channels = atoi(v[3]);
  p.groups = depthwise ? p.in_channels : 1;
  for (int k = 0; k < 3; ++k) p.stride[k] = p.dilation[k] = 1;
  for (int k = 1; k < 3; ++k) {
    p.kernel[k] = atoi(v[3 + k]);
    p.stride[k] = atoi(v[6]);
    p.out[k] = (p.in[k] + p.stride[k] - 1) / p.stride[k];
    p.pad[k] = (p.kernel[k] - 1) / 2;
  }
  set_strides(p.x_stride, p.in, p.in_channels);
  set_strides(p.y_stride, p.out, p.out_channels);
  set_strides(p.r_stride, p.out, p.out_channels);
  const int32_t taps = p.kernel[1] * p.kernel[2], rows = (p.out_channels + 15) / 16 * 16;
  const int32_t columns = depthwise ? (taps + 3) / 4 * 4 : p.kernel[1] * ((p.kernel[2] * p.in_channels + 3) / 4 * 4);
  p.weights = bytes((size_t)rows * (size_t)columns, -127);
  p.bias = calloc((size_t)rows, 4);
  set_stage(&p.stage, p.out_channels, 0.01f / (float)columns);
  p.sum_form = residual ? 2 : 0;
  p.sum_fa = p.sum_fb = 0.7f;
  p.sum_low = lowest;
  p.sum_high = highest;
  run(set, NIBBLE_KIND_CONV, &p, bytes((size_t)p.in[1] * (size_t)p.x_stride[2], -128),
      bytes((size_t)p.out[1] * (size_t)p.y_stride[2], -128), (size_t)p.out[1] * (size_t)p.y_stride[2]);
}

static void run_mean(const char* set, char** v) {
  nibble_pool p;
  memset(&p, 0, sizeof p);
  p.op = 1;
  p.x_type = p.y_type = type;
  p.batch = 1;
  p.channels = atoi(v[2]);
  for (int k = 0; k < 3; ++k) p.in[k] = p.out[k] = p.kernel[k] = p.stride[k] = p.dilation[k] = 1;
  p.in[1] = p.kernel[1] = atoi(v[0]);
  p.in[2] = p.kernel[2] = atoi(v[1]);
  set_strides(p.x_stride, p.in, p.channels);
  set_strides(p.y_stride, p.out, p.channels);
  set_stage(&p.stage, p.channels, 0.02f);
  run(set, NIBBLE_KIND_POOL, &p, bytes((size_t)p.x_stride[0], -128), NULL, (size_t)p.channels);
}

static void run_add(const char* set, char** v) {
  nibble_pointwise p;
  memset(&p, 0, sizeof p);
  p.op = NIBBLE_WEIGHTED;
  p.y_type = p.x_type[0] = p.x_type[1] = p.x_type[2] = type;
  p.rank = 3;
  for (int k = 0; k < 3; ++k) p.extent[k] = atoi(v[k]);
  p.y_stride[2] = 1;
  p.y_stride[1] = p.extent[2];
  p.y_stride[0] = p.y_stride[1] * p.extent[1];
  for (int i = 0; i < 2; ++i) {
    memcpy(p.x_stride + 6 * i, p.y_stride, 3 * sizeof(int64_t));
    p.s[3 * i] = 13 + i;
  }
  p.channel_axis = -1;
  set_stage(&p.stage, 1, 0.04f);
  const size_t count = (size_t)(p.y_stride[0] * p.extent[0]);
  run(set, NIBBLE_KIND_POINTWISE, &p, bytes(count, -128), bytes(count, -128), count);
}

int main(int n, char** v) {
  if (n < 8) return 2;
  const int conv = n >= 12 && strcmp(v[4], "conv") == 0, depthwise = n >= 12 && strcmp(v[4], "depthwise") == 0;
  by_products = strcmp(v[3], "product") == 0;
  type = strcmp(v[2], "u8") == 0 ? NIBBLE_U8 : NIBBLE_I8;
  lowest = type == NIBBLE_U8 ? 0 : -128;
  highest = lowest + 255;
  if (conv || depthwise)
    run_conv(v[1], depthwise, v + 5, n == 13);
  else if (n == 8 && strcmp(v[4], "mean") == 0)
    run_mean(v[1], v + 5);
  else if (n == 8 && strcmp(v[4], "add") == 0)
    run_add(v[1], v + 5);
  else
    return 2;
  return 0;
}
