#ifndef NIBBLE_BACKEND_H
#define NIBBLE_BACKEND_H
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"
#ifdef __cplusplus
extern "C" {
#endif

/* What a back end is to the runtime: a shared library NAME.so that exports nibble_backend_entry. It may take a step only
 * where the integers stay the same: it computes the sums, and the step's own stage finishes them, or it computes all,
 * and has proved that its integers are those of the reference (kernels.h). docs/guide/backends.md shows how to write
 * one.
 *
 * Nothing here throws, exits, or keeps what it is given but what this file says. */

#define NIBBLE_BACKEND_VERSION 1

/* A number that changes with the structs of kernels.h: a back end that sees others is refused. */
#define NIBBLE_LAYOUT_TERM(KIND, name, FIELDS) \
  +(uint64_t)(sizeof(name) + 1) * (NIBBLE_KIND_##KIND + 1) * (NIBBLE_KIND_##KIND + 1000003)
#define NIBBLE_BACKEND_LAYOUT (NIBBLE_KINDS(NIBBLE_LAYOUT_TERM) + (uint64_t)sizeof(nibble_call))

/* A step as it stands in the program: layout, weights' formats and formulas are those of kernels.h. Constants may be
 * read through `parameters` as long as the program is there. Which tensors they are for is not said: x, r and y come with
 * each call, at the same strides. */
typedef struct nibble_backend_step {
  int kind; /* nibble_kind */
  const char *name, *op;
  const void* parameters; /* nibble_conv, nibble_matmul, .. */
  int64_t items;
} nibble_backend_step;

enum nibble_backend_gives {
  /* v[position][channel] of the items of a call, of CONV, CONV_TRANSPOSE, MATMUL: what the formula of the kind gives the
   * stage, less addend[channel], in 32 bits that wrap. */
  NIBBLE_BACKEND_SUMS = 1,
  /* y itself */
  NIBBLE_BACKEND_OUTPUT
};

/* What run returns, beside a nibble_fault. */
enum { NIBBLE_BACKEND_NO_MEMORY = 64 };

/* What `prepare` leaves. */
typedef struct nibble_backend_prepared {
  void* handle; /* the back end's own; many threads may run it at once */
  int gives;
  int64_t grain;         /* items that one call takes at most, each call beginning at a multiple; 0: all in one */
  size_t scratch;        /* bytes that a call needs for itself, aligned to 64 */
  const int32_t* addend; /* [out channels] of the step, until release; NULL: zeros */
  char kernel[48];       /* what runs, for people */
} nibble_backend_prepared;

typedef struct nibble_backend {
  uint32_t version; /* NIBBLE_BACKEND_VERSION */
  uint64_t layout;  /* NIBBLE_BACKEND_LAYOUT */
  const char* name;
  /* Whether it can take the step, from its description alone; if not, `why` gets a reason of less than `size` bytes, for
   * people: "3 spatial axes", not a sentence. */
  int (*takes)(const nibble_backend_step* step, char* why, size_t size);
  /* Whatever is to be made, reordered or allocated. 1, or 0 and why not: the step then runs as without a back end.
   * Called by one thread at a time. */
  int (*prepare)(const nibble_backend_step* step, nibble_backend_prepared* prepared, char* why, size_t size);
  /* Items [begin, end) of a call: sums to `v` (NULL where y is given), aligned to 64. Reads x and r as kernels do, up to
   * NIBBLE_SLACK bytes beyond their ends. Uses no thread but the caller's. Returns a nibble_fault, or
   * NIBBLE_BACKEND_NO_MEMORY. */
  int (*run)(void* handle, const nibble_call* call, int32_t* v);
  void (*release)(void* handle);
} nibble_backend;

/* The one name that a back end exports. */
const nibble_backend* nibble_backend_entry(void);
#define NIBBLE_BACKEND_ENTRY "nibble_backend_entry"

#ifdef __cplusplus
}
#endif
#endif
