/* Back ends as they should not be, and one that is the reference: VARIANT says which (CMakeLists.txt). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/nibble_backend.h"

static int is(const char* variant) {
  return strcmp(VARIANT, variant) == 0;
}

typedef struct step {
  nibble_kernel kernel;
  const void* parameters;
} step;

static nibble_kernel reference_of(int kind) {
#define REFERENCE(KIND, name, FIELDS) \
  case NIBBLE_KIND_##KIND: return name##_reference;
  switch (kind) { NIBBLE_KINDS(REFERENCE) default : return NULL; }
}

static int takes(const nibble_backend_step* of, char* why, size_t size) {
  if (is("shy")) return 0;
  if (is("wordy")) {
    memset(why, 'w', size - 1);
    why[size - 1] = 0;
    return 0;
  }
  /* A row's function needs the kernel's scratch. */
  return of->kind != NIBBLE_KIND_ROW;
}

static int prepare(const nibble_backend_step* of, nibble_backend_prepared* prepared, char* why, size_t size) {
  step* made = malloc(sizeof *made);
  (void)why, (void)size;
  made->kernel = reference_of(of->kind);
  made->parameters = of->parameters;
  prepared->handle = made;
  prepared->gives = is("undecided") ? 0 : is("sums") ? NIBBLE_BACKEND_SUMS : NIBBLE_BACKEND_OUTPUT;
  prepared->grain = is("backwards") ? -1 : is("whole") ? 0 : 5;
  prepared->scratch = is("greedy") ? SIZE_MAX : 64;
  memset(prepared->kernel, 'k', sizeof prepared->kernel);
  return 1;
}

static int run(void* handle, const nibble_call* call, int32_t* v) {
  const step* of = handle;
  nibble_call own = *call;
  double scratch[1 << 12];
  if (is("failing") || (v != NULL && !is("sums"))) return NIBBLE_BACKEND_NO_MEMORY;
  if (is("sums")) return NIBBLE_FINE; /* whatever stands there */
  memset(call->scratch, 1, 64);
  own.scratch = scratch;
  if (is("wrong") && call->begin == 0) {
    const int fault = of->kernel(of->parameters, &own);
    *(uint8_t*)call->out ^= 1;
    return fault;
  }
  return of->kernel(of->parameters, &own);
}

#if !defined(NO_ENTRY)
const nibble_backend* nibble_backend_entry(void) {
  static nibble_backend backend = {NIBBLE_BACKEND_VERSION, NIBBLE_BACKEND_LAYOUT, VARIANT, takes, prepare, run, free};
  if (is("nothing")) return NULL;
  if (is("other_version")) ++backend.version;
  if (is("other_structs")) ++backend.layout;
  if (is("nameless")) backend.name = NULL;
  if (is("without_run")) backend.run = NULL;
  return &backend;
}
#endif
