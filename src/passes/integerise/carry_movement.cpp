#include <algorithm>
#include <cmath>

#include "graph/op_traits.hpp"
#include "passes/integerise/propagation.hpp"

namespace nibble::passes {
namespace {
using graph::Node;

/// Whether a Pad adds numbers that lie on the grid of x (zeros always do).
bool is_on_grid(const graph::Pad& pad, const Carried& x) {
  if (pad.mode != graph::PadMode::Constant) return true;
  const double level = pad.value / x.scale[0];
  return x.grid && level == std::floor(level) &&
         Interval{x.grid->low, x.grid->high}.contains(static_cast<int64_t>(level) + x.zero);
}

/// A Pad with numbers between the levels of its input: both become the levels of the quantiser after it.
void carry_pad(Propagation& p, const Node& node, const graph::Pad& pad) {
  const Carried& x = p.input(node, 0);
  const Node* reader = p.quantiser_after(node.outputs[0]);
  const auto* quantiser = reader ? get_if<graph::Quantise>(&reader->op) : nullptr;
  if (!quantiser || x.real)
    refuse(node, "pads with a number that is not on the grid of its input", "zeros, or one quantiser right after it");
  Carried result;
  result.grid = quantiser->grid;
  result.scale = quantiser->grid.scale;
  result.zero = quantiser->grid.zero_point;
  const std::string name = node.name + "_in";
  const bool there = x.grid && *x.grid == quantiser->grid;
  const graph::ValueId inside = there ? x.id : requantise(p, node, x, *quantiser, name, name);
  graph::Pad integer = pad;
  integer.value = static_cast<double>(quantiser->grid.quantise(pad.value, 0, quantiser->rounding));
  result.id = p.emit(node.name, integer, {inside}, p.from[reader->outputs[0]].name);
  p.set(node.outputs[0], std::move(result));
}

graph::Op integer_op(const Node& node, const Carried& x) {
  const auto* pad = get_if<graph::Pad>(&node.op);
  if (!pad || pad->mode != graph::PadMode::Constant) return node.op;
  graph::Pad integer = *pad;
  integer.value = pad->value / x.scale[0] + static_cast<double>(x.zero);
  return integer;
}

}  // namespace

void carry_movement(Propagation& p, const Node& node) {
  if (holds_alternative<graph::Gather>(node.op) && !p.from.constant(node.inputs[1])) return carry_embedding(p, node);
  const Carried x = p.input(node, 0);
  if (elements_of(node.op) == graph::Elements::Same) {
    p.set(node.outputs[0], x);
    return;
  }
  const auto* pad = get_if<graph::Pad>(&node.op);
  if (pad && !is_on_grid(*pad, x)) return carry_pad(p, node, *pad);
  const bool rising = std::all_of(x.scale.begin(), x.scale.end(), [](double s) { return s >= 0; });
  if (x.real || !x.uniform() || !rising) p.on_grid(node, 0);
  std::vector<graph::ValueId> inputs{x.id};
  for (size_t slot = 1; slot < node.inputs.size(); ++slot) {
    const Tensor* constant = p.from.constant(node.inputs[slot]);
    if (!constant) refuse(node, "picks by indices that are computed", "constant indices");
    inputs.push_back(p.to.add_constant(p.from[node.inputs[slot]].name, *constant));
  }
  const graph::ValueId first =
      p.emit(node.name, integer_op(node, x), std::move(inputs), p.name_for(node.outputs[0], x));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    Carried result = x;
    result.id = first;
    if (i > 0) {
      result.id = p.to.add_value(p.name_for(node.outputs[i], x));
      p.to.nodes.back().outputs.push_back(result.id);
    }
    p.set(node.outputs[i], std::move(result));
  }
}

}  // namespace nibble::passes
