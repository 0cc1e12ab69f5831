#include "data/formats/wav.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "base/error.hpp"
#include "base/file.hpp"

namespace nibble::data {
namespace {

/// The little-endian number of `count` bytes at a place inside the bytes.
uint64_t number_at(std::string_view bytes, size_t at, size_t count) {
  uint64_t number = 0;
  for (size_t i = count; i-- > 0;) number = number << 8 | static_cast<uint8_t>(bytes[at + i]);
  return number;
}

/// How samples are stored.
struct Format {
  bool reals = false;
  size_t channels = 0, bytes = 0;  ///< bytes of one channel's sample
  int64_t rate = 0;
};

constexpr uint64_t pcm = 1, ieee_float = 3, extensible = 0xfffe;
/// Behind the two bytes of a format's number, of a GUID that stands for one.
constexpr std::string_view guid_end("\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71", 14);

uint64_t format_number(std::string_view chunk, const std::string& place) {
  const uint64_t number = number_at(chunk, 0, 2);
  if (number != extensible) return number;
  if (chunk.size() < 40) fail("data", place, std::to_string(chunk.size()) + " bytes of an extensible format", "40");
  if (chunk.substr(26, 14) != guid_end) fail("data", place, "an extensible format of its own", "PCM or IEEE float");
  return number_at(chunk, 24, 2);
}

Format format_of(std::string_view chunk, const std::string& place) {
  if (chunk.size() < 16) fail("data", place, "'fmt ' of " + std::to_string(chunk.size()) + " bytes", "at least 16");
  const uint64_t number = format_number(chunk, place), bits = number_at(chunk, 14, 2);
  if (number != pcm && number != ieee_float)
    fail("data", place, "format " + std::to_string(number), "1 (PCM) or 3 (IEEE float)");
  const bool reals = number == ieee_float;
  if (reals ? bits != 32 && bits != 64 : bits != 8 && bits != 16 && bits != 24 && bits != 32)
    fail("data", place, std::to_string(bits) + " bits a sample", reals ? "32 or 64" : "8, 16, 24 or 32");
  const Format format{reals, number_at(chunk, 2, 2), bits / 8, static_cast<int64_t>(number_at(chunk, 4, 4))};
  if (format.channels < 1 || format.channels > 256)
    fail("data", place, std::to_string(format.channels) + " channels", "1 to 256");
  if (format.rate < 1 || format.rate > 1000000)
    fail("data", place, std::to_string(format.rate) + " samples a second", "1 to 1000000");
  if (const uint64_t block = number_at(chunk, 12, 2); block != format.channels * format.bytes)
    fail("data", place, "blocks of " + std::to_string(block) + " bytes",
         std::to_string(format.channels * format.bytes) + ", of all channels' samples");
  return format;
}

double sample_at(std::string_view data, size_t at, const Format& format) {
  const uint64_t stored = number_at(data, at, format.bytes);
  if (format.reals)
    return format.bytes == 8 ? std::bit_cast<double>(stored) : std::bit_cast<float>(static_cast<uint32_t>(stored));
  const double half = std::ldexp(1.0, static_cast<int>(8 * format.bytes) - 1);
  const auto value = static_cast<double>(stored);
  if (format.bytes == 1) return (value - half) / half;
  return (value < half ? value : value - 2 * half) / half;
}

std::vector<float> samples_of(std::string_view data, const Format& format, const std::string& place) {
  const size_t block = format.channels * format.bytes;
  if (data.empty()) fail("data", place, "no samples", "at least one");
  if (data.size() % block != 0)
    fail("data", place, "'data' of " + std::to_string(data.size()) + " bytes",
         "a multiple of " + std::to_string(block));
  std::vector<float> samples(data.size() / block);
  for (size_t i = 0; i < samples.size(); ++i) {
    double sum = 0;
    for (size_t c = 0; c < format.channels; ++c) sum += sample_at(data, i * block + c * format.bytes, format);
    samples[i] = static_cast<float>(sum / static_cast<double>(format.channels));
    if (!std::isfinite(samples[i]))
      fail("data", place, "sample " + std::to_string(i) + " is " + std::to_string(samples[i]), "a finite number");
  }
  return samples;
}

/// The two chunks that matter.
struct Chunks {
  std::optional<std::string_view> format, data;
};

Chunks chunks_of(std::string_view bytes, const std::string& place) {
  if (bytes.size() < 12 || bytes.substr(0, 4) != "RIFF" || bytes.substr(8, 4) != "WAVE")
    fail("data", place, "no 'RIFF' and 'WAVE' at its start", "a WAV file");
  Chunks chunks;
  for (size_t at = 12; at + 8 <= bytes.size();) {
    const std::string_view name = bytes.substr(at, 4);
    const uint64_t size = number_at(bytes, at + 4, 4), left = bytes.size() - at - 8;
    auto* const kept = name == "fmt " ? &chunks.format : name == "data" ? &chunks.data : nullptr;
    if (kept != nullptr && *kept) fail("data", place, "a second '" + std::string(name) + "'", "one");
    if (size > left && kept == nullptr) break;
    if (size > left)
      fail("data", place, "'" + std::string(name) + "' of " + std::to_string(size) + " bytes",
           std::to_string(left) + " at most, where the file ends");
    if (kept != nullptr) *kept = bytes.substr(at + 8, size);
    at += 8 + size + size % 2;
  }
  return chunks;
}

void append(std::string& bytes, uint64_t number, size_t count) {
  for (size_t i = 0; i < count; ++i) bytes.push_back(static_cast<char>(number >> 8 * i & 0xff));
}

}  // namespace

Sound parse_wav(std::string_view bytes, const std::string& place) {
  const Chunks chunks = chunks_of(bytes, place);
  if (!chunks.format) fail("data", place, "no 'fmt '", "it, before or behind 'data'");
  if (!chunks.data) fail("data", place, "no 'data'", "it, before or behind 'fmt '");
  const Format format = format_of(*chunks.format, place);
  return {samples_of(*chunks.data, format, place), format.rate};
}

Sound read_wav(const std::filesystem::path& file) {
  return parse_wav(read_file(file, "data", size_t{1} << 30), file.string());
}

std::string wav_bytes(const Sound& sound) {
  const auto rate = static_cast<uint64_t>(sound.rate);
  const size_t size = 2 * sound.samples.size();
  std::string bytes = "RIFF";
  append(bytes, 36 + size, 4);
  bytes += "WAVEfmt ";
  append(bytes, 16, 4);
  append(bytes, pcm, 2);
  append(bytes, 1, 2);
  append(bytes, rate, 4);
  append(bytes, 2 * rate, 4);
  append(bytes, 2, 2);
  append(bytes, 16, 2);
  bytes += "data";
  append(bytes, size, 4);
  for (float sample : sound.samples) {
    const double level = std::clamp(std::nearbyint(sample * 32768.0), -32768.0, 32767.0);
    append(bytes, static_cast<uint64_t>(static_cast<int64_t>(level)), 2);
  }
  return bytes;
}

}  // namespace nibble::data
