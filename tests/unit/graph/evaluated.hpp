#pragma once
#include <utility>
#include <vector>

#include "graph/evaluate/evaluate.hpp"

/// One op on tensors written down in a test.
namespace nibble::graph {

inline Tensor reals(Shape shape, const std::vector<double>& values) {
  return Tensor(std::move(shape), values);
}

inline Tensor integers(Shape shape, const std::vector<int64_t>& values) {
  return Tensor(std::move(shape), values);
}

inline std::vector<Tensor> all_evaluated(Op op, const std::vector<Tensor>& inputs, bool integer_output = false) {
  const Node node{"n", std::move(op), {}, {}};
  std::vector<const Tensor*> pointers;
  for (const Tensor& input : inputs) pointers.push_back(&input);
  return evaluate(node, pointers, integer_output);
}

inline Tensor evaluated(Op op, const std::vector<Tensor>& inputs, bool integer_output = false) {
  return all_evaluated(std::move(op), inputs, integer_output).at(0);
}

/// Integers from -20 to 20, the same on every run.
inline Tensor some_integers(Shape shape, int64_t seed = 1) {
  Tensor tensor(ElementType::Int64, std::move(shape));
  int64_t state = seed;
  for (int64_t& value : tensor.as<int64_t>())
    value = (state = (state * 1103515245 + 12345) % 2147483648) / 65536 % 41 - 20;
  return tensor;
}

}  // namespace nibble::graph
