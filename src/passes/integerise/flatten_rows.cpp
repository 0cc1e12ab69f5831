#include <algorithm>

#include "graph/op_traits.hpp"
#include "passes/integerise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

/// Whether a constant varies along the last axis of the rows alone: [O], [1, 1, O], one number.
bool is_row(const Tensor& constant) {
  const Shape& shape = constant.shape();
  return std::all_of(shape.begin(), shape.end() - (shape.empty() ? 0 : 1), [](int64_t extent) { return extent == 1; });
}

class Rows {
 public:
  explicit Rows(Graph& graph) : graph_(graph), uses_(graph) {}

  /// Whether the product needs its columns on axis 1: they have scales, or what follows has a number for each.
  bool has_columns(size_t index) const {
    const Node& node = graph_.nodes[index];
    if (!holds_alternative<graph::MatMul>(node.op)) return false;
    const Shape &x = graph_[node.inputs[0]].shape, &w = graph_[node.inputs[1]].shape;
    const Node* weights = writer(node.inputs[1]);
    const auto* quantiser = weights ? get_if<graph::Quantise>(&weights->op) : nullptr;
    if (x.size() < 3 || w.size() != 2 || !quantiser || !graph_.constant(weights->inputs[0])) return false;
    if (quantiser->grid.per_channel()) return quantiser->grid.axis == 1;
    return reader_has_columns(node.outputs[0]) && quantises(graph_.nodes[chain_from(index).back()]);
  }

  /// The product and what only it feeds, on [rows, columns]; the shape comes back behind it.
  void flatten(size_t index) {
    const std::string name = graph_.nodes[index].name;
    const int64_t inner = graph_[graph_.nodes[index].inputs[0]].shape.back();
    const std::vector<size_t> chain = chain_from(index);
    const ValueId rows =
        graph_.add_node(name + "_rows", graph::Reshape{{-1, inner}, true}, {graph_.nodes[index].inputs[0]});
    graph_[rows].grid = graph_[graph_.nodes[index].inputs[0]].grid;
    graph_.nodes[index].inputs[0] = rows;
    for (size_t member : chain) flatten_constants(member);
    const ValueId last = graph_.nodes[chain.back()].outputs[0];
    const ValueId flat = graph_.add_value(graph_[last].name + "_rows", graph_[last].type);
    graph_[flat].grid = graph_[last].grid;
    graph_.nodes[chain.back()].outputs = {flat};
    graph_.add_node(name + "_shape", graph::Reshape{graph_[last].shape, true}, {flat});
    graph_.nodes.back().outputs = {last};
  }

 private:
  static bool quantises(const Node& node) { return holds_alternative<graph::Quantise>(node.op); }

  const Node* writer(ValueId id) const {
    const int found = uses_.writer[static_cast<size_t>(id)];
    return found < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(found)];
  }

  /// The real constant of an op of two inputs, or nullptr.
  const Tensor* operand(const Node& node) const {
    for (ValueId id : node.inputs)
      if (const Tensor* constant = id == graph::absent ? nullptr : graph_.constant(id)) return constant;
    return nullptr;
  }

  bool reader_has_columns(ValueId id) const {
    const int reader = uses_.only_reader(id);
    if (reader < 0) return false;
    const Node& node = graph_.nodes[static_cast<size_t>(reader)];
    const Tensor* constant = operand(node);
    return passes_rows(node, id) && constant && constant->size() > 1;
  }

  /// What does to rows what it did to their tensor, once its constant is a row.
  bool passes_rows(const Node& node, ValueId from) const {
    if (node.inputs[0] == from && node.inputs.size() == 1) {
      const auto* quantiser = get_if<graph::Quantise>(&node.op);
      const graph::OpClass kind = class_of(node.op);
      return quantiser ? !quantiser->grid.per_channel()
                       : kind == graph::OpClass::Clip || elements_of(node.op) == graph::Elements::Same ||
                             holds_alternative<graph::Neg>(node.op);
    }
    const Tensor* constant = operand(node);
    return class_of(node.op) == graph::OpClass::Arithmetic && node.inputs.size() == 2 && constant &&
           is_row(*constant) && graph_[node.outputs[0]].shape == graph_[from].shape;
  }

  /// The product and its only readers, up to the quantiser.
  std::vector<size_t> chain_from(size_t index) const {
    std::vector<size_t> chain{index};
    for (;;) {
      const Node& last = graph_.nodes[chain.back()];
      if (quantises(last)) return chain;
      const int reader = uses_.only_reader(last.outputs[0]);
      if (reader < 0 || !passes_rows(graph_.nodes[static_cast<size_t>(reader)], last.outputs[0])) return chain;
      chain.push_back(static_cast<size_t>(reader));
    }
  }

  void flatten_constants(size_t index) {
    for (ValueId& id : graph_.nodes[index].inputs) {
      const Tensor* constant = graph_.constant(id);
      if (!constant || constant->rank() < 2) continue;
      id = graph_.add_constant(graph_[id].name, constant->reshaped({constant->shape().back()}));
    }
  }

  Graph& graph_;
  graph::Uses uses_;
};

}  // namespace

int flatten_rows(Graph& graph) {
  if (graph.stage != graph::Stage::FQ) return 0;
  int changed = 0;
  const size_t count = graph.nodes.size();
  for (size_t i = 0; i < count; ++i) {
    Rows rows(graph);
    if (!rows.has_columns(i)) continue;
    rows.flatten(i);
    ++changed;
  }
  return changed;
}

}  // namespace nibble::passes
