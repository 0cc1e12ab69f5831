#pragma once
#include <span>
#include <vector>

#include "stats/result.hpp"

namespace nibble::stats {

/// Methods compared by rank on many data sets: values[block][method], finite; each block is ranked by itself, rank 1
/// the smallest value. At least two blocks and two methods.
using Blocks = std::span<const std::vector<double>>;

struct Friedman {
  std::vector<double> mean_ranks;  ///< one a method
  ChiSquaredTest corrected;        ///< for ties. Source: Friedman 1937
  ChiSquaredTest uncorrected;      ///< as where there are no ties
  FTest iman_davenport;            ///< from the uncorrected one; less cautious. Source: Iman and Davenport 1980
};
/// Throws UserError where every block is one value throughout.
Friedman friedman(Blocks values);

struct RankDifference {
  size_t first = 0;  ///< methods
  size_t second = 0;
  double estimate = 0;  ///< mean rank of first - mean rank of second
  double p = 1;
};
/// All pairs of methods, p adjusted for all of them by the studentised range. Source: Nemenyi 1963; Demsar 2006.
std::vector<RankDifference> nemenyi(Blocks values);
/// All others against method `control`, p by the normal distribution and adjusted by Holm. Source: Demsar 2006.
std::vector<RankDifference> ranks_against_control(Blocks values, size_t control);

/// Mean ranks that far apart differ at alpha in (0, 1): all pairs, or all against one control (Bonferroni-Dunn).
double nemenyi_critical_difference(int methods, int blocks, double alpha = 0.05);
double dunn_critical_difference(int methods, int blocks, double alpha = 0.05);

/// As Friedman, blocks weighted by how much methods differ on them: for few blocks. Where all blocks agree wholly f is
/// infinite and p = methods!^(1 - blocks). Source: Quade 1979.
FTest quade(Blocks values);

}  // namespace nibble::stats
