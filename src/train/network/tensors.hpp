#pragma once
#include <ATen/ATen.h>

#include "base/tensor.hpp"

/// Nibble's tensors as libtorch's and back.
namespace nibble::train {

at::ScalarType torch_type(ElementType type);
ElementType element_type(at::ScalarType type);

/// A copy, of the same element type (16-bit unsigned becomes Int32).
at::Tensor to_torch(const Tensor& tensor);

/// A copy as `type`; the values must fit (integers carried as reals are whole). Throws InternalError where libtorch has
/// no such type.
Tensor from_torch(const at::Tensor& tensor, ElementType type);

/// [C] along `axis` of a tensor of that rank.
at::Tensor along(const at::Tensor& channels, int64_t rank, int64_t axis);

/// The elements, without history.
std::vector<double> doubles(const at::Tensor& tensor);

}  // namespace nibble::train
