#include "stats/studentised_range.hpp"

#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "stats/check.hpp"
#include "stats/distributions.hpp"
#include "stats/result.hpp"

namespace nibble::stats {
namespace {

/// P(range of `groups` standard normals >= w), without subtracting from one:
///   groups * integral of density(z) * (cdf(z)^(groups-1) - (cdf(z) - cdf(z-w))^(groups-1)), z the largest.
double range_upper(double w, int groups) {
  const auto others = static_cast<double>(groups - 1);
  const auto f = [&](double z) {
    const double below = normal_cdf(z);
    if (below == 0) return 0.0;
    const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
    const double outside = std::min(1.0, normal_cdf(z - w) / below);
    const double any = outside == 1 ? 1 : -std::expm1(others * std::log1p(-outside));
    return density * std::pow(below, others) * any;
  };
  return groups * integrate(f, std::min(-9.0, w / 2 - 9), std::max(9.0, w / 2 + 9));
}

void check_range(int groups, double df) {
  check_within("studentised range", "the number of groups", groups, 2, 1e6);
  check_within("studentised range", "df", df, 1, infinity);
}

}  // namespace

double studentised_range_upper(double q, int groups, double df) {
  check_range(groups, df);
  check_within("studentised range", "q", q, 0, infinity);
  if (q == 0) return 1;
  if (std::isinf(q)) return 0;
  return std::min(1.0, mean_over_scale(df, [&](double s) { return range_upper(q * s, groups); }));
}

double studentised_range_quantile(double upper, int groups, double df) {
  check_range(groups, df);
  check_between("studentised range", "the probability", upper, 0, 1);
  double high = 4;
  while (studentised_range_upper(high, groups, df) > upper) high *= 2;
  return find_root([&](double q) { return studentised_range_upper(q, groups, df) - upper; }, 0, high);
}

}  // namespace nibble::stats
