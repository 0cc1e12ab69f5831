#ifndef NIBBLE_KERNELS_H
#define NIBBLE_KERNELS_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Integer arithmetic in C99: one plain interface for the runtime and for generated code. A kernel reads its parameters
 * (a plain struct) and its buffers (nibble_call), allocates nothing, keeps nothing and is total: whatever the integers,
 * it ends and touches only its own memory. `reference*.c` are the specification; a set for an instruction set gives the
 * same integers (docs/design/kernels.md).
 *
 * Layout: channels last, [batch][depth][height][width][channel], every extent but the channels' with a stride of its
 * own, in elements; channels lie side by side. A kernel may read, and ignore, up to NIBBLE_SLACK bytes beyond the end of
 * a tensor or constant, never before its beginning; it writes the elements of its output and nothing else. */

#define NIBBLE_SLACK 64
#define NIBBLE_MAX_RANK 6

/* Types of elements. F64 holds the reals of a tail that has no integer form. U4 .. I2 are packed, integers of 4 and 2
 * bits, several a byte: CONV and POOL have such operands, which kernels see as bytes, and REDUCE (packed/packed.h). */
enum nibble_type {
  NIBBLE_I8 = 1,
  NIBBLE_U8,
  NIBBLE_I16,
  NIBBLE_U16,
  NIBBLE_I32,
  NIBBLE_I64,
  NIBBLE_F64,
  NIBBLE_U4,
  NIBBLE_I4,
  NIBBLE_U2,
  NIBBLE_I2
};

/* What a kernel returns. */
enum nibble_fault { NIBBLE_FINE = 0, NIBBLE_DIVISION_BY_ZERO, NIBBLE_BEYOND_TABLE };

/* Buffers of one call. Work is cut along items [begin, end), of which a step has nibble_items(): any cut gives the same
 * integers. `scratch` is the thread's own, of nibble_scratch() bytes, aligned to 64. */
typedef struct nibble_call {
  const void* in[4];
  void* out;
  void* scratch;
  int64_t begin, end;
} nibble_call;

typedef int (*nibble_kernel)(const void* parameters, const nibble_call* call);

/* ---- fields: NUMBER(type, name) ARRAY(type, name, count) POINTER(name) STAGE(name); each struct's list is its
 * definition, the program's file and the C that is generated. ---------------------------------------------------- */

/* An output stage: what becomes of an accumulator v, at channel c (0 where channels is 1), before it is stored.
 *
 *   NONE        clip(v)
 *   PRODUCT     clip((v * a[c] + b[c]) >> d[c])               a int64, b int64, d uint8; 128 bits where `wide`
 *   PRODUCT32   the same, a int32, b int64, d uint8: the product of 32 bits by 32, the sum below 2^62 and, shifted, of
 *               32 bits: proven
 *   FLOAT       clip(rint(fma((float)v, a[c], b[c])))         a, b float; halves to even; |result| < 2^31 proven
 *   DIVIDE      clip(floor((v * a[c] + b[c]) / d[c]))         int64, d > 0, 128 bits
 *   THRESHOLDS  low + number of t in a[c][steps] with v >= t  int64; d[c] (uint8) not 0: with v <= t
 *   TABLE       a[v - first], int64[steps]
 *   INTERPOLATED  straight lines between a[i], int64[steps] (graph/ops.hpp, InterpolatedTable); shift, fraction
 *
 * clip is to [low, high]. Arrays of channels are padded with zeros to a multiple of 16. */
enum nibble_stage_form {
  NIBBLE_STAGE_NONE = 0,
  NIBBLE_STAGE_PRODUCT,
  NIBBLE_STAGE_PRODUCT32,
  NIBBLE_STAGE_FLOAT,
  NIBBLE_STAGE_DIVIDE,
  NIBBLE_STAGE_THRESHOLDS,
  NIBBLE_STAGE_TABLE,
  NIBBLE_STAGE_INTERPOLATED
};

