#pragma once
#include <cstdint>
#include <string>
#include <vector>

/// Columns of one number an example, in few bytes.
namespace nibble::lab {

/// Whole numbers that are not negative, each in `width` bytes, the lowest first; width is the least of 1, 2, 4 and 8 that
/// holds them all.
struct PackedClasses {
  int64_t width = 1;
  std::string bytes;
};
PackedClasses pack_classes(const std::vector<int64_t>& classes);
/// Throws InternalError where the bytes are no multiple of the width.
std::vector<int64_t> unpack_classes(const PackedClasses& packed);

std::string pack_reals(const std::vector<double>& reals);
std::vector<double> unpack_reals(const std::string& bytes);

}  // namespace nibble::lab
