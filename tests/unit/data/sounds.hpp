#pragma once
#include <string>

namespace nibble::testing {

inline std::string little_endian(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> 8 * i));
  return text;
}

/// A chunk and the byte that makes it even.
inline std::string chunk(const std::string& name, const std::string& bytes) {
  return name + little_endian(bytes.size(), 4) + bytes + std::string(bytes.size() % 2, '\0');
}

inline std::string riff(const std::string& chunks) {
  return "RIFF" + little_endian(4 + chunks.size(), 4) + "WAVE" + chunks;
}

/// 'fmt ' of a number (1 PCM, 3 float).
inline std::string wav_format(uint64_t number, uint64_t channels, uint64_t rate, uint64_t bits) {
  const uint64_t block = channels * bits / 8;
  return little_endian(number, 2) + little_endian(channels, 2) + little_endian(rate, 4) +
         little_endian(rate * block, 4) + little_endian(block, 2) + little_endian(bits, 2);
}

inline std::string wav(const std::string& format, const std::string& data) {
  return riff(chunk("fmt ", format) + chunk("data", data));
}

}  // namespace nibble::testing
