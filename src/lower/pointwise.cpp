#include <algorithm>

#include "lower/loops.hpp"
#include "lower/lowering.hpp"

namespace nibble::lower {
namespace {

using graph::Node;
using graph::ValueId;

/// The kernel's op and scalars for a node of integers, or op -1.
nibble_pointwise function_of(const Node& node) {
  nibble_pointwise p{};
  const auto is = [&](int op, std::initializer_list<int64_t> s = {}) {
    p.op = op;
    std::copy(s.begin(), s.end(), p.s);
  };
  graph::match(
      node.op, [&](const graph::Relu&) { is(NIBBLE_RELU); }, [&](const graph::Neg&) { is(NIBBLE_NEG); },
      [&](const graph::Abs&) { is(NIBBLE_ABS); }, [&](const graph::Add&) { is(NIBBLE_ADD); },
      [&](const graph::Sub&) { is(NIBBLE_SUB); }, [&](const graph::Mul&) { is(NIBBLE_MUL); },
      [&](const graph::Div&) { is(NIBBLE_DIV); }, [&](const graph::Min&) { is(NIBBLE_MIN); },
      [&](const graph::Max&) { is(NIBBLE_MAX); }, [&](const graph::Where&) { is(NIBBLE_WHERE); },
      [&](const graph::RoundedDivision& op) {
        is(NIBBLE_ROUNDED_DIVISION, {op.zero_point_a, op.zero_point_b, op.multiplier, op.shift,
                                     static_cast<int64_t>(op.rounding), op.zero_point, op.low, op.high});
      },
      [&](const graph::IGelu& op) {
        is(NIBBLE_I_GELU, {op.b, op.one});
      },
      [&](const graph::IHardSwish& op) {
        is(NIBBLE_I_HARD_SWISH, {op.three, op.six, op.one_over_six});
      },
      [&](const graph::IntegerDiv& op) {
        is(NIBBLE_INTEGER_DIV, {op.delta, op.eps, op.eta});
      },
      [&](const graph::TrueIntegerDiv& op) {
        is(NIBBLE_TRUE_INTEGER_DIV, {op.delta, op.eps, op.eta});
      },
      [&](const graph::INoNorm& op) {
        is(NIBBLE_I_NO_NORM, {op.multiplier, op.shift, op.levels});
      },
      [&](const auto&) { is(NIBBLE_COPY); });
  return p;
}

/// y = stage(p's function of the operands), broadcast to y.
void add_elements(Lowering& lowering, const Node& node, nibble_pointwise p, std::vector<View> operands, const View& y,
                  const Stage& stage, std::vector<ValueId> completes) {
  if (operands.size() > 3) lowering.refuse(node, std::to_string(operands.size()) + " operands", "at most 3");
  if (!set_elements(p, y, operands, stage.fields.channels > 1 ? 1 : -1))
    lowering.refuse(node, "elements over more than six axes that do not join", "fewer");
  p.y_type = y.type;
  p.stage = stage.fields;
  lowering.add(NIBBLE_KIND_POINTWISE, p, node, std::move(operands), y, std::move(completes), 0, stage.form);
}

/// Room for the result, its axes in memory as an operand's of the same extents.
View room_for(Lowering& lowering, ValueId result, const std::vector<View>& operands) {
  const Shape& shape = lowering.shape(result);
  for (const View& x : operands)
    if (x.extents == shape && x.buffer >= 0) return lowering.fresh(result, order_of(x));
  return lowering.fresh(result, in_order(shape.size()));
}

}  // namespace

void add_pointwise(Lowering& lowering, const Node& node, const nibble_pointwise& p, std::vector<View> operands,
                   const Chain& chain) {
  const View y = room_for(lowering, chain.result, operands);
  add_elements(lowering, node, p, std::move(operands), y, chain.stage, {chain.result});
}

void lower_pointwise(Lowering& lowering, const Node& node) {
  nibble_pointwise p = function_of(node);
  std::vector<View> operands;
  for (ValueId id : node.inputs)
    if (id != graph::absent) operands.push_back(lowering.view(id));
  if (p.op == NIBBLE_COPY || p.op == NIBBLE_RELU) {
    const auto stage =
        stage_of(lowering.graph, node, lowering.range(node.inputs[0]), lowering.options.floats, lowering.constants);
    if (!stage) lowering.refuse(node, "an op that no step computes", "an integer op with constant parameters");
    p.op = NIBBLE_COPY;
    Chain chain{node.outputs[0], *stage};
    lowering.extend(chain);
    return add_pointwise(lowering, node, p, {operands[0]}, chain);
  }
  if (const auto* op = graph::get_if<graph::TrueIntegerDiv>(&node.op); op != nullptr && operands.size() == 1)
    operands.push_back(lowering.constant({op->y}, narrowest({op->y, op->y}), {}));
  // A sum of many: two by two.
  while (p.op == NIBBLE_ADD && operands.size() > 2) {
    const Shape shape = broadcast(operands[0].extents, operands[1].extents);
    const View sum = lowering.temporary(shape, NIBBLE_I64, in_order(shape.size()));
    add_elements(lowering, node, p, {operands[0], operands[1]}, sum, no_stage(), {});
    operands.erase(operands.begin());
    operands[0] = sum;
  }
  if (p.op == NIBBLE_ADD && operands.size() == 1) p.op = NIBBLE_COPY;
  add_pointwise(lowering, node, p, std::move(operands), lowering.absorb(node.outputs[0], 1));
}

}  // namespace nibble::lower
