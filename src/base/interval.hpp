#pragma once
#include <span>

#include "base/grid.hpp"

namespace nibble {

/// The smallest range that holds both.
Interval hull(Interval a, Interval b);
/// The smallest that holds all of them. Throws InternalError where there are none.
Interval hull(std::span<const Interval> ranges);

/// The integers that an element type holds; a Bool's are 0 and 1. Throws InternalError for a type of reals.
Interval range_of(ElementType type);

}  // namespace nibble
