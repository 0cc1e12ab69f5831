#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "passes/canonicalise/passes.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;

constexpr double infinity = std::numeric_limits<double>::infinity();

/// clip(x, low, high)
struct Clipped {
  graph::ValueId x;
  graph::Clip clip;
};

/// A Min or Max with one constant number is a clip too.
std::optional<Clipped> half_clip_of(const Graph& graph, const Node& node) {
  const bool is_max = holds_alternative<graph::Max>(node.op);
  if (!is_max && !holds_alternative<graph::Min>(node.op)) return std::nullopt;
  const size_t slot = graph.constant(node.inputs[0]) ? 0 : 1;
  const graph::ValueId x = node.inputs[1 - slot];
  const Tensor* bound = graph.constant(node.inputs[slot]);
  if (!bound || bound->size() != 1 || !is_real(bound->type()) || bound->rank() > graph[x].shape.size())
    return std::nullopt;
  const double value = bound->to_reals()[0];
  if (std::isnan(value)) return std::nullopt;
  return Clipped{x, is_max ? graph::Clip{value, infinity} : graph::Clip{-infinity, value}};
}

std::optional<Clipped> clip_of(const Graph& graph, const Node& node) {
  if (holds_alternative<graph::Relu>(node.op)) return Clipped{node.inputs[0], {0, infinity}};
  const auto* clip = get_if<graph::Clip>(&node.op);
  if (clip && clip->low <= clip->high) return Clipped{node.inputs[0], *clip};
  return half_clip_of(graph, node);
}

graph::Op simplest(const graph::Clip& clip) {
  if (clip.low == 0 && clip.high == infinity) return graph::Relu{};
  return clip;
}

}  // namespace

int unify_clips(Graph& graph) {
  const graph::Uses uses(graph);
  int changed = 0;
  for (Node& node : graph.nodes) {
    const auto outer = clip_of(graph, node);
    if (!outer) continue;
    const int before = uses.writer[static_cast<size_t>(outer->x)];
    const auto inner = before < 0 ? std::nullopt : clip_of(graph, graph.nodes[static_cast<size_t>(before)]);
    const auto [low, high] = std::pair(outer->clip.low, outer->clip.high);
    const graph::Op op =
        !inner ? simplest(outer->clip)
               : simplest({std::clamp(inner->clip.low, low, high), std::clamp(inner->clip.high, low, high)});
    if (!inner && op.kind() == node.op.kind()) continue;
    node.op = op;
    node.inputs = {inner ? inner->x : outer->x};
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
