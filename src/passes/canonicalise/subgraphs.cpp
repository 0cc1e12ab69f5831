#include "passes/canonicalise/subgraphs.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "graph/evaluate/evaluate.hpp"

namespace nibble::passes {
using graph::absent;
using graph::Graph;
using graph::Node;
using graph::ValueId;

std::vector<Subgraph> subgraphs_to(const Graph& graph, const graph::Uses& uses, size_t last,
                                   const std::function<bool(const Node&)>& allowed, size_t most) {
  std::vector<Subgraph> found;
  std::set<size_t> nodes;
  std::set<std::pair<int, ValueId>> open;  // by writer: what is written last is expanded first
  const auto take = [&](size_t index) {
    nodes.insert(index);
    for (ValueId id : graph.nodes[index].inputs)
      if (id != absent && !graph.constant(id)) open.insert({uses.writer[static_cast<size_t>(id)], id});
  };
  if (!allowed(graph.nodes[last])) return found;
  take(last);
  while (!open.empty()) {
    if (open.size() == 1) found.push_back({open.begin()->second, {nodes.begin(), nodes.end()}});
    const auto [writer, id] = *open.rbegin();
    if (writer < 0 || nodes.size() == most) break;
    const Node& node = graph.nodes[static_cast<size_t>(writer)];
    if (!allowed(node) || node.outputs.size() != 1) break;
    open.erase({writer, id});
    take(static_cast<size_t>(writer));
  }
  return found;
}

Tensor evaluate_subgraph(const Graph& graph, const Subgraph& region, const Tensor& x) {
  std::map<ValueId, Tensor> values{{region.source, x}};
  for (size_t index : region.nodes) {
    const Node& node = graph.nodes[index];
    std::vector<const Tensor*> inputs;
    for (ValueId id : node.inputs) {
      if (id != absent && graph.constant(id) && !values.contains(id))
        values.emplace(id, graph.constant(id)->cast(ElementType::Float64));
      inputs.push_back(id == absent ? nullptr : &values.at(id));
    }
    values.insert_or_assign(node.outputs[0], graph::evaluate(node, inputs).at(0));
  }
  return values.at(graph.nodes[region.nodes.back()].outputs[0]);
}

}  // namespace nibble::passes
