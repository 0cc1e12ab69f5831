#include "onnx/integer_form/integer_ops.hpp"
#include "onnx/standard/graph_reader.hpp"
#include "quant/slope_requantisation.hpp"

namespace nibble::onnx {
namespace {

/// Nothing where a channel has no line with its steps.
std::optional<graph::Requantise> requantise_of(const std::vector<Stepped>& channels, const Grid& to) {
  graph::Requantise op;
  for (const Stepped& channel : channels) {
    const auto line = quant::slope_requantisation(channel.steps, channel.slope, channel.reachable, {to.low, to.high});
    if (!line) return {};
    op.multiplier.push_back(line->multiplier);
    op.addend.push_back(line->addend);
    op.shift.push_back(line->shift);
  }
  op.low = to.low, op.high = to.high;
  return op;
}

Tensor thresholds_of(const std::vector<Stepped>& channels, const Grid& to) {
  std::vector<int64_t> all;
  for (const Stepped& channel : channels) {
    const auto row = quant::thresholds(channel.steps, channel.reachable, {to.low, to.high});
    all.insert(all.end(), row.begin(), row.end());
  }
  return Tensor({static_cast<int64_t>(channels.size()), to.high - to.low}, all);
}

}  // namespace

void emit_staircases(NodeReader& node, graph::ValueId accumulator, const std::vector<Stepped>& channels,
                     const Grid& to) {
  graph::Graph& graph = node.reader().graph();
  std::vector<Interval> bounds;
  for (const Stepped& channel : channels) bounds.push_back(channel.reachable);
  if (graph[accumulator].bounds.empty()) graph[accumulator].bounds = std::move(bounds);
  if (auto requantise = requantise_of(channels, to))
    node.emit(std::move(*requantise), {accumulator});
  else
    node.emit(graph::Threshold{to.low, {}},
              {accumulator, node.add_constant("thresholds", thresholds_of(channels, to))});
  graph::Value& y = graph[graph.nodes.back().outputs[0]];
  y.grid = to;
  y.bounds = {{to.low, to.high}};
}

void emit_requantised(NodeReader& node, graph::ValueId accumulator, const std::vector<Rescaling>& channels,
                      const Grid& to) {
  std::vector<Stepped> stepped;
  for (const auto& [ratio, offset, reachable] : channels)
    stepped.push_back({quant::staircase(ratio, offset, to, reachable), reachable, ratio.value()});
  emit_staircases(node, accumulator, stepped, to);
}

}  // namespace nibble::onnx
