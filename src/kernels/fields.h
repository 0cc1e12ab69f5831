#ifndef NIBBLE_KERNELS_FIELDS_H
#define NIBBLE_KERNELS_FIELDS_H
#include <stddef.h>

#include "kernels/kernels.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The structs of kernels.h field by field: what a program's file holds, `show` prints and generated C initialises. */

enum nibble_field_type { NIBBLE_FIELD_I32, NIBBLE_FIELD_I64, NIBBLE_FIELD_F32, NIBBLE_FIELD_F64, NIBBLE_FIELD_POINTER };

/* Those of a nested stage are listed one by one, `within` "stage" and with its offset. */
typedef struct nibble_field {
  const char* within; /* "" but for a nested struct's */
  const char* name;
  int type; /* nibble_field_type */
  int count;
  size_t offset; /* bytes from the struct's beginning */
} nibble_field;

typedef struct nibble_kind_fields {
  const char* kind;      /* CONV .. */
  const char* structure; /* nibble_conv .. */
  size_t size;           /* bytes of the struct */
  const nibble_field* fields;
  int count;  /* of fields */
  int values; /* of numbers, an array's one by one: how many a file holds */
} nibble_kind_fields;

/* NULL for a kind that is none. */
const nibble_kind_fields* nibble_fields_of(int kind);

/* A struct to and from `values` numbers: reals as the bits of a double, pointers as *pointers* says (opaque). */
typedef struct nibble_pointers {
  int64_t (*encode)(void* context, const void* pointer);
  const void* (*decode)(void* context, int64_t number);
  void* context;
} nibble_pointers;
void nibble_encode(int kind, const void* parameters, const nibble_pointers* pointers, int64_t* numbers);
void nibble_decode(int kind, const int64_t* numbers, const nibble_pointers* pointers, void* parameters);

#ifdef __cplusplus
}
#endif
#endif
