#include <algorithm>

#include "onnx/integer_form/integer_ops.hpp"
#include "onnx/standard/graph_reader.hpp"

namespace nibble::onnx {
namespace {

graph::Requantise requantise_of(const std::vector<ShiftedLine>& lines, const Grid& to) {
  graph::Requantise op;
  for (const ShiftedLine& line : lines) {
    op.multiplier.push_back(line.multiplier);
    op.addend.push_back(line.addend);
    op.shift.push_back(line.shift);
  }
  op.low = to.low, op.high = to.high;
  return op;
}

Tensor thresholds_of(const std::vector<Staircase>& staircases) {
  std::vector<int64_t> all;
  for (const Staircase& staircase : staircases)
    for (const Step& step : staircase.steps) all.push_back(step.at);
  const auto rows = static_cast<int64_t>(staircases.size());
  return Tensor({rows, static_cast<int64_t>(all.size()) / rows}, all);
}

}  // namespace

void emit_staircases(NodeReader& node, graph::ValueId accumulator, const std::vector<Staircase>& staircases,
                     const std::vector<double>& slopes, const Grid& to) {
  std::vector<ShiftedLine> lines;
  for (size_t c = 0; c < staircases.size(); ++c)
    if (const auto line = line_through(staircases[c], slopes[c])) lines.push_back(*line);
  graph::Graph& graph = node.reader().graph();
  std::vector<Interval> bounds;
  for (const Staircase& staircase : staircases) bounds.push_back(staircase.reachable);
  if (graph[accumulator].bounds.empty()) graph[accumulator].bounds = std::move(bounds);
  if (lines.size() == staircases.size())
    node.emit(requantise_of(lines, to), {accumulator});
  else
    node.emit(graph::Threshold{to.low, {}}, {accumulator, node.add_constant("thresholds", thresholds_of(staircases))});
  graph::Value& y = graph[graph.nodes.back().outputs[0]];
  y.grid = to;
  y.bounds = {{to.low, to.high}};
}

void emit_requantised(NodeReader& node, graph::ValueId accumulator, const std::vector<Rescaling>& channels,
                      const Grid& to) {
  std::vector<Staircase> staircases;
  std::vector<double> slopes;
  for (const Rescaling& channel : channels) {
    staircases.push_back(standard_staircase(channel.ratio, channel.offset, to, channel.reachable));
    slopes.push_back(channel.ratio.value());
  }
  emit_staircases(node, accumulator, staircases, slopes, to);
}

}  // namespace nibble::onnx
