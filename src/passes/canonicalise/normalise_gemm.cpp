#include "base/transposed.hpp"
#include "passes/canonicalise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Gemm;
using graph::Graph;
using graph::ValueId;

Tensor scaled(const Tensor& tensor, double factor) {
  if (factor == 1) return tensor;
  std::vector<double> values = tensor.to_reals();
  for (double& value : values) value *= factor;
  return float_tensor(tensor.shape(), values);
}

/// The bias as [O], or nothing where it is not one number a column.
std::optional<Tensor> as_bias(const Tensor& c, double beta, int64_t channels) {
  const auto values = per_channel(c, 2);
  if (!values) return std::nullopt;
  std::vector<double> bias = *values;
  if (bias.size() == 1) bias.assign(static_cast<size_t>(channels), bias[0]);
  for (double& value : bias) value *= beta;
  return float_tensor({channels}, bias);
}

void move_bias(Graph& graph, size_t index, double beta, int64_t channels) {
  const ValueId c = graph.nodes[index].inputs[2];
  if (beta == 0) {
    graph.nodes[index].inputs.resize(2);
    return;
  }
  if (const Tensor* constant = graph.constant(c)) {
    if (auto bias = as_bias(*constant, beta, channels)) {
      const ValueId moved = rewrite_constant(graph, c, std::move(*bias));
      graph.nodes[index].inputs[2] = moved;
      return;
    }
  }
  // Not one number a column: an Add of its own takes over the Gemm's output.
  const std::string name = graph.nodes[index].name;
  ValueId addend = c;
  if (beta != 1)
    addend = graph.add_node(name + "_beta", graph::Mul{},
                            {c, graph.add_constant(name + "_beta_factor", float_tensor({}, {beta}))});
  const ValueId product = graph.add_value(name + "_product");
  const ValueId output = graph.nodes[index].outputs[0];
  graph.nodes[index].outputs = {product};
  graph.nodes[index].inputs.resize(2);
  graph.add_node(name + "_add", graph::Add{}, {product, addend});
  graph.nodes.back().outputs = {output};
}

}  // namespace

int normalise_gemm(Graph& graph) {
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* op = get_if<Gemm>(&graph.nodes[i].op);
    if (!op || !graph.constant(graph.nodes[i].inputs[1])) continue;
    const Gemm old = *op;
    const bool has_bias = graph.nodes[i].inputs.size() > 2 && graph.nodes[i].inputs[2] != graph::absent;
    const bool plain_bias = !has_bias || graph[graph.nodes[i].inputs[2]].shape.size() == 1;
    if (old.alpha == 1 && old.beta == 1 && !old.transpose_a && old.transpose_b && plain_bias) continue;
    const ValueId b = graph.nodes[i].inputs[1];
    Tensor weights = scaled(*graph.constant(b), old.alpha);
    if (!old.transpose_b) weights = transposed(weights);
    const int64_t channels = weights.shape()[0];
    const ValueId moved = rewrite_constant(graph, b, std::move(weights));
    graph.nodes[i].inputs[1] = moved;
    graph.nodes[i].op = Gemm{1, 1, false, true, 0};
    if (has_bias) move_bias(graph, i, old.beta, channels);
    if (old.transpose_a) {
      const ValueId a =
          graph.add_node(graph.nodes[i].name + "_transpose", graph::Transpose{{1, 0}}, {graph.nodes[i].inputs[0]});
      graph.nodes[i].inputs[0] = a;
    }
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
