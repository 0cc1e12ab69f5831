#pragma once
#include "base/grid.hpp"

namespace nibble::quant {

/// The signed bits that hold an interval.
int signed_bits(Interval interval);

}  // namespace nibble::quant
