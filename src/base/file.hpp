#pragma once
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

namespace nibble {

/// The whole file, or all that a pipe gives. Throws UserError "<room>: <file>: ..." where it cannot be opened or read,
/// is a folder or a device, or holds more than `limit` bytes.
std::string read_file(const std::filesystem::path& file, std::string_view room, size_t limit = size_t{1} << 33);

/// A file's new content, on disk beside it: `put` in its place, or never there. A link stays one, and a file that is
/// replaced gives the new one its permissions. Both throw UserError with the cause (no space, no permission, no such
/// folder) and leave nothing beside the file.
class NewFile {
 public:
  NewFile(std::filesystem::path file, std::string_view bytes, std::string_view room);
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();
  void put();

 private:
  [[noreturn]] void refuse();

  std::filesystem::path file_, target_;
  std::string beside_, room_;
};

/// Puts a new file, or writes to a device or pipe: after a kill or a full disk the old file is whole or the new one is.
void write_file(const std::filesystem::path& file, std::string_view bytes, std::string_view room);

}  // namespace nibble
