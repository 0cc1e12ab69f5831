#include <set>

#include "base/file.hpp"
#include "onnx/dialects.hpp"
#include "onnx/file/container.hpp"
#include "onnx/file/proto.hpp"

namespace nibble::onnx {
namespace {

constexpr size_t largest_message = (size_t{1} << 31) - 1;

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
  return read_bytes(read_file(file, "onnx", largest_message), file.string(), options, folder);
}

Header read_header(const std::filesystem::path& file) {
  const pb::ModelProto model = parse_model(read_file(file, "onnx", largest_message), file.string());
  std::set<std::string_view> initialisers;
  for (const auto& tensor : model.graph().initializer()) initialisers.insert(tensor.name());
  Header header;
  for (const auto& input : model.graph().input()) {
    if (initialisers.contains(input.name())) continue;
    const auto& shape = input.type().tensor_type().shape();
    header.inputs.push_back(input.name());
    for (int axis = 1; axis < shape.dim_size(); ++axis)
      header.open = header.open || !shape.dim(axis).has_dim_value() || shape.dim(axis).dim_value() < 0;
  }
  if (dialect_of({model, file.string(), file.parent_path(), {}}).name == "qdq")
    for (const auto* values : {&model.graph().input(), &model.graph().output()})
      for (const auto& value : *values)
        if (value.type().tensor_type().elem_type() == pb::TensorProto::FLOAT) header.reals.insert(value.name());
  for (const auto& entry : model.metadata_props()) header.metadata.emplace(entry.key(), entry.value());
  return header;
}

}  // namespace nibble::onnx
