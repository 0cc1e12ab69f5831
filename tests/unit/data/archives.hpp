#pragma once
#include <zlib.h>

#include <optional>
#include <string>
#include <vector>

#include "data/formats/inflate.hpp"

/// Zip archives and PNG images written field by field, so that each field can be wrong.
namespace nibble::testing {

inline std::string little_endian(uint64_t value, size_t width) {
  std::string bytes;
  for (size_t i = 0; i < width; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

inline uint32_t crc_of(const std::string& bytes) {
  return static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

struct Entry {
  std::string name, bytes = {};
  bool deflated = false;
  bool descriptor = false;  ///< sizes and CRC stand behind the bytes; 0 in the local header
  bool zip64 = false;       ///< sizes and offset stand in the extra field of the directory
  uint16_t flags = 0;
  std::optional<uint16_t> method = {};
  std::optional<uint32_t> crc = {};
  std::optional<uint64_t> size = {};  ///< what the directory states
};

/// An archive of the entries; `zip64`: its count and offset stand in a zip64 end record.
inline std::string archive_of(const std::vector<Entry>& entries, bool zip64 = false, const std::string& comment = {}) {
  std::string out, directory;
  for (const Entry& e : entries) {
    const std::string packed = e.deflated ? data::deflate_bytes(e.bytes) : e.bytes;
    const uint64_t crc = e.crc.value_or(crc_of(e.bytes)), size = e.size.value_or(e.bytes.size()), offset = out.size();
    const std::string how = little_endian(45, 2) + little_endian(e.flags | (e.descriptor ? 8 : 0), 2) +
                            little_endian(e.method.value_or(e.deflated ? 8 : 0), 2) + little_endian(0x210000, 4);
    const std::string sizes = little_endian(packed.size(), 4) + little_endian(size, 4);
    const std::string here = e.descriptor ? std::string(12, '\0') : little_endian(crc, 4) + sizes;
    out += "PK\3\4" + how + here + little_endian(e.name.size(), 2) + little_endian(0, 2) + e.name + packed;
    if (e.descriptor) out += "PK\7\10" + little_endian(crc, 4) + sizes;
    // A field of another kind stands before zip64's.
    const std::string extra = e.zip64 ? little_endian(0x7855, 2) + little_endian(2, 2) + "??" + little_endian(1, 2) +
                                            little_endian(24, 2) + little_endian(size, 8) +
                                            little_endian(packed.size(), 8) + little_endian(offset, 8)
                                      : std::string();
    const std::string full(4, '\xff');
    directory += "PK\1\2" + little_endian(45, 2) + how + little_endian(crc, 4) + (e.zip64 ? full + full : sizes) +
                 little_endian(e.name.size(), 2) + little_endian(extra.size(), 2) + little_endian(3, 2) +
                 std::string(8, '\0') + (e.zip64 ? full : little_endian(offset, 4)) + e.name + extra + "###";
  }
  const uint64_t start = out.size(), count = entries.size();
  out += directory;
  if (zip64) {
    const uint64_t end = out.size();
    out += "PK\6\6" + little_endian(44, 8) + little_endian(45, 2) + little_endian(45, 2) + std::string(8, '\0') +
           little_endian(count, 8) + little_endian(count, 8) + little_endian(directory.size(), 8) +
           little_endian(start, 8);
    out += "PK\6\7" + std::string(4, '\0') + little_endian(end, 8) + little_endian(1, 4);
  }
  const std::string counted = zip64 ? std::string(4, '\xff') : little_endian(count, 2) + little_endian(count, 2);
  const std::string placed =
      zip64 ? std::string(8, '\xff') : little_endian(directory.size(), 4) + little_endian(start, 4);
  return out + "PK\5\6" + std::string(4, '\0') + counted + placed + little_endian(comment.size(), 2) + comment;
}

/// A PNG of 8 bits a channel; `kind` is PNG's colour type: 0 gray, 2 RGB, 4 gray and alpha, 6 RGB and alpha.
inline std::string png(uint32_t width, uint32_t height, int kind, const std::string& pixels) {
  const auto wide = [](uint32_t value) {
    const std::string bytes = little_endian(value, 4);
    return std::string(bytes.rbegin(), bytes.rend());
  };
  const auto part = [&](const std::string& name, const std::string& bytes) {
    return wide(static_cast<uint32_t>(bytes.size())) + name + bytes + wide(crc_of(name + bytes));
  };
  const size_t row = pixels.size() / height;
  std::string rows;
  for (uint32_t i = 0; i < height; ++i) rows += '\0' + pixels.substr(i * row, row);
  uLongf length = compressBound(static_cast<uLong>(rows.size()));
  std::string packed(length, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &length, reinterpret_cast<const Bytef*>(rows.data()),
           static_cast<uLong>(rows.size()));
  packed.resize(length);
  const std::string header = wide(width) + wide(height) + '\10' + static_cast<char>(kind) + std::string(3, '\0');
  return "\x89PNG\r\n\x1a\n" + part("IHDR", header) + part("IDAT", packed) + part("IEND", "");
}

}  // namespace nibble::testing
