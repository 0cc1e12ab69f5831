#include "stats/effect_size.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "stats/check.hpp"
#include "stats/moments.hpp"

namespace nibble::stats {

double cohen_d(std::span<const double> first, std::span<const double> second) {
  check_values("Cohen's d", first, 2);
  check_values("Cohen's d", second, 2);
  if (constant(first, largest(first)) && constant(second, largest(second)))
    fail("stats", "Cohen's d", "values without spread", "some that differ");
  const auto n1 = static_cast<double>(first.size() - 1);
  const auto n2 = static_cast<double>(second.size() - 1);
  const double pooled = (n1 * variance(first) + n2 * variance(second)) / (n1 + n2);
  return (mean(first) - mean(second)) / std::sqrt(pooled);
}

double hedges_g(std::span<const double> first, std::span<const double> second) {
  const double d = cohen_d(first, second);
  const auto m = static_cast<double>(first.size() + second.size() - 2);
  return d * std::exp(std::lgamma(m / 2) - std::lgamma((m - 1) / 2)) / std::sqrt(m / 2);
}

double cohen_d_paired(std::span<const double> first, std::span<const double> second) {
  check_pairs("Cohen's d of pairs", first, second, 2);
  const std::vector<double> d = differences(first, second);
  if (constant(d, std::max(largest(first), largest(second))))
    fail("stats", "Cohen's d of pairs", "differences without spread", "some that differ");
  return mean(d) / std::sqrt(variance(d));
}

double cohen_h(double p1, double p2) {
  check_within("Cohen's h", "a share", p1, 0, 1);
  check_within("Cohen's h", "a share", p2, 0, 1);
  return 2 * std::asin(std::sqrt(p1)) - 2 * std::asin(std::sqrt(p2));
}

}  // namespace nibble::stats
