#include "base/integer_root.hpp"

namespace nibble {

uint64_t integer_root(uint64_t x) {
  uint64_t root = 0;
  for (uint64_t bit = uint64_t{1} << 31; bit != 0; bit >>= 1) {
    const uint64_t larger = root | bit;
    if (larger * larger <= x) root = larger;
  }
  return root;
}

}  // namespace nibble
