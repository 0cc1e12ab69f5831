#pragma once
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "graph/evaluate/evaluate.hpp"
#include "graph/ranges.hpp"

namespace nibble::tests {

/// How many nodes of each op had an output inside its claimed range.
using RangeCounts = std::map<std::string, int, std::less<>>;

/// What each value's range must be: that of a graph input its bounds or grid, of every other what its writer claims.
inline std::vector<graph::Ranges> claimed_ranges(const graph::Graph& graph) {
  std::vector<graph::Ranges> claimed(graph.values.size());
  for (graph::ValueId id : graph.inputs) {
    const graph::Value& value = graph[id];
    claimed[static_cast<size_t>(id)] = value.grid ? graph::Ranges{{value.grid->low, value.grid->high}} : value.bounds;
  }
  const auto known = [&](graph::ValueId id) { return claimed[static_cast<size_t>(id)]; };
  for (const graph::Node& node : graph.nodes) {
    if (is_real(graph[node.outputs[0]].type)) continue;
    const graph::Ranges ranges = integer_range(graph, node, known);
    for (graph::ValueId id : node.outputs) claimed[static_cast<size_t>(id)] = ranges;
  }
  return claimed;
}

/// Runs the graph: every integer that a node gives lies in the range that it claims.
inline void expect_claimed_ranges(const graph::Graph& graph, const std::vector<Tensor>& inputs, RangeCounts& counts) {
  const std::vector<graph::Ranges> claimed = claimed_ranges(graph);
  const graph::Uses uses(graph);
  graph::evaluate(graph, inputs, [&](graph::ValueId id, const Tensor& given) {
    const int writer = uses.writer[static_cast<size_t>(id)];
    if (writer < 0 || is_real(graph[id].type) || given.size() == 0) return;
    const graph::Ranges& ranges = claimed[static_cast<size_t>(id)];
    const auto values = given.to_integers();
    const size_t inner = ranges.size() == 1 ? values.size() : static_cast<size_t>(strides_of(given.shape()).at(1));
    const auto name = std::string(name_of(graph.nodes[static_cast<size_t>(writer)].op));
    size_t outside = 0;
    for (size_t i = 0; i < values.size(); ++i) outside += !ranges[i / inner % ranges.size()].contains(values[i]);
    EXPECT_EQ(outside, 0U) << name << " writes '" << graph[id].name << "' beyond its range";
    ++counts[name];
  });
}

}  // namespace nibble::tests
