#include "stats/power.hpp"

#include <fmt/format.h>

#include <cmath>
#include <functional>

#include "base/error.hpp"
#include "stats/check.hpp"
#include "stats/distributions.hpp"

namespace nibble::stats {
namespace {

constexpr std::string_view what = "power";
constexpr double most_examples = 1e12;

double quantile_above(double alpha) {
  return -normal_quantile(alpha);
}

void check_alpha(double alpha) {
  check_between(what, "alpha", alpha, 0, 0.5);
}

void check_power(double power, double alpha) {
  check_alpha(alpha);
  check_between(what, "the power", power, alpha, 1);
}

void check_size(double n) {
  check_within(what, "the size", n, 2, most_examples);
}

/// Where the power, which grows with n, reaches what is wanted; the least n where that has more.
double size_needed(double wanted, const std::function<double(double)>& power) {
  constexpr double least = 2;
  const auto missing = [&](double n) { return power(n) - wanted; };
  if (missing(least) >= 0) return least;
  double high = 4;
  while (missing(high) < 0) {
    high *= 2;
    if (high > most_examples) fail("stats", what, fmt::format("a power of {} at no size", wanted), "a larger effect");
  }
  return find_root(missing, high / 2, high);
}

}  // namespace

double t_power(double n, double effect, const PowerOptions& options) {
  check_alpha(options.alpha);
  check_size(n);
  check_within(what, "the effect", effect, -1e9, 1e9);
  const bool two_groups = options.samples == Samples::two;
  const double df = two_groups ? 2 * (n - 1) : n - 1;
  const double shift = effect * std::sqrt(two_groups ? n / 2 : n);
  if (options.sides == Sides::one) return student_upper(student_quantile(1 - options.alpha, df), df, shift);
  const double t = student_quantile(1 - options.alpha / 2, df);
  return student_upper(t, df, std::abs(shift)) + student_upper(t, df, -std::abs(shift));
}

double t_size_needed(double effect, double power, const PowerOptions& options) {
  check_power(power, options.alpha);
  if (effect == 0 || (options.sides == Sides::one && effect < 0))
    fail("stats", what, fmt::format("an effect of {}", effect), "one that the test looks for");
  return size_needed(power, [&](double n) { return t_power(n, effect, options); });
}

double detectable_effect(double n, double power, const PowerOptions& options) {
  check_power(power, options.alpha);
  check_size(n);
  const auto missing = [&](double effect) { return t_power(n, effect, options) - power; };
  double high = 1;
  while (missing(high) < 0) high *= 2;
  return find_root(missing, 0, high);
}

double tost_power(double n, double difference, ConfidenceInterval margin, double alpha) {
  check_alpha(alpha);
  check_size(n);
  if (!(margin.low < margin.high) || std::isnan(difference))
    fail("stats", what, fmt::format("a margin from {} to {}", margin.low, margin.high), "low < high");
  const double root = std::sqrt(n);
  const double t = student_quantile(1 - alpha, n - 1);
  // Given the estimated deviation s, the mean must lie t s / sqrt(n) inside both ends.
  const auto inside = [&](double s) {
    return normal_cdf((margin.high - difference) * root - t * s) - normal_cdf((margin.low - difference) * root + t * s);
  };
  return mean_over_scale(n - 1, inside, (margin.high - margin.low) * root / (2 * t));
}

double tost_size_needed(double difference, ConfidenceInterval margin, double power, double alpha) {
  check_power(power, alpha);
  if (!(margin.low < difference && difference < margin.high))
    fail("stats", what, fmt::format("a true difference of {}", difference), "one inside the margin");
  return size_needed(power, [&](double n) { return tost_power(n, difference, margin, alpha); });
}

double anova_power(int groups, double n, double between, double within, double alpha) {
  check_alpha(alpha);
  check_size(n);
  check_within(what, "the number of groups", groups, 2, 1e6);
  check_within(what, "the variance between groups", between, 0, 1e300);
  check_between(what, "the variance within groups", within, 0, infinity);
  const double df1 = groups - 1;
  const double df2 = groups * (n - 1);
  return f_upper(f_quantile(1 - alpha, df1, df2), df1, df2, df1 * n * between / within);
}

double anova_size_needed(int groups, double between, double within, double power, double alpha) {
  check_power(power, alpha);
  check_between(what, "the variance between groups", between, 0, infinity);
  return size_needed(power, [&](double n) { return anova_power(groups, n, between, within, alpha); });
}

double shares_power(double n, double p1, double p2, double alpha) {
  check_alpha(alpha);
  check_size(n);
  check_between(what, "a share", p1, 0, 1);
  check_between(what, "a share", p2, 0, 1);
  const double middle = (p1 + p2) / 2;
  const double distance = std::sqrt(n) * std::abs(p1 - p2);
  const double critical = quantile_above(alpha / 2) * std::sqrt(2 * middle * (1 - middle));
  const double spread = std::sqrt(p1 * (1 - p1) + p2 * (1 - p2));
  return normal_cdf((distance - critical) / spread) + normal_cdf((-distance - critical) / spread);
}

double shares_size_needed(double p1, double p2, double power, double alpha) {
  check_power(power, alpha);
  if (p1 == p2) fail("stats", what, fmt::format("two shares of {}", p1), "two that differ");
  return size_needed(power, [&](double n) { return shares_power(n, p1, p2, alpha); });
}

namespace {

void check_disagreement(double disagreement, double difference) {
  check_between(what, "the disagreement", disagreement, 0, std::nextafter(1.0, 2.0));
  if (!(difference != 0 && std::abs(difference) <= disagreement))
    fail("stats", what, fmt::format("a difference of {} at a disagreement of {}", difference, disagreement),
         "at most the disagreement, and not 0");
}

}  // namespace

double examples_needed(double disagreement, double difference, double power, double alpha) {
  check_power(power, alpha);
  check_disagreement(disagreement, difference);
  const double spread = std::sqrt(disagreement - difference * difference);
  const double root = quantile_above(alpha / 2) * std::sqrt(disagreement) + normal_quantile(power) * spread;
  return root * root / (difference * difference);
}

double mcnemar_power(double examples, double disagreement, double difference, double alpha) {
  check_alpha(alpha);
  check_size(examples);
  check_disagreement(disagreement, difference);
  const double distance = std::sqrt(examples) * std::abs(difference);
  const double beyond = distance - quantile_above(alpha / 2) * std::sqrt(disagreement);
  const double spread = std::sqrt(disagreement - difference * difference);
  if (spread == 0) return beyond > 0 ? 1 : 0;
  return normal_cdf(beyond / spread);
}

double detectable_share_difference(double examples, double disagreement, double power, double alpha) {
  check_power(power, alpha);
  check_size(examples);
  const auto missing = [&](double d) { return mcnemar_power(examples, disagreement, d, alpha) - power; };
  if (missing(disagreement) < 0)
    fail("stats", what, fmt::format("{} examples with a disagreement of {}", examples, disagreement),
         fmt::format("more, for a power of {}", power));
  return find_root(missing, disagreement * 1e-12, disagreement);
}

double equivalence_examples_needed(double disagreement, double margin, double power, double alpha) {
  check_power(power, alpha);
  check_between(what, "the margin", margin, 0, 1);
  check_between(what, "the disagreement", disagreement, 0, std::nextafter(1.0, 2.0));
  const double z = quantile_above(alpha) + quantile_above((1 - power) / 2);
  return z * z * disagreement / (margin * margin);
}

double equivalence_power(double examples, double disagreement, double margin, double alpha) {
  check_alpha(alpha);
  check_size(examples);
  check_between(what, "the margin", margin, 0, 1);
  check_between(what, "the disagreement", disagreement, 0, std::nextafter(1.0, 2.0));
  const double inside = margin * std::sqrt(examples / disagreement) - quantile_above(alpha);
  return inside <= 0 ? 0 : 1 - 2 * normal_upper(inside);
}

double provable_margin(double examples, double disagreement, double power, double alpha) {
  check_power(power, alpha);
  check_size(examples);
  check_between(what, "the disagreement", disagreement, 0, std::nextafter(1.0, 2.0));
  return (quantile_above(alpha) + quantile_above((1 - power) / 2)) * std::sqrt(disagreement / examples);
}

RejectedCounts share_tost_counts(int64_t n, ConfidenceInterval margin, double alpha) {
  check_alpha(alpha);
  check_share(what, 0, n);
  check_between(what, "the margin's low end", margin.low, 0, 1);
  check_between(what, "the margin's high end", margin.high, margin.low, 1);
  // P(X >= first | low) <= alpha and P(X <= last | high) <= alpha, each as far out as that.
  const int64_t first = binomial_quantile(1 - alpha, n, margin.low) + 1;
  int64_t last = binomial_quantile(alpha, n, margin.high);
  if (binomial_cdf(last, n, margin.high) > alpha) --last;
  return {first, last};
}

double share_tost_power(int64_t n, ConfidenceInterval margin, double p, double alpha) {
  const auto [first, last] = share_tost_counts(n, margin, alpha);
  check_between(what, "the share", p, 0, 1);
  return first > last ? 0 : binomial_cdf(last, n, p) - binomial_cdf(first - 1, n, p);
}

double uncertainty_reduction(double m1, double n1, double m2, double n2) {
  for (double n : {m1, n1, m2, n2}) check_within(what, "a number of values", n, 1, most_examples);
  return std::sqrt((1 / m1 + 1 / n1) / (1 / m2 + 1 / n2));
}

}  // namespace nibble::stats
