#pragma once
#include <filesystem>
#include <string>

#include "onnx/file/proto.hpp"

namespace nibble::onnx {

/// The `expected` bytes of a tensor that lie in a file beside the model. Throws UserError "onnx: <place>: ..." where
/// the path leaves `folder` (or that is empty), the file is missing, or offset and length do not lie in it.
std::string external_bytes(const pb::TensorProto& proto, size_t expected, const std::string& place,
                           const std::filesystem::path& folder);

}  // namespace nibble::onnx
