#pragma once
#include <cstdint>
#include <span>

#include "base/grid.hpp"

namespace nibble {

/// round((kappa * a + lambda) / divisor), exactly on the rationals that the doubles are, clipped to [-2^62, 2^62].
/// kappa and lambda are finite, divisor > 0. A bound on the double's error decides whether the double's own rounding is
/// already exact; else big integers.
int64_t rescaled(double kappa, double lambda, int64_t a, Rounding rounding, int64_t divisor = 1);
/// round(sum of kappa[i] * a[i] + lambda), likewise.
int64_t rescaled(std::span<const double> kappa, double lambda, std::span<const int64_t> a, Rounding rounding,
                 int64_t divisor = 1);

}  // namespace nibble
