#pragma once
#include <functional>
#include <span>
#include <vector>

#include "quant/range.hpp"

namespace nibble::quant {

/// The part of [low, high] (symmetric grids: of [-m, m]) whose grid has the least sum of squared errors. A coarse scan
/// of the clipping point, then a fine one around the best.
RealRange least_squares(std::span<const Weighted> values, RealRange whole, const GridSpec& spec);

/// The range within `whole` whose grid has the least sum of squared errors of f(value), f being what reads the values:
/// where f is flat a range may end. Both ends are searched, one after the other, on grids of both signs. `f` null: of
/// the values.
RealRange least_error(std::span<const Weighted> values, RealRange whole, const GridSpec& spec,
                      const std::function<double(double)>& f);

/// The clipping point whose quantised histogram has the least Kullback-Leibler divergence from the clipped one.
/// Source: Migacz, 8-bit inference with TensorRT, 2017; made for any number of levels.
RealRange least_divergence(std::span<const Weighted> bins, RealRange whole, const GridSpec& spec);

}  // namespace nibble::quant
