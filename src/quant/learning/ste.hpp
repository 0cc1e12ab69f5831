#pragma once
#include "quant/learning/algorithm.hpp"

namespace nibble::quant {

/// STE: the scale is fixed; gradients go straight through, where it rounds down to the end of the highest cell.
struct Ste : StraightThrough {
  static constexpr std::string_view name = "ste";

  static double end(const Steps& steps) { return steps.rounding == Rounding::Floor ? steps.most() + 1 : steps.most(); }

  friend bool operator==(const Ste&, const Ste&) = default;
};

}  // namespace nibble::quant
