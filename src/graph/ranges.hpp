#pragma once
#include <functional>
#include <vector>

#include "graph/graph.hpp"

/// Which integers an op can give: proven, not always the narrowest. Source: NUMERICS.md, section 4.
namespace nibble::graph {

/// One range, or one for each channel of axis 1.
using Ranges = std::vector<Interval>;

/// What is known of a value that is no constant; never empty.
using RangesOf = std::function<Ranges(ValueId)>;

/// From the smallest to the largest of a constant's integers; 0 to 0 where it has none.
Interval range_of_constant(const Tensor& constant);

/// Every 64-bit integer; ends beyond 64 bits are its ends.
Interval any_integer();

/// The range of the stored integers of each of the node's outputs, from those of its inputs. One rule an op, without a
/// default. Ops of reals alone, extents that are not known and unknown parameters give any_integer().
Ranges integer_range(const Graph& graph, const Node& node, const RangesOf& ranges);

/// Range of sum over k of w[k] * (x[k] - zero_point) for x[k] in `inputs` (stored integers, all k alike), for each
/// channel: an index along `axis` of the weights, whose other axes are summed over. Padding adds 0, which is inside when
/// x can equal zero_point and is added otherwise.
Ranges linear_bounds(const Tensor& weights, Interval inputs, int64_t zero_point, int64_t axis = 0);

/// The sums with a bias added to each: one number, or one a channel.
Ranges with_bias(Ranges sums, const Ints& bias);

}  // namespace nibble::graph
