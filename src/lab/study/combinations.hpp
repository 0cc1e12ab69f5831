#pragma once
#include "lab/study/design.hpp"

namespace nibble::lab {

/// Every combination, the last factor's level changing first.
std::vector<Cell> factorial(const std::vector<Factor>& factors);

/// The first level of every factor, and each other level of each factor by itself.
std::vector<Cell> one_at_a_time(const std::vector<Factor>& factors);

/// Rows, columns and treatments of n levels each: every pair of levels of two factors once, in a square drawn by `seed`
/// (a cyclic one, its rows, columns and letters permuted). Source: Fisher and Yates 1934.
std::vector<Cell> latin_square(const std::vector<Factor>& factors, uint64_t seed, const std::string& place);

/// A fraction of a factorial of two levels each. Each generator makes a factor the product of others, the first level
/// being -1: 2^(k - p) cells. `aliases` gets the effects of one and two factors that cannot be told apart, and the
/// design's resolution. Source: Box and Hunter 1961.
std::vector<Cell> fractional(const std::vector<Factor>& factors, const std::vector<std::string>& generators,
                             const std::string& place, std::vector<std::string>& aliases);

}  // namespace nibble::lab
