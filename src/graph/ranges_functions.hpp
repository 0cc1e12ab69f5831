#pragma once
#include <functional>

#include "base/grid.hpp"
#include "graph/ops.hpp"

namespace nibble::graph {

/// The range of an integer function's result, from those of its inputs (by slot): proven, not always the narrowest;
/// ends beyond 64 bits are theirs. A slot is asked for only where the op reads it.
#define NIBBLE_RANGE(NAME) Interval function_range(const NAME& op, const std::function<Interval(size_t)>& input);
NIBBLE_INTEGER_FUNCTIONS(NIBBLE_RANGE)
#undef NIBBLE_RANGE

}  // namespace nibble::graph
