#include <algorithm>

#include "passes/integerise/propagation.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Node;
using graph::ValueId;

/// The constant as the graph held it, for an op on integers.
ValueId copied(Propagation& p, ValueId id) {
  return p.to.add_constant(p.from[id].name, *p.from.constant(id));
}

}  // namespace

void carry_choice(Propagation& p, const Node& node) {
  const bool where = holds_alternative<graph::Where>(node.op);
  if (where && !p.from.constant(node.inputs[0])) refuse(node, "chooses by what is computed", "a constant condition");
  const size_t first = where ? 1 : 0;
  const Carried& a = p.integers(node, first);
  const Carried& b = p.integers(node, first + 1);
  if (a.scale != b.scale || a.zero != b.zero)
    refuse(node, "chooses between integers of two grids", "one grid for both");
  Carried result = a;
  result.constant = false;
  result.grid->low = std::min(a.grid->low, b.grid->low);
  result.grid->high = std::max(a.grid->high, b.grid->high);
  std::vector<ValueId> inputs{a.id, b.id};
  if (where) inputs.insert(inputs.begin(), copied(p, node.inputs[0]));
  result.id = p.emit(node.name, node.op, std::move(inputs), p.name_for(node.outputs[0], result));
  p.set(node.outputs[0], std::move(result));
}

void carry_index(Propagation& p, const Node& node) {
  const Carried& x = p.input(node, 0);
  const bool shifted = std::any_of(x.shift.begin(), x.shift.end(), [](double s) { return s != 0; });
  if (x.real || x.index || !x.uniform() || shifted || x.clipped() || !(x.scale[0] > 0)) p.on_grid(node, 0);
  Carried result;
  result.index = true;
  result.id = p.emit(node.name, node.op, {x.id}, p.from[node.outputs[0]].name);
  p.set(node.outputs[0], std::move(result));
}

void carry_embedding(Propagation& p, const Node& node) {
  const auto& table = p.carried[static_cast<size_t>(node.inputs[0])];
  const auto& indices = p.carried[static_cast<size_t>(node.inputs[1])];
  if (!table || !table->constant)
    refuse(node, "picks from '" + p.from[node.inputs[0]].name + "' by what is computed",
           "a constant table with a quantiser, or constant indices");
  if (!indices || !indices->index) refuse(node, "picks by indices that are computed", "a graph input of integers");
  if (table->grid->per_channel()) refuse(node, "has a table with a scale for each row", "one scale for the tensor");
  Carried result = *table;
  result.constant = false;
  result.id = p.emit(node.name, node.op, {table->id, indices->id}, p.name_for(node.outputs[0], result));
  p.set(node.outputs[0], std::move(result));
}

void carry_addend(Propagation& p, const Node& node) {
  const auto& held = p.carried[static_cast<size_t>(node.inputs[0])];
  const size_t slot = held && held->constant ? 0 : 1;
  const Carried& x = p.input(node, 1 - slot);
  const Carried& c = p.integers(node, slot);
  const bool shifted = std::any_of(x.shift.begin(), x.shift.end(), [](double s) { return s != 0; });
  // The product of two scales against the float32 that a grid's scale is rounded to.
  const bool alike = !x.real && !x.index && x.uniform() && !shifted && !(x.clipped()) && !c.grid->per_channel() &&
                     std::abs(c.scale[0] / x.scale[0] - 1) <= 1e-6;
  if (!alike)
    refuse(node, "adds '" + p.from[node.inputs[slot]].name + "' to '" + p.from[node.inputs[1 - slot]].name + "'",
           "a constant with a quantiser of the same scale");
  Carried result;
  result.scale = {x.scale[0]};
  result.zero = x.zero + c.zero;
  result.id = p.emit(node.name, graph::Add{}, {x.id, c.id}, p.name_for(node.outputs[0], result));
  p.annotate(result);
  p.set(node.outputs[0], std::move(result));
}

}  // namespace nibble::passes
