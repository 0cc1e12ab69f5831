#include "train/loop/event_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"

namespace nibble::train {
namespace {

static_assert(std::endian::native == std::endian::little, "records are little-endian, as memory is");

constexpr std::string_view ours = ".nibble";
constexpr size_t bins = 64;
/// Before and behind a record's bytes: their length and its checksum; their own.
constexpr size_t head = 12, tail = 4;

/// Castagnoli's polynomial, reflected.
constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
    table[i] = crc;
  }
  return table;
}

/// CRC-32C, rotated and offset as TFRecord masks it.
uint32_t masked_crc(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> table = crc_table();
  uint32_t crc = 0xffffffffu;
  for (char byte : bytes) crc = table[(crc ^ static_cast<uint8_t>(byte)) & 0xff] ^ (crc >> 8);
  return std::rotr(~crc, 15) + 0xa282ead8u;
}

template <class T>
std::string raw(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

template <class T>
T read_raw(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

/// A protobuf field's tag: its number and how it is written.
enum Wire : uint8_t { Varint = 0, Fixed64 = 1, Delimited = 2, Fixed32 = 5 };
char tag_of(int number, Wire wire) {
  return static_cast<char>(number << 3 | wire);
}
std::string delimited(int number, std::string_view bytes) {
  return tag_of(number, Delimited) + varint(bytes.size()) + std::string(bytes);
}
std::string real(int number, double value) {
  return tag_of(number, Fixed64) + raw(value);
}
std::string reals(int number, const std::vector<double>& values) {
  return delimited(number, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)});
}

std::string record(std::string_view bytes) {
  const std::string length = raw(static_cast<uint64_t>(bytes.size()));
  return length + raw(masked_crc(length)) + std::string(bytes) + raw(masked_crc(bytes));
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// The record that starts at `at`; nothing where it is torn.
std::optional<std::string_view> record_at(std::string_view bytes, size_t at) {
  if (bytes.size() - at < head + tail) return std::nullopt;
  const auto size = read_raw<uint64_t>(bytes, at);
  if (size > bytes.size() - at - head - tail || masked_crc(bytes.substr(at, 8)) != read_raw<uint32_t>(bytes, at + 8))
    return std::nullopt;
  const std::string_view event = bytes.substr(at + head, size);
  if (masked_crc(event) != read_raw<uint32_t>(bytes, at + head + size)) return std::nullopt;
  return event;
}

/// The step of an event as append() writes it, behind its time; nothing for a version's.
std::optional<uint64_t> step_of(std::string_view event) {
  size_t at = 1 + sizeof(double);
  if (at >= event.size() || event[at] != tag_of(2, Varint)) return std::nullopt;
  uint64_t step = 0;
  for (int shift = 0; ++at < event.size() && shift < 64; shift += 7) {
    step |= static_cast<uint64_t>(event[at] & 0x7f) << shift;
    if ((event[at] & 0x80) == 0) return step;
  }
  return std::nullopt;
}

}  // namespace

void Summary::value(std::string_view tag, std::string_view field) {
  bytes_ += delimited(1, delimited(1, tag) + std::string(field));
}

void Summary::scalar(std::string_view tag, double number) {
  value(tag, tag_of(2, Fixed32) + raw(static_cast<float>(number)));
}

void Summary::histogram(std::string_view tag, std::span<const float> values) {
  double low = std::numeric_limits<double>::infinity(), high = -low, number = 0, sum = 0, squares = 0;
  for (float each : values) {
    if (!std::isfinite(each)) continue;
    const auto x = static_cast<double>(each);
    low = std::min(low, x), high = std::max(high, x);
    ++number, sum += x, squares += x * x;
  }
  if (number == 0) return;
  const double width = high > low ? (high - low) / bins : 1;
  std::vector<double> limits, counts(bins);
  for (size_t i = 1; i < bins; ++i) limits.push_back(low + width * static_cast<double>(i));
  limits.push_back(std::max(high, low + width * bins));
  for (float each : values)
    if (std::isfinite(each))
      ++counts[std::min(bins - 1, static_cast<size_t>((static_cast<double>(each) - low) / width))];
  value(tag, delimited(5, real(1, low) + real(2, high) + real(3, number) + real(4, sum) + real(5, squares) +
                              reals(6, limits) + reals(7, counts)));
}

void EventFile::append(int64_t step, const Summary& summary) {
  const double time = now();
  std::string bytes;
  if (file_.empty()) {
    std::error_code refused;
    std::filesystem::create_directories(folder_, refused);
    if (refused) fail("train", folder_.string(), "cannot be made: " + refused.message(), "a folder for events");
    for (int number = 0; file_.empty() || std::filesystem::exists(file_); ++number)
      file_ = folder_ / fmt::format("events.out.tfevents.{:010}.{:04}{}", static_cast<int64_t>(time), number, ours);
    bytes = record(real(1, time) + delimited(3, "brain.Event:2"));
  }
  bytes +=
      record(real(1, time) + tag_of(2, Varint) + varint(static_cast<uint64_t>(step)) + delimited(5, summary.bytes()));
  std::ofstream out(file_, std::ios::binary | std::ios::app);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush();
  if (!out) fail("train", file_.string(), "cannot be written", "a disk with room and the permission to write");
}

void forget_events_after(const std::filesystem::path& folder, int64_t step) {
  if (!std::filesystem::is_directory(folder)) return;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ours) files.push_back(entry.path());
  for (const std::filesystem::path& file : files) {
    const std::string bytes = read_file(file, "train");
    size_t end = 0;
    bool any = false;
    while (const std::optional<std::string_view> event = record_at(bytes, end)) {
      const std::optional<uint64_t> found = step_of(*event);
      if (found && *found > static_cast<uint64_t>(step)) break;
      any |= found.has_value();
      end += head + event->size() + tail;
    }
    if (!any)
      std::filesystem::remove(file);
    else if (end < bytes.size())
      std::filesystem::resize_file(file, end);
  }
}

}  // namespace nibble::train
