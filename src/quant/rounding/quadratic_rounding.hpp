#pragma once
#include <cstdint>
#include <vector>

#include "base/grid.hpp"

/// Weights to levels by what their errors do together, not by how far each is from its level.
namespace nibble::quant {

/// Whole numbers q for each row of weights that make the quadratic form e M e', e = q - weights, small.
///
/// `weights` are rows of `size` numbers in levels (weights by their scale, dimensionless); `moments` is M, size by size,
/// symmetric and positive semidefinite, in any unit: the second moments of what meets the weights, so that the form is
/// the mean square error of the sum of products. M is damped by `damping` of its mean diagonal, which also decides where
/// M says nothing (0 < damping). Each q is in [levels.low, levels.high]. No row's damped form is more than that of the
/// nearest levels. Deterministic; some 2 * rows * size^2 + size^3 / 3 products, 8 * rows * size + 3 * size^2 doubles.
///
/// Source: Babai 1986, nearest plane, the order by the largest diagonal (Frantar et al. 2022, OPTQ, which is the same
/// recursion); then coordinate descent on the form.
std::vector<double> round_by_moments(const std::vector<double>& moments, const std::vector<double>& weights,
                                     size_t size, Interval levels, double damping);

}  // namespace nibble::quant
