#include <algorithm>

#include "graph/evaluate/evaluate.hpp"
#include "passes/canonicalise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

bool leaves_nothing(const Graph& graph, ValueId id) {
  constexpr double nothing_left = -1000;  // of an exponential, beside any other
  const Tensor* constant = graph.constant(id);
  if (!constant || !is_real(constant->type())) return false;
  const std::vector<double> values = constant->to_reals();
  return std::all_of(values.begin(), values.end(), [](double x) { return x <= nothing_left; });
}

bool only_softmax_reads(const Graph& graph, const graph::Uses& uses, ValueId id) {
  const auto& readers = uses.readers[static_cast<size_t>(id)];
  return !uses.is_output[static_cast<size_t>(id)] && std::all_of(readers.begin(), readers.end(), [&](int reader) {
    return holds_alternative<graph::Softmax>(graph.nodes[static_cast<size_t>(reader)].op);
  });
}

/// Whether nothing but sums that a Softmax reads alone reads the value.
bool only_masks(const Graph& graph, const graph::Uses& uses, ValueId id) {
  const auto& readers = uses.readers[static_cast<size_t>(id)];
  return !readers.empty() && !uses.is_output[static_cast<size_t>(id)] &&
         std::all_of(readers.begin(), readers.end(), [&](int reader) {
           const Node& node = graph.nodes[static_cast<size_t>(reader)];
           return holds_alternative<graph::Add>(node.op) && only_softmax_reads(graph, uses, node.outputs[0]);
         });
}

/// What a computed mask is multiplied by before it is added.
int bound_factors(Graph& graph, const graph::Uses& uses) {
  constexpr auto enough = static_cast<float>(largest_mask);
  int changed = 0;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!holds_alternative<graph::Mul>(graph.nodes[n].op) || !only_masks(graph, uses, graph.nodes[n].outputs[0]))
      continue;
    for (size_t slot = 0; slot < graph.nodes[n].inputs.size(); ++slot) {
      const ValueId id = graph.nodes[n].inputs[slot];
      const Tensor* constant = graph.constant(id);
      if (!constant || constant->type() != ElementType::Float32) continue;
      Tensor bounded = *constant;
      for (float& x : bounded.as<float>()) x = std::clamp(x, -enough, enough);
      if (bounded == *constant) continue;
      graph.nodes[n].inputs[slot] = graph.add_constant(graph[id].name + "_bounded", bounded);
      ++changed;
    }
  }
  return changed;
}

}  // namespace

int unify_masks(Graph& graph) {
  const graph::Uses uses(graph);
  int changed = bound_factors(graph, uses);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!holds_alternative<graph::Where>(graph.nodes[i].op)) continue;
    const std::vector<ValueId> inputs = graph.nodes[i].inputs;
    const size_t masked = leaves_nothing(graph, inputs[1]) ? 1 : 2;
    const Tensor* condition = graph.constant(inputs[0]);
    if (!condition || !leaves_nothing(graph, inputs[masked]) || graph.constant(inputs[3 - masked]) ||
        !only_softmax_reads(graph, uses, graph.nodes[i].outputs[0]))
      continue;
    const Tensor flags = condition->cast(ElementType::Int64);
    const Tensor lowest = graph.constant(inputs[masked])->cast(ElementType::Float64);
    const Tensor zero(Shape{}, std::vector<double>{0});
    const Tensor mask =
        graph::evaluate(graph.nodes[i], {&flags, masked == 1 ? &lowest : &zero, masked == 1 ? &zero : &lowest}).at(0);
    const ValueId added = graph.add_constant(graph.nodes[i].name + "_mask", mask.cast(ElementType::Float32));
    graph.nodes[i].op = graph::Add{};
    graph.nodes[i].inputs = {inputs[3 - masked], added};
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
