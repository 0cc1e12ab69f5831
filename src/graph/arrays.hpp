#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/tensor.hpp"
#include "graph/graph.hpp"

/// What the evaluator's files share: values are Float64 or Int64, outputs are made here.
namespace nibble::graph {

/// A node with its inputs as the evaluator sees them.
struct Call {
  const Node& node;
  const std::vector<const Tensor*>& inputs;

  const Tensor& operator[](size_t i) const {
    ensure(i < inputs.size() && inputs[i] != nullptr, "a node's required inputs are there");
    return *inputs[i];
  }
  bool has(size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
  bool real() const { return is_real((*this)[0].type()); }
  std::string place() const { return "node '" + node.name + "' (" + std::string(name_of(node.op)) + ")"; }
};

using Tensors = std::vector<Tensor>;

/// Calls f<double>() or f<int64_t>() as the first input is.
template <class F>
Tensors by_kind(const Call& call, F&& f) {
  if (call.real()) return {f(double{})};
  return {f(int64_t{})};
}

template <class T>
Tensor zeros(Shape shape) {
  return Tensor(element_type_of<T>::value, std::move(shape));
}

/// acc + x * y, an InternalError where 64 bits do not hold it.
inline void multiply_add(double& acc, double x, double y) {
  acc += x * y;
}
inline void multiply_add(int64_t& acc, int64_t x, int64_t y) {
  int64_t product = 0;
  if (__builtin_mul_overflow(x, y, &product) || __builtin_add_overflow(acc, product, &acc))
    throw InternalError("an accumulator fits into 64 bits");
}

Tensors evaluate_linear(const Call& call, const Conv& op);
Tensors evaluate_linear(const Call& call, const Gemm& op);
Tensors evaluate_linear(const Call& call, const MatMul& op);
Tensors evaluate_normalisation(const Call& call, const BatchNormalization& op);
Tensors evaluate_normalisation(const Call& call, const LayerNormalization& op);
Tensors evaluate_normalisation(const Call& call, const Softmax& op);
Tensors evaluate_window(const Call& call, const MaxPool& op);
Tensors evaluate_window(const Call& call, const AveragePool& op);
Tensors evaluate_window(const Call& call, const SumPool& op);
Tensors evaluate_reduction(const Call& call, const Ints& axes, bool keep_dims, bool mean, int64_t zero_point);
Tensors evaluate_movement(const Call& call);
Tensors evaluate_quantisation(const Call& call, bool integer_output);
/// Functions of one or two operands.
Tensors evaluate_pointwise(const Call& call);

}  // namespace nibble::graph