#define NIBBLE_STAGE_FIELDS(NUMBER, ARRAY, POINTER, STAGE) \
  NUMBER(int32_t, form)                                    \
  NUMBER(int32_t, channels)                                \
  NUMBER(int64_t, low)                                     \
  NUMBER(int64_t, high)                                    \
  NUMBER(int64_t, first)                                   \
  NUMBER(int32_t, steps)                                   \
  NUMBER(int32_t, shift)                                   \
  NUMBER(int32_t, fraction)                                \
  NUMBER(int32_t, wide)                                    \
  POINTER(a)                                               \
  POINTER(b)                                               \
  POINTER(d)

/* Weights' formats.
 *
 *   PLAIN    [out_channels][kernel][in_channels / groups] of w_type
 *   BLOCKED  [rows / 16][columns / 4][16][4], a row an output channel, both padded with zeros. Columns: of a
 *            convolution without groups, for each (depth, height) of the kernel a segment of width * in_channels,
 *            padded to a multiple of 4; of a depthwise one (groups = in_channels = out_channels) the kernel's taps.
 *   FOLDED   PLAIN's order; of a depthwise one [kernel][channels]
 *
 * In BLOCKED and FOLDED a weight takes w_bits: 8, signed; 4, 2 or 1, unsigned, w_low + w_step * stored, low bits first
 * within a byte. Where BLOCKED is padded, zero is among the levels; a row of FOLDED (an output channel; of a depthwise one
 * a tap) begins on a byte. */
enum nibble_weights { NIBBLE_PLAIN = 0, NIBBLE_BLOCKED, NIBBLE_FOLDED };

/* y[p, o] = stage(bias[o] + sum over taps t and channels c of w[o, t, c] * (x[p * stride - pad + t * dilation, c] -
 * zero_point)); outside x nothing is added. BLOCKED and FOLDED fold: bias' = bias - zero_point * sum w, and outside x stands
 * zero_point. Extents: depth, height, width. A fully connected layer is a kernel of 1 over a width of rows.
 *
 * in[0] is x, in[1] the residual r where sum_form is not 0: with q what the stage gives,
 *
 *   sum_form 1  y = clip((q * sum_a + r * sum_b + sum_c) >> sum_shift)                in 64 bits
 *   sum_form 2  y = clip(rint(fma((float)q, sum_fa, fma((float)r, sum_fb, sum_fc))))  |result| < 2^31 proven
 *
 * clipped to [sum_low, sum_high]. Accumulators fit `acc_type` (I32 or I64). Items: split 0: output positions (batch *
 * out[0] * out[1] * out[2]); split 1: blocks of 16 output channels. pair_saturates: BLOCKED, 8 bits: for each block of
 * 16 rows whether for some row and some columns 2k, 2k+1 a sum of two products u8 * i8 leaves int16. */
#define NIBBLE_CONV_FIELDS(NUMBER, ARRAY, POINTER, STAGE) \
  NUMBER(int32_t, x_type)                                 \
  NUMBER(int32_t, y_type)                                 \
  NUMBER(int32_t, w_type)                                 \
  NUMBER(int32_t, acc_type)                               \
  NUMBER(int32_t, w_format)                               \
  NUMBER(int32_t, w_bits)                                 \
  NUMBER(int32_t, w_low)                                  \
  NUMBER(int32_t, w_step)                                 \
  NUMBER(int32_t, batch)                                  \
  NUMBER(int32_t, in_channels)                            \
  NUMBER(int32_t, out_channels)                           \
  NUMBER(int32_t, groups)                                 \
  NUMBER(int64_t, zero_point)                             \
  ARRAY(int32_t, in, 3)                                   \
  ARRAY(int32_t, out, 3)                                  \
  ARRAY(int32_t, kernel, 3)                               \
  ARRAY(int32_t, stride, 3)                               \
  ARRAY(int32_t, pad, 3)                                  \
  ARRAY(int32_t, dilation, 3)                             \
  ARRAY(int64_t, x_stride, 4)                             \
  ARRAY(int64_t, y_stride, 4)                             \
  ARRAY(int64_t, r_stride, 4)                             \
  NUMBER(int32_t, r_type)                                 \
  NUMBER(int32_t, sum_form)                               \
  NUMBER(int64_t, sum_a)                                  \
  NUMBER(int64_t, sum_b)                                  \
  NUMBER(int64_t, sum_c)                                  \
  NUMBER(int32_t, sum_shift)                              \
  NUMBER(float, sum_fa)                                   \
  NUMBER(float, sum_fb)                                   \
  NUMBER(float, sum_fc)                                   \
  NUMBER(int64_t, sum_low)                                \
  NUMBER(int64_t, sum_high)                               \
  NUMBER(int32_t, split)                                  \
  POINTER(weights)                                        \
  POINTER(bias)                                           \
  POINTER(pair_saturates)                                 \
  STAGE(stage)

