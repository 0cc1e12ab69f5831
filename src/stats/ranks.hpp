#pragma once
#include <span>
#include <vector>

namespace nibble::stats {

/// Ranks from 1, in the order of `values`; equal ones share the mean of theirs. Values no further apart than `tolerance`
/// are equal: 0.3 - 0.2 and 0.2 - 0.1 are one difference, whatever binary fractions make of them.
std::vector<double> midranks(std::span<const double> values, double tolerance = 0);

}  // namespace nibble::stats
