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
  const OnGrid& a = p.integers(node, first);
  const OnGrid& b = p.integers(node, first + 1);
  if (a.grid.scale != b.grid.scale || a.grid.zero_point != b.grid.zero_point)
    refuse(node, "chooses between integers of two grids", "one grid for both");
  OnGrid result = a;
  result.grid.low = std::min(a.grid.low, b.grid.low);
  result.grid.high = std::max(a.grid.high, b.grid.high);
  std::vector<ValueId> inputs{a.id, b.id};
  if (where) inputs.insert(inputs.begin(), copied(p, node.inputs[0]));
  result.id = p.emit(node.name, node.op, std::move(inputs), p.name_for(node.outputs[0], result));
  p.set(node.outputs[0], std::move(result));
}

void carry_index(Propagation& p, const Node& node) {
  const Sum x = p.scaled(node, 0);
  p.set(node.outputs[0], Index{p.emit(node.name, node.op, {x.id}, p.from[node.outputs[0]].name)});
}

void carry_embedding(Propagation& p, const Node& node) {
  const OnGrid* table = p.find_constant(node.inputs[0]);
  const auto* indices = std::get_if<Index>(p.find(node.inputs[1]));
  if (!table)
    refuse(node, "picks from '" + p.from[node.inputs[0]].name + "' by what is computed",
           "a constant table with a quantiser, or constant indices");
  if (!indices) refuse(node, "picks by indices that are computed", "a graph input of integers");
  if (table->grid.per_channel()) refuse(node, "has a table with a scale for each row", "one scale for the tensor");
  OnGrid result = *table;
  result.id = p.emit(node.name, node.op, {table->id, indices->id}, p.name_for(node.outputs[0], result));
  p.set(node.outputs[0], std::move(result));
}

void carry_addend(Propagation& p, const Node& node) {
  const size_t slot = p.find_constant(node.inputs[0]) ? 0 : 1;
  const Carried& carried = p.input(node, 1 - slot);
  const OnGrid& c = p.integers(node, slot);
  const std::optional<Sum> x = std::holds_alternative<Index>(carried) ? std::nullopt : sum_of(carried);
  // The product of two scales against the float32 that a grid's scale is rounded to.
  if (!x || !x->is_scaled() || c.grid.per_channel() || !(std::abs(c.grid.scale[0] / x->scale[0] - 1) <= 1e-6))
    refuse(node, "adds '" + p.from[node.inputs[slot]].name + "' to '" + p.from[node.inputs[1 - slot]].name + "'",
           "a constant with a quantiser of the same scale");
  Sum result;
  result.scale = {x->scale[0]};
  result.zero = x->zero + c.grid.zero_point;
  result.id = p.emit(node.name, graph::Add{}, {x->id, c.id}, p.name_for(node.outputs[0], result));
  p.annotate(result);
  p.set(node.outputs[0], std::move(result));
}

}  // namespace nibble::passes