/* The transposed convolution (graph/ops.hpp): weights PLAIN [in_channels][kernel][out_channels / groups]. Items: output
 * positions. */
/* y[b, i, j] = stage(sum over k of (a[b, i, k] - zero_a) * (b[b, k, j] - zero_b)); in[0] a, in[1] b. batch: up to 3
 * leading extents with strides of their own (0: repeated). Strides: batch, row, column of the operand. stage's channels
 * along j, or one. Items: batch * rows. */
#define NIBBLE_MATMUL_FIELDS(NUMBER, ARRAY, POINTER, STAGE) \
  NUMBER(int32_t, a_type)                                   \
  NUMBER(int32_t, b_type)                                   \
  NUMBER(int32_t, y_type)                                   \
  NUMBER(int32_t, acc_type)                                 \
  NUMBER(int64_t, zero_a)                                   \
  NUMBER(int64_t, zero_b)                                   \
  NUMBER(int32_t, rows)                                     \
  NUMBER(int32_t, inner)                                    \
  NUMBER(int32_t, columns)                                  \
  ARRAY(int32_t, batch, 3)                                  \
  ARRAY(int64_t, a_stride, 5)                               \
  ARRAY(int64_t, b_stride, 5)                               \
  ARRAY(int64_t, y_stride, 5)                               \
  STAGE(stage)

/* Pools over windows, channel by channel. op 0: the maximum (INT64_MIN where a window meets nothing); 1: stage(sum of
 * (x - zero_point)); outside x nothing is added. Items: output positions. */
#define NIBBLE_POOL_FIELDS(NUMBER, ARRAY, POINTER, STAGE) \
  NUMBER(int32_t, op)                                     \
  NUMBER(int32_t, x_type)                                 \
  NUMBER(int32_t, y_type)                                 \
  NUMBER(int32_t, batch)                                  \
  NUMBER(int32_t, channels)                               \
  NUMBER(int64_t, zero_point)                             \
  ARRAY(int32_t, in, 3)                                   \
  ARRAY(int32_t, out, 3)                                  \
  ARRAY(int32_t, kernel, 3)                               \
  ARRAY(int32_t, stride, 3)                               \
  ARRAY(int32_t, pad, 3)                                  \
  ARRAY(int32_t, dilation, 3)                             \
  ARRAY(int64_t, x_stride, 4)                             \
  ARRAY(int64_t, y_stride, 4)                             \
  STAGE(stage)

/* Element by element over an output of `rank` extents, each operand with its own strides (0: repeated).
 *
 * y = stage(f(in[0], in[1], in[2])), f by `op` with scalars s[]; stage's channel is the index along axis
 * channel_axis. Names and formulas as in graph/ops.hpp and graph/ops_dialect.hpp:
 * WEIGHTED: ((x0 * s0 + s1) >> s2) + ((x1 * s3 + s4) >> s5), without a clip. FLOAT_SUM: rint(fma((float)x0, f0,
 * fma((float)x1, f1, f2))), |result| < 2^31 proven. Items: elements. */
