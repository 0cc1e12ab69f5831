#include <algorithm>

#include "graph/op_traits.hpp"
#include "passes/canonicalise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

const Node* writer(const Graph& graph, const graph::Uses& uses, ValueId id) {
  const int index = uses.writer[static_cast<size_t>(id)];
  return index < 0 ? nullptr : &graph.nodes[static_cast<size_t>(index)];
}

/// Whether the node makes [batch, rest] of what is [batch, ...].
bool flattens(const Graph& graph, const Node& node) {
  const bool removes_axes = reshapes(node.op) && !holds_alternative<graph::Unsqueeze>(node.op);
  const Shape &before = graph[node.inputs[0]].shape, &after = graph[node.outputs[0]].shape;
  return removes_axes && after.size() == 2 && !before.empty() && before[0] == after[0];
}

/// Columns of w [O, K], which stand in the order of the transposed axes, in the order of the axes before.
Tensor reordered(const Tensor& w, const graph::Ints& perm, const Shape& before) {
  Shape split{w.shape()[0]};
  graph::Ints inverse(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) {
    inverse[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
    if (i > 0) split.push_back(before[static_cast<size_t>(perm[i])]);
  }
  return permuted(w.reshaped(split), inverse).reshaped(w.shape());
}

}  // namespace

int fold_transpose_into_gemm(Graph& graph) {
  const graph::Uses uses(graph);
  int changed = 0;
  for (Node& gemm : graph.nodes) {
    const auto* op = get_if<graph::Gemm>(&gemm.op);
    if (!op || op->transpose_a || !op->transpose_b || !graph.constant(gemm.inputs[1])) continue;
    const Node* flat = writer(graph, uses, gemm.inputs[0]);
    if (!flat || !flattens(graph, *flat)) continue;
    const Node* turned = writer(graph, uses, flat->inputs[0]);
    const auto* transpose = turned ? get_if<graph::Transpose>(&turned->op) : nullptr;
    if (!transpose || transpose->perm[0] != 0) continue;
    const Graph& before = graph;
    const ValueId x = turned->inputs[0];
    Tensor weights = reordered(*before.constant(gemm.inputs[1]), transpose->perm, before[x].shape);
    const std::string name = flat->name;
    const size_t index = static_cast<size_t>(&gemm - graph.nodes.data());
    const ValueId moved = rewrite_constant(graph, gemm.inputs[1], std::move(weights));
    const ValueId flattened = graph.add_node(name, graph::Flatten{1}, {x});
    graph.nodes[index].inputs[0] = flattened;
    graph.nodes[index].inputs[1] = moved;
    return changed + 1;
  }
  return changed;
}

}  // namespace nibble::passes
