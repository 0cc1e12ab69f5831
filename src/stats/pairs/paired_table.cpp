#include "stats/pairs/paired_table.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace nibble::stats {

PairedTable paired_table(std::span<const uint8_t> first, std::span<const uint8_t> second) {
  if (first.size() != second.size() || first.empty())
    fail("stats", "paired outcomes", fmt::format("{} beside {}", first.size(), second.size()),
         "as many of both, at least one");
  PairedTable table;
  for (size_t i = 0; i < first.size(); ++i) {
    const bool a = first[i] != 0;
    const bool b = second[i] != 0;
    ++(a ? (b ? table.both : table.only_first) : (b ? table.only_second : table.neither));
  }
  return table;
}

void check_table(std::string_view what, const PairedTable& table) {
  for (int64_t count : {table.both, table.only_first, table.only_second, table.neither})
    if (count < 0) fail("stats", what, fmt::format("a count of {}", count), "counts of at least 0");
  if (table.count() == 0) fail("stats", what, "no examples", "at least one");
}

}  // namespace nibble::stats
