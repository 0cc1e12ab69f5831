#include "verbs/layers.hpp"

#include <algorithm>

namespace nibble::verbs {
namespace {

/// A constant as its reader sees it.
struct Parameter {
  const graph::Value* value = nullptr;
  std::optional<int> bits;  ///< of its grid
};

/// The constant behind a node's input, through a quantiser where there is one.
Parameter parameter_of(const graph::Graph& graph, const graph::Uses& uses, graph::ValueId id) {
  if (id == graph::absent) return {};
  const graph::Value& value = graph[id];
  if (value.constant) {
    if (value.grid && !is_real(value.type)) return {&value, value.grid->bits()};
    return {&value, std::nullopt};
  }
  const int writer = uses.writer[static_cast<size_t>(id)];
  if (writer < 0) return {};
  const graph::Node& node = graph.nodes[static_cast<size_t>(writer)];
  const auto* quantiser = std::get_if<graph::Quantise>(&node.op);
  if (quantiser == nullptr || !graph[node.inputs.front()].constant) return {};
  return {&graph[node.inputs.front()], quantiser->grid.bits()};
}

/// Multiply-accumulates of one inference of one example.
int64_t macs_of(const graph::Graph& graph, const graph::Node& node) {
  const auto shape = [&](graph::ValueId id) { return graph[id].shape; };
  const int64_t results = element_count(shape(node.outputs.front()), 1);
  if (std::holds_alternative<graph::Conv>(node.op)) {
    const Shape weights = shape(node.inputs.at(1));
    return results * (element_count(weights) / std::max<int64_t>(weights.front(), 1));
  }
  if (const auto* gemm = std::get_if<graph::Gemm>(&node.op))
    return results * shape(node.inputs.at(1)).at(gemm->transpose_b ? 1 : 0);
  if (std::holds_alternative<graph::MatMul>(node.op)) return results * shape(node.inputs.front()).back();
  return 0;
}

void add_parameter(Layer& layer, const Parameter& parameter, int64_t& widest) {
  const int64_t count = element_count(parameter.value->shape);
  const int64_t held = 8 * static_cast<int64_t>(size_of(parameter.value->type));
  layer.parameters += count;
  layer.parameter_bits += count * parameter.bits.value_or(held);
  if (count <= widest) return;
  widest = count;
  layer.weight_bits = parameter.bits;
}

/// The range that holds those of all channels.
std::optional<Interval> hull(const std::vector<Interval>& bounds) {
  if (bounds.empty()) return {};
  Interval all = bounds.front();
  for (const Interval& one : bounds) all = {std::min(all.low, one.low), std::max(all.high, one.high)};
  return all;
}

Layer layer_of(const graph::Graph& graph, const graph::Uses& uses, const graph::Node& node) {
  Layer layer;
  layer.name = node.name;
  layer.op = graph::name_of(node.op);
  int64_t widest = 0;
  for (graph::ValueId id : node.inputs) {
    const Parameter parameter = parameter_of(graph, uses, id);
    if (parameter.value != nullptr)
      add_parameter(layer, parameter, widest);
    else if (id != graph::absent)
      layer.inputs.push_back(graph[id].shape);
  }
  for (graph::ValueId id : node.outputs) layer.outputs.push_back(graph[id].shape);
  layer.macs = macs_of(graph, node);
  const graph::Value& result = graph[node.outputs.front()];
  layer.grid = result.grid;
  layer.accumulator = hull(result.bounds);
  return layer;
}

}  // namespace

std::vector<Layer> layers_of(const graph::Graph& graph) {
  const graph::Uses uses(graph);
  std::vector<Layer> layers;
  for (const graph::Node& node : graph.nodes) {
    const bool of_constant =
        std::holds_alternative<graph::Quantise>(node.op) && graph.constant(node.inputs.front()) != nullptr;
    if (!of_constant) layers.push_back(layer_of(graph, uses, node));
  }
  return layers;
}

}  // namespace nibble::verbs
