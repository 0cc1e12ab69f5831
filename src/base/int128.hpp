#pragma once

namespace nibble {

/// GCC's and Clang's 128-bit integers, for products of two 64-bit ones.
__extension__ using int128 = __int128;
__extension__ using uint128 = unsigned __int128;

}  // namespace nibble