enum nibble_pointwise_op {
  NIBBLE_COPY = 0,
  NIBBLE_RELU,
  NIBBLE_NEG,
  NIBBLE_ABS,
  NIBBLE_ADD,
  NIBBLE_SUB,
  NIBBLE_MUL,
  NIBBLE_DIV,
  NIBBLE_MIN,
  NIBBLE_MAX,
  NIBBLE_WHERE,
  NIBBLE_WEIGHTED,
  NIBBLE_ROUNDED_DIVISION, /* s: zero_a zero_b multiplier shift rounding zero_point low high */
  NIBBLE_I_GELU,           /* s: b one */
  NIBBLE_I_HARD_SWISH,     /* s: three six one_over_six */
  NIBBLE_INTEGER_DIV,      /* s: delta eps eta */
  NIBBLE_TRUE_INTEGER_DIV, /* s: delta eps eta */
  NIBBLE_I_NO_NORM,        /* s: multiplier shift levels */
  NIBBLE_FLOAT_SUM
};
#define NIBBLE_POINTWISE_FIELDS(NUMBER, ARRAY, POINTER, STAGE) \
  NUMBER(int32_t, op)                                          \
  NUMBER(int32_t, rank)                                        \
  NUMBER(int32_t, y_type)                                      \
  ARRAY(int32_t, x_type, 3)                                    \
  ARRAY(int32_t, extent, 6)                                    \
  ARRAY(int64_t, x_stride, 18)                                 \
  ARRAY(int64_t, y_stride, 6)                                  \
  ARRAY(int64_t, s, 8)                                         \
  NUMBER(int32_t, channel_axis)                                \
  ARRAY(float, f, 3)                                           \
  STAGE(stage)

/* Moves elements: y[i0, i1, ..] = x[offset0(i0) + offset1(i1) + ..], in elements. The offset of axis k at i is i *
 * x_stride[k], or, where bit k of `listed` is set, offsets[first[k] + i], of int64; a negative one: y is `fill`.
 * Source and target may have different types (a value fits both). Items: elements. */
#define NIBBLE_MOVE_FIELDS(NUMBER, ARRAY, POINTER, STAGE) \
  NUMBER(int32_t, x_type)                                 \
  NUMBER(int32_t, y_type)                                 \
  NUMBER(int32_t, rank)                                   \
  NUMBER(int32_t, listed)                                 \
  ARRAY(int32_t, extent, 6)                               \
  ARRAY(int64_t, x_stride, 6)                             \
  ARRAY(int64_t, y_stride, 6)                             \
  ARRAY(int32_t, first, 6)                                \
  NUMBER(int64_t, fill)                                   \
  POINTER(offsets)

/* y[o, i, n] = x[o, index[i], n]: in[0] x, in[1] indices (negative count from the end; beyond: a fault, and y is 0).
 * Strides in elements of x and y for o, i, n. Items: outer * indices. */
#define NIBBLE_GATHER_FIELDS(NUMBER, ARRAY, POINTER, STAGE) \
  NUMBER(int32_t, x_type)                                   \
  NUMBER(int32_t, y_type)                                   \
  NUMBER(int32_t, index_type)                               \
  NUMBER(int32_t, outer)                                    \
  NUMBER(int32_t, indices)                                  \
  NUMBER(int32_t, inner)                                    \
  NUMBER(int32_t, extent)                                   \
  ARRAY(int64_t, x_stride, 3)                               \
  ARRAY(int64_t, y_stride, 3)

/* Reductions: y over the kept axes, r over the reduced ones. op 0: stage(sum of (x - zero_point)); 1: the maximum; 2, 3:
 * the index of the first, last maximum, counted over the reduced axes; of no elements the maximum and its index are 0.
 * stage's channel is the index along kept axis channel_axis (-1: 0). Items: elements of y. */
