#pragma once
#include "graph/op_traits.hpp"

namespace nibble::graph {

/// What op_traits.hpp asks of an op, as it is whatever the op's fields say.
struct Traits {
  OpClass kind;
  Elements elements = Elements::Computed;
  Terms terms = Terms::None;
  int same_grid = -1;
  bool requantises = false;
  bool never_negative = false;
  bool pointwise = false;
};

/// One row an op: what is missing does not compile.
template <class Op>
inline constexpr Traits row = Op::no_row_in_the_table;
// clang-format off
template <RealFunction F>
inline constexpr Traits row<F> = {.kind = OpClass::Function, .never_negative = F::never_negative, .pointwise = true};
template <IntegerFunction F>
inline constexpr Traits row<F> = {.kind = OpClass::Integer};
template <> inline constexpr Traits row<Conv> = {.kind = OpClass::Linear, .terms = Terms::Many};
template <> inline constexpr Traits row<Gemm> = {.kind = OpClass::Linear, .terms = Terms::Many};
template <> inline constexpr Traits row<MatMul> = {.kind = OpClass::Linear, .terms = Terms::Many};
template <> inline constexpr Traits row<ConvTranspose> = {.kind = OpClass::Linear, .terms = Terms::Many};
template <> inline constexpr Traits row<BatchNormalization> = {.kind = OpClass::Affine};
template <> inline constexpr Traits row<Neg> = {.kind = OpClass::Affine, .pointwise = true};
template <> inline constexpr Traits row<Add> = {.kind = OpClass::Arithmetic, .terms = Terms::Operands, .pointwise = true};
template <> inline constexpr Traits row<Sub> = {.kind = OpClass::Arithmetic, .terms = Terms::Operands, .pointwise = true};
template <> inline constexpr Traits row<Mul> = {.kind = OpClass::Arithmetic, .pointwise = true};
template <> inline constexpr Traits row<Div> = {.kind = OpClass::Arithmetic, .pointwise = true};
template <> inline constexpr Traits row<Pow> = {.kind = OpClass::Function, .pointwise = true};
template <> inline constexpr Traits row<PRelu> = {.kind = OpClass::Function, .pointwise = true};
template <> inline constexpr Traits row<Relu> = {.kind = OpClass::Clip, .same_grid = 0, .never_negative = true, .pointwise = true};
template <> inline constexpr Traits row<AveragePool> = {.kind = OpClass::Mean, .terms = Terms::Many};
template <> inline constexpr Traits row<GlobalAveragePool> = {.kind = OpClass::Mean, .terms = Terms::Many};
template <> inline constexpr Traits row<ReduceMean> = {.kind = OpClass::Mean, .terms = Terms::Many};
template <> inline constexpr Traits row<MaxPool> = {.kind = OpClass::Movement, .elements = Elements::Chosen, .same_grid = 0};
template <> inline constexpr Traits row<ReduceMax> = {.kind = OpClass::Movement, .elements = Elements::Chosen, .same_grid = 0};
template <> inline constexpr Traits row<Identity> = {.kind = OpClass::Movement, .elements = Elements::Same, .same_grid = 0};
template <> inline constexpr Traits row<Dropout> = {.kind = OpClass::Movement, .elements = Elements::Same, .same_grid = 0};
template <> inline constexpr Traits row<Split> = {.kind = OpClass::Movement, .elements = Elements::Chosen, .same_grid = 0};
template <> inline constexpr Traits row<Slice> = {.kind = OpClass::Movement, .elements = Elements::Chosen, .same_grid = 0};
template <> inline constexpr Traits row<Pad> = {.kind = OpClass::Movement, .elements = Elements::Chosen, .same_grid = 0};
template <> inline constexpr Traits row<Gather> = {.kind = OpClass::Movement, .elements = Elements::Chosen, .same_grid = 0};
template <> inline constexpr Traits row<Flatten> = {.kind = OpClass::Movement, .elements = Elements::Reshaped, .same_grid = 0};
template <> inline constexpr Traits row<Reshape> = {.kind = OpClass::Movement, .elements = Elements::Reshaped, .same_grid = 0};
template <> inline constexpr Traits row<Squeeze> = {.kind = OpClass::Movement, .elements = Elements::Reshaped, .same_grid = 0};
template <> inline constexpr Traits row<Unsqueeze> = {.kind = OpClass::Movement, .elements = Elements::Reshaped, .same_grid = 0};
template <> inline constexpr Traits row<Transpose> = {.kind = OpClass::Movement, .elements = Elements::Transposed, .same_grid = 0};
template <> inline constexpr Traits row<Concat> = {.kind = OpClass::Concat, .elements = Elements::Chosen, .same_grid = 0};
template <> inline constexpr Traits row<Min> = {.kind = OpClass::Choice, .elements = Elements::Chosen, .same_grid = 0, .pointwise = true};
template <> inline constexpr Traits row<Max> = {.kind = OpClass::Choice, .elements = Elements::Chosen, .same_grid = 0, .pointwise = true};
template <> inline constexpr Traits row<Where> = {.kind = OpClass::Choice, .elements = Elements::Chosen, .same_grid = 1, .pointwise = true};
template <> inline constexpr Traits row<ArgMax> = {.kind = OpClass::Index, .never_negative = true};
template <> inline constexpr Traits row<Abs> = {.kind = OpClass::Function, .never_negative = true, .pointwise = true};
template <> inline constexpr Traits row<Softmax> = {.kind = OpClass::Algorithm, .never_negative = true};
template <> inline constexpr Traits row<LogSoftmax> = {.kind = OpClass::Refused};
template <> inline constexpr Traits row<LayerNormalization> = {.kind = OpClass::Algorithm};
template <> inline constexpr Traits row<RmsNormalization> = {.kind = OpClass::Algorithm};
template <> inline constexpr Traits row<Quantise> = {.kind = OpClass::Quantiser};
template <> inline constexpr Traits row<Dequantise> = {.kind = OpClass::Quantiser};
template <> inline constexpr Traits row<SumPool> = {.kind = OpClass::Integer, .terms = Terms::Many};
template <> inline constexpr Traits row<ReduceSum> = {.kind = OpClass::Integer, .terms = Terms::Many};
template <> inline constexpr Traits row<Rescale> = {.kind = OpClass::Integer, .requantises = true};
template <> inline constexpr Traits row<Requantise> = {.kind = OpClass::Integer, .requantises = true};
template <> inline constexpr Traits row<FloorDivide> = {.kind = OpClass::Integer, .requantises = true};
template <> inline constexpr Traits row<Threshold> = {.kind = OpClass::Integer, .requantises = true};
template <> inline constexpr Traits row<Table> = {.kind = OpClass::Integer, .requantises = true};
template <> inline constexpr Traits row<InterpolatedTable> = {.kind = OpClass::Integer, .requantises = true};
template <> inline constexpr Traits row<TableSoftmax> = {.kind = OpClass::Integer};
template <> inline constexpr Traits row<IntegerNormalization> = {.kind = OpClass::Integer};
template <> inline constexpr Traits row<RoundedDivision> = {.kind = OpClass::Integer};
template <> inline constexpr Traits row<Clip> = {.kind = OpClass::Clip, .same_grid = 0, .pointwise = true};
template <> inline constexpr Traits row<Resize> = {.kind = OpClass::Movement, .elements = Elements::Chosen, .same_grid = 0};  // nearest
// clang-format on

}  // namespace nibble::graph
