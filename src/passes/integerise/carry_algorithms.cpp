#include <algorithm>

#include "graph/evaluate/evaluate.hpp"
#include "passes/integerise/propagation.hpp"
#include "passes/rewrite.hpp"
#include "quant/integer_functions.hpp"

namespace nibble::passes {
namespace {
using graph::Node;
using graph::ValueId;

/// One row's number of elements; refuses the batch.
int64_t elements_of(const Node& node, const Shape& shape, size_t from, size_t to) {
  int64_t count = 1;
  for (size_t axis = from; axis < to; ++axis) {
    if (shape[axis] == any) refuse(node, "runs over the batch", "another axis");
    count *= shape[axis];
  }
  return count;
}

/// How far apart two of these integers can be.
int64_t distance_in(const Carried& carried) {
  const auto* x = std::get_if<OnGrid>(&carried);
  return x ? x->grid.high - x->grid.low : INT32_MAX;
}

ValueId emit_softmax(Propagation& p, const Node& node, const graph::Softmax& op, const graph::Quantise& quantiser,
                     const std::string& name) {
  const Sum x = p.scaled(node, 0);
  const Shape& shape = p.from[node.inputs[0]].shape;
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, shape.size()));
  const Grid& grid = quantiser.grid;
  const quant::SoftmaxPlan plan = quant::plan_softmax(x.scale[0], elements_of(node, shape, axis, axis + 1),
                                                      distance_in(p.input(node, 0)), grid, place_of(node));
  p.approximations.push_back({node.name, "Softmax", plan.error});
  const ValueId table = p.to.add_constant(
      node.name + "_exponentials",
      Tensor({static_cast<int64_t>(plan.table.size())}, std::vector<int32_t>(plan.table.begin(), plan.table.end())));
  return p.emit(node.name,
                graph::TableSoftmax{static_cast<int64_t>(axis), plan.multiplier, plan.shift, quantiser.rounding,
                                    grid.zero_point, grid.low, grid.high},
                {x.id, table}, name);
}

/// A scale or bias of a normalisation as one number, or one an element of the row.
std::vector<double> row_of(const Propagation& p, const Node& node, size_t slot, const Shape& row) {
  if (slot >= node.inputs.size() || node.inputs[slot] == graph::absent) return {0};
  const Tensor* constant = p.from.constant(node.inputs[slot]);
  if (!constant) refuse(node, "has parameters that are computed", "constant parameters");
  if (constant->size() == 1) return constant->to_reals();
  const Node stretch{node.name, graph::Add{}, {}, {}};
  const Tensor reals = constant->cast(ElementType::Float64), zeros(ElementType::Float64, row);
  return graph::evaluate(stretch, {&reals, &zeros})[0].to_reals();
}

template <class Numbers>
ValueId constant_row(Propagation& p, const std::string& name, const Numbers& numbers, const Shape& row) {
  return p.to.add_constant(name, Tensor(numbers.size() == 1 ? Shape{1} : row, numbers));
}

template <class Op>
ValueId emit_normalization(Propagation& p, const Node& node, const Op& op, const graph::Quantise& quantiser,
                           const std::string& name) {
  constexpr bool centred = std::is_same_v<Op, graph::LayerNormalization>;
  const OnGrid& x = p.on_grid(node, 0);
  const Shape& shape = p.from[node.inputs[0]].shape;
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, shape.size()));
  const Shape row(shape.begin() + static_cast<std::ptrdiff_t>(axis), shape.end());
  quant::Normalization function{centred, op.epsilon, elements_of(node, shape, axis, shape.size()),
                                row_of(p, node, 1, row), row_of(p, node, 2, row)};
  const Grid& grid = quantiser.grid;
  const quant::NormalizationPlan plan =
      quant::plan_normalization(function, x.grid, grid, quantiser.rounding, place_of(node));
  p.approximations.push_back({node.name, std::string(Op::name), plan.error});
  const ValueId multiplier = constant_row(p, node.name + "_multiplier", plan.multiplier, row);
  const ValueId addend = constant_row(p, node.name + "_addend", plan.addend, row);
  return p.emit(node.name,
                graph::IntegerNormalization{static_cast<int64_t>(axis), centred, x.grid.zero_point, plan.epsilon,
                                            plan.root_shift, plan.inverse_shift, plan.shift, grid.low, grid.high},
                {x.id, multiplier, addend}, name);
}

ValueId emit_division(Propagation& p, const Node& node, const graph::Quantise& quantiser, const std::string& name) {
  const OnGrid& a = p.integers(node, 0);
  const OnGrid& b = p.integers(node, 1);
  const Grid& grid = quantiser.grid;
  const quant::DivisionPlan plan = quant::plan_division(a.grid.scale[0], b.grid.scale[0], grid, place_of(node));
  p.approximations.push_back({node.name, "Div", plan.error});
  return p.emit(node.name,
                graph::RoundedDivision{a.grid.zero_point, b.grid.zero_point, plan.multiplier, plan.shift,
                                       quantiser.rounding, grid.zero_point, grid.low, grid.high},
                {a.id, b.id}, name);
}

}  // namespace

/// Nothing is emitted before the quantiser is known whose levels the algorithm gives.
void carry_algorithm(Propagation& p, const Node& node) {
  if (holds_alternative<graph::Div>(node.op)) {
    p.integers(node, 0), p.integers(node, 1);
  } else if (holds_alternative<graph::Softmax>(node.op)) {
    p.scaled(node, 0);
  } else {
    p.on_grid(node, 0);
  }
  p.set(node.outputs[0], Pending{&node});
}

ValueId emit_algorithm(Propagation& p, const Node& function, const graph::Quantise& quantiser,
                       const std::string& name) {
  if (const auto* op = get_if<graph::Softmax>(&function.op)) return emit_softmax(p, function, *op, quantiser, name);
  if (const auto* op = get_if<graph::LayerNormalization>(&function.op))
    return emit_normalization(p, function, *op, quantiser, name);
  if (const auto* op = get_if<graph::RmsNormalization>(&function.op))
    return emit_normalization(p, function, *op, quantiser, name);
  ensure(holds_alternative<graph::Div>(function.op), "an algorithm is one of those that carry_algorithm takes");
  return emit_division(p, function, quantiser, name);
}

}  // namespace nibble::passes
