#include "stats/bootstrap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.hpp"
#include "base/random.hpp"
#include "stats/check.hpp"
#include "stats/distributions.hpp"
#include "stats/moments.hpp"

namespace nibble::stats {
namespace {

constexpr int64_t least_resamples = 99;
using Groups = std::vector<std::vector<size_t>>;

/// The value below which a share of the sorted values lies.
double quantile_of(std::span<const double> sorted, double share) {
  const auto count = static_cast<double>(sorted.size());
  const double place = (count + 1) * share;
  const double k = std::floor(place);
  if (k < 1) return sorted.front();
  if (k >= count) return sorted.back();
  const double low = sorted[static_cast<size_t>(k) - 1];
  const double high = sorted[static_cast<size_t>(k)];
  const double z = normal_quantile(k / (count + 1));
  return low + (normal_quantile(share) - z) / (normal_quantile((k + 1) / (count + 1)) - z) * (high - low);
}

std::vector<double> sorted(std::span<const double> values) {
  std::vector<double> result(values.begin(), values.end());
  std::sort(result.begin(), result.end());
  return result;
}

void check_resamples(std::span<const double> resampled, double level) {
  check_between("bootstrap", "the level", level, 0, 1);
  check_values("bootstrap", resampled, least_resamples);
}

/// A third of the skewness of the statistic's influences; 0 where no row has any.
double acceleration(std::span<const double> jackknife) {
  const double centre = mean(jackknife);
  double squares = 0;
  double cubes = 0;
  for (double value : jackknife) {
    const double influence = centre - value;
    squares += influence * influence;
    cubes += influence * influence * influence;
  }
  return squares == 0 ? 0 : cubes / (6 * std::pow(squares, 1.5));
}

std::vector<double> resample(const Groups& groups, const Statistic& statistic, const BootstrapOptions& options) {
  const Random random(options.seed);
  std::vector<double> values(static_cast<size_t>(options.resamples));
  std::vector<size_t> rows;
  for (size_t b = 0; b < values.size(); ++b) {
    Random own = random.fork(b);
    rows.clear();
    for (size_t g = 0; g < groups.size(); ++g) {
      const std::vector<size_t>& drawn = groups[own.below(groups.size())];
      rows.insert(rows.end(), drawn.begin(), drawn.end());
    }
    values[b] = statistic(rows);
  }
  return values;
}

std::vector<double> jackknife(const Groups& groups, const Statistic& statistic) {
  std::vector<double> values;
  std::vector<size_t> rows;
  for (size_t left_out = 0; left_out < groups.size(); ++left_out) {
    rows.clear();
    for (size_t g = 0; g < groups.size(); ++g)
      if (g != left_out) rows.insert(rows.end(), groups[g].begin(), groups[g].end());
    values.push_back(statistic(rows));
  }
  check_values("bootstrap", values, 2);
  return values;
}

Bootstrap bootstrap_groups(const Groups& groups, const Statistic& statistic, const BootstrapOptions& options) {
  if (groups.size() < 2) fail("stats", "bootstrap", fmt::format("{} to draw from", groups.size()), "at least two");
  if (options.resamples < least_resamples)
    fail("stats", "bootstrap", fmt::format("{} resamples", options.resamples), "at least 99");
  std::vector<size_t> all;
  for (const std::vector<size_t>& group : groups) all.insert(all.end(), group.begin(), group.end());
  Bootstrap result;
  result.estimate = statistic(all);
  const std::vector<double> resampled = resample(groups, statistic, options);
  check_resamples(resampled, options.level);
  result.standard_error = std::sqrt(variance(resampled));
  result.interval = options.interval == BootstrapInterval::percentile
                        ? percentile_interval(resampled, options.level)
                        : bca_interval(result.estimate, resampled, jackknife(groups, statistic), options.level);
  return result;
}

}  // namespace

ConfidenceInterval percentile_interval(std::span<const double> resampled, double level) {
  check_resamples(resampled, level);
  const std::vector<double> values = sorted(resampled);
  return {quantile_of(values, (1 - level) / 2), quantile_of(values, (1 + level) / 2)};
}

ConfidenceInterval bca_interval(double estimate, std::span<const double> resampled, std::span<const double> jackknife,
                                double level) {
  check_resamples(resampled, level);
  check_values("bootstrap", std::span(&estimate, 1), 1);
  check_values("bootstrap", jackknife, 2);
  double below = 0;  // resamples equal to the estimate lie half below it
  for (double value : resampled) below += value < estimate ? 1 : value == estimate ? 0.5 : 0;
  const auto count = static_cast<double>(resampled.size());
  const double bias = normal_quantile(std::clamp(below, 0.5, count - 0.5) / count);
  const double a = acceleration(jackknife);
  const std::vector<double> values = sorted(resampled);
  const auto end = [&](double share) {
    const double moved = bias + normal_quantile(share);
    // Beyond that much acceleration the formula turns round: the end is the outermost.
    if (a * moved >= 1) return moved > 0 ? values.back() : values.front();
    return quantile_of(values, normal_cdf(bias + moved / (1 - a * moved)));
  };
  return {end((1 - level) / 2), end((1 + level) / 2)};
}

Bootstrap bootstrap(size_t rows, const Statistic& statistic, const BootstrapOptions& options) {
  Groups groups(rows);
  for (size_t i = 0; i < rows; ++i) groups[i] = {i};
  return bootstrap_groups(groups, statistic, options);
}

Bootstrap grouped_bootstrap(std::span<const int64_t> groups, const Statistic& statistic,
                            const BootstrapOptions& options) {
  std::map<int64_t, std::vector<size_t>> rows_of;
  for (size_t i = 0; i < groups.size(); ++i) rows_of[groups[i]].push_back(i);
  Groups rows;
  for (auto& [group, members] : rows_of) rows.push_back(std::move(members));
  return bootstrap_groups(rows, statistic, options);
}

Statistic mean_of(std::span<const double> values) {
  return [values](std::span<const size_t> rows) {
    double sum = 0;
    for (size_t row : rows) sum += values[row];
    return sum / static_cast<double>(rows.size());
  };
}

}  // namespace nibble::stats
