#pragma once
#include <optional>
#include <vector>

#include "graph/graph.hpp"

namespace nibble::passes {

/// The product by which alone a graph input is read.
struct InputFactors {
  size_t node;               ///< a Mul
  std::vector<double> gain;  ///< powers of two: one, or one for each channel of axis 1
};

/// A quantiser behind such a product is one of the input itself, whose grid has the scale of the quantiser over the
/// gain: powers of two round nothing. Nothing where the input is read otherwise.
std::optional<InputFactors> factors_of_input(const graph::Graph& graph, const graph::Uses& uses, graph::ValueId input);

}  // namespace nibble::passes
