#include <algorithm>

#include "base/error.hpp"
#include "graph/windows.hpp"
#include "lower/loops.hpp"
#include "lower/lowering.hpp"

/// The tail of a network that has no integer form: reals, in double, as graph/evaluate computes them.
namespace nibble::lower {
namespace {

using graph::Node;
using graph::ValueId;

/// The number of a function of one real: NIBBLE_REAL_FUNCTIONS stand in the kernels' order.
template <class Function>
constexpr int number_of() {
  int number = 0, found = -1;
#define NIBBLE_COUNT(NAME) \
  ++number;                \
  if (std::is_same_v<Function, graph::NAME>) found = number;
  NIBBLE_REAL_FUNCTIONS(NIBBLE_COUNT)
#undef NIBBLE_COUNT
  return found;
}

/// The kernel's op and its numbers for a pointwise node, or op -1.
nibble_real function_of(const Node& node) {
  nibble_real p{};
  const auto is = [&](int op) { p.op = op; };
  graph::match(
      node.op, [&](const graph::Add&) { is(NIBBLE_REAL_ADD); }, [&](const graph::Sub&) { is(NIBBLE_REAL_SUB); },
      [&](const graph::Mul&) { is(NIBBLE_REAL_MUL); }, [&](const graph::Div&) { is(NIBBLE_REAL_DIV); },
      [&](const graph::Min&) { is(NIBBLE_REAL_MIN); }, [&](const graph::Max&) { is(NIBBLE_REAL_MAX); },
      [&](const graph::Relu&) { is(NIBBLE_REAL_RELU); }, [&](const graph::Neg&) { is(NIBBLE_REAL_NEG); },
      [&](const graph::Abs&) { is(NIBBLE_REAL_ABS); }, [&](const graph::Pow&) { is(NIBBLE_REAL_POW); },
      [&](const graph::Where&) { is(NIBBLE_REAL_WHERE); }, [&](const graph::PRelu&) { is(NIBBLE_REAL_PRELU); },
      [&](const graph::Clip& op) {
        is(NIBBLE_REAL_CLIP);
        p.r[0] = op.low, p.r[1] = op.high;
      },
      [&]<class Op>(const Op& op) {
        if constexpr (graph::RealFunction<Op>) {
          is(number_of<Op>());
          size_t at = 0;
          Op::fields([&](std::string_view, const auto& field) { p.r[at++] = static_cast<double>(field); }, op);
        } else {
          is(-1);
        }
      });
  return p;
}

/// y = p's function of the operands, broadcast to y.
void add_elements(Lowering& lowering, const Node& node, nibble_real p, std::vector<View> operands, const View& y,
                  std::vector<ValueId> completes, int64_t channel_axis = -1) {
  if (operands.size() > 3) lowering.refuse(node, std::to_string(operands.size()) + " operands", "at most 3");
  if (!set_elements(p, y, operands, channel_axis))
    lowering.refuse(node, "elements over more than six axes that do not join", "fewer");
  lowering.add(NIBBLE_KIND_REAL, p, node, std::move(operands), y, std::move(completes));
}

View room_for(Lowering& lowering, ValueId result, const View& like) {
  const bool same = like.extents == lowering.shape(result) && like.buffer >= 0;
  return lowering.fresh(result, same ? order_of(like) : in_order(lowering.shape(result).size()));
}

std::vector<View> views_of(Lowering& lowering, const Node& node) {
  std::vector<View> views;
  for (ValueId id : node.inputs)
    if (id != graph::absent) views.push_back(lowering.view(id));
  return views;
}

void lower_dequantise(Lowering& lowering, const Node& node, const graph::Dequantise& op) {
  const View x = lowering.view(node.inputs[0]);
  nibble_real p{};
  p.op = NIBBLE_REAL_DEQUANTISE;
  p.zero_point = op.grid.zero_point;
  p.channels = static_cast<int32_t>(op.grid.scale.size());
  p.a = lowering.constants.field(op.grid.scale);
  add_elements(lowering, node, p, {x}, room_for(lowering, node.outputs[0], x), {node.outputs[0]},
               p.channels > 1 ? op.grid.axis : -1);
}

void lower_softmax(Lowering& lowering, const Node& node, int op, int64_t axis) {
  const View x = lowering.view(node.inputs[0]), y = room_for(lowering, node.outputs[0], x);
  const auto at = static_cast<size_t>(normalise_axis(axis, x.rank()));
  nibble_row p{};
  p.op = op;
  p.x_type = x.type, p.y_type = y.type;
  p.width = static_cast<int32_t>(x.extents[at]);
  p.x_step = x.strides[at], p.y_step = y.strides[at];
  View rows_x = x, rows_y = y;
  rows_x.extents[at] = rows_y.extents[at] = 1;
  const Loops loops = loops_of({rows_y, rows_x});
  if (!loops.fit()) lowering.refuse(node, "rows over more than six axes", "fewer");
  p.rank = static_cast<int32_t>(loops.rank());
  loops.write(p.extent, {p.y_stride, p.x_stride});
  lowering.add(NIBBLE_KIND_ROW, p, node, {x}, y, {node.outputs[0]});
}

/// A sum over axes, divided by how many there are.
void lower_mean(Lowering& lowering, const Node& node, const graph::Ints& axes, bool keep_dims) {
  const View x = lowering.view(node.inputs[0]);
  const Node sum{node.name, graph::ReduceSum{axes, keep_dims, 0}, node.inputs, node.outputs};
  const View y = lowering.fresh(node.outputs[0], in_order(lowering.shape(node.outputs[0]).size()));
  const View total = lowering.temporary(y.extents, NIBBLE_F64, in_order(y.rank()));
  add_sum(lowering, sum, x, total);
  // Of nothing the mean is NaN.
  const int64_t count = x.count() / std::max<int64_t>(y.count(), 1);
  nibble_real p{};
  p.op = NIBBLE_REAL_DIV;
  View divisor{View::constants, 0, {}, {}, NIBBLE_F64};
  divisor.offset = lowering.constants.put(std::vector<double>{static_cast<double>(count)}) / bytes_of(NIBBLE_F64);
  add_elements(lowering, node, p, {total, divisor}, y, {node.outputs[0]});
}

void lower_pointwise_reals(Lowering& lowering, const Node& node) {
  const nibble_real p = function_of(node);
  if (p.op < 0) lowering.refuse(node, "a computation on real numbers that no step does", "integers");
  std::vector<View> operands = views_of(lowering, node);
  // A sum of many: two by two.
  while (p.op == NIBBLE_REAL_ADD && operands.size() > 2) {
    const Shape shape = broadcast(operands[0].extents, operands[1].extents);
    const View sum = lowering.temporary(shape, NIBBLE_F64, in_order(shape.size()));
    add_elements(lowering, node, p, {operands[0], operands[1]}, sum, {});
    operands.erase(operands.begin());
    operands[0] = sum;
  }
  const View y = room_for(lowering, node.outputs[0], operands[0]);
  add_elements(lowering, node, p, std::move(operands), y, {node.outputs[0]});
}

}  // namespace

void lower_real(Lowering& lowering, const Node& node) {
  const auto* pad = graph::get_if<graph::Pad>(&node.op);
  if (graph::holds_alternative<graph::ConvTranspose>(node.op) || (pad != nullptr && pad->value != 0))
    lowering.refuse(node, "a computation on real numbers that no step does", "integers");
  if (lower_product(lowering, node) || lower_pool(lowering, node) || lower_reduction(lowering, node) ||
      lower_movement(lowering, node))
    return;
  graph::match(
      node.op, [&](const graph::Dequantise& op) { lower_dequantise(lowering, node, op); },
      [&](const graph::Softmax& op) { lower_softmax(lowering, node, NIBBLE_REAL_SOFTMAX, op.axis); },
      [&](const graph::LogSoftmax& op) { lower_softmax(lowering, node, NIBBLE_REAL_LOG_SOFTMAX, op.axis); },
      [&](const graph::ReduceMean& op) { lower_mean(lowering, node, op.axes, op.keep_dims); },
      [&](const graph::GlobalAveragePool&) {
        graph::Ints axes;
        for (size_t i = 2; i < lowering.shape(node.inputs[0]).size(); ++i) axes.push_back(static_cast<int64_t>(i));
        lower_mean(lowering, node, axes, true);
      },
      [&](const auto&) { lower_pointwise_reals(lowering, node); });
}

}  // namespace nibble::lower
