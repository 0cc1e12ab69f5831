#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "base/grid.hpp"
#include "onnx/file/proto.hpp"
#include "onnx/file/tensor_file.hpp"

namespace nibble::onnx {

/// A tensor of a file: float16, bfloat16 and (unless kept) double as Float32, INT4 and INT2 as Int8, UINT4 and UINT2 as
/// UInt8, UINT32 and UINT64 as Int64. `data_type` says what it was.
struct FileTensor {
  Tensor tensor;
  int data_type = 0;
};

/// Where external data may lie, and what to do with doubles.
struct TensorRules {
  std::filesystem::path folder;  ///< empty: external data is refused
  bool keep_doubles = false;
};

/// Reads a TensorProto. Every extent, count, offset and length is checked against the bytes that are there before
/// anything is allocated. Throws UserError "onnx: <place>: ...".
FileTensor read_tensor(const pb::TensorProto& proto, const std::string& place, const TensorRules& rules);

/// "FLOAT", "INT4", ... for messages; "type 77" where there is none.
std::string type_name(int data_type);

/// The element type that values of a file's type have here. Throws UserError "onnx: <place>: ..." on one that has none.
ElementType element_type_of_file(int data_type, const std::string& place, bool keep_doubles);

/// Levels of an integer type of the format; empty (low > high) for a type that is not a quantised container.
Interval range_of(int data_type);

/// Writes a tensor under its own type.
void write_tensor(const Tensor& tensor, const std::string& name, pb::TensorProto& proto);
/// Writes integers that fit in 4 or 2 bits as such (data_type one of LaterType), low bits first.
void write_packed(const Tensor& integers, const std::string& name, int data_type, pb::TensorProto& proto);
/// The format's type for an element type.
int file_type(ElementType type);

}  // namespace nibble::onnx
