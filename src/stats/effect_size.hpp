#pragma once
#include <span>

namespace nibble::stats {

/// Differences in units of their spread, without unit. Small, medium, large by Cohen 1988: 0.2, 0.5, 0.8.

/// (mean(first) - mean(second)) / pooled standard deviation; at least two of each. Source: Cohen 1988.
double cohen_d(std::span<const double> first, std::span<const double> second);
/// cohen_d without the bias of few values: times gamma(m/2) / (sqrt(m/2) gamma((m-1)/2)), m = n1 + n2 - 2.
/// Source: Hedges 1981.
double hedges_g(std::span<const double> first, std::span<const double> second);
/// Mean of the differences over their standard deviation (d_z); pairs, at least two. Source: Cohen 1988.
double cohen_d_paired(std::span<const double> first, std::span<const double> second);
/// 2 asin(sqrt(p1)) - 2 asin(sqrt(p2)) of two shares in [0, 1]. Source: Cohen 1988.
double cohen_h(double p1, double p2);

}  // namespace nibble::stats
