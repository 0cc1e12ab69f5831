#include "onnx/file/external.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>

#include "base/error.hpp"
#include "onnx/file/container.hpp"

namespace nibble::onnx {
namespace {

uint64_t number_in(const std::string& text, const std::string& key, const std::string& place) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    fail("onnx", place, "external data with " + key + " " + in_quotes(text), "a whole number");
  return number;
}

std::filesystem::path checked_path(const std::string& location, const std::string& place,
                                   const std::filesystem::path& folder) {
  const std::filesystem::path relative(location);
  const bool climbs = std::find(relative.begin(), relative.end(), "..") != relative.end();
  if (location.empty() || relative.is_absolute() || climbs || location.find('\0') != std::string::npos)
    fail("onnx", place, "external data at " + in_quotes(location), "a path inside the model's folder");
  // A link may point anywhere: what counts is where it leads.
  std::error_code error;
  const auto root = std::filesystem::canonical(folder.empty() ? "." : folder, error);
  const auto file = error ? relative : std::filesystem::canonical(root / relative, error);
  if (error)
    fail("onnx", place, "external data file " + in_quotes(location) + " is missing", "a file beside the model");
  if (std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first != root.end() ||
      !std::filesystem::is_regular_file(file))
    fail("onnx", place, "external data at " + in_quotes(location), "a file inside the model's folder");
  return file;
}

}  // namespace

std::string external_bytes(const pb::TensorProto& proto, size_t expected, const std::string& place,
                           const std::filesystem::path& folder) {
  if (folder.empty()) fail("onnx", place, "external data", "data in the model itself: it has no folder");
  std::string location;
  uint64_t offset = 0, length = expected;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = number_in(entry.value(), "offset", place);
    if (entry.key() == "length") length = number_in(entry.value(), "length", place);
  }
  const auto path = checked_path(location, place, folder);
  const uint64_t size = std::filesystem::file_size(path);
  if (length != expected || offset > size || length > size - offset)
    fail("onnx", place,
         "external data of " + std::to_string(length) + " bytes at " + std::to_string(offset) + " in " +
             in_quotes(location) + " of " + std::to_string(size) + " bytes",
         std::to_string(expected) + " bytes inside the file");
  std::ifstream stream(path, std::ios::binary);
  std::string bytes(expected, '\0');
  stream.seekg(static_cast<std::streamoff>(offset));
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(expected)))
    fail("onnx", place, "external data in " + in_quotes(location) + " cannot be read", "a readable file");
  return bytes;
}

}  // namespace nibble::onnx
