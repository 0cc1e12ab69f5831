#include "base/file.hpp"
#include "onnx/dialects.hpp"
#include "onnx/file/container.hpp"
#include "onnx/file/proto.hpp"

namespace nibble::onnx {
namespace {

const Dialect& dialect_of(const Source& source) {
  if (!source.options.dialect.empty()) return dialect_named(source.options.dialect, source.place);
  for (const Dialect& dialect : dialects())
    if (dialect.recognises(source)) return dialect;
  throw InternalError("the last dialect takes any file");
}

}  // namespace

graph::Graph read_bytes(std::string_view bytes, const std::string& place, const ReadOptions& options,
                        const std::filesystem::path& folder) {
  const pb::ModelProto model = parse_model(bytes, place);
  try {
    const Source source{model, place, folder, options};
    return dialect_of(source).read(source);
  } catch (const UserError& error) {
    // What the graph room finds in the whole graph names its node already.
    const std::string_view message = error.what();
    if (message.starts_with("onnx: ")) throw;
    const size_t room = message.find(": ");
    throw UserError("onnx: " + place + ": " + std::string(message.substr(room == message.npos ? 0 : room + 2)));
  }
}

graph::Graph read(const std::filesystem::path& file, const ReadOptions& options) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  constexpr size_t largest_message = (size_t{1} << 31) - 1;
  return read_bytes(read_file(file, "onnx", largest_message), file.string(), options, folder);
}

}  // namespace nibble::onnx
