#pragma once
#include <string>

#include "graph/graph.hpp"

namespace nibble::passes {

/// The layer whose result the quantiser of an activation in an FQ graph holds, as a policy names it: what wrote the
/// reals, without the affine ops and clips that went into its quantiser with it; a graph input's own name. Clips and
/// affine ops that a policy left in reals count to the layer before them.
std::string quantised_layer(const graph::Graph& fake, const graph::Uses& uses, const graph::Node& quantiser);

}  // namespace nibble::passes
