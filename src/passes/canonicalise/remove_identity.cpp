#include <algorithm>
#include <cmath>

#include "graph/op_traits.hpp"
#include "passes/canonicalise/passes.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Ints;
using graph::Node;
using graph::ValueId;

bool all_are(const Ints& values, int64_t wanted) {
  return std::all_of(values.begin(), values.end(), [&](int64_t v) { return v == wanted; });
}

bool is_ascending(const Ints& perm) {
  for (size_t i = 0; i < perm.size(); ++i)
    if (perm[i] != static_cast<int64_t>(i)) return false;
  return !perm.empty();
}

/// A pool of one element: kernel and strides 1, no pads.
template <class Pool>
bool is_point(const Pool& pool) {
  return all_are(pool.kernel, 1) && all_are(pool.strides, 1) && all_are(pool.pads, 0);
}

bool does_nothing(const Graph& graph, const Node& node) {
  const bool same_shape = !node.inputs.empty() && graph[node.inputs[0]].shape == graph[node.outputs[0]].shape;
  const auto* op = &node.op;
  if (elements_of(*op) == graph::Elements::Same) return true;
  if (reshapes(*op)) return same_shape;
  if (const auto* transpose = get_if<graph::Transpose>(op)) return is_ascending(transpose->perm);
  if (const auto* slice = get_if<graph::Slice>(op)) return same_shape && all_are(slice->steps, 1);
  if (const auto* pad = get_if<graph::Pad>(op)) return all_are(pad->pads, 0);
  if (const auto* resize = get_if<graph::Resize>(op))
    return same_shape && (resize->scales.empty() ||
                          std::all_of(resize->scales.begin(), resize->scales.end(), [](double s) { return s == 1; }));
  if (holds_alternative<graph::Concat>(*op)) return node.inputs.size() == 1;
  if (holds_alternative<graph::Split>(*op)) return node.outputs.size() == 1;
  if (const auto* pool = get_if<graph::MaxPool>(op)) return is_point(*pool);
  if (const auto* pool = get_if<graph::AveragePool>(op)) return is_point(*pool);
  if (const auto* clip = get_if<graph::Clip>(op))
    return clip->low == -std::numeric_limits<double>::infinity() &&
           clip->high == std::numeric_limits<double>::infinity();
  return false;
}

bool is_in(const std::vector<ValueId>& ids, ValueId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

int remove_identity(Graph& graph) {
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!does_nothing(graph, graph.nodes[i])) continue;
    const ValueId x = graph.nodes[i].inputs[0], y = graph.nodes[i].outputs[0];
    if (is_in(graph.outputs, y)) {
      // The output's name must live on; an input, a constant or another output has its own.
      if (is_in(graph.inputs, x) || is_in(graph.outputs, x) || graph.constant(x)) continue;
      graph.swap_names(x, y);
    }
    graph.replace(y, x);
    graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i--));
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
