#include "passes/quantise/layers.hpp"

#include "graph/op_traits.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {

using graph::absent;
using graph::Graph;
using graph::Node;
using graph::OpClass;
using graph::ValueId;

const Node* writer_of(const Graph& graph, const graph::Uses& uses, ValueId id) {
  const int writer = uses.writer[static_cast<size_t>(id)];
  return writer < 0 ? nullptr : &graph.nodes[static_cast<size_t>(writer)];
}

/// What reaches a node as a sum of integers or a function of one, and not as the integers of a grid.
bool gives_sums(const Node& node) {
  const OpClass is = class_of(node.op);
  return is == OpClass::Linear || is == OpClass::Affine || is == OpClass::Arithmetic || is == OpClass::Clip ||
         is == OpClass::Mean;
}

/// The activation that a node belongs to the quantiser of; absent: it is a layer of its own.
ValueId composed_with(const Graph& graph, const graph::Uses& uses, const Node& node) {
  const OpClass is = class_of(node.op);
  if (is == OpClass::Quantiser) return node.inputs[0];
  ValueId x = absent;
  if (is == OpClass::Affine || is == OpClass::Clip) x = node.inputs[0];
  if (is == OpClass::Arithmetic)
    if (const auto affine = affine_of_arithmetic(graph, node)) x = affine->x;
  const Node* before = x == absent ? nullptr : writer_of(graph, uses, x);
  return before && gives_sums(*before) ? x : absent;
}

}  // namespace

std::string quantised_layer(const Graph& fake, const graph::Uses& uses, const Node& quantiser) {
  ValueId id = quantiser.inputs[0];
  while (const Node* writer = writer_of(fake, uses, id)) {
    const ValueId before = composed_with(fake, uses, *writer);
    if (before == absent) return writer->name;
    id = before;
  }
  return fake[id].name;
}

}  // namespace nibble::passes
