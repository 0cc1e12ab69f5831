#include <cstring>
#include <optional>

#include "passes/canonicalise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::absent;
using graph::Graph;
using graph::Node;
using graph::ValueId;

/// Parts along axis 0, one after the other.
Tensor stacked(const std::vector<const Tensor*>& parts) {
  Shape shape = parts[0]->shape();
  shape[0] *= static_cast<int64_t>(parts.size());
  Tensor whole(parts[0]->type(), std::move(shape));
  const size_t bytes = parts[0]->bytes().size();
  for (size_t i = 0; i < parts.size(); ++i)
    std::memcpy(whole.bytes().data() + i * bytes, parts[i]->bytes().data(), bytes);
  return whole;
}

bool is_bias(const Node& conv) {
  return conv.inputs.size() > 2 && conv.inputs[2] != absent;
}

/// Whether two convolutions differ in nothing but their numbers.
bool alike(const Graph& graph, const Node& a, const Node& b) {
  const auto *left = get_if<graph::Conv>(&a.op), *right = get_if<graph::Conv>(&b.op);
  if (!left || !right || left->strides != right->strides || left->pads != right->pads ||
      left->dilations != right->dilations || left->group != right->group || is_bias(a) != is_bias(b))
    return false;
  for (size_t slot = 1; slot < (is_bias(a) ? 3 : 2); ++slot) {
    const Tensor *mine = graph.constant(a.inputs[slot]), *other = graph.constant(b.inputs[slot]);
    if (!mine || !other || mine->type() != other->type() || mine->shape() != other->shape()) return false;
  }
  return true;
}

/// The convolutions of all pieces of a Split, in order, whose results one Concat joins; empty where it is not so.
std::vector<size_t> branches(const Graph& graph, const graph::Uses& uses, const Node& joined) {
  std::vector<size_t> convs;
  const Node* split = nullptr;
  for (size_t i = 0; i < joined.inputs.size(); ++i) {
    const int writer = uses.writer[static_cast<size_t>(joined.inputs[i])];
    if (writer < 0 || uses.only_reader(joined.inputs[i]) < 0) return {};
    const Node& conv = graph.nodes[static_cast<size_t>(writer)];
    if (!alike(graph, conv, convs.empty() ? conv : graph.nodes[convs[0]])) return {};
    const int source = uses.writer[static_cast<size_t>(conv.inputs[0])];
    if (source < 0) return {};
    const Node& piece = graph.nodes[static_cast<size_t>(source)];
    const auto* op = get_if<graph::Split>(&piece.op);
    if (!op || op->axis != 1 || (split && split != &piece)) return {};
    split = &piece;
    if (split->outputs.size() != joined.inputs.size() || split->outputs[i] != conv.inputs[0] ||
        op->sizes[i] != op->sizes[0])
      return {};
    convs.push_back(static_cast<size_t>(writer));
  }
  return convs;
}

void join(Graph& graph, const graph::Uses& uses, size_t concat, const std::vector<size_t>& convs) {
  const Node first = graph.nodes[convs[0]];
  const int split = uses.writer[static_cast<size_t>(first.inputs[0])];
  std::vector<ValueId> inputs{graph.nodes[static_cast<size_t>(split)].inputs[0]};
  for (size_t slot = 1; slot < (is_bias(first) ? 3 : 2); ++slot) {
    std::vector<const Tensor*> parts;
    for (size_t conv : convs) parts.push_back(graph.constant(graph.nodes[conv].inputs[slot]));
    inputs.push_back(graph.add_constant(graph[first.inputs[slot]].name, stacked(parts)));
  }
  graph::Conv whole = get<graph::Conv>(first.op);
  whole.group *= static_cast<int64_t>(convs.size());
  graph.nodes[concat].op = whole;
  graph.nodes[concat].inputs = std::move(inputs);
}

}  // namespace

int join_split_convs(Graph& graph) {
  const graph::Uses uses(graph);
  int changed = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* concat = get_if<graph::Concat>(&graph.nodes[i].op);
    if (!concat || normalise_axis(concat->axis, graph[graph.nodes[i].outputs[0]].shape.size()) != 1) continue;
    const auto convs = branches(graph, uses, graph.nodes[i]);
    if (convs.size() < 2) continue;
    join(graph, uses, i, convs);
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
