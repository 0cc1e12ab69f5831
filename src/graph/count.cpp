#include "graph/count.hpp"

namespace nibble::graph {
namespace {

int64_t product(const Shape& shape, size_t from) {
  return element_count(Shape(shape.begin() + static_cast<std::ptrdiff_t>(from), shape.end()), 1);
}

int64_t multiply_accumulates(const Graph& graph, const Node& node) {
  const auto shape = [&](ValueId id) -> const Shape& { return graph[id].shape; };
  if (holds_alternative<Conv>(node.op))
    return element_count(shape(node.outputs[0]), 1) * product(shape(node.inputs[1]), 1);
  if (holds_alternative<ConvTranspose>(node.op))
    return element_count(shape(node.inputs[0]), 1) * product(shape(node.inputs[1]), 1);
  if (const auto* gemm = get_if<Gemm>(&node.op))
    return element_count(shape(node.outputs[0]), 1) *
           element_count({shape(node.inputs[0])[gemm->transpose_a ? 0 : 1]}, 1);
  if (holds_alternative<MatMul>(node.op))
    return element_count(shape(node.outputs[0]), 1) * element_count({shape(node.inputs[0]).back()}, 1);
  return 0;
}

}  // namespace

int64_t constant_bits(const Graph& graph, const Uses& uses, ValueId id) {
  const Value& value = graph[id];
  if (value.constant)
    return value.grid && !is_real(value.type) ? value.grid->bits() : static_cast<int64_t>(8 * size_of(value.type));
  const int writer = uses.writer[static_cast<size_t>(id)];
  if (writer < 0) return 0;
  const Node& node = graph.nodes[static_cast<size_t>(writer)];
  const auto* quantiser = get_if<Quantise>(&node.op);
  return quantiser != nullptr && graph.constant(node.inputs[0]) != nullptr ? quantiser->grid.bits() : 0;
}

Counts counts(const Graph& graph, const Uses& uses, const Node& node) {
  Counts result;
  for (ValueId id : node.inputs) {
    if (id == absent) continue;
    const int64_t bits = constant_bits(graph, uses, id);
    if (bits == 0) continue;
    const int64_t elements = element_count(graph[id].shape, 1);
    result.parameters += elements;
    result.bits += bits * elements;
  }
  result.multiply_accumulates = multiply_accumulates(graph, node);
  return result;
}

}  // namespace nibble::graph
