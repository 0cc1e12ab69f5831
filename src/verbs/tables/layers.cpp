#include "verbs/tables/layers.hpp"

#include "base/interval.hpp"

namespace nibble::verbs {
namespace {

/// Whether the value is a constant, or one behind a quantiser of its own.
bool is_parameter(const graph::Graph& graph, const graph::Uses& uses, graph::ValueId id) {
  return graph::constant_bits(graph, uses, id) > 0;
}

/// Bits of the largest parameter's elements, where these are on a grid.
std::optional<int64_t> weight_bits(const graph::Graph& graph, const graph::Uses& uses, const graph::Node& node) {
  std::optional<int64_t> bits;
  int64_t largest = 0;
  for (graph::ValueId id : node.inputs) {
    if (id == graph::absent || !is_parameter(graph, uses, id)) continue;
    const graph::Value& value = graph[id];
    const int64_t count = element_count(value.shape);
    if (count <= largest) continue;
    largest = count;
    bits = value.constant && !value.grid ? std::nullopt : std::optional(graph::constant_bits(graph, uses, id));
  }
  return bits;
}

Layer layer_of(const graph::Graph& graph, const graph::Uses& uses, const graph::Node& node) {
  Layer layer;
  layer.name = node.name;
  layer.op = graph::name_of(node.op);
  for (graph::ValueId id : node.inputs)
    if (id != graph::absent && !is_parameter(graph, uses, id)) layer.inputs.push_back(graph[id].shape);
  layer.counts = graph::counts(graph, uses, node);
  layer.weight_bits = weight_bits(graph, uses, node);
  for (graph::ValueId id : node.outputs) layer.outputs.push_back(graph[id].shape);
  const graph::Value& result = graph[node.outputs.front()];
  layer.grid = result.grid;
  if (!result.bounds.empty()) layer.accumulator = hull(result.bounds);
  return layer;
}

}  // namespace

std::vector<Layer> layers_of(const graph::Graph& graph) {
  const graph::Uses uses(graph);
  std::vector<Layer> layers;
  for (const graph::Node& node : graph.nodes) {
    const bool of_constant =
        holds_alternative<graph::Quantise>(node.op) && graph.constant(node.inputs.front()) != nullptr;
    if (!of_constant) layers.push_back(layer_of(graph, uses, node));
  }
  return layers;
}

}  // namespace nibble::verbs
