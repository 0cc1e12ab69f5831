#ifndef NIBBLE_H
#define NIBBLE_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Runs integer programs (.nib, as 'nibble compile' writes) on this CPU. Needs libc, libm and threads. Errors are values:
 * nothing here exits or throws. A program is read only: many contexts may run it at once, each in one thread at a time.
 * After nibble_context_create nothing is allocated and no lock is taken but to wake a context's own threads. */

#define NIBBLE_RUNTIME_VERSION "1.0"

typedef enum nibble_status {
  NIBBLE_OK = 0,
  NIBBLE_NO_FILE,     /* it cannot be opened or read */
  NIBBLE_BAD_PROGRAM, /* damaged, of another version, or it would touch memory that is not its own */
  NIBBLE_NO_MEMORY,
  NIBBLE_BAD_ARGUMENT, /* no such input or output, a kernel set that is not there, .. */
  NIBBLE_BAD_INPUT,    /* a number that the input does not take: NaN, or an integer beyond its range */
  NIBBLE_FAULT         /* a division by zero, or a lookup beyond a table */
} nibble_status;

typedef struct nibble_program nibble_program;
typedef struct nibble_context nibble_context;

/* An input or output: row-major, in the network's order of axes. real = scale * (q - zero_point), one scale or one for
 * each index along `axis`; without scales its integers stand for themselves. */
typedef struct nibble_port {
  const char* name;
  int type; /* 1 int8, 2 uint8, 3 int16, 4 uint16, 5 int32, 6 int64, 7 double */
  int rank;
  const int64_t* shape;
  size_t elements, bytes;
  const double* scale;
  size_t scales;
  int axis;
  int64_t zero_point, low, high;
} nibble_port;

/* One step: what it computes, by which kernel of which set, and its multiply-accumulates. */
typedef struct nibble_step_info {
  const char *name, *op, *kernel, *set, *requantisation; /* of a back end's step its kernel and its name */
  int64_t operations, items;
  size_t bytes;    /* of constants and tensors that it reads and writes */
  const char* why; /* not the back end that was asked last, "NAME: reason"; "" where it took it, or none was asked */
} nibble_step_info;

/* `kernels`: a set's name, NULL: the environment's NIBBLE_KERNELS, else the fastest that this CPU runs. `message`: what is
 * wrong, in words; NULL or `size` bytes. */
nibble_status nibble_open(const char* path, const char* kernels, nibble_program** program, char* message, size_t size);
/* The bytes are copied. */
nibble_status nibble_open_memory(const void* bytes, size_t count, const char* kernels, nibble_program** program,
                                 char* message, size_t size);
/* Gives a back end the steps that it takes, of those that no other has taken: before the program has contexts. `name` is
 * that of a file NAME.so in the folders of the environment's NIBBLE_BACKENDS (A:B:..), else in `backends` beside the
 * executable, or where Nibble is installed; or a path, with a slash in it. `chosen`: a byte a step, 0 where it is not to
 * be asked; NULL: of every step. NIBBLE_BAD_ARGUMENT and a message where there is no such library, or it is none.
 * "auto": those that 'nibble tune' chose, of the steps that it chose them for; one that is not there leaves its steps to
 * kernels. The kernel sets that it chose are used without asking, where nibble_open names none. */
nibble_status nibble_use_backend(nibble_program* program, const char* name, const unsigned char* chosen, char* message,
                                 size_t size);
/* Names of the libraries that there are, in order: the index-th in `name`, at most 31 letters. 0 where there are no more,
 * or `size` bytes are too few. What lies there under a name need not be a back end. */
int nibble_backend_name(size_t index, char* name, size_t size);
/* After its contexts. */
void nibble_release(nibble_program* program);

const char* nibble_program_name(const nibble_program* program);
/* The value behind a key of the program's metadata, or NULL. */
const char* nibble_metadata(const nibble_program* program, const char* key);
size_t nibble_inputs(const nibble_program* program);
size_t nibble_outputs(const nibble_program* program);
nibble_status nibble_input(const nibble_program* program, size_t index, nibble_port* port);
nibble_status nibble_output(const nibble_program* program, size_t index, nibble_port* port);
size_t nibble_steps(const nibble_program* program);
nibble_status nibble_step(const nibble_program* program, size_t index, nibble_step_info* info);
size_t nibble_arena_bytes(const nibble_program* program);
/* Names of the sets that this CPU runs, fastest first: the index-th, or NULL. */
const char* nibble_kernel_set_name(size_t index);

/* An arena and `threads` threads (1 to 64) of its own, the caller's among them. */
nibble_status nibble_context_create(const nibble_program* program, int threads, nibble_context** context);
void nibble_context_release(nibble_context* context);

/* Sets an input from `port.bytes` bytes of its type, or from reals, which are quantised by its grid. A run uses inputs
 * up: set all of them before each. */
nibble_status nibble_set(nibble_context* context, size_t index, const void* data);
nibble_status nibble_set_reals(nibble_context* context, size_t index, const float* data);
nibble_status nibble_run(nibble_context* context);
/* Until the next run. */
nibble_status nibble_get(nibble_context* context, size_t index, void* data);
nibble_status nibble_get_reals(nibble_context* context, size_t index, float* data);

/* Called after each step of a run with what it completed: name, type, shape, and a function that copies it row-major. For
 * debugging and `compare`; NULL ends it. */
typedef struct nibble_seen {
  size_t step;
  nibble_port port; /* without scales */
  const void* inside;
} nibble_seen;
typedef void (*nibble_observer)(void* user, const nibble_seen* seen);
void nibble_observe(nibble_context* context, nibble_observer observer, void* user);
void nibble_copy_seen(const nibble_seen* seen, void* data);
/* Seconds that each step took in the last run, nibble_steps() numbers; measured from the next run on. NULL ends it. */
void nibble_time(nibble_context* context, double* seconds);

#ifdef __cplusplus
}
#endif
#endif
