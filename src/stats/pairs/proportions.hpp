#pragma once
#include <cstdint>
#include <span>

#include "stats/pairs/paired_table.hpp"
#include "stats/result.hpp"

namespace nibble::stats {

/// Intervals of one share successes / count (count >= 1), at level in (0, 1).

/// Solves |p - share| = z sqrt(p (1-p) / count). Source: Wilson 1927.
ConfidenceInterval wilson(int64_t successes, int64_t count, double level = 0.95);
/// Never covers less than the level. Source: Clopper and Pearson 1934.
ConfidenceInterval clopper_pearson(int64_t successes, int64_t count, double level = 0.95);

/// Two-sided exact p of share = p0 in [0, 1]: all outcomes that are no likelier than the one seen.
double binomial_test(int64_t successes, int64_t count, double p0);

/// Whether independent shares are one (at least two groups, neither all right nor all wrong together): Pearson's chi
/// squared, without correction, groups - 1 degrees of freedom.
ChiSquaredTest equal_proportions(std::span<const int64_t> successes, std::span<const int64_t> counts);

/// Intervals of the difference of two paired shares.

/// d -+ z sqrt((b+c) - (b-c)^2/n) / n. Only for large counts: too short near nought.
ConfidenceInterval wald_paired_difference(const PairedTable& table, double level = 0.95);
double wald_paired_standard_error(const PairedTable& table);
/// From Wilson's intervals of both shares and their correlation, continuity-corrected. Source: Newcombe 1998, method 10.
ConfidenceInterval newcombe_paired_difference(const PairedTable& table, double level = 0.95);
/// Score statistic of "the difference is `difference`", in [-1, 1]: standard normal where that is so.
/// Source: Tango 1998.
double tango_score(const PairedTable& table, double difference);
/// Where |tango_score| is at most z.
ConfidenceInterval tango_paired_difference(const PairedTable& table, double level = 0.95);

}  // namespace nibble::stats
