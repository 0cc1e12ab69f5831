#pragma once
#include <cstdint>
#include <string_view>

namespace nibble {

/// FNV-1a of bytes, 64 bits; `hash` goes on from earlier ones. Tells changes and streams apart, nothing that an
/// adversary chose. Source: Fowler, Noll and Vo 1991.
constexpr uint64_t fnv1a(std::string_view bytes, uint64_t hash = 14695981039346656037u) {
  for (char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211u;
  return hash;
}

}  // namespace nibble
