#pragma once
#include "base/int128.hpp"

namespace nibble {

/// floor(a / b); b is not 0.
constexpr int128 floor_divide(int128 a, int128 b) {
  const int128 quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

/// ceil(a / b); b is not 0.
constexpr int128 ceil_divide(int128 a, int128 b) {
  return -floor_divide(-a, b);
}

}  // namespace nibble
