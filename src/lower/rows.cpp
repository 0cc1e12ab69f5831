#include <algorithm>

#include "base/error.hpp"
#include "lower/loops.hpp"
#include "lower/lowering.hpp"

namespace nibble::lower {
namespace {

using graph::Node;
using graph::ValueId;

/// The rows of a view along its last axes from `axis` on, or along the one axis alone.
struct Rows {
  View x, y, place;
  nibble_row p{};
};

Rows rows_along(Lowering& lowering, const Node& node, int64_t axis) {
  Rows r;
  r.x = lowering.view(node.inputs[0]);
  r.y = r.place = lowering.fresh(node.outputs[0], order_of(r.x));
  const auto at = static_cast<size_t>(normalise_axis(axis, r.x.rank()));
  r.p.width = static_cast<int32_t>(r.x.extents[at]);
  r.p.x_step = r.x.strides[at];
  r.p.y_step = r.y.strides[at];
  View x = r.x, y = r.y;
  x.extents[at] = y.extents[at] = 1;
  const Loops loops = loops_of({y, x});
  if (!loops.fit()) lowering.refuse(node, "rows over more than six axes", "fewer");
  r.p.rank = static_cast<int32_t>(loops.rank());
  loops.write(r.p.extent, {r.p.y_stride, r.p.x_stride});
  return r;
}

/// The axes from `axis` on as one.
Rows rows_of_tail(Lowering& lowering, const Node& node, int64_t axis) {
  Rows r;
  const View x = lowering.plain(node, lowering.view(node.inputs[0]));
  r.place = lowering.fresh(node.outputs[0], in_order(x.rank()));
  const View y = is_plain(r.place) ? r.place : lowering.temporary(x.extents, r.place.type, in_order(x.rank()));
  const auto at = static_cast<std::ptrdiff_t>(normalise_axis(axis, x.rank()));
  const int64_t width = element_count(Shape(x.extents.begin() + at, x.extents.end()));
  r.x = x, r.y = y;
  r.p.width = static_cast<int32_t>(width);
  r.p.x_step = r.p.y_step = 1;
  r.p.rank = 1;
  r.p.extent[0] = static_cast<int32_t>(width == 0 ? 0 : x.count() / width);
  r.p.x_stride[0] = r.p.y_stride[0] = width;
  return r;
}

void finish(Lowering& lowering, const Node& node, Rows& r, int op, std::initializer_list<int64_t> s,
            std::vector<View> operands = {}) {
  r.p.op = op;
  r.p.x_type = r.x.type;
  r.p.y_type = r.y.type;
  std::copy(s.begin(), s.end(), r.p.s);
  std::vector<View> in{r.x};
  for (size_t i = 0; i < operands.size(); ++i) {
    r.p.operand_type[i] = operands[i].type;
    r.p.operand_step[i] = operands[i].count() == 1 ? 0 : 1;
    in.push_back(operands[i]);
  }
  const bool direct = r.y.buffer == r.place.buffer && r.y.offset == r.place.offset;
  lowering.add(NIBBLE_KIND_ROW, r.p, node, std::move(in), r.y,
               direct ? std::vector{node.outputs[0]} : std::vector<ValueId>{});
  if (!direct) lowering.copy(node, r.y, r.place, {node.outputs[0]});
}

/// An operand of one element or one for each of a row, side by side.
View operand(Lowering& lowering, const Node& node, size_t input) {
  return lowering.plain(node, lowering.view(node.inputs[input]));
}

/// A constant that broadcasts to a row, in full.
View spread(Lowering& lowering, const Node& node, size_t input, const Shape& row) {
  const Tensor* constant = lowering.graph.constant(node.inputs[input]);
  if (constant == nullptr) lowering.refuse(node, "parameters that are computed", "constants");
  const Tensor whole = constant->cast(ElementType::Int64);
  std::vector<int64_t> values;
  const auto from = whole.as<int64_t>();
  const auto own = strides_of(whole.shape());
  const int64_t count = element_count(row);
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, at = 0;
    for (size_t axis = row.size(); axis-- > 0;) {
      const int64_t index = rest % row[axis];
      rest /= row[axis];
      const size_t skipped = row.size() - own.size();
      if (axis >= skipped && whole.shape()[axis - skipped] != 1) at += index * own[axis - skipped];
    }
    values.push_back(from[static_cast<size_t>(at)]);
  }
  return lowering.constant(values, narrowest(graph::range_of_constant(whole)), {count});
}

}  // namespace

bool lower_rows(Lowering& lowering, const Node& node) {
  bool own = true;
  graph::match(
      node.op,
      [&](const graph::TableSoftmax& op) {
        const Tensor* table = lowering.graph.constant(node.inputs[1]);
        if (table == nullptr) lowering.refuse(node, "a table that is computed", "a constant");
        Rows r = rows_along(lowering, node, op.axis);
        r.p.steps = static_cast<int32_t>(table->size());
        r.p.table = lowering.constants.field(table->to_integers());
        finish(lowering, node, r, NIBBLE_TABLE_SOFTMAX,
               {op.multiplier, op.shift, static_cast<int64_t>(op.rounding), op.zero_point, op.low, op.high});
      },
      [&](const graph::IntegerNormalization& op) {
        Rows r = rows_of_tail(lowering, node, op.axis);
        const auto axis = static_cast<std::ptrdiff_t>(normalise_axis(op.axis, r.x.rank()));
        const Shape row(r.x.extents.begin() + axis, r.x.extents.end());
        finish(lowering, node, r, NIBBLE_NORMALISATION,
               {op.centred, op.zero_point, op.epsilon, op.root_shift, op.inverse_shift, op.shift, op.low, op.high},
               {spread(lowering, node, 1, row), spread(lowering, node, 2, row)});
      },
      [&](const graph::ISoftmax& op) {
        Rows r = rows_along(lowering, node, -1);
        finish(lowering, node, r, NIBBLE_I_SOFTMAX, {op.a, op.b, op.c, op.log2, op.levels});
      },
      [&](const graph::ItaMax& op) {
        Rows r = rows_along(lowering, node, -1);
        finish(lowering, node, r, NIBBLE_ITA_MAX, {op.levels});
      },
      [&](const graph::ItaPartialMax& op) {
        Rows r = rows_along(lowering, node, -1);
        finish(lowering, node, r, NIBBLE_ITA_PARTIAL_MAX, {op.levels, op.group_width});
      },
      [&](const graph::ILayerNorm& op) {
        Rows r = rows_along(lowering, node, -1);
        finish(lowering, node, r, NIBBLE_I_LAYER_NORM, {op.shift, op.levels},
               {operand(lowering, node, 1), operand(lowering, node, 2)});
      },
      [&](const graph::IRmsNorm& op) {
        Rows r = rows_along(lowering, node, -1);
        finish(lowering, node, r, NIBBLE_I_RMS_NORM, {op.shift, op.levels}, {operand(lowering, node, 1)});
      },
      [&](const auto&) { own = false; });
  return own;
}

}  // namespace nibble::lower
