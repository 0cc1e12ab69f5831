#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nibble::data {

struct ZipEntry {
  std::string name;
  bool deflated = false;
  uint32_t crc = 0;
  uint64_t packed = 0, size = 0, offset = 0;
};

/// The central directory of a zip archive (zip64 too), whose sizes do not depend on data descriptors. Throws UserError
/// "data: <place>: ...". Source: PKWARE APPNOTE 6.3.
std::vector<ZipEntry> zip_entries(std::string_view archive, std::string_view place);
/// The entry's bytes, size and CRC checked.
std::string zip_read(std::string_view archive, const ZipEntry& entry, std::string_view place);
/// An archive of deflated files, without zip64. Throws UserError where there are more than its 16 bits count, a name is
/// longer, or a file or all together reach `limit` bytes.
std::string zip_bytes(const std::vector<std::pair<std::string, std::string>>& files, std::string_view place,
                      uint64_t limit = 0xffffffff);

}  // namespace nibble::data
