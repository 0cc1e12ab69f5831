#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/tensor.hpp"

namespace nibble::onnx {

/// One element of a folded tensor: a number, or a multiple of the network's batch N, which is not known yet.
struct Element {
  int64_t integer = 0;
  double real = 0;
  bool batch = false;  ///< it is `integer` times N, whatever the type
};

/// A small tensor known while reading: what shape subgraphs compute. `real` is used where the type is real, else
/// `integer`.
struct Folded {
  ElementType type = ElementType::Int64;
  Shape shape;
  std::vector<Element> elements;

  bool has_batch() const;
};

/// The most elements that folding handles; a larger constant stays a constant.
inline constexpr int64_t largest_folded = 1 << 16;

Folded folded_of(const Tensor& tensor);
/// The tensor. It must hold no batch.
Tensor tensor_of(const Folded& folded);
/// The extents of a shape, the batch carried.
Folded folded_shape(const Shape& shape);

}  // namespace nibble::onnx
