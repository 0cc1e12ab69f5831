#pragma once
#include <vector>

#include "base/grid.hpp"

/// Proven ranges of integer sums. Source: NUMERICS.md, section 4.
namespace nibble::quant {

/// Range of sum over k of w[k] * (x[k] - zero_point) for x[k] in `inputs` (stored integers, all k alike) for each
/// channel: weights [channels, k...] (axis 0). Padding adds 0, which is inside when x can equal zero_point and is added
/// otherwise. Throws InternalError beyond int64.
std::vector<Interval> linear_bounds(const Tensor& weights, Interval inputs, int64_t zero_point);

/// The same where inputs[c] bounds input channel c (axis 1 of the weights, group = 1) or each group's own channel.
std::vector<Interval> linear_bounds(const Tensor& weights, const std::vector<Interval>& inputs, int64_t zero_point,
                                    int64_t group);

/// The signed bits that hold an interval.
int signed_bits(Interval interval);

}  // namespace nibble::quant
