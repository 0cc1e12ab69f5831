#include "stats/pairs/equivalence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.hpp"
#include "stats/check.hpp"
#include "stats/distributions.hpp"
#include "stats/pairs/means.hpp"
#include "stats/pairs/proportions.hpp"

namespace nibble::stats {
namespace {

constexpr std::string_view what = "equivalence";

void check_margin(ConfidenceInterval margin, double alpha) {
  if (!(margin.low < margin.high) || (std::isinf(margin.low) && std::isinf(margin.high)))
    fail("stats", what, fmt::format("a margin from {} to {}", margin.low, margin.high),
         "low < high, one of them finite");
  check_between(what, "alpha", alpha, 0, 0.5);
}

Equivalence concluded(Equivalence result, double alpha) {
  result.p = std::max(student_upper(result.lower, result.df), student_cdf(result.upper, result.df));
  result.equivalent = result.p <= alpha;
  return result;
}

/// By the estimate's own standard error.
Equivalence by_standard_error(double estimate, double standard_error, double df, ConfidenceInterval margin,
                              double alpha) {
  Equivalence result;
  result.estimate = estimate;
  result.standard_error = standard_error;
  result.df = df;
  result.margin = margin;
  result.lower = (estimate - margin.low) / standard_error;
  result.upper = (estimate - margin.high) / standard_error;
  const double half = student_quantile(1 - alpha, df) * standard_error;
  result.interval = {estimate - half, estimate + half};
  return concluded(result, alpha);
}

Equivalence of_t(const TTest& test, ConfidenceInterval margin, double alpha) {
  return by_standard_error(test.estimate, test.standard_error, test.df, margin, alpha);
}

void check_share_margin(ConfidenceInterval margin, double least) {
  for (double end : {margin.low, margin.high})
    if (!std::isinf(end)) check_within(what, "an end of the margin", end, least, 1);
}

std::vector<double> logarithms(std::span<const double> values) {
  std::vector<double> result;
  for (double value : values) {
    if (!(value > 0)) fail("stats", what, fmt::format("a ratio of {}", value), "positive values");
    result.push_back(std::log(value));
  }
  return result;
}

}  // namespace

Equivalence tost_paired(std::span<const double> first, std::span<const double> second, ConfidenceInterval margin,
                        double alpha) {
  check_margin(margin, alpha);
  return of_t(paired_t(first, second), margin, alpha);
}

Equivalence tost_welch(std::span<const double> first, std::span<const double> second, ConfidenceInterval margin,
                       double alpha) {
  check_margin(margin, alpha);
  return of_t(welch_t(first, second), margin, alpha);
}

Equivalence tost_pooled(std::span<const double> first, std::span<const double> second, ConfidenceInterval margin,
                        double alpha) {
  check_margin(margin, alpha);
  return of_t(pooled_t(first, second), margin, alpha);
}

Equivalence tost_corrected_resampled(std::span<const double> differences, double train, double test,
                                     ConfidenceInterval margin, double alpha) {
  check_margin(margin, alpha);
  return of_t(corrected_resampled_t(differences, train, test), margin, alpha);
}

Equivalence tost_paired_ratio(std::span<const double> first, std::span<const double> second, ConfidenceInterval margin,
                              double alpha) {
  if (!(0 < margin.low && margin.low < 1 && 1 < margin.high))
    fail("stats", what, fmt::format("ratios from {} to {}", margin.low, margin.high), "0 < low < 1 < high");
  return tost_paired(logarithms(first), logarithms(second), {std::log(margin.low), std::log(margin.high)}, alpha);
}

Equivalence tost_paired_shares(const PairedTable& table, ConfidenceInterval margin, double alpha) {
  check_margin(margin, alpha);
  check_share_margin(margin, -1);
  Equivalence result;
  result.df = infinity;
  result.margin = margin;
  result.standard_error = wald_paired_standard_error(table);
  result.estimate = table.difference();
  result.lower = std::isinf(margin.low) ? infinity : tango_score(table, margin.low);
  result.upper = std::isinf(margin.high) ? -infinity : tango_score(table, margin.high);
  result.interval = tango_paired_difference(table, 1 - 2 * alpha);
  return concluded(result, alpha);
}

Equivalence tost_paired_shares_wald(const PairedTable& table, ConfidenceInterval margin, double alpha) {
  check_margin(margin, alpha);
  check_share_margin(margin, -1);
  const double error = wald_paired_standard_error(table);
  if (error == 0)
    fail("stats", "equivalence by Wald's standard error", "no example on which they differ", "at least one");
  return by_standard_error(table.difference(), error, infinity, margin, alpha);
}

Equivalence tost_share(int64_t successes, int64_t count, ConfidenceInterval margin, double alpha) {
  check_margin(margin, alpha);
  check_share_margin(margin, 0);
  check_share(what, successes, count);
  if (successes == 0 || successes == count)
    fail("stats", what, fmt::format("{} of {}", successes, count), "a share between 0 and 1");
  const auto n = static_cast<double>(count);
  const double share = static_cast<double>(successes) / n;
  return by_standard_error(share, std::sqrt(share * (1 - share) / n), infinity, margin, alpha);
}

}  // namespace nibble::stats
