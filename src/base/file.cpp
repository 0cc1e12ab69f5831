#include "base/file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/error.hpp"
#include "base/json.hpp"

namespace nibble {
namespace {

std::string cause() {
  return std::strerror(errno);
}

void write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw std::runtime_error(cause());
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(descriptor) != 0 && errno != EINVAL && errno != EROFS) throw std::runtime_error(cause());
}

/// A device or a pipe is written to: a rename would replace it.
void write_device(const std::filesystem::path& file, std::string_view bytes, std::string_view room) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) fail(room, file.string(), "cannot be written: " + cause());
  try {
    write_all(descriptor, bytes);
  } catch (const std::runtime_error& error) {
    ::close(descriptor);
    fail(room, file.string(), std::string("cannot be written: ") + error.what());
  }
  ::close(descriptor);
}

}  // namespace

std::string read_file(const std::filesystem::path& file, std::string_view room, size_t limit) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) fail(room, file.string(), "a folder", "a file");
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream) fail(room, file.string(), "cannot be opened: " + cause());
  const auto size = static_cast<size_t>(stream.tellg());
  if (size > limit) fail(room, file.string(), std::to_string(size) + " bytes", "at most " + std::to_string(limit));
  std::string bytes(size, '\0');
  stream.seekg(0);
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(size)))
    fail(room, file.string(), "cannot be read: " + cause());
  return bytes;
}

void write_file(const std::filesystem::path& file, std::string_view bytes, std::string_view room) {
  std::error_code unknown;
  if (std::filesystem::is_other(file, unknown)) return write_device(file, bytes, room);
  const std::string beside = file.string() + ".partial." + std::to_string(::getpid());
  const int descriptor = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) fail(room, file.string(), "cannot be written: " + cause());
  try {
    write_all(descriptor, bytes);
  } catch (const std::runtime_error& error) {
    ::close(descriptor);
    ::unlink(beside.c_str());
    fail(room, file.string(), std::string("cannot be written: ") + error.what());
  }
  ::close(descriptor);
  if (::rename(beside.c_str(), file.c_str()) != 0) {
    const std::string why = cause();
    ::unlink(beside.c_str());
    fail(room, file.string(), "cannot be written: " + why);
  }
}

Json read_json(const std::filesystem::path& file, std::string_view room) {
  const std::string text = read_file(file, room, size_t{1} << 28);
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    const auto end = text.begin() + static_cast<ptrdiff_t>(std::min(error.byte, text.size()));
    const auto line = std::count(text.begin(), end, '\n') + 1;
    fail(room, file.string() + ":" + std::to_string(line), "not JSON: " + std::string(error.what()));
  }
}

void check_keys(const Json& object, std::initializer_list<std::string_view> known, std::string_view room,
                std::string_view place) {
  if (!object.is_object()) fail(room, place, std::string(object.type_name()), "a JSON object");
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string names;
    for (std::string_view name : known) names.append(names.empty() ? "" : ", ").append(name);
    fail(room, place, "no key '" + key + "'" + did_you_mean(key, known), names);
  }
}

}  // namespace nibble
