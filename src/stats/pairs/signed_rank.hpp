#pragma once
#include <span>

#include "stats/result.hpp"

namespace nibble::stats {

enum class Zeros {
  drop,  ///< pairs without a difference are left out (Wilcoxon 1945)
  pratt  ///< they are ranked, and then left out (Pratt 1959)
};
enum class RankDistribution {
  exact,  ///< all signs of the ranks as they are, ties too; up to 200 pairs
  normal  ///< its limit, with a correction of one half
};

struct SignedRankOptions {
  Alternative alternative = Alternative::two_sided;
  Zeros zeros = Zeros::drop;
  RankDistribution distribution = RankDistribution::exact;
};

struct SignedRank {
  double v = 0;     ///< sum of the ranks of positive differences
  size_t used = 0;  ///< pairs with a difference
  double p = 1;
};

/// Whether differences first - second lie symmetrically about 0 (Wilcoxon 1945). Pairs, at least one with a difference;
/// differences that are one but for rounding tie and share their mean rank.
SignedRank signed_rank(std::span<const double> first, std::span<const double> second,
                       const SignedRankOptions& options = {});

}  // namespace nibble::stats
