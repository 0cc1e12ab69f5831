#include "onnx/standard/normalise_quantisers.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "graph/evaluate/evaluate.hpp"
#include "graph/evaluate/fold_constants.hpp"
#include "graph/op_traits.hpp"
#include "graph/output_grids.hpp"
#include "onnx/file/metadata.hpp"

namespace nibble::onnx {
namespace {

using graph::Graph;
using graph::Node;
using graph::Quantise;
using graph::ValueId;

/// The one scale of what a Quantise wrote, perhaps moved or chosen since; nothing of anything else.
std::optional<double> scale_of(const Graph& graph, const graph::Uses& uses, ValueId id) {
  for (int writer = uses.writer[static_cast<size_t>(id)]; writer >= 0; writer = uses.writer[static_cast<size_t>(id)]) {
    const Node& node = graph.nodes[static_cast<size_t>(writer)];
    if (const auto* op = get_if<Quantise>(&node.op))
      return op->grid.per_channel() ? std::nullopt : std::optional(op->grid.scale[0]);
    const int slot = same_grid_input(node.op);
    if (slot < 0) return {};
    id = node.inputs[static_cast<size_t>(slot)];
  }
  return {};
}

/// What input `slot` of a linear op is, or of the Add on the grid of a product's sums.
bool is_bias(const Graph& graph, const graph::Uses& uses, const Node& node, size_t slot) {
  if (is_linear(node.op)) return slot == 2;
  if (!holds_alternative<graph::Add>(node.op) || node.inputs.size() != 2) return false;
  const int writer = uses.writer[static_cast<size_t>(node.inputs[1 - slot])];
  const Node* product = writer < 0 ? nullptr : &graph.nodes[static_cast<size_t>(writer)];
  if (!product || !holds_alternative<graph::MatMul>(product->op)) return false;
  const auto a = scale_of(graph, uses, product->inputs[0]), b = scale_of(graph, uses, product->inputs[1]);
  const auto own = scale_of(graph, uses, node.inputs[slot]);
  return a && b && own && std::abs(*own / (*a * *b) - 1) < 1e-6;
}

/// Whether every reader adds the value as the bias of a linear op.
bool only_biases(const Graph& graph, const graph::Uses& uses, ValueId id) {
  for (const Node& node : graph.nodes)
    for (size_t slot = 0; slot < node.inputs.size(); ++slot)
      if (node.inputs[slot] == id && !is_bias(graph, uses, node, slot)) return false;
  return std::find(graph.outputs.begin(), graph.outputs.end(), id) == graph.outputs.end();
}

/// 32-bit integers mean something to a pass on an accumulator only.
void free_wide_constants(Graph& graph) {
  const graph::Uses uses(graph);
  for (const Node& node : graph.nodes) {
    const auto* op = get_if<Quantise>(&node.op);
    if (!op || op->grid.low != INT32_MIN || !graph.constant(node.inputs[0])) continue;
    if (only_biases(graph, uses, node.outputs[0])) continue;
    graph.replace(node.outputs[0], node.inputs[0]);
    graph.swap_names(node.outputs[0], node.inputs[0]);
  }
}

/// Where the scales' axis stands behind the op; -1 of a grid without one. False where it would have no one place.
bool axis_behind(const Node& node, const Tensor& x, const Tensor& y, int& axis) {
  if (axis < 0) return true;
  if (const auto* transpose = get_if<graph::Transpose>(&node.op)) {
    const auto found = std::find(transpose->perm.begin(), transpose->perm.end(), axis);
    if (found == transpose->perm.end()) return false;
    axis = static_cast<int>(found - transpose->perm.begin());
    return true;
  }
  // Elements keep their order, so the axis stands where it has as many behind it.
  const auto behind = [](const Shape& shape, size_t from) {
    return element_count(Shape(shape.begin() + static_cast<std::ptrdiff_t>(from), shape.end()));
  };
  const auto own = static_cast<size_t>(axis);
  for (size_t i = 0; i < y.rank(); ++i)
    if (y.shape()[i] == x.shape()[own] && behind(y.shape(), i + 1) == behind(x.shape(), own + 1)) {
      axis = static_cast<int>(i);
      return true;
    }
  return false;
}

/// Whether the op does to a constant what its levels can say behind it: they move, or are cut and stay levels.
bool stays_levels(const Node& node) {
  return reorders(node.op) || graph::elements_of(node.op) == graph::Elements::Same ||
         class_of(node.op) == graph::OpClass::Clip;
}

/// A clip at a number between two levels makes reals that are no levels.
bool is_on_grid(const Tensor& reals, const Quantise& op) {
  const Node again{"", op, {}, {}};
  return graph::evaluate(again, {&reals}).at(0).to_reals() == reals.to_reals();
}

/// Nodes are in order, so a chain of them moves through in one walk.
void move_constants(Graph& graph) {
  const graph::Uses uses(graph);
  for (Node& node : graph.nodes) {
    if (!stays_levels(node)) continue;
    const int writer = uses.writer[static_cast<size_t>(node.inputs[0])];
    if (writer < 0) continue;
    const Node& source = graph.nodes[static_cast<size_t>(writer)];
    const auto* found = get_if<Quantise>(&source.op);
    const Tensor* held = found ? graph.constant(source.inputs[0]) : nullptr;
    if (!held) continue;
    Tensor x(held->shape(), held->to_reals());
    Quantise op = *found;
    const bool cuts = class_of(node.op) == graph::OpClass::Clip;
    if (cuts) x = graph::evaluate(source, {&x}).at(0);
    const Tensor result = graph::evaluate(node, {&x}).at(0);
    if (cuts && !is_on_grid(result, op)) continue;
    Tensor moved = result.cast(held->type());
    if (!axis_behind(node, x, moved, op.grid.axis)) continue;
    const ValueId constant = graph.add_constant(node.name + ".reals", std::move(moved));
    node.op = op;
    node.inputs = {constant};
  }
}

/// The ends of the grid are where its quantiser saturates anyway: rounding is monotone.
void drop_clips_to_grids(Graph& graph) {
  const graph::Uses uses(graph);
  for (Node& node : graph.nodes) {
    const auto* op = get_if<Quantise>(&node.op);
    const int writer = op ? uses.writer[static_cast<size_t>(node.inputs[0])] : -1;
    if (writer < 0 || op->grid.per_channel()) continue;
    const Node& source = graph.nodes[static_cast<size_t>(writer)];
    const auto* clip = get_if<graph::Clip>(&source.op);
    const auto ends = [&](double bound, int64_t level) {
      return static_cast<float>(bound) == static_cast<float>(op->grid.real(level, 0));
    };
    if (clip && ends(clip->low, op->grid.low) && ends(clip->high, op->grid.high)) node.inputs[0] = source.inputs[0];
  }
}

}  // namespace

void normalise_quantisers(Graph& graph, const Json& metadata, const std::string& file) {
  free_wide_constants(graph);
  graph::fold_constants(graph);
  move_constants(graph);
  drop_clips_to_grids(graph);
  for (const Node& node : graph.nodes)
    if (const auto* op = get_if<Quantise>(&node.op)) graph[node.outputs[0]].grid = op->grid;
  for (graph::Value& value : graph.values)
    if (!value.grid && is_real(value.type)) value.grid = declared_grid(value_metadata(metadata, value.name), file);
  graph::spread_output_grids(graph, graph::reorders);
}

}  // namespace nibble::onnx
