#include <cmath>
#include <optional>

#include "passes/canonicalise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

bool is_near(double a, double b) {
  return std::abs(a - b) <= 1e-6 * std::abs(b);
}

/// high * clip(alpha x + beta, 0, 1)
struct Ramp {
  ValueId x;
  double alpha, beta, high;
};

const Node* writer(const Graph& graph, const graph::Uses& uses, ValueId id) {
  const int index = uses.writer[static_cast<size_t>(id)];
  return index < 0 ? nullptr : &graph.nodes[static_cast<size_t>(index)];
}

/// gain x + shift with one number each.
std::optional<AffineNode> scalar_affine(const Graph& graph, const Node* node) {
  if (!node) return std::nullopt;
  auto found = affine_of_arithmetic(graph, *node);
  if (!found || found->affine.gain.size() != 1 || found->affine.shift.size() != 1) return std::nullopt;
  return found;
}

/// clip(gain x + shift, 0, high) that an affine function of one number comes before.
std::optional<Ramp> ramp_of_clip(const Graph& graph, const graph::Uses& uses, const Node* node) {
  const auto* clip = node ? get_if<graph::Clip>(&node->op) : nullptr;
  if (!clip || clip->low != 0 || !std::isfinite(clip->high) || clip->high <= 0) return std::nullopt;
  const auto inner = scalar_affine(graph, writer(graph, uses, node->inputs[0]));
  if (!inner) return std::nullopt;
  return Ramp{inner->x, inner->affine.gain[0] / clip->high, inner->affine.shift[0] / clip->high, clip->high};
}

/// A node that is high * clip(alpha x + beta, 0, 1): such a clip, one with a factor behind it, or a HardSigmoid.
std::optional<Ramp> ramp_of(const Graph& graph, const graph::Uses& uses, const Node* node) {
  if (const auto* sigmoid = node ? get_if<graph::HardSigmoid>(&node->op) : nullptr)
    return Ramp{node->inputs[0], sigmoid->alpha, sigmoid->beta, 1};
  if (auto ramp = ramp_of_clip(graph, uses, node)) return ramp;
  const auto outer = scalar_affine(graph, node);
  if (!outer || outer->affine.shift[0] != 0 || outer->affine.gain[0] <= 0) return std::nullopt;
  auto ramp = ramp_of_clip(graph, uses, writer(graph, uses, outer->x));
  if (ramp) ramp->high *= outer->affine.gain[0];
  return ramp;
}

/// x * ramp(x) as high * hard_swish(x): the x, and high.
struct Swish {
  ValueId x;
  double high;
};

std::optional<Swish> swish_of(const Graph& graph, const graph::Uses& uses, const Node* node) {
  if (!node || !holds_alternative<graph::Mul>(node->op)) return std::nullopt;
  for (size_t slot : {0, 1}) {
    const ValueId x = node->inputs[slot], other = node->inputs[1 - slot];
    const auto ramp = ramp_of(graph, uses, writer(graph, uses, other));
    if (ramp && ramp->x == x && is_near(ramp->alpha, 1.0 / 6) && is_near(ramp->beta, 0.5)) return Swish{x, ramp->high};
  }
  return std::nullopt;
}

/// x * ramp(x), or that with a factor behind it, where the factors give one.
std::optional<ValueId> hard_swish(const Graph& graph, const graph::Uses& uses, const Node& node) {
  if (const auto whole = swish_of(graph, uses, &node); whole && is_near(whole->high, 1)) return whole->x;
  const auto outer = scalar_affine(graph, &node);
  if (!outer || outer->affine.shift[0] != 0) return std::nullopt;
  const auto inner = swish_of(graph, uses, writer(graph, uses, outer->x));
  return inner && is_near(inner->high * outer->affine.gain[0], 1) ? std::optional(inner->x) : std::nullopt;
}

bool is_recognised(const Node& node) {
  return holds_alternative<graph::HardSigmoid>(node.op) || holds_alternative<graph::HardSwish>(node.op);
}

}  // namespace

int recognise_hard_functions(Graph& graph) {
  const graph::Uses uses(graph);
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (is_recognised(node)) continue;
    if (const auto x = hard_swish(graph, uses, node)) {
      graph.nodes[i].op = graph::HardSwish{};
      graph.nodes[i].inputs = {*x};
      ++changed;
    } else if (const auto ramp = ramp_of(graph, uses, &node); ramp && is_near(ramp->high, 1)) {
      graph.nodes[i].op = graph::HardSigmoid{attribute_of(ramp->alpha), attribute_of(ramp->beta)};
      graph.nodes[i].inputs = {ramp->x};
      ++changed;
    }
  }
  return changed;
}

}  // namespace nibble::passes
