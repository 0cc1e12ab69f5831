#include "passes/op_classes.hpp"

namespace nibble::passes {
namespace {

// One overload an op: what is missing does not compile.
// clang-format off
OpClass placed(const graph::Conv&) { return OpClass::Linear; }
OpClass placed(const graph::Gemm&) { return OpClass::Linear; }
OpClass placed(const graph::MatMul&) { return OpClass::Linear; }
OpClass placed(const graph::BatchNormalization&) { return OpClass::Affine; }
OpClass placed(const graph::Neg&) { return OpClass::Affine; }
OpClass placed(const graph::Add&) { return OpClass::Arithmetic; }
OpClass placed(const graph::Sub&) { return OpClass::Arithmetic; }
OpClass placed(const graph::Mul&) { return OpClass::Arithmetic; }
OpClass placed(const graph::Div&) { return OpClass::Arithmetic; }
OpClass placed(const graph::Relu&) { return OpClass::Clip; }
OpClass placed(const graph::Clip&) { return OpClass::Clip; }
OpClass placed(const graph::AveragePool&) { return OpClass::Mean; }
OpClass placed(const graph::GlobalAveragePool&) { return OpClass::Mean; }
OpClass placed(const graph::ReduceMean&) { return OpClass::Mean; }
OpClass placed(const graph::MaxPool&) { return OpClass::Movement; }
OpClass placed(const graph::Identity&) { return OpClass::Movement; }
OpClass placed(const graph::Dropout&) { return OpClass::Movement; }
OpClass placed(const graph::Split&) { return OpClass::Movement; }
OpClass placed(const graph::Slice&) { return OpClass::Movement; }
OpClass placed(const graph::Pad&) { return OpClass::Movement; }
OpClass placed(const graph::Flatten&) { return OpClass::Movement; }
OpClass placed(const graph::Reshape&) { return OpClass::Movement; }
OpClass placed(const graph::Transpose&) { return OpClass::Movement; }
OpClass placed(const graph::Squeeze&) { return OpClass::Movement; }
OpClass placed(const graph::Unsqueeze&) { return OpClass::Movement; }
OpClass placed(const graph::Gather&) { return OpClass::Movement; }
OpClass placed(const graph::Resize& op) { return op.mode == graph::ResizeMode::Nearest ? OpClass::Movement : OpClass::Mean; }
OpClass placed(const graph::Concat&) { return OpClass::Concat; }
OpClass placed(const graph::Abs&) { return OpClass::Function; }
OpClass placed(const graph::Quantise&) { return OpClass::Quantiser; }
OpClass placed(const graph::Dequantise&) { return OpClass::Quantiser; }
OpClass placed(const graph::SumPool&) { return OpClass::Integer; }
OpClass placed(const graph::ReduceSum&) { return OpClass::Integer; }
OpClass placed(const graph::ConvTranspose&) { return OpClass::Linear; }
OpClass placed(const graph::RmsNormalization&) { return OpClass::Algorithm; }
OpClass placed(const graph::Min&) { return OpClass::Choice; }
OpClass placed(const graph::Max&) { return OpClass::Choice; }
OpClass placed(const graph::Where&) { return OpClass::Choice; }
OpClass placed(const graph::LogSoftmax&) { return OpClass::Refused; }
OpClass placed(const graph::ReduceMax&) { return OpClass::Movement; }
OpClass placed(const graph::RealFunction auto&) { return OpClass::Function; }
OpClass placed(const graph::OnIntegers auto&) { return OpClass::Integer; }
OpClass placed(const graph::ArgMax&) { return OpClass::Index; }
OpClass placed(const graph::Pow&) { return OpClass::Refused; }
OpClass placed(const graph::Softmax&) { return OpClass::Algorithm; }
OpClass placed(const graph::LayerNormalization&) { return OpClass::Algorithm; }
// clang-format on

}  // namespace

OpClass class_of(const graph::Op& op) {
  return visit([](const auto& o) { return placed(o); }, op);
}

bool gives_non_negative(const graph::Op& op) {
  if (const auto* clip = get_if<graph::Clip>(&op)) return clip->low >= 0;
  return visit(
      []<class Op>(const Op&) {
        if constexpr (graph::RealFunction<Op>)
          return Op::never_negative;
        else
          return std::is_same_v<Op, graph::Relu> || std::is_same_v<Op, graph::Abs> ||
                 std::is_same_v<Op, graph::Softmax>;
      },
      op);
}

}  // namespace nibble::passes
