#include "base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>

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

/// A device or a pipe is written to: a rename would replace it. `descriptor`: of what is open, or that it could not be.
void write_open(int descriptor, const std::filesystem::path& file, std::string_view bytes, std::string_view room) {
  if (descriptor < 0 || !write_and_close(descriptor, bytes)) cannot_write(file, room);
}

/// As the system's own limit.
constexpr int most_links = 40;

/// Whether a path is another name of a descriptor of this process, as /proc/self/fd/1 is.
bool is_descriptor(const std::filesystem::path& file) {
  std::error_code unknown;
  const std::filesystem::path folder =
      std::filesystem::canonical(std::filesystem::absolute(file, unknown).parent_path(), unknown);
  return folder == "/proc/" + std::to_string(::getpid()) + "/fd";
}

/// What a link leads to, which need not be there, or the descriptor that it is another name of, as /dev/stdout is.
std::filesystem::path behind(std::filesystem::path file) {
  std::error_code unknown;
  for (int links = 0; links < most_links && std::filesystem::is_symlink(file, unknown) && !is_descriptor(file); ++links)
    file = file.parent_path() / std::filesystem::read_symlink(file, unknown);
  return file;
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

NewFile::NewFile(std::filesystem::path file, std::string_view bytes, std::string_view room)
    : file_(std::move(file)), target_(behind(file_)), room_(room) {
  std::error_code unknown;
  if (std::filesystem::is_directory(target_, unknown)) {
    errno = EISDIR;
    cannot_write(file_, room_);
  }
  beside_ = target_.string() + ".partial." + std::to_string(::getpid());
  const int descriptor = ::open(beside_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) cannot_write(file_, room_);
  struct stat there {};
  if (::stat(target_.c_str(), &there) == 0) static_cast<void>(::fchmod(descriptor, there.st_mode & 0777));
  if (!write_and_close(descriptor, bytes)) refuse();
}

NewFile::~NewFile() {
  if (!beside_.empty()) ::unlink(beside_.c_str());
}

void NewFile::put() {
  if (::rename(beside_.c_str(), target_.c_str()) != 0) refuse();
  beside_.clear();
}

void NewFile::refuse() {
  const int why = errno;
  ::unlink(beside_.c_str());
  errno = why;
  cannot_write(file_, room_);
}

void write_file(const std::filesystem::path& file, std::string_view bytes, std::string_view room) {
  std::error_code unknown;
  // What is written there goes where the process is in the file.
  if (const std::filesystem::path target = behind(file); is_descriptor(target))
    return write_open(::dup(std::atoi(target.filename().c_str())), file, bytes, room);
  if (std::filesystem::is_other(file, unknown))
    return write_open(::open(file.c_str(), O_WRONLY | O_CLOEXEC), file, bytes, room);
  NewFile(file, bytes, room).put();
}

}  // namespace nibble
