#pragma once
#include <span>
#include <vector>

namespace nibble::stats {

/// Adjusted p-values, in the order of `p`: a hypothesis is rejected at level alpha where its adjusted p is at most
/// alpha. Each p in [0, 1]; none at all gives none.

/// The chance of one false rejection is at most alpha, whatever the dependence. Source: Holm 1979.
std::vector<double> holm(std::span<const double> p);
/// The same, less cautious, where the tests are independent or positively dependent. Source: Hochberg 1988.
std::vector<double> hochberg(std::span<const double> p);
std::vector<double> bonferroni(std::span<const double> p);
/// The expected share of false ones among the rejected is at most alpha (independent or positively dependent tests).
/// Source: Benjamini and Hochberg 1995.
std::vector<double> benjamini_hochberg(std::span<const double> p);
/// The same whatever the dependence. Source: Benjamini and Yekutieli 2001.
std::vector<double> benjamini_yekutieli(std::span<const double> p);

}  // namespace nibble::stats
