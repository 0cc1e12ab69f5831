#include "graph/output_grids.hpp"

namespace nibble::graph {

void spread_output_grids(Graph& graph, bool (*moves)(const Op&)) {
  const Uses uses(graph);
  for (const ValueId output : graph.outputs) {
    ValueId id = output;
    for (int writer = uses.writer[static_cast<size_t>(id)]; !graph[id].grid && writer >= 0;
         writer = uses.writer[static_cast<size_t>(id)]) {
      const Node& node = graph.nodes[static_cast<size_t>(writer)];
      if (!moves(node.op)) break;
      id = node.inputs[0];
    }
    if (graph[id].grid && !graph[id].grid->per_channel()) graph[output].grid = graph[id].grid;
  }
}

}  // namespace nibble::graph
