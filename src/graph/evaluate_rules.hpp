#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/tensor.hpp"
#include "graph/graph.hpp"

/// What the evaluator's files share: a node with its inputs, exact integer arithmetic, and the meanings, one an op.
/// Values are Float64 or Int64.
namespace nibble::graph {

using Tensors = std::vector<Tensor>;

/// A node with its inputs as the evaluator sees them.
struct Call {
  const Node& node;
  const std::vector<const Tensor*>& inputs;
  bool integer_output = false;  ///< Quantise gives integers

  const Tensor& operator[](size_t i) const {
    ensure(i < inputs.size() && inputs[i] != nullptr, "a node's required inputs are there");
    return *inputs[i];
  }
  bool has(size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
  bool real() const { return is_real((*this)[0].type()); }
  std::string place() const { return "node '" + node.name + "' (" + std::string(name_of(node.op)) + ")"; }
};

/// Calls f with a double or an int64_t, as the first input is.
template <class F>
Tensors by_kind(const Call& call, F&& f) {
  if (call.real()) return {f(double{})};
  return {f(int64_t{})};
}

template <class T>
Tensor zeros(Shape shape) {
  return Tensor(element_type_of<T>::value, std::move(shape));
}

/// Arithmetic on integers that an Overflow ends where 64 bits do not hold the result.
struct Overflow : InternalError {
  using InternalError::InternalError;
};
[[noreturn]] inline void overflowed() {
  throw Overflow("an accumulator fits into 64 bits");
}
inline int64_t sum_of(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) overflowed();
  return result;
}
inline int64_t difference_of(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_sub_overflow(a, b, &result)) overflowed();
  return result;
}
inline int64_t product_of(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) overflowed();
  return result;
}
inline double sum_of(double a, double b) {
  return a + b;
}
inline double difference_of(double a, double b) {
  return a - b;
}
inline double product_of(double a, double b) {
  return a * b;
}

Tensors meaning(const Call& call, const Conv& op);
Tensors meaning(const Call& call, const Gemm& op);
Tensors meaning(const Call& call, const MatMul& op);
Tensors meaning(const Call& call, const BatchNormalization& op);
Tensors meaning(const Call& call, const LayerNormalization& op);
Tensors meaning(const Call& call, const Softmax& op);
Tensors meaning(const Call& call, const MaxPool& op);
Tensors meaning(const Call& call, const AveragePool& op);
Tensors meaning(const Call& call, const SumPool& op);
Tensors meaning(const Call& call, const GlobalAveragePool& op);
Tensors meaning(const Call& call, const ReduceMean& op);
Tensors meaning(const Call& call, const ReduceSum& op);
Tensors meaning(const Call& call, const Identity& op);
Tensors meaning(const Call& call, const Dropout& op);
Tensors meaning(const Call& call, const Relu& op);
Tensors meaning(const Call& call, const HardSwish& op);
Tensors meaning(const Call& call, const Sigmoid& op);
Tensors meaning(const Call& call, const Tanh& op);
Tensors meaning(const Call& call, const Erf& op);
Tensors meaning(const Call& call, const Exp& op);
Tensors meaning(const Call& call, const Log& op);
Tensors meaning(const Call& call, const Sqrt& op);
Tensors meaning(const Call& call, const Neg& op);
Tensors meaning(const Call& call, const Abs& op);
Tensors meaning(const Call& call, const Reciprocal& op);
Tensors meaning(const Call& call, const Softplus& op);
Tensors meaning(const Call& call, const LeakyRelu& op);
Tensors meaning(const Call& call, const HardSigmoid& op);
Tensors meaning(const Call& call, const Gelu& op);
Tensors meaning(const Call& call, const Clip& op);
Tensors meaning(const Call& call, const Add& op);
Tensors meaning(const Call& call, const Sub& op);
Tensors meaning(const Call& call, const Mul& op);
Tensors meaning(const Call& call, const Div& op);
Tensors meaning(const Call& call, const Pow& op);
Tensors meaning(const Call& call, const Concat& op);
Tensors meaning(const Call& call, const Split& op);
Tensors meaning(const Call& call, const Slice& op);
Tensors meaning(const Call& call, const Pad& op);
Tensors meaning(const Call& call, const Flatten& op);
Tensors meaning(const Call& call, const Reshape& op);
Tensors meaning(const Call& call, const Transpose& op);
Tensors meaning(const Call& call, const Squeeze& op);
Tensors meaning(const Call& call, const Unsqueeze& op);
Tensors meaning(const Call& call, const Gather& op);
Tensors meaning(const Call& call, const Resize& op);
Tensors meaning(const Call& call, const Quantise& op);
Tensors meaning(const Call& call, const Dequantise& op);
Tensors meaning(const Call& call, const Rescale& op);
Tensors meaning(const Call& call, const Requantise& op);
Tensors meaning(const Call& call, const FloorDivide& op);
Tensors meaning(const Call& call, const Threshold& op);
Tensors meaning(const Call& call, const Table& op);
Tensors meaning(const Call& call, const ConvTranspose& op);
Tensors meaning(const Call& call, const RmsNormalization& op);
Tensors meaning(const Call& call, const Mish& op);
Tensors meaning(const Call& call, const Min& op);
Tensors meaning(const Call& call, const Max& op);
Tensors meaning(const Call& call, const Where& op);
Tensors meaning(const Call& call, const Elu& op);
Tensors meaning(const Call& call, const Swish& op);
Tensors meaning(const Call& call, const LogSoftmax& op);
Tensors meaning(const Call& call, const ReduceMax& op);
Tensors meaning(const Call& call, const ArgMax& op);
Tensors meaning(const Call& call, const InterpolatedTable& op);
Tensors meaning(const Call& call, const TableSoftmax& op);
Tensors meaning(const Call& call, const IntegerNormalization& op);
Tensors meaning(const Call& call, const RoundedDivision& op);
Tensors meaning(const Call& call, const ISoftmax& op);
Tensors meaning(const Call& call, const ItaMax& op);
Tensors meaning(const Call& call, const ItaPartialMax& op);
Tensors meaning(const Call& call, const IGelu& op);
Tensors meaning(const Call& call, const ILayerNorm& op);
Tensors meaning(const Call& call, const IRmsNorm& op);
Tensors meaning(const Call& call, const IHardSwish& op);
Tensors meaning(const Call& call, const IntegerDiv& op);
Tensors meaning(const Call& call, const TrueIntegerDiv& op);
Tensors meaning(const Call& call, const INoNorm& op);

}  // namespace nibble::graph
