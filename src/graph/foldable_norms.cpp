#include "graph/foldable_norms.hpp"

#include <algorithm>
#include <cmath>

namespace nibble::graph {
namespace {

/// -1 where the output channels are not along one axis, or the sum is scaled.
int channel_axis(const Op& op) {
  if (holds_alternative<Conv>(op)) return 0;
  if (const auto* conv = get_if<ConvTranspose>(&op)) return conv->group == 1 ? 1 : -1;
  const auto* gemm = get_if<Gemm>(&op);
  if (!gemm || gemm->alpha != 1 || gemm->beta != 1) return -1;
  return gemm->transpose_b ? 0 : 1;
}

bool has_own_constants(const Graph& graph, const Uses& uses, size_t norm) {
  const std::vector<ValueId>& inputs = graph.nodes[norm].inputs;
  for (size_t i = 1; i < inputs.size(); ++i)
    if (!graph.constant(inputs[i]) || (i > 2 && uses.only_reader(inputs[i]) != static_cast<int>(norm))) return false;
  return true;
}

/// The Float32 constant that a linear op alone reads as its weights, or `absent`.
ValueId own_weights(const Graph& graph, const Uses& uses, size_t linear) {
  ValueId id = graph.nodes[linear].inputs[1];
  if (uses.only_reader(id) != static_cast<int>(linear)) return absent;
  if (const int by = uses.writer[static_cast<size_t>(id)]; by >= 0) {
    const Node& quantiser = graph.nodes[static_cast<size_t>(by)];
    if (!holds_alternative<Quantise>(quantiser.op)) return absent;
    id = quantiser.inputs[0];
    if (uses.only_reader(id) != by) return absent;
  }
  return graph.constant(id) && graph[id].type == ElementType::Float32 ? id : absent;
}

}  // namespace

std::vector<FoldableNorm> foldable_norms(const Graph& graph) {
  std::vector<FoldableNorm> found;
  const Uses uses(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& norm = graph.nodes[n];
    if (!holds_alternative<BatchNormalization>(norm.op) || !has_own_constants(graph, uses, n)) continue;
    const int linear = uses.writer[static_cast<size_t>(norm.inputs[0])];
    if (linear < 0 || uses.only_reader(norm.inputs[0]) != static_cast<int>(n)) continue;
    const Node& before = graph.nodes[static_cast<size_t>(linear)];
    const int axis = channel_axis(before.op);
    if (axis < 0) continue;
    const ValueId bias = before.inputs.size() > 2 ? before.inputs[2] : absent;
    const ValueId weights = own_weights(graph, uses, static_cast<size_t>(linear));
    if (weights != absent && (bias == absent || graph.constant(bias)))
      found.push_back({n, static_cast<size_t>(linear), axis, weights});
  }
  return found;
}

std::vector<double> folding_gain(const Graph& graph, const FoldableNorm& pair) {
  const Node& norm = graph.nodes[pair.norm];
  const std::vector<double> gamma = graph.constant(norm.inputs[1])->to_reals();
  const std::vector<double> variance = graph.constant(norm.inputs[4])->to_reals();
  const double epsilon = get<BatchNormalization>(norm.op).epsilon;
  std::vector<double> gain;
  for (size_t c = 0; c < gamma.size(); ++c) {
    const double kept = std::max(std::abs(gamma[c]), least_gamma);
    gain.push_back((gamma[c] < 0 ? -kept : kept) / std::sqrt(variance[c] + epsilon));
  }
  return gain;
}

}  // namespace nibble::graph
