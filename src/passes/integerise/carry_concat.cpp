#include <fmt/format.h>

#include <algorithm>

#include "passes/integerise/propagation.hpp"

namespace nibble::passes {
namespace {
using graph::Node;
using graph::ValueId;

bool lies_along(const Propagation& p, const Node& node, int axis) {
  return normalise_axis(get<graph::Concat>(node.op).axis, p.from[node.outputs[0]].shape.size()) == axis;
}

/// Whether the inputs stand on one grid, levels apart.
bool on_one_grid(const Propagation& p, const Node& node) {
  const auto* first = std::get_if<OnGrid>(p.find(node.inputs[0]));
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
    const auto* x = std::get_if<OnGrid>(p.find(id));
    return first && x && x->grid.scale == first->grid.scale && x->grid.zero_point == first->grid.zero_point &&
           x->grid.axis == first->grid.axis && (!x->grid.per_channel() || !lies_along(p, node, x->grid.axis));
  });
}

/// Whether the branches are channels beside channels of one type and zero point, each with a scale of its own.
bool has_scales_of_channels(const Propagation& p, const Node& node) {
  const auto& axis = get<graph::Concat>(node.op).axis;
  if (normalise_axis(axis, p.from[node.outputs[0]].shape.size()) != 1 || p.quantiser_after(node.outputs[0]))
    return false;
  const auto* first = std::get_if<OnGrid>(p.find(node.inputs[0]));
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
    const auto* x = std::get_if<OnGrid>(p.find(id));
    return first && x && !x->grid.per_channel() && x->grid.zero_point == first->grid.zero_point &&
           x->grid.container() == first->grid.container() && p.from[id].shape[1] != any;
  });
}

/// Each branch requantised to the grid of the quantiser after the Concat.
void concat_requantised(Propagation& p, const Node& node) {
  const Node* reader = p.quantiser_after(node.outputs[0]);
  const auto* quantiser = reader ? get_if<graph::Quantise>(&reader->op) : nullptr;
  for (size_t slot = 0; slot < node.inputs.size(); ++slot)
    if (!quantiser || !sum_of(p.input(node, slot))) p.on_grid(node, slot);
  if (!quantiser) refuse(node, "joins branches on several grids", "one grid for all, or one quantiser right after it");
  std::vector<ValueId> inputs;
  for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
    const Carried& x = p.input(node, slot);
    const std::string name = fmt::format("{}_in{}", node.name, slot + 1);
    const auto* there = std::get_if<OnGrid>(&x);
    inputs.push_back(there && there->grid == quantiser->grid ? there->id
                                                             : requantise(p, node, *sum_of(x), *quantiser, name, name));
  }
  const ValueId id = p.emit(node.name, node.op, std::move(inputs), p.from[reader->outputs[0]].name);
  p.set(node.outputs[0], OnGrid{id, quantiser->grid});
}

}  // namespace

void carry_concat(Propagation& p, const Node& node) {
  const bool one_grid = on_one_grid(p, node);
  if (!one_grid && !has_scales_of_channels(p, node)) return concat_requantised(p, node);
  OnGrid result = std::get<OnGrid>(*p.find(node.inputs[0]));
  std::vector<ValueId> inputs;
  if (!one_grid) result.grid.axis = 1, result.grid.scale.clear();
  for (ValueId id : node.inputs) {
    const OnGrid& x = std::get<OnGrid>(*p.find(id));
    inputs.push_back(x.id);
    if (!one_grid)
      result.grid.scale.insert(result.grid.scale.end(), static_cast<size_t>(p.from[id].shape[1]), x.grid.scale[0]);
    result.grid.low = std::min(result.grid.low, x.grid.low);
    result.grid.high = std::max(result.grid.high, x.grid.high);
  }
  result.id = p.emit(node.name, node.op, std::move(inputs), p.name_for(node.outputs[0], result));
  p.set(node.outputs[0], std::move(result));
}

}  // namespace nibble::passes
