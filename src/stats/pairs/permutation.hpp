#pragma once
#include <cstdint>
#include <span>

#include "stats/result.hpp"

namespace nibble::stats {

struct PermutationOptions {
  Alternative alternative = Alternative::two_sided;
  int64_t resamples = 99999;  ///< random signs, where there are too many pairs for all of them; at least 99
  uint64_t seed = 0;          ///< the same seed gives the same p on every machine
};

struct Permutation {
  double estimate = 0;  ///< mean of first - second
  double p = 1;
  bool exact = false;  ///< all signs were counted
};

/// Whether the mean of first - second is 0, where each pair's two values are exchangeable: the share of all 2^n signs of
/// the differences with a mean as far off, equal ones (but for rounding) included. All signs up to 36 pairs; beyond,
/// (1 + as far off) / (1 + resamples) of random ones. Pairs, at least one. Source: Fisher 1935; Phipson and Smyth 2010.
Permutation paired_permutation(std::span<const double> first, std::span<const double> second,
                               const PermutationOptions& options = {});

}  // namespace nibble::stats