#define NIBBLE_REDUCE_FIELDS(NUMBER, ARRAY, POINTER, STAGE) \
  NUMBER(int32_t, op)                                       \
  NUMBER(int32_t, x_type)                                   \
  NUMBER(int32_t, y_type)                                   \
  NUMBER(int32_t, rank)                                     \
  NUMBER(int32_t, reduced_rank)                             \
  NUMBER(int64_t, zero_point)                               \
  ARRAY(int32_t, extent, 6)                                 \
  ARRAY(int64_t, x_stride, 6)                               \
  ARRAY(int64_t, y_stride, 6)                               \
  ARRAY(int32_t, reduced, 6)                                \
  ARRAY(int64_t, reduced_stride, 6)                         \
  NUMBER(int32_t, channel_axis)                             \
  STAGE(stage)

/* Functions of a row of `width` elements, `x_step` and `y_step` apart; rows over `rank` extents. Formulas in
 * graph/ops.hpp and graph/ops_dialect.hpp; s holds their fields in the order given. table: int64[steps]. in[1], in[2]:
 * the operands of ILAYER_NORM, IRMS_NORM, NORMALISATION: one element or `width`, operand_step 0 or 1 each. scratch holds
 * 8 * width bytes. Items: rows. */
enum nibble_row_op {
  NIBBLE_TABLE_SOFTMAX = 0, /* s: multiplier shift rounding zero_point low high */
  NIBBLE_NORMALISATION,     /* s: centred zero_point epsilon root_shift inverse_shift shift low high */
  NIBBLE_I_SOFTMAX,         /* s: a b c log2 levels */
  NIBBLE_ITA_MAX,           /* s: levels */
  NIBBLE_ITA_PARTIAL_MAX,   /* s: levels group_width */
  NIBBLE_I_LAYER_NORM,      /* s: shift levels */
  NIBBLE_I_RMS_NORM,        /* s: shift levels */
  NIBBLE_REAL_SOFTMAX,      /* of F64 */
  NIBBLE_REAL_LOG_SOFTMAX   /* of F64 */
};
#define NIBBLE_ROW_FIELDS(NUMBER, ARRAY, POINTER, STAGE) \
  NUMBER(int32_t, op)                                    \
  NUMBER(int32_t, x_type)                                \
  NUMBER(int32_t, y_type)                                \
  NUMBER(int32_t, rank)                                  \
  NUMBER(int32_t, width)                                 \
  NUMBER(int64_t, x_step)                                \
  NUMBER(int64_t, y_step)                                \
  ARRAY(int32_t, extent, 6)                              \
  ARRAY(int64_t, x_stride, 6)                            \
  ARRAY(int64_t, y_stride, 6)                            \
  ARRAY(int64_t, s, 8)                                   \
  ARRAY(int32_t, operand_type, 2)                        \
  ARRAY(int32_t, operand_step, 2)                        \
  NUMBER(int32_t, steps)                                 \
  POINTER(table)

/* Reals, in double, for the tail of a network that has no integer form: y[i] = f(in[0][i], ..), y of F64, over extents
 * and strides as POINTWISE; operands of F64, or integers taken as reals. r holds the fields of f in graph/ops.hpp's or
 * graph/ops_functions.hpp's order. Items: elements. CONV (PLAIN, no sum), MATMUL, POOL and REDUCE take reals too: x, w,
 * bias and y of F64, zero points 0, no stage. All give the bits of graph/evaluate where the libraries of C do. */
