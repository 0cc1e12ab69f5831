#include "onnx/file/container.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <limits>

#include "base/error.hpp"

namespace nibble::onnx {

std::string in_quotes(std::string_view name) {
  constexpr size_t longest = 80;
  std::string text = "'";
  for (char c : name.substr(0, longest)) text += static_cast<unsigned char>(c) < ' ' ? '?' : c;
  return text + (name.size() > longest ? "...'" : "'");
}

pb::ModelProto parse_model(std::string_view bytes, const std::string& place) {
  constexpr size_t most = std::numeric_limits<int>::max();
  if (bytes.size() > most)
    fail("onnx", place, std::to_string(bytes.size()) + " bytes", "at most 2^31 - 1, the format's limit");
  if (bytes.empty()) fail("onnx", place, "an empty file", "an ONNX model");
  google::protobuf::io::ArrayInputStream array(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedInputStream stream(&array);
  constexpr int deepest = 64;
  stream.SetRecursionLimit(deepest);
  pb::ModelProto model;
  if (!model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage())
    fail("onnx", place, "not an ONNX model, or a damaged or truncated one", "a serialised ModelProto");
  if (!model.has_graph()) fail("onnx", place, "a model without a graph", "an ONNX model");
  return model;
}

int64_t standard_opset(const pb::ModelProto& model, const std::string& place) {
  int64_t version = 0;
  bool seen_ours = false;
  for (const auto& import : model.opset_import()) {
    const std::string& domain = import.domain();
    if (domain.empty() || domain == "ai.onnx") {
      if (version != 0) fail("onnx", place, "two versions of the standard opset", "one");
      if (import.version() < oldest_opset || import.version() > newest_opset)
        fail("onnx", place, "opset " + std::to_string(import.version()),
             std::to_string(oldest_opset) + " to " + std::to_string(newest_opset));
      version = import.version();
    } else if (domain == nibble_domain) {
      if (seen_ours || import.version() != nibble_version)
        fail("onnx", place, "version " + std::to_string(import.version()) + " of domain 'nibble'",
             "version " + std::to_string(nibble_version) + ", once");
      seen_ours = true;
    }
  }
  if (version == 0) fail("onnx", place, "no version of the standard opset", "an opset_import");
  return version;
}

}  // namespace nibble::onnx
