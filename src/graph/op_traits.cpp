#include "graph/op_traits.hpp"

namespace nibble::graph {
namespace {

struct Traits {
  OpClass kind;
  Elements elements = Elements::Computed;
  Terms terms = Terms::None;
  int same_grid = -1;
  bool requantises = false;
  bool never_negative = false;
};

// One overload an op: what is missing does not compile.
// clang-format off
Traits of(const Conv&) { return {.kind = OpClass::Linear, .terms = Terms::Many}; }
Traits of(const Gemm&) { return {.kind = OpClass::Linear, .terms = Terms::Many}; }
Traits of(const MatMul&) { return {.kind = OpClass::Linear, .terms = Terms::Many}; }
Traits of(const ConvTranspose&) { return {.kind = OpClass::Linear, .terms = Terms::Many}; }
Traits of(const BatchNormalization&) { return {.kind = OpClass::Affine}; }
Traits of(const Neg&) { return {.kind = OpClass::Affine}; }
Traits of(const Add&) { return {.kind = OpClass::Arithmetic, .terms = Terms::Operands}; }
Traits of(const Sub&) { return {.kind = OpClass::Arithmetic, .terms = Terms::Operands}; }
Traits of(const Mul&) { return {.kind = OpClass::Arithmetic}; }
Traits of(const Div&) { return {.kind = OpClass::Arithmetic}; }
Traits of(const Pow&) { return {.kind = OpClass::Function}; }
Traits of(const Relu&) { return {.kind = OpClass::Clip, .same_grid = 0, .never_negative = true}; }
Traits of(const AveragePool&) { return {.kind = OpClass::Mean, .terms = Terms::Many}; }
Traits of(const GlobalAveragePool&) { return {.kind = OpClass::Mean, .terms = Terms::Many}; }
Traits of(const ReduceMean&) { return {.kind = OpClass::Mean, .terms = Terms::Many}; }
Traits of(const MaxPool&) { return {.kind = OpClass::Movement, .elements = Elements::Chosen, .same_grid = 0}; }
Traits of(const ReduceMax&) { return {.kind = OpClass::Movement, .elements = Elements::Chosen, .same_grid = 0}; }
Traits of(const Identity&) { return {.kind = OpClass::Movement, .elements = Elements::Same, .same_grid = 0}; }
Traits of(const Dropout&) { return {.kind = OpClass::Movement, .elements = Elements::Same, .same_grid = 0}; }
Traits of(const Split&) { return {.kind = OpClass::Movement, .elements = Elements::Chosen, .same_grid = 0}; }
Traits of(const Slice&) { return {.kind = OpClass::Movement, .elements = Elements::Chosen, .same_grid = 0}; }
Traits of(const Pad&) { return {.kind = OpClass::Movement, .elements = Elements::Chosen, .same_grid = 0}; }
Traits of(const Gather&) { return {.kind = OpClass::Movement, .elements = Elements::Chosen, .same_grid = 0}; }
Traits of(const Flatten&) { return {.kind = OpClass::Movement, .elements = Elements::Reshaped, .same_grid = 0}; }
Traits of(const Reshape&) { return {.kind = OpClass::Movement, .elements = Elements::Reshaped, .same_grid = 0}; }
Traits of(const Squeeze&) { return {.kind = OpClass::Movement, .elements = Elements::Reshaped, .same_grid = 0}; }
Traits of(const Unsqueeze&) { return {.kind = OpClass::Movement, .elements = Elements::Reshaped, .same_grid = 0}; }
Traits of(const Transpose&) { return {.kind = OpClass::Movement, .elements = Elements::Transposed, .same_grid = 0}; }
Traits of(const Concat&) { return {.kind = OpClass::Concat, .elements = Elements::Chosen, .same_grid = 0}; }
Traits of(const Min&) { return {.kind = OpClass::Choice, .elements = Elements::Chosen, .same_grid = 0}; }
Traits of(const Max&) { return {.kind = OpClass::Choice, .elements = Elements::Chosen, .same_grid = 0}; }
Traits of(const Where&) { return {.kind = OpClass::Choice, .elements = Elements::Chosen, .same_grid = 1}; }
Traits of(const ArgMax&) { return {.kind = OpClass::Index, .never_negative = true}; }
Traits of(const Abs&) { return {.kind = OpClass::Function, .never_negative = true}; }
Traits of(const PRelu&) { return {.kind = OpClass::Function}; }
Traits of(const Softmax&) { return {.kind = OpClass::Algorithm, .never_negative = true}; }
Traits of(const LogSoftmax&) { return {.kind = OpClass::Refused}; }
Traits of(const LayerNormalization&) { return {.kind = OpClass::Algorithm}; }
Traits of(const RmsNormalization&) { return {.kind = OpClass::Algorithm}; }
Traits of(const Quantise&) { return {.kind = OpClass::Quantiser}; }
Traits of(const Dequantise&) { return {.kind = OpClass::Quantiser}; }
Traits of(const SumPool&) { return {.kind = OpClass::Integer, .terms = Terms::Many}; }
Traits of(const ReduceSum&) { return {.kind = OpClass::Integer, .terms = Terms::Many}; }
Traits of(const Rescale&) { return {.kind = OpClass::Integer, .requantises = true}; }
Traits of(const Requantise&) { return {.kind = OpClass::Integer, .requantises = true}; }
Traits of(const FloorDivide&) { return {.kind = OpClass::Integer, .requantises = true}; }
Traits of(const Threshold&) { return {.kind = OpClass::Integer, .requantises = true}; }
Traits of(const Table&) { return {.kind = OpClass::Integer, .requantises = true}; }
Traits of(const InterpolatedTable&) { return {.kind = OpClass::Integer, .requantises = true}; }
Traits of(const TableSoftmax&) { return {.kind = OpClass::Integer}; }
Traits of(const IntegerNormalization&) { return {.kind = OpClass::Integer}; }
Traits of(const RoundedDivision&) { return {.kind = OpClass::Integer}; }
Traits of(const Clip& op) { return {.kind = OpClass::Clip, .same_grid = 0, .never_negative = op.low >= 0}; }
Traits of(const Resize& op) {
  if (op.mode == ResizeMode::Linear) return {.kind = OpClass::Mean};
  return {.kind = OpClass::Movement, .elements = Elements::Chosen, .same_grid = 0};
}
template <RealFunction F>
Traits of(const F&) { return {.kind = OpClass::Function, .never_negative = F::never_negative}; }
Traits of(const IntegerFunction auto&) { return {.kind = OpClass::Integer}; }
// clang-format on

Traits traits_of(const Op& op) {
  return visit([](const auto& o) { return of(o); }, op);
}

}  // namespace

OpClass class_of(const Op& op) {
  return traits_of(op).kind;
}

Elements elements_of(const Op& op) {
  return traits_of(op).elements;
}

Terms terms_of(const Op& op) {
  return traits_of(op).terms;
}

bool is_linear(const Op& op) {
  return class_of(op) == OpClass::Linear;
}

bool moves_data(const Op& op) {
  const Traits traits = traits_of(op);
  return traits.elements != Elements::Computed && traits.kind != OpClass::Choice;
}

bool reorders(const Op& op) {
  return elements_of(op) == Elements::Transposed || reshapes(op);
}

bool reshapes(const Op& op) {
  return elements_of(op) == Elements::Reshaped;
}

bool requantises(const Op& op) {
  return traits_of(op).requantises;
}

int same_grid_input(const Op& op) {
  return traits_of(op).same_grid;
}

bool never_negative(const Op& op) {
  return traits_of(op).never_negative;
}

}  // namespace nibble::graph
