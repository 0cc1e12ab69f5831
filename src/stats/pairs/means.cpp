#include "stats/pairs/means.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "stats/check.hpp"
#include "stats/distributions.hpp"
#include "stats/moments.hpp"

namespace nibble::stats {
namespace {

TTest concluded(double estimate, double standard_error, double df, Alternative alternative, double level) {
  check_between("t-test", "the level", level, 0, 1);
  const double t = estimate / standard_error;
  double p = 0;
  switch (alternative) {
    case Alternative::two_sided: p = std::min(1.0, 2 * student_upper(std::abs(t), df)); break;
    case Alternative::less: p = student_cdf(t, df); break;
    case Alternative::greater: p = student_upper(t, df); break;
  }
  const double half = -student_quantile((1 - level) / 2, df) * standard_error;
  return {estimate, standard_error, t, df, p, {estimate - half, estimate + half}};
}

/// The mean of values computed from numbers as large as `size`, its variance times `share` of one value's.
TTest of_mean(std::string_view what, std::span<const double> values, double size, double share, Alternative alternative,
              double level) {
  if (constant(values, size))
    fail("stats", what, fmt::format("all {} differences are {}", values.size(), values[0]), "some that differ");
  return concluded(mean(values), std::sqrt(variance(values) * share), static_cast<double>(values.size() - 1),
                   alternative, level);
}

void check_groups(std::string_view what, std::span<const double> first, std::span<const double> second) {
  check_values(what, first, 2);
  check_values(what, second, 2);
  if (constant(first, largest(first)) && constant(second, largest(second)))
    fail("stats", what, "two groups without spread", "values that differ");
}

double sum_of_fold_variances(std::string_view what, std::span<const double> first, std::span<const double> second) {
  check_pairs(what, first, second, 5);
  if (first.size() != 5) fail("stats", what, fmt::format("{} repetitions", first.size()), "5");
  double sum = 0;
  for (size_t i = 0; i < 5; ++i) sum += (first[i] - second[i]) * (first[i] - second[i]) / 2;
  if (sum == 0) fail("stats", what, "both folds' differences are the same five times", "some that differ");
  return sum;
}

}  // namespace

TTest paired_t(std::span<const double> first, std::span<const double> second, Alternative alternative, double level) {
  check_pairs("paired t-test", first, second, 2);
  const auto n = static_cast<double>(first.size());
  return of_mean("paired t-test", differences(first, second), std::max(largest(first), largest(second)), 1 / n,
                 alternative, level);
}

TTest one_sample_t(std::span<const double> values, Alternative alternative, double level) {
  check_values("t-test", values, 2);
  return of_mean("t-test", values, largest(values), 1 / static_cast<double>(values.size()), alternative, level);
}

TTest welch_t(std::span<const double> first, std::span<const double> second, Alternative alternative, double level) {
  check_groups("Welch's t-test", first, second);
  const auto n1 = static_cast<double>(first.size());
  const auto n2 = static_cast<double>(second.size());
  const double v1 = variance(first) / n1;
  const double v2 = variance(second) / n2;
  const double df = (v1 + v2) * (v1 + v2) / (v1 * v1 / (n1 - 1) + v2 * v2 / (n2 - 1));
  return concluded(mean(first) - mean(second), std::sqrt(v1 + v2), df, alternative, level);
}

TTest pooled_t(std::span<const double> first, std::span<const double> second, Alternative alternative, double level) {
  check_groups("pooled t-test", first, second);
  const auto n1 = static_cast<double>(first.size());
  const auto n2 = static_cast<double>(second.size());
  const double pooled = ((n1 - 1) * variance(first) + (n2 - 1) * variance(second)) / (n1 + n2 - 2);
  return concluded(mean(first) - mean(second), std::sqrt(pooled * (1 / n1 + 1 / n2)), n1 + n2 - 2, alternative, level);
}

TTest corrected_resampled_t(std::span<const double> differences, double train, double test, Alternative alternative,
                            double level) {
  constexpr std::string_view what = "corrected resampled t-test";
  check_values(what, differences, 2);
  check_within(what, "the number of training examples", train, 1, std::numeric_limits<double>::max());
  check_within(what, "the number of test examples", test, 1, std::numeric_limits<double>::max());
  const double share = 1 / static_cast<double>(differences.size()) + test / train;
  return of_mean(what, differences, largest(differences), share, alternative, level);
}

TTest five_by_two_t(std::span<const double> first_folds, std::span<const double> second_folds) {
  const double sum = sum_of_fold_variances("5x2 cv t-test", first_folds, second_folds);
  return concluded(first_folds[0], std::sqrt(sum / 5), 5, Alternative::two_sided, 0.95);
}

FTest five_by_two_f(std::span<const double> first_folds, std::span<const double> second_folds) {
  const double sum = sum_of_fold_variances("5x2 cv F-test", first_folds, second_folds);
  double squares = 0;
  for (double p : first_folds) squares += p * p;
  for (double p : second_folds) squares += p * p;
  const double f = squares / (2 * sum);
  return {f, 10, 5, f_upper(f, 10, 5)};
}

}  // namespace nibble::stats
