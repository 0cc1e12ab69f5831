#include <fmt/format.h>

#include <algorithm>

#include "passes/integerise/propagation.hpp"

namespace nibble::passes {
namespace {
using graph::Node;
using graph::ValueId;

/// Whether the inputs stand on one grid, levels apart.
bool on_one_grid(const Propagation& p, const Node& node) {
  const auto& first = p.carried[static_cast<size_t>(node.inputs[0])];
  for (ValueId id : node.inputs) {
    const auto& x = p.carried[static_cast<size_t>(id)];
    if (!x || !x->grid || !first->grid || x->grid->scale != first->grid->scale ||
        x->grid->zero_point != first->grid->zero_point)
      return false;
  }
  return true;
}

/// Each branch requantised to the grid of the quantiser after the Concat.
void concat_requantised(Propagation& p, const Node& node) {
  const Node* reader = p.quantiser_after(node.outputs[0]);
  const auto* quantiser = reader ? get_if<graph::Quantise>(&reader->op) : nullptr;
  for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
    const Carried& x = quantiser ? p.input(node, slot) : p.on_grid(node, slot);
    if (x.real) p.on_grid(node, slot);
  }
  if (!quantiser) refuse(node, "joins branches on several grids", "one grid for all, or one quantiser right after it");
  Carried result;
  result.grid = quantiser->grid;
  result.scale = quantiser->grid.scale;
  result.zero = quantiser->grid.zero_point;
  std::vector<ValueId> inputs;
  for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
    const Carried& x = p.input(node, slot);
    const std::string name = fmt::format("{}_in{}", node.name, slot + 1);
    const bool there = x.grid && *x.grid == quantiser->grid;
    inputs.push_back(there ? x.id : requantise(p, node, x, *quantiser, name, name));
  }
  result.id = p.emit(node.name, node.op, std::move(inputs), p.from[reader->outputs[0]].name);
  p.set(node.outputs[0], std::move(result));
}

}  // namespace

void carry_concat(Propagation& p, const Node& node) {
  if (!on_one_grid(p, node)) return concat_requantised(p, node);
  Carried result = p.integers(node, 0);
  result.constant = false;
  std::vector<ValueId> inputs;
  for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
    inputs.push_back(p.integers(node, slot).id);
    result.grid->low = std::min(result.grid->low, p.integers(node, slot).grid->low);
    result.grid->high = std::max(result.grid->high, p.integers(node, slot).grid->high);
  }
  result.id = p.emit(node.name, node.op, std::move(inputs), p.name_for(node.outputs[0], result));
  p.set(node.outputs[0], std::move(result));
}

}  // namespace nibble::passes
