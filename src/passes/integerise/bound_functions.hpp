#pragma once
#include <functional>
#include <optional>

#include "base/grid.hpp"
#include "graph/graph.hpp"

namespace nibble::passes {

/// The range of an integer function's result, from those of its inputs (by slot): proven, not always the narrowest;
/// ends beyond 64 bits are theirs. Nothing for other ops.
std::optional<Interval> function_bounds(const graph::Node& node, const std::function<Interval(size_t)>& input);

}  // namespace nibble::passes
