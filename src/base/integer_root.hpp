#pragma once
#include <cstdint>

namespace nibble {

/// The integer square root: the largest r with r * r <= x, for every x.
uint64_t integer_root(uint64_t x);

}  // namespace nibble
