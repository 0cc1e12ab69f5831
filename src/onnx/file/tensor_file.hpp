#pragma once
#include <string>
#include <string_view>

#include "base/tensor.hpp"

namespace nibble::onnx {

/// A file that holds one serialised TensorProto, as ONNX's own tests do; doubles stay doubles. Throws UserError
/// "onnx: <place>: ...".
Tensor tensor_from_bytes(std::string_view bytes, const std::string& place);

}  // namespace nibble::onnx
