#include <stddef.h>

#include "kernels/packed/packed.h"

static int everywhere(void) {
  return 1;
}

static nibble_kernel find_reference(int kind, const void* parameters, const char** kernel_name) {
  if (kind == NIBBLE_KIND_REDUCE && nibble_is_packed(((const nibble_reduce*)parameters)->x_type)) {
    *kernel_name = "reference of packed elements";
    return nibble_reduce_packed;
  }
#define NIBBLE_REFERENCE_CASE(KIND, name, FIELDS) \
  case NIBBLE_KIND_##KIND: *kernel_name = "reference"; return name##_reference;
  switch (kind) { NIBBLE_KINDS(NIBBLE_REFERENCE_CASE) default : return NULL; }
}

static const nibble_kernel_set reference = {"reference", everywhere, find_reference, NULL, 0};

#if defined(__x86_64__) && defined(__GNUC__)
extern const nibble_kernel_set nibble_amx, nibble_avx512vnni, nibble_avxvnni, nibble_avx2;
#elif defined(__aarch64__)
extern const nibble_kernel_set nibble_neon;
#if defined(__linux__) /* how these ask the processor */
extern const nibble_kernel_set nibble_i8mm, nibble_neon_dot;
#endif
#endif
extern const nibble_kernel_set nibble_portable;

const nibble_kernel_set* const nibble_kernel_sets[NIBBLE_KERNEL_SETS + 1] = {
#if defined(__x86_64__) && defined(__GNUC__)
    &nibble_amx,      &nibble_avx512vnni, &nibble_avxvnni,
    &nibble_avx2,
#elif defined(__aarch64__) && defined(__linux__)
    &nibble_i8mm,     &nibble_neon_dot, &nibble_neon,
#elif defined(__aarch64__)
    &nibble_neon,
#endif
    &nibble_portable, &reference,         NULL};
