#include "lower/constants.hpp"

#include <cstring>

#include "base/hash.hpp"
#include "kernels/kernels.h"

namespace nibble::lower {

int64_t Constants::put(std::span<const std::byte> bytes, std::string_view type) {
  const uint64_t hash = fnv1a({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, fnv1a(type));
  const auto [first, last] = known_.equal_range(hash);
  for (auto it = first; it != last; ++it)
    if (it->second.second == bytes.size() &&
        (bytes.empty() || std::memcmp(bytes_.data() + it->second.first, bytes.data(), bytes.size()) == 0))
      return it->second.first;
  bytes_.resize((bytes_.size() + 63) / 64 * 64);
  const auto offset = static_cast<int64_t>(bytes_.size());
  const auto* from = reinterpret_cast<const uint8_t*>(bytes.data());
  bytes_.insert(bytes_.end(), from, from + bytes.size());
  known_.emplace(hash, std::pair{offset, bytes.size()});
  pieces_.push_back({offset, static_cast<int64_t>(bytes.size()), std::string(type)});
  return offset;
}

std::vector<uint8_t> Constants::take() {
  bytes_.resize(bytes_.size() + NIBBLE_SLACK);
  return std::move(bytes_);
}

}  // namespace nibble::lower
