#pragma once
#include <cstdint>
#include <span>

#include "stats/pairs/equivalence.hpp"
#include "stats/result.hpp"

namespace nibble::stats {

/// The mean of first - second over rows of which those of one group depend on each other (images of a person).
struct GroupedDifference {
  double estimate = 0;
  double standard_error = 0;    ///< by the bootstrap of groups
  ConfidenceInterval interval;  ///< BCa, of groups (stats/bootstrap.hpp)
  double p = 1;                 ///< signs of the groups' sums exchanged (paired_permutation)
};

/// groups[i] is row i's; empty: every row is a group of its own. At least two groups.
GroupedDifference grouped_difference(std::span<const double> first, std::span<const double> second,
                                     std::span<const int64_t> groups, double level = 0.95);

/// Two one-sided tests of the same mean (pairs/equivalence.hpp), by the bootstrap's standard error and Student's t with
/// groups - 1 degrees of freedom: exact for groups of one size and normal sums. Differences that are all 0 have no
/// deviation, and are equivalent within any margin around 0.
Equivalence tost_grouped(std::span<const double> first, std::span<const double> second, std::span<const int64_t> groups,
                         ConfidenceInterval margin, double alpha = 0.05);

}  // namespace nibble::stats
