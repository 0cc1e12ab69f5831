#include <algorithm>
#include <cmath>

#include "passes/propagation.hpp"

namespace nibble::passes {
namespace {
using graph::Node;

/// The op on integers: what a Pad adds is the zero point.
graph::Op integer_op(const Node& node, const Carried& x) {
  const auto* pad = std::get_if<graph::Pad>(&node.op);
  if (!pad || pad->mode != graph::PadMode::Constant) return node.op;
  const double level = pad->value / x.scale[0];
  if (level != std::floor(level) || !x.grid ||
      !Interval{x.grid->low, x.grid->high}.contains(static_cast<int64_t>(level) + x.zero))
    refuse(node, "pads with a number that is not on the grid of its input", "zeros");
  graph::Pad integer = *pad;
  integer.value = level + static_cast<double>(x.zero);
  return integer;
}

}  // namespace

void carry_movement(Propagation& p, const Node& node) {
  if (std::holds_alternative<graph::Gather>(node.op) && !p.from.constant(node.inputs[1]))
    return carry_embedding(p, node);
  const Carried x = p.input(node, 0);
  if (std::holds_alternative<graph::Identity>(node.op) || std::holds_alternative<graph::Dropout>(node.op)) {
    p.set(node.outputs[0], x);
    return;
  }
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
