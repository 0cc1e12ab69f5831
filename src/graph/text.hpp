#pragma once
#include <string>
#include <string_view>

#include "graph/graph.hpp"

namespace nibble::graph {

enum class Constants : uint8_t { Whole, Short };

/// The graph as text, one line a value or node. `Whole` reads back to an equal graph (reals as shortest round-trip
/// decimals or hex blobs); `Short` elides constants of more than 8 elements, for people and for --dump.
std::string to_text(const Graph& graph, Constants constants);

/// Reads `to_text(graph, Constants::Whole)` back, verified. Throws UserError "graph: line <n>: ...".
Graph from_text(std::string_view text);

}  // namespace nibble::graph
