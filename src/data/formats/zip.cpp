#include "data/formats/zip.hpp"

#include <zlib.h>

#include <algorithm>

#include "base/error.hpp"
#include "data/formats/inflate.hpp"

namespace nibble::data {
namespace {

constexpr uint64_t whole16 = 0xffff, whole32 = 0xffffffff;

struct Reader {
  std::string_view bytes, place;

  uint64_t number(uint64_t at, size_t width) const {
    if (at > bytes.size() || width > bytes.size() - at)
      fail("data", place, "the zip archive ends early", "a whole archive");
    uint64_t value = 0;
    for (size_t i = width; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
    return value;
  }
  std::string_view text(uint64_t at, uint64_t length) const {
    if (at > bytes.size() || length > bytes.size() - at)
      fail("data", place, "the zip archive ends early", "a whole archive");
    return bytes.substr(at, length);
  }
};

struct Directory {
  uint64_t count, offset;
};

Directory find_directory(const Reader& reader) {
  const size_t size = reader.bytes.size();
  if (size < 22) fail("data", reader.place, "no zip archive", "an end record");
  // A comment of at most 65535 bytes may follow the end record.
  const size_t least = size - 22 > 65535 ? size - 22 - 65535 : 0;
  size_t at = size - 22;
  while (reader.number(at, 4) != 0x06054b50 || at + 22 + reader.number(at + 20, 2) != size) {
    if (at == least) fail("data", reader.place, "no zip archive", "an end record");
    --at;
  }
  Directory found{reader.number(at + 10, 2), reader.number(at + 16, 4)};
  if (found.count != whole16 && found.offset != whole32 && reader.number(at + 12, 4) != whole32) return found;
  if (at < 20 || reader.number(at - 20, 4) != 0x07064b50) return found;
  const uint64_t end64 = reader.number(at - 12, 8);
  if (reader.number(end64, 4) != 0x06064b50)
    fail("data", reader.place, "the zip64 end record is damaged", "a whole archive");
  return {reader.number(end64 + 32, 8), reader.number(end64 + 48, 8)};
}

/// Fields that hold 0xffffffff stand, in this order, in the zip64 extra field.
void read_zip64(const Reader& reader, uint64_t at, uint64_t length, ZipEntry& entry) {
  const uint64_t end = at + length;
  while (at + 4 <= end) {
    const uint64_t id = reader.number(at, 2), size = reader.number(at + 2, 2);
    uint64_t field = at + 4;
    at = field + size;
    if (id != 1 || at > end) continue;
    for (uint64_t* value : {&entry.size, &entry.packed, &entry.offset})
      if (*value == whole32 && field + 8 <= at) {
        *value = reader.number(field, 8);
        field += 8;
      }
  }
}

void put(std::string& out, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 255));
}

uint32_t crc_of(std::string_view bytes) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

/// What the local and the central header share: version to name length. 0x21 is 1 January 1980: no clock in a file.
void put_shared(std::string& out, const ZipEntry& entry) {
  // Without bit 11 readers take a name for the letters of code page 437, which share only ASCII with UTF-8.
  const bool ascii = std::all_of(entry.name.begin(), entry.name.end(), [](unsigned char c) { return c < 128; });
  put(out, 20, 2);
  put(out, ascii ? 0 : 1 << 11, 2);
  put(out, 8, 2);
  put(out, 0x210000, 4);
  put(out, entry.crc, 4);
  put(out, entry.packed, 4);
  put(out, entry.size, 4);
  put(out, entry.name.size(), 2);
  put(out, 0, 2);
}

}  // namespace

std::vector<ZipEntry> zip_entries(std::string_view archive, std::string_view place) {
  const Reader reader{archive, place};
  const Directory directory = find_directory(reader);
  std::vector<ZipEntry> entries;
  uint64_t at = directory.offset;
  for (uint64_t i = 0; i < directory.count; ++i) {
    if (reader.number(at, 4) != 0x02014b50) fail("data", place, "the zip directory is damaged", "a whole archive");
    const uint64_t flags = reader.number(at + 8, 2), method = reader.number(at + 10, 2);
    const uint64_t name = reader.number(at + 28, 2), extra = reader.number(at + 30, 2);
    ZipEntry entry{std::string(reader.text(at + 46, name)),
                   method == 8,
                   static_cast<uint32_t>(reader.number(at + 16, 4)),
                   reader.number(at + 20, 4),
                   reader.number(at + 24, 4),
                   reader.number(at + 42, 4)};
    const std::string where = std::string(place) + ": entry '" + entry.name + "'";
    if (flags & 1) fail("data", where, "encrypted", "an entry without a password");
    if (method != 0 && method != 8)
      fail("data", where, "compression method " + std::to_string(method), "stored or deflated");
    reader.text(at + 46 + name, extra);
    read_zip64(reader, at + 46 + name, extra, entry);
    at += 46 + name + extra + reader.number(at + 32, 2);
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string zip_read(std::string_view archive, const ZipEntry& entry, std::string_view place) {
  const std::string where = std::string(place) + ": entry '" + entry.name + "'";
  const Reader reader{archive, where};
  if (reader.number(entry.offset, 4) != 0x04034b50) fail("data", where, "no local header", "a whole archive");
  const uint64_t start = entry.offset + 30 + reader.number(entry.offset + 26, 2) + reader.number(entry.offset + 28, 2);
  const std::string_view packed = reader.text(start, entry.packed);
  const std::string bytes =
      entry.deflated ? inflate_bytes(packed, Wrapping::Raw, entry.size, where) : std::string(packed);
  if (bytes.size() != entry.size)
    fail("data", where, std::to_string(bytes.size()) + " bytes",
         std::to_string(entry.size) + " as the directory states");
  if (crc_of(bytes) != entry.crc) fail("data", where, "the checksum differs", "the CRC-32 that the directory states");
  return bytes;
}

std::string zip_bytes(const std::vector<std::pair<std::string, std::string>>& files, std::string_view place,
                      uint64_t limit) {
  std::string out, directory;
  if (files.size() >= whole16) fail("data", place, std::to_string(files.size()) + " arrays", "less than 65535");
  for (const auto& [name, bytes] : files) {
    if (name.size() > whole16)
      fail("data", place, "an array's name of " + std::to_string(name.size()) + " bytes", "at most 65535");
    const std::string packed = deflate_bytes(bytes);
    const ZipEntry entry{name, true, crc_of(bytes), packed.size(), bytes.size(), out.size()};
    if (std::max(bytes.size(), out.size() + packed.size()) >= limit)
      fail("data", place, "arrays of " + std::to_string(limit) + " bytes or more", "less in one npz file");
    put(out, 0x04034b50, 4);
    put_shared(out, entry);
    out.append(name).append(packed);
    put(directory, 0x02014b50, 4);
    put(directory, 20, 2);
    put_shared(directory, entry);
    directory.append(10, '\0');
    put(directory, entry.offset, 4);
    directory += name;
  }
  const size_t start = out.size();
  out += directory;
  put(out, 0x06054b50, 4);
  put(out, 0, 4);
  put(out, files.size(), 2);
  put(out, files.size(), 2);
  put(out, directory.size(), 4);
  put(out, start, 4);
  put(out, 0, 2);
  return out;
}

}  // namespace nibble::data
