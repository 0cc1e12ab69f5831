#include "stats/pairs/permutation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"
#include "stats/check.hpp"
#include "stats/moments.hpp"

namespace nibble::stats {
namespace {

constexpr size_t most_exact = 36;

double sum_of(std::span<const double> values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum;
}

/// The sums of all signs of the values.
std::vector<double> signed_sums(std::span<const double> values) {
  std::vector<double> sums = {0};
  for (double value : values) {
    const size_t count = sums.size();
    for (size_t i = 0; i < count; ++i) {
      sums.push_back(sums[i] - value);
      sums[i] += value;
    }
  }
  return sums;
}

/// Share of all signs of d whose sum is at least `bound`: each sum of the first half beside the sorted ones of the rest.
double share_at_least(std::span<const double> d, double bound) {
  const std::vector<double> left = signed_sums(d.first(d.size() / 2));
  std::vector<double> right = signed_sums(d.subspan(d.size() / 2));
  std::sort(right.begin(), right.end());
  double count = 0;
  for (double sum : left)
    count += static_cast<double>(right.end() - std::lower_bound(right.begin(), right.end(), bound - sum));
  return count / (static_cast<double>(left.size()) * static_cast<double>(right.size()));
}

double random_share(std::span<const double> d, double bound, bool both_sides, const PermutationOptions& options) {
  Random random(options.seed);
  int64_t reached = 0;
  for (int64_t b = 0; b < options.resamples; ++b) {
    double sum = 0;
    uint64_t signs = 0;
    for (size_t i = 0; i < d.size(); ++i, signs >>= 1) {
      if (i % 64 == 0) signs = random.bits();
      sum += signs & 1 ? d[i] : -d[i];
    }
    reached += (both_sides ? std::abs(sum) : sum) >= bound;
  }
  return static_cast<double>(reached + 1) / static_cast<double>(options.resamples + 1);
}

}  // namespace

Permutation paired_permutation(std::span<const double> first, std::span<const double> second,
                               const PermutationOptions& options) {
  constexpr std::string_view what = "permutation test";
  check_pairs(what, first, second, 1);
  if (options.resamples < 99) fail("stats", what, fmt::format("{} resamples", options.resamples), "at least 99");
  std::vector<double> d = differences(first, second);
  Permutation result{mean(d), 1, d.size() <= most_exact};
  if (options.alternative == Alternative::less)
    for (double& value : d) value = -value;
  const bool both = options.alternative == Alternative::two_sided;
  const double seen = both ? std::abs(sum_of(d)) : sum_of(d);
  // Sums that are as large but for rounding are as large.
  const double size = std::max(largest(first), largest(second)) * static_cast<double>(d.size());
  const double bound = seen - 16 * std::numeric_limits<double>::epsilon() * size;
  if (both && bound <= 0) return result;
  if (!result.exact)
    result.p = random_share(d, bound, both, options);
  else
    result.p = (both ? 2 : 1) * share_at_least(d, bound);
  return result;
}

}  // namespace nibble::stats
