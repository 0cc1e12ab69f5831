#include "stats/designs/ranked_blocks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "stats/check.hpp"
#include "stats/distributions.hpp"
#include "stats/multiplicity.hpp"
#include "stats/ranks.hpp"
#include "stats/studentised_range.hpp"

namespace nibble::stats {
namespace {

void check_blocks(std::string_view what, Blocks values) {
  if (values.size() < 2 || values[0].size() < 2)
    fail("stats", what, fmt::format("{} blocks of {} methods", values.size(), values.empty() ? 0 : values[0].size()),
         "at least two of each");
  for (const std::vector<double>& block : values) {
    check_values(what, block, 2);
    if (block.size() != values[0].size())
      fail("stats", what, fmt::format("a block of {} values beside one of {}", block.size(), values[0].size()),
           "a value a method in each");
  }
}

std::vector<double> mean_ranks(Blocks values) {
  std::vector<double> sums(values[0].size());
  for (const std::vector<double>& block : values) {
    const std::vector<double> ranks = midranks(block);
    for (size_t j = 0; j < sums.size(); ++j) sums[j] += ranks[j];
  }
  for (double& sum : sums) sum /= static_cast<double>(values.size());
  return sums;
}

ChiSquaredTest chi_squared(double statistic, double df) {
  return {statistic, df, chi_squared_upper(statistic, df)};
}

void check_critical(int methods, int blocks, double alpha) {
  check_within("critical difference", "the number of methods", methods, 2, 1e6);
  check_within("critical difference", "the number of blocks", blocks, 2, 1e9);
  check_between("critical difference", "alpha", alpha, 0, 1);
}

/// Standard error of a difference of mean ranks.
double rank_error(double methods, double blocks) {
  return std::sqrt(methods * (methods + 1) / (6 * blocks));
}

}  // namespace

Friedman friedman(Blocks values) {
  check_blocks("Friedman's test", values);
  const auto n = static_cast<double>(values.size());
  const auto k = static_cast<double>(values[0].size());
  Friedman result{mean_ranks(values), {}, {}, {}};
  double squares = 0;
  for (double rank : result.mean_ranks) squares += (rank - (k + 1) / 2) * (rank - (k + 1) / 2);
  double within = 0;  // of all ranks about their mean
  for (const std::vector<double>& block : values)
    for (double rank : midranks(block)) within += (rank - (k + 1) / 2) * (rank - (k + 1) / 2);
  if (within == 0) fail("stats", "Friedman's test", "all methods equal in every block", "some that differ");
  result.uncorrected = chi_squared(12 * n * squares / (k * (k + 1)), k - 1);
  result.corrected = chi_squared(n * n * (k - 1) * squares / within, k - 1);
  const double x = result.uncorrected.statistic;
  const double rest = n * (k - 1) - x;
  const double f = rest <= 1e-12 * n * (k - 1) ? infinity : (n - 1) * x / rest;
  result.iman_davenport = {f, k - 1, (k - 1) * (n - 1), f_upper(f, k - 1, (k - 1) * (n - 1))};
  return result;
}

std::vector<RankDifference> nemenyi(Blocks values) {
  check_blocks("Nemenyi's test", values);
  const std::vector<double> ranks = mean_ranks(values);
  const double error = rank_error(static_cast<double>(ranks.size()), static_cast<double>(values.size()));
  std::vector<RankDifference> result;
  for (size_t a = 0; a < ranks.size(); ++a)
    for (size_t b = a + 1; b < ranks.size(); ++b) {
      const double d = ranks[a] - ranks[b];
      const double q = std::sqrt(2.0) * std::abs(d) / error;
      result.push_back({a, b, d, studentised_range_upper(q, static_cast<int>(ranks.size()), infinity)});
    }
  return result;
}

std::vector<RankDifference> ranks_against_control(Blocks values, size_t control) {
  check_blocks("ranks against a control", values);
  const std::vector<double> ranks = mean_ranks(values);
  if (control >= ranks.size())
    fail("stats", "ranks against a control", fmt::format("method {} of {}", control, ranks.size()), "one of them");
  const double error = rank_error(static_cast<double>(ranks.size()), static_cast<double>(values.size()));
  std::vector<RankDifference> result;
  std::vector<double> p;
  for (size_t a = 0; a < ranks.size(); ++a) {
    if (a == control) continue;
    result.push_back({a, control, ranks[a] - ranks[control], 1});
    p.push_back(std::min(1.0, 2 * normal_upper(std::abs(result.back().estimate) / error)));
  }
  const std::vector<double> adjusted = holm(p);
  for (size_t i = 0; i < result.size(); ++i) result[i].p = adjusted[i];
  return result;
}

double nemenyi_critical_difference(int methods, int blocks, double alpha) {
  check_critical(methods, blocks, alpha);
  return studentised_range_quantile(alpha, methods, infinity) / std::sqrt(2.0) * rank_error(methods, blocks);
}

double dunn_critical_difference(int methods, int blocks, double alpha) {
  check_critical(methods, blocks, alpha);
  return -normal_quantile(alpha / (2 * (methods - 1))) * rank_error(methods, blocks);
}

FTest quade(Blocks values) {
  check_blocks("Quade's test", values);
  const auto n = static_cast<double>(values.size());
  const auto k = static_cast<double>(values[0].size());
  std::vector<double> ranges;
  for (const std::vector<double>& block : values) {
    const auto [least, most] = std::minmax_element(block.begin(), block.end());
    ranges.push_back(*most - *least);
  }
  const std::vector<double> weights = midranks(ranges);
  std::vector<double> sums(values[0].size());
  double total = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const std::vector<double> ranks = midranks(values[i]);
    for (size_t j = 0; j < sums.size(); ++j) {
      const double score = weights[i] * (ranks[j] - (k + 1) / 2);
      sums[j] += score;
      total += score * score;
    }
  }
  if (total == 0) fail("stats", "Quade's test", "all methods equal in every block", "some that differ");
  double between = 0;
  for (double sum : sums) between += sum * sum / n;
  const double df1 = k - 1;
  const double df2 = (n - 1) * (k - 1);
  if (total - between <= 1e-12 * total) return {infinity, df1, df2, std::exp((1 - n) * std::lgamma(k + 1))};
  const double f = (n - 1) * between / (total - between);
  return {f, df1, df2, f_upper(f, df1, df2)};
}

}  // namespace nibble::stats
