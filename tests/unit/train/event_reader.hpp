#pragma once
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/file.hpp"

/// A reader of TensorBoard's event files, written from the formats' descriptions and sharing nothing with the writer.
namespace nibble::test {

/// Bit by bit, from the definition of CRC-32C.
inline uint32_t crc32c(const std::string& bytes) {
  uint32_t crc = ~0u;
  for (unsigned char byte : bytes)
    for (int bit = 0; bit < 8; ++bit) {
      const bool odd = ((crc ^ (byte >> bit)) & 1) != 0;
      crc >>= 1;
      if (odd) crc ^= 0x82f63b78u;
    }
  return ~crc;
}

inline uint64_t little(const std::string& bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i)
    value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes.at(at + i))) << 8 * i;
  return value;
}

inline double real_of(const std::string& bytes) {
  const uint64_t word = little(bytes, 0, bytes.size());
  if (bytes.size() == 4) {
    float value;
    const auto half = static_cast<uint32_t>(word);
    std::memcpy(&value, &half, 4);
    return static_cast<double>(value);
  }
  double value;
  std::memcpy(&value, &word, 8);
  return value;
}

/// The payloads of a file's records; fails the test where framing or a checksum is wrong.
inline std::vector<std::string> records(const std::filesystem::path& file) {
  const std::string bytes = read_file(file, "test");
  const auto masked = [](const std::string& part) {
    const uint32_t crc = crc32c(part);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  };
  std::vector<std::string> all;
  for (size_t at = 0; at < bytes.size();) {
    const uint64_t size = little(bytes, at, 8);
    EXPECT_EQ(little(bytes, at + 8, 4), masked(bytes.substr(at, 8))) << "of the length at " << at;
    all.push_back(bytes.substr(at + 12, size));
    EXPECT_EQ(little(bytes, at + 12 + size, 4), masked(all.back())) << "of the record at " << at;
    at += 16 + size;
  }
  return all;
}

/// The fields of a protobuf message: numbers with their bytes (of a varint, eight).
inline std::vector<std::pair<int, std::string>> fields(const std::string& bytes) {
  std::vector<std::pair<int, std::string>> all;
  size_t at = 0;
  const auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes.at(at++));
      value |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.size()) {
    const uint64_t tag = varint();
    const int wire = static_cast<int>(tag & 7);
    std::string value;
    if (wire == 0) {
      const uint64_t number = varint();
      for (int i = 0; i < 8; ++i) value += static_cast<char>(number >> 8 * i);
    } else {
      const size_t size = wire == 1 ? 8 : wire == 5 ? 4 : varint();
      EXPECT_TRUE(wire == 1 || wire == 2 || wire == 5) << "wire type " << wire;
      value = bytes.substr(at, size);
      EXPECT_EQ(value.size(), size);
      at += size;
    }
    all.push_back({static_cast<int>(tag >> 3), value});
  }
  return all;
}

inline std::string field(const std::string& bytes, int number) {
  for (const auto& [found, value] : fields(bytes))
    if (found == number) return value;
  return "";
}

/// By step and tag: the simple value, or the HistogramProto's bytes.
struct Events {
  std::vector<int64_t> steps;  ///< in the order of the records
  std::map<std::pair<int64_t, std::string>, double> scalars;
  std::map<std::pair<int64_t, std::string>, std::string> histograms;
};

inline Events events_of(const std::filesystem::path& file) {
  Events events;
  const std::vector<std::string> all = records(file);
  EXPECT_FALSE(all.empty());
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_GT(real_of(field(all[i], 1)), 1.7e9) << "a wall time";
    if (i == 0) {
      EXPECT_EQ(field(all[i], 3), "brain.Event:2");
      continue;
    }
    const auto step = static_cast<int64_t>(little(field(all[i], 2), 0, 8));
    events.steps.push_back(step);
    for (const auto& [number, value] : fields(field(all[i], 5))) {
      EXPECT_EQ(number, 1);
      const std::pair key{step, field(value, 1)};
      if (const std::string simple = field(value, 2); !simple.empty()) events.scalars[key] = real_of(simple);
      if (const std::string histogram = field(value, 5); !histogram.empty()) events.histograms[key] = histogram;
    }
  }
  return events;
}

inline std::vector<std::filesystem::path> event_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::exists(folder))
    for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace nibble::test
