#include "kernels/fields.h"

#include <string.h>

#define TYPE_int32_t NIBBLE_FIELD_I32
#define TYPE_int64_t NIBBLE_FIELD_I64
#define TYPE_float NIBBLE_FIELD_F32
#define TYPE_double NIBBLE_FIELD_F64

/* The fields of a stage, at `base` in the struct that holds it. */
#define STAGE_NUMBER(type, name) {"stage", #name, TYPE_##type, 1, STAGE_BASE + offsetof(nibble_stage, name)},
#define STAGE_ARRAY(type, name, count) {"stage", #name, TYPE_##type, count, STAGE_BASE + offsetof(nibble_stage, name)},
#define STAGE_POINTER(name) {"stage", #name, NIBBLE_FIELD_POINTER, 1, STAGE_BASE + offsetof(nibble_stage, name)},
#define STAGE_STAGE(name)

#define NUMBER(type, name) {"", #name, TYPE_##type, 1, offsetof(STRUCT, name)},
#define ARRAY(type, name, count) {"", #name, TYPE_##type, count, offsetof(STRUCT, name)},
#define POINTER(name) {"", #name, NIBBLE_FIELD_POINTER, 1, offsetof(STRUCT, name)},
#define STAGE(name) NIBBLE_STAGE_FIELDS(STAGE_NUMBER, STAGE_ARRAY, STAGE_POINTER, STAGE_STAGE)
#define STAGE_BASE offsetof(STRUCT, stage)

#define STRUCT nibble_conv
static const nibble_field conv[] = {NIBBLE_CONV_FIELDS(NUMBER, ARRAY, POINTER, STAGE)};
#undef STRUCT
#define STRUCT nibble_matmul
static const nibble_field matmul[] = {NIBBLE_MATMUL_FIELDS(NUMBER, ARRAY, POINTER, STAGE)};
#undef STRUCT
#define STRUCT nibble_pool
static const nibble_field pool[] = {NIBBLE_POOL_FIELDS(NUMBER, ARRAY, POINTER, STAGE)};
#undef STRUCT
#define STRUCT nibble_pointwise
static const nibble_field pointwise[] = {NIBBLE_POINTWISE_FIELDS(NUMBER, ARRAY, POINTER, STAGE)};
#undef STRUCT
#define STRUCT nibble_move
static const nibble_field move[] = {NIBBLE_MOVE_FIELDS(NUMBER, ARRAY, POINTER, STAGE)};
#undef STRUCT
#define STRUCT nibble_gather
static const nibble_field gather[] = {NIBBLE_GATHER_FIELDS(NUMBER, ARRAY, POINTER, STAGE)};
#undef STRUCT
#define STRUCT nibble_reduce
static const nibble_field reduce[] = {NIBBLE_REDUCE_FIELDS(NUMBER, ARRAY, POINTER, STAGE)};
#undef STRUCT
#define STRUCT nibble_row
static const nibble_field row[] = {NIBBLE_ROW_FIELDS(NUMBER, ARRAY, POINTER, STAGE)};
#undef STRUCT
#define STRUCT nibble_real
static const nibble_field real[] = {NIBBLE_REAL_FIELDS(NUMBER, ARRAY, POINTER, STAGE)};
#undef STRUCT

#define ONE(type, name) +1
#define MANY(type, name, count) +count
#define ONE_POINTER(name) +1
#define ALL_OF_STAGE(name) +(NIBBLE_STAGE_FIELDS(ONE, MANY, ONE_POINTER, STAGE_STAGE))
#define ROW(KIND, name, FIELDS, fields)          \
  {#KIND,                                        \
   #name,                                        \
   sizeof(name),                                 \
   fields,                                       \
   (int)(sizeof(fields) / sizeof(nibble_field)), \
   0 FIELDS(ONE, MANY, ONE_POINTER, ALL_OF_STAGE)},

static const nibble_kind_fields kinds[] = {
    ROW(CONV, nibble_conv, NIBBLE_CONV_FIELDS, conv) ROW(MATMUL, nibble_matmul, NIBBLE_MATMUL_FIELDS, matmul)
        ROW(POOL, nibble_pool, NIBBLE_POOL_FIELDS, pool) ROW(POINTWISE, nibble_pointwise, NIBBLE_POINTWISE_FIELDS,
                                                             pointwise) ROW(MOVE, nibble_move, NIBBLE_MOVE_FIELDS, move)
            ROW(GATHER, nibble_gather, NIBBLE_GATHER_FIELDS, gather)
                ROW(REDUCE, nibble_reduce, NIBBLE_REDUCE_FIELDS, reduce) ROW(ROW, nibble_row, NIBBLE_ROW_FIELDS, row)
                    ROW(REAL, nibble_real, NIBBLE_REAL_FIELDS, real)
                        ROW(CONV_TRANSPOSE, nibble_conv_transpose, NIBBLE_CONV_FIELDS, conv)};

const nibble_kind_fields* nibble_fields_of(int kind) {
  return kind >= 0 && kind < NIBBLE_KIND_COUNT ? &kinds[kind] : NULL;
}

static int64_t bits_of(double x) {
  int64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static double real_of(int64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

void nibble_encode(int kind, const void* parameters, const nibble_pointers* pointers, int64_t* numbers) {
  const nibble_kind_fields* of = nibble_fields_of(kind);
  for (int f = 0; f < of->count; ++f) {
    const nibble_field* field = &of->fields[f];
    const void* at = (const char*)parameters + field->offset;
    for (int i = 0; i < field->count; ++i) switch (field->type) {
        case NIBBLE_FIELD_I32: *numbers++ = ((const int32_t*)at)[i]; break;
        case NIBBLE_FIELD_I64: *numbers++ = ((const int64_t*)at)[i]; break;
        case NIBBLE_FIELD_F32: *numbers++ = bits_of(((const float*)at)[i]); break;
        case NIBBLE_FIELD_F64: *numbers++ = bits_of(((const double*)at)[i]); break;
        default: *numbers++ = pointers->encode(pointers->context, ((const void* const*)at)[i]); break;
      }
  }
}

void nibble_decode(int kind, const int64_t* numbers, const nibble_pointers* pointers, void* parameters) {
  const nibble_kind_fields* of = nibble_fields_of(kind);
  memset(parameters, 0, of->size);
  for (int f = 0; f < of->count; ++f) {
    const nibble_field* field = &of->fields[f];
    void* at = (char*)parameters + field->offset;
    for (int i = 0; i < field->count; ++i, ++numbers) switch (field->type) {
        case NIBBLE_FIELD_I32: ((int32_t*)at)[i] = (int32_t)*numbers; break;
        case NIBBLE_FIELD_I64: ((int64_t*)at)[i] = *numbers; break;
        case NIBBLE_FIELD_F32: ((float*)at)[i] = (float)real_of(*numbers); break;
        case NIBBLE_FIELD_F64: ((double*)at)[i] = real_of(*numbers); break;
        default: ((const void**)at)[i] = pointers->decode(pointers->context, *numbers); break;
      }
  }
}
