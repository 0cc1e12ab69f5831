#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "stats/pairs/paired_table.hpp"
#include "stats/result.hpp"

namespace nibble::stats {

/// Two-sided p of "each decider is right as often", from the b and c examples that one alone got right (b, c >= 0).
/// Without any, every p is 1.

/// min(1, 2 P(X <= min(b, c))), X binomial(b + c, 1/2): never rejects too often.
double mcnemar_exact(int64_t only_first, int64_t only_second);
/// The exact p less P(X = min(b, c)), half of that where b = c: nearer to its level, rarely above it.
/// Source: Fagerland, Lydersen, Laake 2013.
double mcnemar_mid_p(int64_t only_first, int64_t only_second);
/// (b - c)^2 / (b + c), corrected (|b - c| - 1)^2 / (b + c), by chi squared of one degree of freedom; for b + c >= 25.
/// Source: McNemar 1947, Edwards 1948.
ChiSquaredTest mcnemar_chi_squared(int64_t only_first, int64_t only_second, bool corrected);

/// Whether deciders are right as often as each other: right[j][i] is nonzero where decider j got example i right. At
/// least two deciders of one length; where none differ on any example p is 1. Source: Cochran 1950.
ChiSquaredTest cochran_q(std::span<const std::vector<uint8_t>> right);

}  // namespace nibble::stats