enum nibble_real_op {
  NIBBLE_REAL_DEQUANTISE = 0, /* a[c] * (x - zero_point), a double[channels], c along channel_axis */
  /* NIBBLE_REAL_FUNCTIONS of graph/ops_functions.hpp, in that order */
  NIBBLE_REAL_HARD_SWISH,
  NIBBLE_REAL_SIGMOID,
  NIBBLE_REAL_TANH,
  NIBBLE_REAL_ERF,
  NIBBLE_REAL_EXP,
  NIBBLE_REAL_LOG,
  NIBBLE_REAL_SQRT,
  NIBBLE_REAL_RECIPROCAL,
  NIBBLE_REAL_SOFTPLUS,
  NIBBLE_REAL_LEAKY_RELU,   /* r: alpha */
  NIBBLE_REAL_HARD_SIGMOID, /* r: alpha beta */
  NIBBLE_REAL_GELU,         /* r: tanh_form, 0 or 1 */
  NIBBLE_REAL_MISH,
  NIBBLE_REAL_ELU,              /* r: alpha */
  NIBBLE_REAL_SWISH,            /* r: alpha */
  NIBBLE_REAL_SELU,             /* r: alpha gamma */
  NIBBLE_REAL_CELU,             /* r: alpha */
  NIBBLE_REAL_THRESHOLDED_RELU, /* r: alpha */
  NIBBLE_REAL_SHRINK,           /* r: bias lambd */
  NIBBLE_REAL_SOFTSIGN,
  NIBBLE_REAL_ROUND,
  NIBBLE_REAL_FLOOR,
  NIBBLE_REAL_CEIL,
  NIBBLE_REAL_SIGN,
  NIBBLE_REAL_SIN,
  NIBBLE_REAL_COS,
  /* graph/ops.hpp */
  NIBBLE_REAL_ADD,
  NIBBLE_REAL_SUB,
  NIBBLE_REAL_MUL,
  NIBBLE_REAL_DIV,
  NIBBLE_REAL_MIN,
  NIBBLE_REAL_MAX,
  NIBBLE_REAL_RELU,
  NIBBLE_REAL_NEG,
  NIBBLE_REAL_ABS,
  NIBBLE_REAL_CLIP, /* r: low high */
  NIBBLE_REAL_POW,
  NIBBLE_REAL_WHERE,
  NIBBLE_REAL_PRELU
};
#define NIBBLE_REAL_FIELDS(NUMBER, ARRAY, POINTER, STAGE) \
  NUMBER(int32_t, op)                                     \
  NUMBER(int32_t, rank)                                   \
  ARRAY(int32_t, x_type, 3)                               \
  ARRAY(int32_t, extent, 6)                               \
  ARRAY(int64_t, x_stride, 18)                            \
  ARRAY(int64_t, y_stride, 6)                             \
  NUMBER(int64_t, zero_point)                             \
  NUMBER(int32_t, channels)                               \
  NUMBER(int32_t, channel_axis)                           \
  ARRAY(double, r, 2)                                     \
  POINTER(a)

#define NIBBLE_NUMBER_FIELD(type, name) type name;
#define NIBBLE_ARRAY_FIELD(type, name, count) type name[count];
#define NIBBLE_POINTER_FIELD(name) const void* name;
#define NIBBLE_STAGE_FIELD(name) struct nibble_stage name;
#define NIBBLE_DEFINE(name, FIELDS)                                                           \
  typedef struct name {                                                                       \
    FIELDS(NIBBLE_NUMBER_FIELD, NIBBLE_ARRAY_FIELD, NIBBLE_POINTER_FIELD, NIBBLE_STAGE_FIELD) \
  } name;
NIBBLE_DEFINE(nibble_stage, NIBBLE_STAGE_FIELDS)

/* Every kind of step: X(KIND, struct, FIELDS). */
#define NIBBLE_STRUCTS(X)                                 \
  X(CONV, nibble_conv, NIBBLE_CONV_FIELDS)                \
  X(MATMUL, nibble_matmul, NIBBLE_MATMUL_FIELDS)          \
  X(POOL, nibble_pool, NIBBLE_POOL_FIELDS)                \
  X(POINTWISE, nibble_pointwise, NIBBLE_POINTWISE_FIELDS) \
  X(MOVE, nibble_move, NIBBLE_MOVE_FIELDS)                \
  X(GATHER, nibble_gather, NIBBLE_GATHER_FIELDS)          \
  X(REDUCE, nibble_reduce, NIBBLE_REDUCE_FIELDS)          \
  X(ROW, nibble_row, NIBBLE_ROW_FIELDS)                   \
  X(REAL, nibble_real, NIBBLE_REAL_FIELDS)
#define NIBBLE_KINDS(X) NIBBLE_STRUCTS(X) X(CONV_TRANSPOSE, nibble_conv_transpose, NIBBLE_CONV_FIELDS)

