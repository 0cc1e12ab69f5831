#include "train/network/tensors.hpp"

#include <cstring>

namespace nibble::train {

at::ScalarType torch_type(ElementType type) {
  switch (type) {
    case ElementType::Float32: return at::kFloat;
    case ElementType::Float64: return at::kDouble;
    case ElementType::Int8: return at::kChar;
    case ElementType::UInt8: return at::kByte;
    case ElementType::Int16: return at::kShort;
    case ElementType::UInt16: return at::kInt;
    case ElementType::Int32: return at::kInt;
    case ElementType::Int64: return at::kLong;
    case ElementType::Bool: return at::kBool;
  }
  throw InternalError("an element type is one of the enumeration");
}

ElementType element_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return ElementType::Float32;
    case at::kDouble: return ElementType::Float64;
    case at::kChar: return ElementType::Int8;
    case at::kByte: return ElementType::UInt8;
    case at::kShort: return ElementType::Int16;
    case at::kInt: return ElementType::Int32;
    case at::kLong: return ElementType::Int64;
    case at::kBool: return ElementType::Bool;
    default: throw InternalError("a libtorch tensor has an element type that Nibble knows");
  }
}

at::Tensor to_torch(const Tensor& tensor) {
  if (tensor.type() == ElementType::UInt16) return to_torch(tensor.cast(ElementType::Int32));
  at::Tensor result = at::empty(tensor.shape(), torch_type(tensor.type()));
  if (tensor.size() > 0) std::memcpy(result.data_ptr(), tensor.bytes().data(), tensor.bytes().size());
  return result;
}

Tensor from_torch(const at::Tensor& tensor, ElementType type) {
  const bool narrow = type == ElementType::UInt16;
  const at::Tensor dense = tensor.detach().to(torch_type(type)).contiguous();
  Tensor result(narrow ? ElementType::Int32 : type, dense.sizes().vec());
  if (result.size() > 0) std::memcpy(result.bytes().data(), dense.data_ptr(), result.bytes().size());
  return narrow ? result.cast(type) : result;
}

at::Tensor along(const at::Tensor& channels, int64_t rank, int64_t axis) {
  std::vector<int64_t> shape(static_cast<size_t>(rank), 1);
  shape[static_cast<size_t>(axis)] = -1;
  return channels.reshape(shape);
}

std::vector<double> doubles(const at::Tensor& tensor) {
  const at::Tensor held = tensor.detach().to(at::kDouble).contiguous();
  return {held.data_ptr<double>(), held.data_ptr<double>() + held.numel()};
}

}  // namespace nibble::train
