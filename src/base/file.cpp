#include "base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "base/error.hpp"

namespace nibble {
namespace {

std::string cause() {
  return std::strerror(errno);
}

[[noreturn]] void cannot_write(const std::filesystem::path& file, std::string_view room) {
  fail(room, file.string(), "cannot be written: " + cause());
}

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return ::fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS;
}

/// Writes, flushes and closes; errno says why not. Some file systems tell of a full disk only at the close.
bool write_and_close(int descriptor, std::string_view bytes) {
  if (write_all(descriptor, bytes)) return ::close(descriptor) == 0 || errno == EINTR;
  const int why = errno;
  ::close(descriptor);
  errno = why;
  return false;
}

/// A device or a pipe is written to: a rename would replace it.
void write_device(const std::filesystem::path& file, std::string_view bytes, std::string_view room) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0 || !write_and_close(descriptor, bytes)) cannot_write(file, room);
}

struct Descriptor {
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  int number;
};

/// What came through a pipe is there once: who reads the file again gets it from here.
std::string* kept_of_pipe(const std::filesystem::path& file) {
  static std::map<std::filesystem::path, std::string> kept;
  std::error_code unknown;
  return std::filesystem::is_fifo(file, unknown) ? &kept[file] : nullptr;
}

}  // namespace

std::string read_file(const std::filesystem::path& file, std::string_view room, size_t limit) {
  std::string* const kept = kept_of_pipe(file);
  if (kept != nullptr && !kept->empty()) return *kept;
  const Descriptor opened{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat state {};
  if (opened.number < 0 || ::fstat(opened.number, &state) != 0)
    fail(room, file.string(), "cannot be opened: " + cause());
  if (S_ISDIR(state.st_mode)) fail(room, file.string(), "a folder", "a file");
  // /dev/zero has no end.
  if (S_ISCHR(state.st_mode) || S_ISBLK(state.st_mode)) fail(room, file.string(), "a device", "a file or a pipe");
  const auto stated = static_cast<size_t>(std::max<off_t>(state.st_size, 0));
  const std::string most = "at most " + std::to_string(limit);
  if (stated > limit) fail(room, file.string(), std::to_string(stated) + " bytes", most);
  // One byte more than stated: a file's end is met without growing. A pipe states none.
  std::string bytes(stated + 1, '\0');
  size_t filled = 0;
  for (;;) {
    if (filled == bytes.size()) bytes.resize(std::max(2 * filled, size_t{1} << 16));
    const ssize_t count = ::read(opened.number, bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(room, file.string(), "cannot be read: " + cause());
    if (count == 0) break;
    filled += static_cast<size_t>(count);
    if (filled > limit) fail(room, file.string(), "more than " + std::to_string(limit) + " bytes", most);
  }
  bytes.resize(filled);
  if (kept != nullptr) *kept = bytes;
  return bytes;
}

void write_file(const std::filesystem::path& file, std::string_view bytes, std::string_view room) {
  std::error_code unknown;
  if (std::filesystem::is_other(file, unknown)) return write_device(file, bytes, room);
  const std::string beside = file.string() + ".partial." + std::to_string(::getpid());
  const int descriptor = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) cannot_write(file, room);
  if (write_and_close(descriptor, bytes) && ::rename(beside.c_str(), file.c_str()) == 0) return;
  const int why = errno;
  ::unlink(beside.c_str());
  errno = why;
  cannot_write(file, room);
}

}  // namespace nibble
