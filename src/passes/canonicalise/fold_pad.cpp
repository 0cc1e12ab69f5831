#include <algorithm>

#include "passes/canonicalise/passes.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Ints;
using graph::Node;
using graph::ValueId;

/// The spatial pads of a Pad that only adds zeros there; empty otherwise.
Ints zeros_around(const graph::Pad& pad) {
  const size_t rank = pad.pads.size() / 2;
  if (pad.mode != graph::PadMode::Constant || pad.value != 0 || rank < 3) return {};
  Ints spatial;
  for (size_t i = 0; i < pad.pads.size(); ++i) {
    const bool outer = i % rank < 2;
    if (pad.pads[i] < 0 || (outer && pad.pads[i] != 0)) return {};
    if (!outer) spatial.push_back(pad.pads[i]);
  }
  return spatial;
}

bool is_non_negative(const Graph& graph, const graph::Uses& uses, ValueId id) {
  const int writer = uses.writer[static_cast<size_t>(id)];
  if (writer < 0) return false;
  const graph::Op& op = graph.nodes[static_cast<size_t>(writer)].op;
  const auto* clip = get_if<graph::Clip>(&op);
  return holds_alternative<graph::Relu>(op) || (clip && clip->low >= 0);
}

Ints sum(Ints own, const Ints& added) {
  own.resize(added.size());
  for (size_t i = 0; i < added.size(); ++i) own[i] += added[i];
  return own;
}

bool every_window_meets(const graph::MaxPool& pool, const Ints& pads) {
  const size_t spatial = pool.kernel.size();
  for (size_t i = 0; i < pads.size(); ++i) {
    const int64_t dilation = pool.dilations.empty() ? 1 : pool.dilations[i % spatial];
    if (dilation != 1 || pads[i] >= pool.kernel[i % spatial]) return false;
  }
  return !pool.ceil_mode;
}

/// Whether the op took the pads.
bool take(graph::Op& op, const Ints& pads, bool non_negative) {
  if (auto* conv = get_if<graph::Conv>(&op)) {
    conv->pads = sum(conv->pads, pads);
    return true;
  }
  if (auto* pool = get_if<graph::AveragePool>(&op)) {
    const bool own = std::any_of(pool->pads.begin(), pool->pads.end(), [](int64_t p) { return p != 0; });
    if (pool->ceil_mode || (own && !pool->count_include_pad)) return false;
    pool->pads = sum(pool->pads, pads);
    pool->count_include_pad = true;
    return true;
  }
  if (auto* pool = get_if<graph::MaxPool>(&op)) {
    const Ints all = sum(pool->pads, pads);
    if (!non_negative || !every_window_meets(*pool, all)) return false;
    pool->pads = all;
    return true;
  }
  return false;
}

}  // namespace

int fold_pad(Graph& graph) {
  const graph::Uses uses(graph);
  int changed = 0;
  for (const Node& node : graph.nodes) {
    const auto* pad = get_if<graph::Pad>(&node.op);
    if (!pad) continue;
    const Ints pads = zeros_around(*pad);
    const int reader = uses.only_reader(node.outputs[0]);
    if (pads.empty() || reader < 0) continue;
    Node& window = graph.nodes[static_cast<size_t>(reader)];
    if (window.inputs[0] != node.outputs[0] || !take(window.op, pads, is_non_negative(graph, uses, node.inputs[0])))
      continue;
    window.inputs[0] = node.inputs[0];
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
