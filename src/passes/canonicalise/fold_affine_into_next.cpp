#include <algorithm>
#include <optional>

#include "graph/op_traits.hpp"
#include "passes/canonicalise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::absent;
using graph::Graph;
using graph::Node;
using graph::ValueId;

double at(const std::vector<double>& values, size_t channel) {
  return values[values.size() == 1 ? 0 : channel];
}

std::optional<AffineNode> affine_of(const Graph& graph, const Node& node) {
  if (auto norm = affine_of_batch_norm(graph, node)) return AffineNode{node.inputs[0], std::move(*norm)};
  return affine_of_arithmetic(graph, node);
}

bool shifts(const Affine& affine) {
  return std::any_of(affine.shift.begin(), affine.shift.end(), [](double value) { return value != 0; });
}

/// What is padded with zeros has no constant added everywhere.
bool pads(const Node& linear) {
  const auto* conv = get_if<graph::Conv>(&linear.op);
  return conv && std::any_of(conv->pads.begin(), conv->pads.end(), [](int64_t pad) { return pad != 0; });
}

/// Whether a quantiser stands before the affine function anyway: where its input is a sum it is composed instead. Before
/// another such function that the linear op can take, too, it stands before both.
bool is_quantised_before(const Graph& graph, const graph::Uses& uses, ValueId x, const Node& linear) {
  const int writer = uses.writer[static_cast<size_t>(x)];
  if (writer < 0) return true;
  const auto before = affine_of(graph, graph.nodes[static_cast<size_t>(writer)]);
  if (before && uses.only_reader(x) >= 0)
    return !(shifts(before->affine) && pads(linear)) && is_quantised_before(graph, uses, before->x, linear);
  switch (class_of(graph.nodes[static_cast<size_t>(writer)].op)) {
    case graph::OpClass::Movement:
    case graph::OpClass::Concat:
    case graph::OpClass::Clip:
    case graph::OpClass::Function: return true;
    default: return false;
  }
}

/// The linear op that alone reads the value, with constant weights and bias, and can take a factor for each input
/// channel and, where `shifted`, an addend; -1 otherwise.
int taker(const Graph& graph, const graph::Uses& uses, ValueId id, bool shifted) {
  const int reader = uses.only_reader(id);
  if (reader < 0) return -1;
  const Node& node = graph.nodes[static_cast<size_t>(reader)];
  if (node.inputs[0] != id || node.inputs.size() < 2 || !graph.constant(node.inputs[1])) return -1;
  if (node.inputs.size() > 2 && node.inputs[2] != absent) {
    const Tensor* bias = graph.constant(node.inputs[2]);
    if (!bias || bias->shape() != Shape{graph[node.inputs[1]].shape[0]}) return -1;
  }
  if (holds_alternative<graph::Conv>(node.op)) return shifted && pads(node) ? -1 : reader;
  const auto* gemm = get_if<graph::Gemm>(&node.op);
  return gemm && gemm->alpha == 1 && gemm->beta == 1 && !gemm->transpose_a && gemm->transpose_b ? reader : -1;
}

void fold(Graph& graph, size_t linear, const Affine& affine) {
  const Node node = graph.nodes[linear];
  const auto* conv = get_if<graph::Conv>(&node.op);
  const Tensor old = *graph.constant(node.inputs[1]);
  std::vector<double> weights = old.to_reals();
  const auto outputs = static_cast<size_t>(old.shape()[0]), inputs = static_cast<size_t>(old.shape()[1]);
  const size_t each = weights.size() / (outputs * inputs);
  const size_t group = conv ? outputs / static_cast<size_t>(conv->group) : outputs;  // outputs that share their inputs
  std::vector<double> bias(outputs);
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != absent;
  if (has_bias) bias = graph.constant(node.inputs[2])->to_reals();
  for (size_t i = 0; i < weights.size(); ++i) {
    const size_t output = i / (inputs * each), channel = output / group * inputs + i / each % inputs;
    bias[output] += weights[i] * at(affine.shift, channel);
    weights[i] *= at(affine.gain, channel);
  }
  const ValueId scaled = rewrite_constant(graph, node.inputs[1], float_tensor(old.shape(), weights));
  Tensor tensor = float_tensor({static_cast<int64_t>(outputs)}, bias);
  const ValueId added = has_bias ? rewrite_constant(graph, node.inputs[2], std::move(tensor))
                                 : graph.add_constant(node.name + "_bias", std::move(tensor));
  graph.nodes[linear].inputs = {node.inputs[0], scaled, added};
}

}  // namespace

int fold_affine_into_next(Graph& graph) {
  return fold_affine_into_next(graph, {});
}

int fold_affine_into_next(Graph& graph, const Policy& policy) {
  int changed = 0;
  // The last of several goes first.
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const auto found = affine_of(graph, graph.nodes[i]);
    if (!found) continue;
    const bool norm = holds_alternative<graph::BatchNormalization>(graph.nodes[i].op);
    if (norm && policy.of(graph.nodes[i].name).batch_norm != BatchNorm::Fold) continue;
    const graph::Uses uses(graph);
    const int linear = taker(graph, uses, graph.nodes[i].outputs[0], shifts(found->affine));
    if (linear < 0 || !is_quantised_before(graph, uses, found->x, graph.nodes[static_cast<size_t>(linear)])) continue;
    fold(graph, static_cast<size_t>(linear), found->affine);
    graph.nodes[static_cast<size_t>(linear)].inputs[0] = found->x;
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
