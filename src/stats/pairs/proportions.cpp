#include "stats/pairs/proportions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "stats/check.hpp"
#include "stats/distributions.hpp"

namespace nibble::stats {
namespace {

double two_sided_z(std::string_view what, double level) {
  check_between(what, "the level", level, 0, 1);
  return normal_quantile((1 + level) / 2);
}

double square(double x) {
  return x * x;
}

}  // namespace

ConfidenceInterval wilson(int64_t successes, int64_t count, double level) {
  check_share("Wilson's interval", successes, count);
  const double z = two_sided_z("Wilson's interval", level);
  const auto n = static_cast<double>(count);
  const double p = static_cast<double>(successes) / n;
  const double centre = p + z * z / (2 * n);
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  const double scale = 1 + z * z / n;
  // The ends are exact where rounding would only come near them.
  return {successes == 0 ? 0 : (centre - half) / scale, successes == count ? 1 : (centre + half) / scale};
}

ConfidenceInterval clopper_pearson(int64_t successes, int64_t count, double level) {
  check_share("Clopper and Pearson's interval", successes, count);
  check_between("Clopper and Pearson's interval", "the level", level, 0, 1);
  const double tail = (1 - level) / 2;
  const auto k = static_cast<double>(successes);
  const auto rest = static_cast<double>(count - successes);
  return {successes == 0 ? 0 : beta_quantile(tail, k, rest + 1),
          successes == count ? 1 : beta_quantile(1 - tail, k + 1, rest)};
}

double binomial_test(int64_t successes, int64_t count, double p0) {
  check_share("binomial test", successes, count);
  check_within("binomial test", "the share to test", p0, 0, 1);
  if (p0 == 0 || p0 == 1) return successes == (p0 == 0 ? 0 : count) ? 1 : 0;
  // Likelihoods that are equal but for rounding count as equal.
  const double seen = binomial_mass(successes, count, p0) * (1 + 1e-7);
  double p = 0;
  for (int64_t k = 0; k <= count; ++k)
    if (const double mass = binomial_mass(k, count, p0); mass <= seen) p += mass;
  return std::min(1.0, p);
}

ChiSquaredTest equal_proportions(std::span<const int64_t> successes, std::span<const int64_t> counts) {
  constexpr std::string_view what = "equality of shares";
  if (successes.size() != counts.size() || counts.size() < 2)
    fail("stats", what, fmt::format("{} successes of {} groups", successes.size(), counts.size()),
         "one of each of at least two groups");
  double right = 0;
  double all = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    check_share(what, successes[i], counts[i]);
    right += static_cast<double>(successes[i]);
    all += static_cast<double>(counts[i]);
  }
  const double share = right / all;
  if (share == 0 || share == 1) fail("stats", what, fmt::format("all shares are {}", share), "a share between");
  double statistic = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    const auto n = static_cast<double>(counts[i]);
    statistic += square(static_cast<double>(successes[i]) - n * share) / (n * share * (1 - share));
  }
  const auto df = static_cast<double>(counts.size() - 1);
  return {statistic, df, chi_squared_upper(statistic, df)};
}

double wald_paired_standard_error(const PairedTable& table) {
  check_table("paired difference", table);
  const auto n = static_cast<double>(table.count());
  const auto difference = static_cast<double>(table.only_first - table.only_second);
  return std::sqrt(static_cast<double>(table.discordant()) - difference * difference / n) / n;
}

ConfidenceInterval wald_paired_difference(const PairedTable& table, double level) {
  const double half = two_sided_z("paired difference", level) * wald_paired_standard_error(table);
  return {table.difference() - half, table.difference() + half};
}

namespace {

/// Correlation of both outcomes, its numerator made smaller by n/2 where positive; 0 where a margin is empty.
double corrected_correlation(const PairedTable& table) {
  const auto e = static_cast<double>(table.both);
  const auto f = static_cast<double>(table.only_first);
  const auto g = static_cast<double>(table.only_second);
  const auto h = static_cast<double>(table.neither);
  const double margins = (e + f) * (g + h) * (e + g) * (f + h);
  if (margins == 0) return 0;
  double numerator = e * h - f * g;
  if (numerator > 0) numerator = std::max(0.0, numerator - static_cast<double>(table.count()) / 2);
  return numerator / std::sqrt(margins);
}

}  // namespace

ConfidenceInterval newcombe_paired_difference(const PairedTable& table, double level) {
  check_table("Newcombe's interval", table);
  const int64_t n = table.count();
  const int64_t right1 = table.both + table.only_first;
  const int64_t right2 = table.both + table.only_second;
  const ConfidenceInterval first = wilson(right1, n, level);
  const ConfidenceInterval second = wilson(right2, n, level);
  const double p1 = static_cast<double>(right1) / static_cast<double>(n);
  const double p2 = static_cast<double>(right2) / static_cast<double>(n);
  const double phi = corrected_correlation(table);
  const auto distance = [phi](double a, double b) { return std::sqrt(std::max(0.0, a * a - 2 * phi * a * b + b * b)); };
  const double d = p1 - p2;
  return {d - distance(p1 - first.low, second.high - p2), d + distance(first.high - p1, p2 - second.low)};
}

double tango_score(const PairedTable& table, double difference) {
  check_table("Tango's score", table);
  check_within("Tango's score", "the difference", difference, -1, 1);
  const auto n = static_cast<double>(table.count());
  const auto b = static_cast<double>(table.only_first);
  const auto c = static_cast<double>(table.only_second);
  const double d = difference;
  // q, the share of only_second that is likeliest under the difference, solves 2n q^2 + linear q + constant = 0.
  const double linear = (2 * n - b + c) * d - b - c;
  const double constant = -c * d * (1 - d);
  const double root = std::sqrt(std::max(0.0, linear * linear - 8 * n * constant));
  const double q = linear > 0 ? -2 * constant / (root + linear) : (root - linear) / (4 * n);
  const double above = b - c - n * d;
  const double variance = n * (2 * q + d * (1 - d));
  if (variance <= 0) return above == 0 ? 0 : std::copysign(infinity, above);
  return above / std::sqrt(variance);
}

ConfidenceInterval tango_paired_difference(const PairedTable& table, double level) {
  const double z = two_sided_z("Tango's interval", level);
  const double d = (check_table("Tango's interval", table), table.difference());
  // The score falls from the difference seen, where it is 0, to both sides.
  const auto end = [&](double target, double limit) {
    const auto f = [&](double x) { return std::clamp(tango_score(table, x), -1e9, 1e9) - target; };
    const double at_limit = f(limit);
    if (d == limit || (target > 0 ? at_limit <= 0 : at_limit >= 0)) return limit;
    return find_root(f, std::min(d, limit), std::max(d, limit));
  };
  return {end(z, -1), end(-z, 1)};
}

}  // namespace nibble::stats
