#pragma once
#include <string>
#include <string_view>

#include "onnx/file/proto.hpp"

namespace nibble::onnx {

/// The first opset that we read (of most ops the form of opset 6: the table says) and the last whose meaning we know.
inline constexpr int64_t oldest_opset = 1;
inline constexpr int64_t newest_opset = 25;
/// Version of our own domain.
inline constexpr int64_t nibble_version = 1;
inline constexpr std::string_view nibble_domain = "nibble";
/// Where ONNX Runtime keeps the integer ops that the standard lacks.
inline constexpr std::string_view qonnx_domain = "qonnx.custom_op.general";
inline constexpr std::string_view microsoft_domain = "com.microsoft";

/// A name of the file as messages show it: printable, at most 80 characters, in quotes.
std::string in_quotes(std::string_view name);

/// The message itself, nothing in it interpreted. Throws UserError "onnx: <place>: ..." where the bytes are not a
/// model: truncated, nested too deep, of more parts than its bytes can describe, without a graph.
pb::ModelProto parse_model(std::string_view bytes, const std::string& place);

/// Version of the standard opset that the model imports. Throws UserError on one that we do not read, on a domain that
/// is not ours, and on two versions of one domain.
int64_t standard_opset(const pb::ModelProto& model, const std::string& place);

}  // namespace nibble::onnx
