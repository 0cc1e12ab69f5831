#include "stats/check.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"

namespace nibble::stats {

void check_values(std::string_view what, std::span<const double> values, size_t least) {
  if (values.size() < least)
    fail("stats", what, fmt::format("{} values", values.size()), fmt::format("at least {}", least));
  for (size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i])) fail("stats", what, fmt::format("value {} is {}", i, values[i]), "finite numbers");
}

void check_pairs(std::string_view what, std::span<const double> first, std::span<const double> second, size_t least) {
  if (first.size() != second.size())
    fail("stats", what, fmt::format("{} values beside {}", first.size(), second.size()), "as many of both");
  check_values(what, first, least);
  check_values(what, second, least);
}

void check_between(std::string_view what, std::string_view name, double value, double low, double high) {
  if (!(low < value && value < high))
    fail("stats", what, fmt::format("{} is {}", name, value), fmt::format("between {} and {}", low, high));
}

void check_within(std::string_view what, std::string_view name, double value, double low, double high) {
  if (!(low <= value && value <= high))
    fail("stats", what, fmt::format("{} is {}", name, value), fmt::format("from {} to {}", low, high));
}

void check_share(std::string_view what, int64_t successes, int64_t count) {
  if (count < 1 || successes < 0 || successes > count)
    fail("stats", what, fmt::format("{} of {}", successes, count), "a share of at least one");
}

}  // namespace nibble::stats
