#pragma once
#include <span>
#include <vector>

namespace nibble::stats {

/// Of at least one value; of at least two for variances (which divide by n - 1).
double mean(std::span<const double> values);
double variance(std::span<const double> values);
/// first - second, pair by pair.
std::vector<double> differences(std::span<const double> first, std::span<const double> second);
/// Whether the values, computed from numbers as large as `size`, are one value but for rounding: there is no variance
/// to test by.
bool constant(std::span<const double> values, double size);
/// The largest |value|.
double largest(std::span<const double> values);

}  // namespace nibble::stats
