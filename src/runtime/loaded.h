#ifndef NIBBLE_RUNTIME_LOADED_H
#define NIBBLE_RUNTIME_LOADED_H
#include "kernels/kernels.h"
#include "runtime/nibble.h"
#include "runtime/nibble_backend.h"
#include "runtime/threads.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A program as the runtime holds it: what stands in the file is pointed at, not copied. */

typedef struct nibble_value {
  const char* name;
  int type, rank;
  const int64_t *extents, *strides;
  int constant;
  int64_t offset; /* bytes */
} nibble_value;

typedef struct nibble_loaded_port {
  nibble_value value;
  const double* scale;
  size_t scales;
  int axis, rounding;
  int64_t zero_point, low, high;
} nibble_loaded_port;

#define NIBBLE_MAX_OPERANDS 4
#define NIBBLE_REASON 160

typedef struct nibble_loaded_step {
  int kind;
  const char *name, *op, *requantisation, *kernel_name, *set_name;
  void* parameters;
  int operands;
  int64_t in[NIBBLE_MAX_OPERANDS], out; /* 2 * offset, + 1 for a constant; -1: none */
  const nibble_value* values;
  size_t value_count;
  int32_t rows;  /* with packed operands: of the result that are computed at once; else 0 */
  int64_t tiles; /* bytes of scratch before the operands' tiles */
  int64_t operations, items;
  size_t bytes;
  int shared; /* by threads */
  nibble_kernel kernel;
  const char* chosen; /* by the file: a kernel set's name, or a back end's; NULL: nobody */
  int chosen_backend;
  const nibble_backend* backend; /* NULL: the kernel runs it */
  nibble_backend_prepared prepared;
  char why[NIBBLE_REASON]; /* the last back end that was asked did not take it */
} nibble_loaded_step;

struct nibble_program {
  void* file; /* mapped or owned */
  size_t file_bytes;
  int mapped;
  const char* name;
  const uint8_t* constants;
  int64_t constant_bytes;
  int64_t arena, scratch;
  nibble_loaded_step* steps;
  size_t step_count;
  nibble_loaded_port *inputs, *outputs;
  size_t input_count, output_count;
  const char** metadata; /* key, value, key, .. */
  size_t metadata_count;
  void* pool; /* one allocation that holds all of the above */
  struct nibble_library* libraries;
  size_t library_count;
  void (*leave_backends)(nibble_program*); /* NULL: there are none, and what opens libraries is not linked */
  size_t taken_sums, taken_scratch;        /* bytes: of a context, of each thread */
  const nibble_kernel_set* sets[NIBBLE_KERNEL_SETS + 1]; /* those that kernels are taken of, ended by NULL */
  nibble_finisher finisher;                              /* of a back end's sums; NULL: the reference */
};

/* Fills in a program from its file's bytes (aligned to 64). Checks the file's form; verify checks what it says. */
nibble_status nibble_parse(nibble_program* program, char* message, size_t size);
/* Whether every access of every step stays inside the arena and the constants. Sets how much scratch the steps ask for
 * here: what the file says is of the machine that wrote it. */
nibble_status nibble_verify(nibble_program* program, char* message, size_t size);

/* Levels of an input of reals, `step` elements apart from element `offset` on: clip(round(x / scale) + zero point); where
 * the port has no scales, x as it is. 1 where an x is NaN or, without scales, no level. */
int nibble_set_levels(const nibble_loaded_port* port, double scale, const float* x, int64_t count, uint8_t* to,
                      int64_t offset, int64_t step);

/* What a step that a back end took works with. */
typedef struct nibble_taken {
  nibble_call call; /* operands; the rest is filled in */
  nibble_finisher finisher;
  nibble_threads* threads; /* NULL: the caller alone */
  uint8_t* scratch;        /* a block a thread */
  size_t scratch_bytes;    /* of a block */
  int32_t* sums;
} nibble_taken;
int nibble_run_taken(const nibble_loaded_step* step, const nibble_taken* with);
/* Bytes that it needs: of a block, and of sums. -1 where they are more than there can be. */
int64_t nibble_taken_scratch(const nibble_loaded_step* step);
int64_t nibble_taken_sums(const nibble_loaded_step* step);

#ifdef __cplusplus
}
#endif
#endif
