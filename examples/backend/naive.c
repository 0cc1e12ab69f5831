/* A back end in plain C: fully connected layers, by three loops. It computes sums; the runtime's own stage turns them into
 * the network's integers.
 *
 *     cc -O2 -shared -fPIC -I INCLUDES examples/backend/naive.c -o naive.so
 *     NIBBLE_BACKENDS=. nibble compile id.onnx --backend naive
 */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/nibble_backend.h"

/* What it keeps of a step: its own copy of the weights, row by row. */
typedef struct layer {
  const nibble_conv* conv; /* the program's, as long as the program is there */
  int32_t* addend;         /* bias, and what the zero point adds */
  int8_t weights[];
} layer;

static int refuse(char* why, size_t size, const char* reason) {
  snprintf(why, size, "%s", reason);
  return 0;
}

/* A fully connected layer is a convolution whose kernel is one pixel, over a width of rows. */
static int takes(const nibble_backend_step* step, char* why, size_t size) {
  const nibble_conv* conv = step->parameters;
  if (step->kind != NIBBLE_KIND_CONV) return refuse(why, size, "not a fully connected layer");
  for (int k = 0; k < 3; ++k)
    if (conv->kernel[k] != 1 || conv->pad[k] != 0 || conv->stride[k] != 1)
      return refuse(why, size, "a window of more than one pixel");
  if (conv->groups != 1 || conv->batch != 1 || conv->in[0] != 1 || conv->in[1] != 1)
    return refuse(why, size, "an image");
  if (conv->x_type != NIBBLE_U8 && conv->x_type != NIBBLE_I8) return refuse(why, size, "activations wider than 8 bits");
  if (conv->acc_type != NIBBLE_I32) return refuse(why, size, "sums wider than 32 bits");
  if (conv->w_format != NIBBLE_BLOCKED || conv->w_bits != 8) return refuse(why, size, "weights in another format");
  return 1;
}

/* Weight w[o][c] of the blocked format (kernels.h): blocks of 16 rows by 4 columns. */
static int8_t weight(const nibble_conv* conv, int64_t o, int64_t c) {
  const int64_t blocks = (conv->in_channels + 3) / 4;
  return ((const int8_t*)conv->weights)[((o / 16 * blocks + c / 4) * 16 + o % 16) * 4 + c % 4];
}

/* Everything is allocated here. Of blocked weights the bias holds the zero point already. */
static int prepare(const nibble_backend_step* step, nibble_backend_prepared* prepared, char* why, size_t size) {
  const nibble_conv* conv = step->parameters;
  const size_t outs = (size_t)conv->out_channels, ins = (size_t)conv->in_channels;
  layer* made = malloc(sizeof *made + outs * ins);
  int32_t* addend = malloc(outs * sizeof *addend);
  if (made == NULL || addend == NULL) {
    free(made);
    free(addend);
    return refuse(why, size, "no memory");
  }
  made->conv = conv;
  made->addend = addend;
  for (size_t o = 0; o < outs; ++o) {
    addend[o] = ((const int32_t*)conv->bias)[o];
    for (size_t c = 0; c < ins; ++c) made->weights[o * ins + c] = weight(conv, (int64_t)o, (int64_t)c);
  }
  prepared->handle = made;
  prepared->gives = NIBBLE_BACKEND_SUMS;
  prepared->grain = 1; /* any cut will do: the runtime's threads share the items */
  prepared->addend = addend;
  snprintf(prepared->kernel, sizeof prepared->kernel, "three loops");
  return 1;
}

/* Items are rows of x, or, where the step is split, blocks of 16 output channels of every row. */
static int run(void* handle, const nibble_call* call, int32_t* v) {
  const layer* of = handle;
  const nibble_conv* conv = of->conv;
  const int64_t outs = conv->out_channels, ins = conv->in_channels, block_end = 16 * call->end;
  const int64_t first_row = conv->split ? 0 : call->begin, last_row = conv->split ? conv->out[2] : call->end;
  const int64_t first = conv->split ? 16 * call->begin : 0;
  const int64_t last = conv->split && block_end < outs ? block_end : outs;
  for (int64_t row = first_row; row < last_row; ++row)
    for (int64_t o = first; o < last; ++o) {
      const int64_t at = row * conv->x_stride[3];
      int32_t sum = 0;
      for (int64_t c = 0; c < ins; ++c) {
        const int32_t x =
            conv->x_type == NIBBLE_U8 ? ((const uint8_t*)call->in[0])[at + c] : ((const int8_t*)call->in[0])[at + c];
        sum += x * of->weights[o * ins + c];
      }
      *v++ = sum;
    }
  return NIBBLE_FINE;
}

static void release(void* handle) {
  layer* of = handle;
  free(of->addend);
  free(of);
}

const nibble_backend* nibble_backend_entry(void) {
  static const nibble_backend backend = {
      NIBBLE_BACKEND_VERSION, NIBBLE_BACKEND_LAYOUT, "naive", takes, prepare, run, release};
  return &backend;
}
