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

/// Writes beside the file, flushes to disk and renames: after a kill or a full disk the old file is whole or the new
/// one is. Throws UserError with the cause (no space, no permission, no such folder).
void write_file(const std::filesystem::path& file, std::string_view bytes, std::string_view room);

}  // namespace nibble
