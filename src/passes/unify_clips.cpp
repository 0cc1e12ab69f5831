#include <algorithm>
#include <limits>
#include <optional>

#include "passes/passes.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;

constexpr double infinity = std::numeric_limits<double>::infinity();

std::optional<graph::Clip> clip_of(const Node& node) {
  if (std::holds_alternative<graph::Relu>(node.op)) return graph::Clip{0, infinity};
  const auto* clip = std::get_if<graph::Clip>(&node.op);
  return clip && clip->low <= clip->high ? std::optional(*clip) : std::nullopt;
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
    const auto outer = clip_of(node);
    if (!outer) continue;
    const int before = uses.writer[static_cast<size_t>(node.inputs[0])];
    if (before >= 0) {
      const Node& first = graph.nodes[static_cast<size_t>(before)];
      if (const auto inner = clip_of(first)) {
        node.op = simplest(
            {std::clamp(inner->low, outer->low, outer->high), std::clamp(inner->high, outer->low, outer->high)});
        node.inputs = first.inputs;
        ++changed;
        continue;
      }
    }
    if (std::holds_alternative<graph::Clip>(node.op) && outer->low == 0 && outer->high == infinity) {
      node.op = graph::Relu{};
      ++changed;
    }
  }
  return changed;
}

}  // namespace nibble::passes
