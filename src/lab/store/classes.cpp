#include "lab/store/classes.hpp"

#include <algorithm>
#include <bit>

#include "base/error.hpp"

namespace nibble::lab {
namespace {

void append(std::string& bytes, uint64_t number, int64_t width) {
  for (int64_t i = 0; i < width; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xff);
}

uint64_t number_at(const std::string& bytes, size_t at, int64_t width) {
  uint64_t number = 0;
  for (int64_t i = 0; i < width; ++i)
    number |= uint64_t{static_cast<uint8_t>(bytes[at + static_cast<size_t>(i)])} << (8 * i);
  return number;
}

}  // namespace

PackedClasses pack_classes(const std::vector<int64_t>& classes) {
  PackedClasses packed;
  const int64_t most = classes.empty() ? 0 : *std::max_element(classes.begin(), classes.end());
  while (packed.width < 8 && most >> (8 * packed.width) != 0) packed.width *= 2;
  for (int64_t one : classes) append(packed.bytes, static_cast<uint64_t>(one), packed.width);
  return packed;
}

std::vector<int64_t> unpack_classes(const PackedClasses& packed) {
  const auto width = static_cast<size_t>(packed.width);
  ensure(packed.width > 0 && packed.width <= 8 && packed.bytes.size() % width == 0, "classes have one width");
  std::vector<int64_t> classes;
  for (size_t at = 0; at < packed.bytes.size(); at += width)
    classes.push_back(static_cast<int64_t>(number_at(packed.bytes, at, packed.width)));
  return classes;
}

std::string pack_reals(const std::vector<double>& reals) {
  std::string bytes;
  for (double real : reals) append(bytes, std::bit_cast<uint64_t>(real), 8);
  return bytes;
}

std::vector<double> unpack_reals(const std::string& bytes) {
  ensure(bytes.size() % 8 == 0, "reals have 8 bytes");
  std::vector<double> reals;
  for (size_t at = 0; at < bytes.size(); at += 8) reals.push_back(std::bit_cast<double>(number_at(bytes, at, 8)));
  return reals;
}

}  // namespace nibble::lab
