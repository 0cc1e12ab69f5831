#include "stats/pairs/mcnemar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.hpp"
#include "stats/distributions.hpp"

namespace nibble::stats {
namespace {

void check_counts(int64_t b, int64_t c) {
  if (b < 0 || c < 0) fail("stats", "McNemar's test", fmt::format("counts {} and {}", b, c), "counts of at least 0");
}

}  // namespace

double mcnemar_exact(int64_t only_first, int64_t only_second) {
  check_counts(only_first, only_second);
  const int64_t n = only_first + only_second;
  return n == 0 ? 1 : std::min(1.0, 2 * binomial_cdf(std::min(only_first, only_second), n, 0.5));
}

double mcnemar_mid_p(int64_t only_first, int64_t only_second) {
  check_counts(only_first, only_second);
  const int64_t n = only_first + only_second;
  if (n == 0) return 1;
  const int64_t fewer = std::min(only_first, only_second);
  const double mass = binomial_mass(fewer, n, 0.5);
  return only_first == only_second ? 1 - mass / 2 : 2 * binomial_cdf(fewer, n, 0.5) - mass;
}

ChiSquaredTest mcnemar_chi_squared(int64_t only_first, int64_t only_second, bool corrected) {
  check_counts(only_first, only_second);
  const auto n = static_cast<double>(only_first + only_second);
  if (n == 0) return {0, 1, 1};
  const auto apart = static_cast<double>(std::abs(only_first - only_second));
  const double distance = corrected ? std::max(0.0, apart - 1) : apart;
  const double statistic = distance * distance / n;
  return {statistic, 1, chi_squared_upper(statistic, 1)};
}

ChiSquaredTest cochran_q(std::span<const std::vector<uint8_t>> right) {
  constexpr std::string_view what = "Cochran's Q";
  if (right.size() < 2) fail("stats", what, fmt::format("{} deciders", right.size()), "at least two");
  const auto k = static_cast<double>(right.size());
  std::vector<double> rows(right[0].size());
  double total = 0;
  double squares = 0;
  for (const std::vector<uint8_t>& decider : right) {
    if (decider.size() != rows.size() || rows.empty())
      fail("stats", what, fmt::format("{} outcomes beside {}", decider.size(), rows.size()),
           "as many of each, at least one");
    double sum = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      const double one = decider[i] != 0;
      rows[i] += one;
      sum += one;
    }
    total += sum;
    squares += sum * sum;
  }
  double spread = k * total;
  for (double row : rows) spread -= row * row;
  if (spread == 0) return {0, k - 1, 1};
  const double statistic = (k - 1) * (k * squares - total * total) / spread;
  return {statistic, k - 1, chi_squared_upper(statistic, k - 1)};
}

}  // namespace nibble::stats
