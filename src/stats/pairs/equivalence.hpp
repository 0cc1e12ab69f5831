#pragma once
#include <cstdint>
#include <span>

#include "stats/pairs/paired_table.hpp"
#include "stats/result.hpp"

namespace nibble::stats {

/// Two one-sided tests: "the difference lies inside the margin" is shown where both "it is no larger than the low end"
/// and "it is no smaller than the high end" are rejected at alpha. Source: Schuirmann 1987.
///
/// The margin (low < high, in the unit of the data) is stated before the data are seen. One end may be infinite: then
/// only the other is tested ("no worse than": noninferiority). alpha in (0, 0.5).
struct Equivalence {
  double estimate = 0;
  double standard_error = 0;    ///< at the estimate
  double df = 0;                ///< infinite: the normal distribution
  double lower = 0;             ///< statistic against the margin's low end, large where the difference lies above it
  double upper = 0;             ///< against the high end, small where it lies below
  double p = 1;                 ///< the larger of both p
  ConfidenceInterval interval;  ///< of level 1 - 2 alpha: inside the margin where equivalent
  ConfidenceInterval margin;
  bool equivalent = false;  ///< p <= alpha
};

/// Of the mean of first - second; the t-tests of pairs/means.hpp and their refusals.
Equivalence tost_paired(std::span<const double> first, std::span<const double> second, ConfidenceInterval margin,
                        double alpha = 0.05);
Equivalence tost_welch(std::span<const double> first, std::span<const double> second, ConfidenceInterval margin,
                       double alpha = 0.05);
Equivalence tost_pooled(std::span<const double> first, std::span<const double> second, ConfidenceInterval margin,
                        double alpha = 0.05);
/// Of the mean difference of repeated splits (corrected_resampled_t).
Equivalence tost_corrected_resampled(std::span<const double> differences, double train, double test,
                                     ConfidenceInterval margin, double alpha = 0.05);
/// Of the ratio of two means of positive pairs: the margin holds ratios (0 < low < 1 < high); estimate, interval and
/// margin are logarithms of ratios.
Equivalence tost_paired_ratio(std::span<const double> first, std::span<const double> second, ConfidenceInterval margin,
                              double alpha = 0.05);

/// Of the difference of two paired shares, ends of the margin in [-1, 1] or infinite, by Tango's score (standard errors
/// under each end of the margin) or, as a check, by Wald's (at the estimate; too bold where few examples differ).
Equivalence tost_paired_shares(const PairedTable& table, ConfidenceInterval margin, double alpha = 0.05);
Equivalence tost_paired_shares_wald(const PairedTable& table, ConfidenceInterval margin, double alpha = 0.05);
/// Of one share inside [low, high] of [0, 1], by the normal approximation at the estimate; 0 < successes < count.
Equivalence tost_share(int64_t successes, int64_t count, ConfidenceInterval margin, double alpha = 0.05);

}  // namespace nibble::stats
