#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace nibble::stats {

/// Two deciders on the same examples: how many examples both got right, one of them, none.
struct PairedTable {
  int64_t both = 0;
  int64_t only_first = 0;
  int64_t only_second = 0;
  int64_t neither = 0;
  int64_t count() const { return both + only_first + only_second + neither; }
  /// Examples on which they differ.
  int64_t discordant() const { return only_first + only_second; }
  /// Share that the first got right less that of the second.
  double difference() const { return static_cast<double>(only_first - only_second) / static_cast<double>(count()); }
};

/// Of what was right (nonzero), an entry an example. Throws UserError where the lengths differ or there is none.
PairedTable paired_table(std::span<const uint8_t> first, std::span<const uint8_t> second);

/// Throws UserError where a count is negative or there is no example.
void check_table(std::string_view what, const PairedTable& table);

}  // namespace nibble::stats
