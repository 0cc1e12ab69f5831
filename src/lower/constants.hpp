#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/tensor.hpp"

namespace nibble::lower {

/// A program's constants: each on a multiple of 64 bytes, the same bytes once.
class Constants {
 public:
  /// Offset of these bytes.
  int64_t put(std::span<const std::byte> bytes);
  template <class T>
  int64_t put(const std::vector<T>& values) {
    return put(std::as_bytes(std::span(values)));
  }
  /// As the field of a kernel's struct holds it while the program is made: a place, not an address. encode() reads it.
  template <class T>
  const void* field(const std::vector<T>& values) {
    return reinterpret_cast<const void*>(static_cast<uintptr_t>(put(values)) + 1);
  }
  static int64_t offset_of(const void* field) { return static_cast<int64_t>(reinterpret_cast<uintptr_t>(field)) - 1; }

  /// With what kernels may read beyond the end.
  std::vector<uint8_t> take();

 private:
  std::vector<uint8_t> bytes_;
  std::multimap<uint64_t, std::pair<int64_t, size_t>> known_;  ///< by hash: offset, length
};

}  // namespace nibble::lower
