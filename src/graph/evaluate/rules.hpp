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

#define NIBBLE_MEANING(NAME) Tensors meaning(const Call& call, const NAME& op);
NIBBLE_STRUCTURED_OPS(NIBBLE_MEANING)
NIBBLE_INTEGER_FUNCTIONS(NIBBLE_MEANING)
#undef NIBBLE_MEANING

Tensors meaning(const Call& call, const RealFunction auto& op) {
  Tensor y = call[0];
  for (double& value : y.as<double>()) value = op(value);
  return {y};
}

}  // namespace nibble::graph
