#pragma once
#include <string>

#include "graph/graph.hpp"

/// How reals that an integer input is given become its integers. It travels in the graph's metadata, for the quantiser
/// that said it is not in a graph of integers any more.
namespace nibble::graph {

/// half_up where nothing says otherwise.
Rounding input_rounding(const Graph& graph, const std::string& input);
/// `rounding` is half_up or half_even.
void set_input_rounding(Graph& graph, const std::string& input, Rounding rounding);

}  // namespace nibble::graph
