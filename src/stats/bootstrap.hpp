#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "stats/result.hpp"

namespace nibble::stats {

/// A statistic of a sample, given as the rows that are in it (indices, some more than once); finite.
using Statistic = std::function<double(std::span<const size_t>)>;

enum class BootstrapInterval {
  bca,        ///< corrected for bias and acceleration: second-order correct. Source: Efron 1987
  percentile  ///< quantiles of the resampled statistic
};

struct BootstrapOptions {
  double level = 0.95;       ///< in (0, 1)
  int64_t resamples = 9999;  ///< at least 99
  uint64_t seed = 0;         ///< the same seed gives the same interval on every machine
  BootstrapInterval interval = BootstrapInterval::bca;
};

struct Bootstrap {
  double estimate = 0;        ///< the statistic of the sample itself
  double standard_error = 0;  ///< standard deviation over resamples
  ConfidenceInterval interval;
};

/// Resamples `rows` independent rows (at least two) with replacement.
Bootstrap bootstrap(size_t rows, const Statistic& statistic, const BootstrapOptions& options = {});

/// Resamples whole groups with all of their rows: for rows that depend on each other (frames of a recording, images of
/// a person, folds of a repetition). groups[i] is row i's; at least two groups. The jackknife leaves out groups too.
Bootstrap grouped_bootstrap(std::span<const int64_t> groups, const Statistic& statistic,
                            const BootstrapOptions& options = {});

/// The mean of values, as a statistic of their rows; `values` must outlive it.
Statistic mean_of(std::span<const double> values);

/// The interval from what it is made of: statistics of resamples (at least 99) and of the sample without each row.
/// Quantiles between two order statistics are interpolated on the normal scale (Davison and Hinkley 1997, eq. 5.8).
ConfidenceInterval bca_interval(double estimate, std::span<const double> resampled, std::span<const double> jackknife,
                                double level);
ConfidenceInterval percentile_interval(std::span<const double> resampled, double level);

}  // namespace nibble::stats
