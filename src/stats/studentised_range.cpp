#include "stats/studentised_range.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "stats/check.hpp"
#include "stats/distributions.hpp"
#include "stats/result.hpp"

namespace nibble::stats {
namespace {

/// Both integrals are sums of equidistant values: of a function that is analytic and falls off on both sides they err
/// by exp(-2 pi width / step), width that of the strip where it is analytic (Trefethen and Weideman 2014).

/// P(range of `groups` standard normals >= w), without subtracting from one:
///   groups * integral of density(z) * (cdf(z)^(groups-1) - (cdf(z) - cdf(z-w))^(groups-1)), z the largest.
double range_upper(double w, int groups) {
  const auto others = static_cast<double>(groups - 1);
  const double step = std::min(0.25, 0.8 / std::sqrt(static_cast<double>(groups)));
  double sum = 0;
  for (double z = -9; z < w / 2 + 9; z += step) {
    const double below = normal_cdf(z);
    const double outside = std::min(1.0, normal_cdf(z - w) / below);
    const double any = outside == 1 ? 1 : -std::expm1(others * std::log1p(-outside));
    sum += std::exp(-z * z / 2) * std::pow(below, others) * any;
  }
  return groups * step * sum / std::sqrt(2 * std::numbers::pi);
}

/// The mean of range_upper(q S) over log S, whose density falls by exp(-60) to both ends.
double mean_range_upper(double q, int groups, double df) {
  const double reach = std::sqrt(60 / df);
  const double low = df < 150 ? -60 / df - 0.5 : -2 * reach;
  const double step = std::min(0.12, 0.75 / std::sqrt(2 * df));
  const double constant = std::log(2.0) + df / 2 * std::log(df / 2) - std::lgamma(df / 2);
  double sum = 0;
  for (double x = low; x < reach; x += step) {
    const double density = std::exp(constant + df * x - df * std::exp(2 * x) / 2);
    const double w = q * std::exp(x);
    if (density > 0 && w < 80) sum += density * range_upper(w, groups);
  }
  return step * sum;
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
  return std::min(1.0, std::isinf(df) ? range_upper(std::min(q, 80.0), groups) : mean_range_upper(q, groups, df));
}

double studentised_range_quantile(double upper, int groups, double df) {
  check_range(groups, df);
  check_between("studentised range", "the probability", upper, 0, 1);
  double high = 4;
  while (studentised_range_upper(high, groups, df) > upper) high *= 2;
  return find_root([&](double q) { return studentised_range_upper(q, groups, df) - upper; }, 0, high);
}

}  // namespace nibble::stats
