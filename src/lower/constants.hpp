#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "program/parameters.hpp"
#include "program/program.hpp"

namespace nibble::lower {

/// A program's constants: each on a multiple of 64 bytes, the same bytes once.
class Constants {
 public:
  /// Offset of these bytes; `type`: C's name of what they are.
  int64_t put(std::span<const std::byte> bytes, std::string_view type);
  template <class T>
  int64_t put(const std::vector<T>& values) {
    return put(std::as_bytes(std::span(values)), type_name<T>());
  }
  /// As the field of a kernel's struct holds it (program::field_at).
  template <class T>
  const void* field(const std::vector<T>& values) {
    return program::field_at(put(values));
  }

  /// With what kernels may read beyond the end.
  std::vector<uint8_t> take();
  /// What was put, by offset.
  const std::vector<program::Piece>& pieces() const { return pieces_; }

 private:
  template <class T>
  static constexpr std::string_view type_name() {
    if constexpr (std::is_same_v<T, float>) return "float";
    if constexpr (std::is_same_v<T, double>) return "double";
    if constexpr (std::is_same_v<T, int8_t>) return "int8_t";
    if constexpr (std::is_same_v<T, uint8_t>) return "uint8_t";
    if constexpr (std::is_same_v<T, int16_t>) return "int16_t";
    if constexpr (std::is_same_v<T, uint16_t>) return "uint16_t";
    if constexpr (std::is_same_v<T, int32_t>) return "int32_t";
    if constexpr (std::is_same_v<T, int64_t>) return "int64_t";
  }

  std::vector<uint8_t> bytes_;
  std::vector<program::Piece> pieces_;
  std::multimap<uint64_t, std::pair<int64_t, size_t>> known_;  ///< by hash: offset, length
};

}  // namespace nibble::lower
