#pragma once
#include "quant/learning/algorithm.hpp"

namespace nibble::quant {

/// LSQ: the scale is learned. Source: Esser et al. 2020.
struct Lsq : StraightThrough {
  static constexpr std::string_view name = "lsq", learns = "scale";

  ///     (least * below + inside + most * above) / sqrt(count * reach)
  double gradient(const GradientSums& sums, const Steps& steps, double count, std::span<double> /*state*/) const {
    return gradient_by_scale(sums, steps) / std::sqrt(count * steps.reach());
  }

  friend bool operator==(const Lsq&, const Lsq&) = default;
};

}  // namespace nibble::quant
