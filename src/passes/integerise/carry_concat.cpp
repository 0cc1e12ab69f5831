#include <fmt/format.h>

#include <algorithm>

#include "passes/integerise/propagation.hpp"

namespace nibble::passes {
namespace {
using graph::Node;
using graph::ValueId;

/// Whether the inputs stand on one grid, levels apart.
bool on_one_grid(const Propagation& p, const Node& node) {
  const auto* first = std::get_if<OnGrid>(p.find(node.inputs[0]));
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
    const auto* x = std::get_if<OnGrid>(p.find(id));
    return first && x && x->grid.scale == first->grid.scale && x->grid.zero_point == first->grid.zero_point;
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
  if (!on_one_grid(p, node)) return concat_requantised(p, node);
  OnGrid result = p.integers(node, 0);
  std::vector<ValueId> inputs;
  for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
    const OnGrid& x = p.integers(node, slot);
    inputs.push_back(x.id);
    result.grid.low = std::min(result.grid.low, x.grid.low);
    result.grid.high = std::max(result.grid.high, x.grid.high);
  }
  result.id = p.emit(node.name, node.op, std::move(inputs), p.name_for(node.outputs[0], result));
  p.set(node.outputs[0], std::move(result));
}

}  // namespace nibble::passes
