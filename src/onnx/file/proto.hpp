#pragma once
#include <onnx/onnx_pb.h>

namespace nibble::onnx {
/// The format's own classes, as protobuf makes them. Only this room sees them.
namespace pb = ::onnx;

/// Element types that the format has gained since the header we build against (TensorProto.DataType).
enum LaterType : int {
  UINT4 = 21,
  INT4 = 22,
  UINT2 = 25,
  INT2 = 26,
};
}  // namespace nibble::onnx
