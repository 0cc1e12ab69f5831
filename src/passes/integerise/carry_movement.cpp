#include <algorithm>
#include <cmath>

#include "graph/op_traits.hpp"
#include "passes/integerise/propagation.hpp"

namespace nibble::passes {
namespace {
using graph::Node;

/// Whether a Pad adds numbers that lie on the grid of x (zeros always do).
bool is_on_grid(const graph::Pad& pad, const Carried& carried) {
  if (pad.mode != graph::PadMode::Constant) return true;
  const auto* x = std::get_if<OnGrid>(&carried);
  if (!x) return false;
  const double level = pad.value / x->grid.scale[0];
  return level == std::floor(level) &&
         Interval{x->grid.low, x->grid.high}.contains(static_cast<int64_t>(level) + x->grid.zero_point);
}

/// A Pad with numbers between the levels of its input: both become the levels of the quantiser after it.
void carry_pad(Propagation& p, const Node& node, const graph::Pad& pad) {
  const Carried& x = p.input(node, 0);
  const auto sum = sum_of(x);
  const Node* reader = p.quantiser_after(node.outputs[0]);
  const auto* quantiser = reader ? get_if<graph::Quantise>(&reader->op) : nullptr;
  if (!quantiser || !sum)
    refuse(node, "pads with a number that is not on the grid of its input", "zeros, or one quantiser right after it");
  const std::string name = node.name + "_in";
  const auto* there = std::get_if<OnGrid>(&x);
  const graph::ValueId inside =
      there && there->grid == quantiser->grid ? there->id : requantise(p, node, *sum, *quantiser, name, name);
  graph::Pad integer = pad;
  integer.value = static_cast<double>(quantiser->grid.quantise(pad.value, 0, quantiser->rounding));
  const graph::ValueId id = p.emit(node.name, integer, {inside}, p.from[reader->outputs[0]].name);
  p.set(node.outputs[0], OnGrid{id, quantiser->grid});
}

graph::Op integer_op(const Node& node, const Carried& carried) {
  const auto* pad = get_if<graph::Pad>(&node.op);
  const auto* x = std::get_if<OnGrid>(&carried);
  if (!pad || !x || pad->mode != graph::PadMode::Constant) return node.op;
  graph::Pad integer = *pad;
  integer.value = pad->value / x->grid.scale[0] + static_cast<double>(x->grid.zero_point);
  return integer;
}

/// Where the channels are that each have a scale, once they have moved.
int axis_behind(const Propagation& p, const Node& node, int axis) {
  const auto at = static_cast<size_t>(axis);
  if (const auto* turned = get_if<graph::Transpose>(&node.op); turned && !turned->perm.empty())
    return static_cast<int>(std::find(turned->perm.begin(), turned->perm.end(), axis) - turned->perm.begin());
  const Shape &from = p.from[node.inputs[0]].shape, &to = p.from[node.outputs[0]].shape;
  if (reshapes(node.op) && at + 1 == from.size() && from.back() == to.back()) return static_cast<int>(to.size()) - 1;
  const bool stays = reshapes(node.op) && from.size() > at && to.size() > at &&
                     std::equal(from.begin(), from.begin() + axis + 1, to.begin());
  if (!stays) refuse(node, "moves integers that have a scale for each channel", "one scale, or channels that stay");
  return axis;
}

/// A sum of a scale for each channel, and nothing else, as what it is on the grid that it was given.
Carried on_its_grid(const Propagation& p, Carried x) {
  const auto* sum = std::get_if<Sum>(&x);
  if (!sum || sum->uniform() || sum->shifted() || sum->clipped() || !sum->others.empty()) return x;
  const std::optional<Grid>& grid = p.to[sum->id].grid;
  return grid && grid->per_channel() ? Carried(OnGrid{sum->id, *grid}) : x;
}

/// The integers that move, of one rising function for all channels.
graph::ValueId moved(const Propagation& p, const Node& node, const Carried& x) {
  if (const auto* index = std::get_if<Index>(&x)) return index->id;
  const auto* sum = std::get_if<Sum>(&x);
  if (sum && sum->uniform() && sum->scale[0] >= 0) return sum->id;
  if (const auto* on_grid = std::get_if<OnGrid>(&x)) return on_grid->id;
  return p.on_grid(node, 0).id;
}

Carried with_id(Carried value, graph::ValueId id) {
  std::visit(
      [&](auto& x) {
        if constexpr (requires { x.id; }) x.id = id;
      },
      value);
  return value;
}

}  // namespace

void carry_movement(Propagation& p, const Node& node) {
  if (holds_alternative<graph::Gather>(node.op) && !p.from.constant(node.inputs[1])) return carry_embedding(p, node);
  Carried x = on_its_grid(p, p.input(node, 0));
  if (elements_of(node.op) == graph::Elements::Same) {
    p.set(node.outputs[0], x);
    return;
  }
  const auto* pad = get_if<graph::Pad>(&node.op);
  if (pad && !is_on_grid(*pad, x)) return carry_pad(p, node, *pad);
  std::vector<graph::ValueId> inputs{moved(p, node, x)};
  if (auto* on_grid = std::get_if<OnGrid>(&x); on_grid && on_grid->grid.per_channel())
    on_grid->grid.axis = axis_behind(p, node, on_grid->grid.axis);
  for (size_t slot = 1; slot < node.inputs.size(); ++slot) {
    const Tensor* constant = p.from.constant(node.inputs[slot]);
    if (!constant) refuse(node, "picks by indices that are computed", "constant indices");
    inputs.push_back(p.to.add_constant(p.from[node.inputs[slot]].name, *constant));
  }
  const graph::ValueId first =
      p.emit(node.name, integer_op(node, x), std::move(inputs), p.name_for(node.outputs[0], x));
  p.set(node.outputs[0], with_id(x, first));
  for (size_t i = 1; i < node.outputs.size(); ++i) {
    const graph::ValueId id = p.to.add_value(p.name_for(node.outputs[i], x));
    p.to.nodes.back().outputs.push_back(id);
    p.set(node.outputs[i], with_id(x, id));
  }
}

}  // namespace nibble::passes
