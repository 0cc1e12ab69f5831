#include "stats/pairs/grouped.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "base/error.hpp"
#include "stats/bootstrap.hpp"
#include "stats/check.hpp"
#include "stats/distributions.hpp"
#include "stats/moments.hpp"
#include "stats/pairs/permutation.hpp"

namespace nibble::stats {
namespace {

/// Differences row by row, and each row's group.
struct Rows {
  std::vector<double> differences;
  std::vector<int64_t> groups;

  std::map<int64_t, double> sums() const {
    std::map<int64_t, double> sums;
    for (size_t i = 0; i < groups.size(); ++i) sums[groups[i]] += differences[i];
    return sums;
  }
};

Rows rows_of(std::span<const double> first, std::span<const double> second, std::span<const int64_t> groups) {
  Rows rows{differences(first, second), {groups.begin(), groups.end()}};
  if (rows.groups.empty()) {
    rows.groups.resize(rows.differences.size());
    std::iota(rows.groups.begin(), rows.groups.end(), int64_t{0});
  }
  if (rows.groups.size() != rows.differences.size())
    fail("stats", "groups", fmt::format("{} beside {} rows", rows.groups.size(), rows.differences.size()), "one a row");
  if (rows.sums().size() < 2) fail("stats", "groups", "one group", "at least two");
  return rows;
}

Bootstrap bootstrap_of(const Rows& rows, double level) {
  return grouped_bootstrap(rows.groups, mean_of(rows.differences), {.level = level});
}

}  // namespace

GroupedDifference grouped_difference(std::span<const double> first, std::span<const double> second,
                                     std::span<const int64_t> groups, double level) {
  const Rows rows = rows_of(first, second, groups);
  const Bootstrap bootstrap = bootstrap_of(rows, level);
  std::vector<double> sums, zeros;
  for (const auto& [group, sum] : rows.sums()) sums.push_back(sum);
  zeros.resize(sums.size());
  return {bootstrap.estimate, bootstrap.standard_error, bootstrap.interval, paired_permutation(sums, zeros).p};
}

Equivalence tost_grouped(std::span<const double> first, std::span<const double> second, std::span<const int64_t> groups,
                         ConfidenceInterval margin, double alpha) {
  check_between("margin", "alpha", alpha, 0, 0.5);
  if (!(margin.low < margin.high))
    fail("stats", "margin", fmt::format("{} to {}", margin.low, margin.high), "a low end below the high one");
  const Rows rows = rows_of(first, second, groups);
  const Bootstrap bootstrap = bootstrap_of(rows, 1 - 2 * alpha);
  Equivalence result;
  result.estimate = bootstrap.estimate;
  result.standard_error = bootstrap.standard_error;
  result.df = static_cast<double>(rows.sums().size()) - 1;
  result.margin = margin;
  if (result.standard_error == 0) {
    result.interval = {result.estimate, result.estimate};
    result.equivalent = margin.low < result.estimate && result.estimate < margin.high;
    result.p = result.equivalent ? 0 : 1;
    return result;
  }
  result.lower = (result.estimate - margin.low) / result.standard_error;
  result.upper = (result.estimate - margin.high) / result.standard_error;
  result.p = std::max(student_upper(result.lower, result.df), student_cdf(result.upper, result.df));
  const double half = student_quantile(1 - alpha, result.df) * result.standard_error;
  result.interval = {result.estimate - half, result.estimate + half};
  result.equivalent = result.p <= alpha;
  return result;
}

}  // namespace nibble::stats