#define NIBBLE_DEFINE_KIND(KIND, name, FIELDS) NIBBLE_DEFINE(name, FIELDS)
NIBBLE_STRUCTS(NIBBLE_DEFINE_KIND)
typedef nibble_conv nibble_conv_transpose;
#define NIBBLE_KIND_NUMBER(KIND, name, FIELDS) NIBBLE_KIND_##KIND,
enum nibble_kind { NIBBLE_KINDS(NIBBLE_KIND_NUMBER) NIBBLE_KIND_COUNT };

/* The specification, one a kind: int nibble_conv_reference(const void* parameters, const nibble_call* call); .. */
#define NIBBLE_DECLARE_REFERENCE(KIND, name, FIELDS) int name##_reference(const void*, const nibble_call*);
NIBBLE_KINDS(NIBBLE_DECLARE_REFERENCE)

/* How many items a step has, and how many bytes of scratch it asks for, whatever kernel runs it. With packed operands
 * an item is a row of the output, and packed/packed.h says what scratch that takes. */
int64_t nibble_items(int kind, const void* parameters);
int64_t nibble_scratch(int kind, const void* parameters);

/* How a kernel goes through memory when one call computes all items: what a plan must know in which a step's result, or
 * its scratch, lies over what it is made of. Items come in order, `block` at a time; a block writes the elements of its
 * items and nothing else, and reads what they are made of: operand k wholly before it writes where bit k of `early` is
 * set, else before and between. block 0: nothing is said of the operands. `scratch`: bytes. Where over_input is not 0,
 * in[0] is read once, before anything is written, and scratch may begin that many bytes before in[0] or earlier: what
 * it holds then is lost. */
typedef struct nibble_order {
  int64_t block;
  int32_t early;
  int64_t scratch, over_input;
} nibble_order;

/* Of the specification. Operands beyond those of which a block says something: nothing is said. */
nibble_order nibble_reference_order(int kind, const void* parameters);

/* Stage and residual of `count` (at most NIBBLE_TILE) positions by the 16 channels from `channel` on, a multiple of 16:
 * sums v[count][16], to the offsets y[count] of the output; residuals are at r[count]. Channels beyond out_channels are
 * left out. */
#define NIBBLE_TILE 32
typedef int (*nibble_finisher)(const nibble_conv* p, const nibble_call* call, const int32_t* v, int64_t count,
                               int64_t channel, const int64_t* y, const int64_t* r);

/* What the kernel of a step does after its sums, for sums that something else computed: of items [begin, end) of CONV,
 * CONV_TRANSPOSE or MATMUL, v[position][channel] without gaps, the positions and the channels of these items alone.
 * addend[channel of the step] (NULL: zeros) is added first, in 32 bits. `finisher` is a kernel set's; NULL: the
 * specification. */
int nibble_finish_sums(int kind, const void* parameters, const nibble_call* call, const int32_t* v,
                       const int32_t* addend, nibble_finisher finisher);
/* How many sums items [begin, end) have; -1: of a kind that is not of sums, or more than 2^38. */
int64_t nibble_sums(int kind, const void* parameters, int64_t begin, int64_t end);

/* Kernels of an instruction set: for a kind, a kernel that takes these parameters, or NULL. Sets stand fastest first;
 * the last is the reference, which takes all. */
typedef struct nibble_kernel_set {
  const char* name;
  int (*runs_here)(void);
  nibble_kernel (*find)(int kind, const void* parameters, const char** kernel_name);
  nibble_finisher finish; /* NULL: as the reference */
  int wide;               /* it multiplies 64 bytes or more at once */
} nibble_kernel_set;
enum { NIBBLE_KERNEL_SETS = 6 };                                                  /* at most, of one architecture */
extern const nibble_kernel_set* const nibble_kernel_sets[NIBBLE_KERNEL_SETS + 1]; /* ended by NULL */

#ifdef __cplusplus
}
#endif
#endif
