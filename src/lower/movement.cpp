#include <algorithm>

#include "base/error.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "graph/op_traits.hpp"
#include "graph/windows.hpp"
#include "lower/loops.hpp"
#include "lower/lowering.hpp"

namespace nibble::lower {
namespace {

using graph::Node;
using graph::ValueId;

int32_t fit(int64_t x) {
  return static_cast<int32_t>(x);
}

/// A layer that multiplies its rows with constant weights, and reads the value alone: it can turn its weights instead.
bool turns_weights(const Lowering& lowering, ValueId id) {
  const int reader = lowering.uses.only_reader(id);
  if (reader < 0 || !lowering.options.fuse) return false;
  const Node& node = lowering.graph.nodes[static_cast<size_t>(reader)];
  if (node.inputs[0] != id || lowering.real(node.outputs[0]) || !multiplies_rows(lowering, node)) return false;
  const auto* gemm = graph::get_if<graph::Gemm>(&node.op);
  return gemm == nullptr || !gemm->transpose_a;
}

/// Every element lies in one run of memory, in any order.
bool is_dense(const View& view) {
  int64_t stride = 1;
  const auto order = order_of(view);
  for (size_t i = order.size(); i-- > 0;) {
    if (view.extents[order[i]] == 1) continue;
    if (view.strides[order[i]] != stride) return false;
    stride *= view.extents[order[i]];
  }
  return true;
}

void lower_reshape(Lowering& lowering, const Node& node) {
  const ValueId out = node.outputs[0];
  const View& x = lowering.view(node.inputs[0]);
  if (const auto view = reshaped(x, lowering.shape(out))) return lowering.alias(out, *view);
  const bool one_row = x.count() == lowering.shape(out).back();
  if (one_row && is_dense(x) && turns_weights(lowering, out)) {
    lowering.turned.emplace(out, x);
    return;
  }
  const auto view = reshaped(lowering.plain(node, x), lowering.shape(out));
  ensure(view.has_value(), "a plain view takes any shape");
  lowering.alias(out, *view);
}

View sliced(const View& x, size_t axis, const graph::Cut& cut) {
  View y = x;
  y.offset += cut.begin * x.strides[axis];
  y.strides[axis] *= cut.step;
  y.extents[axis] = cut.count;
  return y;
}

void lower_slice(Lowering& lowering, const Node& node, const graph::Slice& op) {
  View view = lowering.view(node.inputs[0]);
  for (size_t i = 0; i < op.axes.size(); ++i) {
    const auto axis = static_cast<size_t>(normalise_axis(op.axes[i], view.rank()));
    view = sliced(view, axis, graph::slice_of(op.starts[i], op.ends[i], op.steps[i], view.extents[axis]));
  }
  lowering.alias(node.outputs[0], view);
}

void lower_split(Lowering& lowering, const Node& node, const graph::Split& op) {
  const View x = lowering.view(node.inputs[0]);
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, x.rank()));
  int64_t begin = 0;
  for (size_t i = 0; i < op.sizes.size(); begin += op.sizes[i++])
    lowering.alias(node.outputs[i], sliced(x, axis, {begin, 1, op.sizes[i]}));
}

void lower_transpose(Lowering& lowering, const Node& node, const graph::Transpose& op) {
  const View& x = lowering.view(node.inputs[0]);
  View y = x;
  for (size_t i = 0; i < op.perm.size(); ++i) {
    const auto from = static_cast<size_t>(normalise_axis(op.perm[i], op.perm.size()));
    y.extents[i] = x.extents[from];
    y.strides[i] = x.strides[from];
  }
  lowering.alias(node.outputs[0], y);
}

void lower_concat(Lowering& lowering, const Node& node, const graph::Concat& op) {
  const ValueId out = node.outputs[0];
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, lowering.shape(out).size()));
  const auto is_written = [&](ValueId id) { return lowering.placed(id) && lowering.part_of(id) == out; };
  const View y =
      lowering.written(out) ? lowering.view(out) : lowering.fresh(out, order_of(lowering.view(node.inputs[0])));
  int64_t begin = 0;
  std::vector<std::pair<View, View>> copies;
  for (ValueId id : node.inputs) {
    const int64_t extent = lowering.shape(id)[axis];
    if (!is_written(id)) copies.emplace_back(lowering.view(id), sliced(y, axis, {begin, 1, extent}));
    begin += extent;
  }
  for (size_t i = 0; i < copies.size(); ++i)
    lowering.copy(node, copies[i].first, copies[i].second,
                  i + 1 == copies.size() ? std::vector{out} : std::vector<ValueId>{});
}

/// Which element along each axis of x an element of y takes, -1 where it takes none: what the op makes of numbered
/// elements, axis by axis.
std::vector<std::vector<int64_t>> sources_of(const Node& node, const Shape& x, const Shape& y) {
  std::vector<std::vector<int64_t>> sources;
  for (size_t axis = 0; axis < x.size(); ++axis) {
    Tensor numbered(ElementType::Int64, x);
    const auto values = numbered.as<int64_t>();
    const int64_t inner = strides_of(x)[axis];
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>(i) / inner % x[axis] + 1;
    Node numbering = node;
    if (auto* pad = graph::get_if<graph::Pad>(&numbering.op)) pad->value = 0;
    const Tensor result = graph::evaluate(numbering, {&numbered}).at(0);
    // Along the axis where the others' elements are inside: the largest number over the others.
    std::vector<int64_t> source(static_cast<size_t>(y[axis]), -1);
    const int64_t step = strides_of(y)[axis];
    const auto taken = result.as<int64_t>();
    for (size_t i = 0; i < taken.size(); ++i) {
      int64_t& at = source[static_cast<size_t>(static_cast<int64_t>(i) / step % y[axis])];
      at = std::max(at, taken[i] - 1);
    }
    sources.push_back(std::move(source));
  }
  return sources;
}

/// y from x by what each axis takes; -1: `fill`.
void add_listed(Lowering& lowering, const Node& node, const View& x, const View& y,
                const std::vector<std::vector<int64_t>>& sources, int64_t fill) {
  nibble_move p{};
  p.x_type = x.type;
  p.y_type = y.type;
  p.fill = fill;
  std::vector<int64_t> offsets;
  for (size_t axis : order_of(y)) {
    if (y.extents[axis] == 1 && sources[axis][0] == 0) continue;
    if (p.rank == NIBBLE_MAX_RANK) lowering.refuse(node, "a movement over more than six axes", "fewer");
    bool straight = true;
    for (size_t i = 0; i < sources[axis].size(); ++i)
      straight = straight && sources[axis][i] == static_cast<int64_t>(i);
    p.extent[p.rank] = fit(y.extents[axis]);
    p.y_stride[p.rank] = y.strides[axis];
    p.x_stride[p.rank] = x.strides[axis];
    if (!straight) {
      p.listed |= 1 << p.rank;
      p.first[p.rank] = fit(static_cast<int64_t>(offsets.size()));
      for (int64_t source : sources[axis]) offsets.push_back(source < 0 ? -1 : source * x.strides[axis]);
    }
    ++p.rank;
  }
  p.offsets = lowering.constants.field(offsets);
  lowering.add(NIBBLE_KIND_MOVE, p, node, {x}, y, {node.outputs[0]});
}

void lower_listed(Lowering& lowering, const Node& node, int64_t fill) {
  View x = lowering.view(node.inputs[0]);
  // Offsets are not negative.
  if (std::any_of(x.strides.begin(), x.strides.end(), [](int64_t stride) { return stride < 0; })) {
    const View to = lowering.temporary(x.extents, x.type, in_order(x.rank()));
    lowering.copy(node, x, to);
    x = to;
  }
  const View y = lowering.fresh(node.outputs[0], order_of(x));
  add_listed(lowering, node, x, y, sources_of(node, x.extents, y.extents), fill);
}

void lower_gather(Lowering& lowering, const Node& node, const graph::Gather& op) {
  const View x = lowering.plain(node, lowering.view(node.inputs[0]));
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, x.rank()));
  const View indices = lowering.plain(node, lowering.view(node.inputs[1]));
  View y = lowering.fresh(node.outputs[0], in_order(lowering.shape(node.outputs[0]).size()));
  const View place = y;
  if (!is_plain(y)) y = lowering.temporary(y.extents, y.type, in_order(y.rank()));
  nibble_gather p{};
  p.x_type = x.type, p.y_type = y.type, p.index_type = indices.type;
  p.extent = fit(x.extents[axis]);
  p.indices = fit(indices.count());
  p.inner = fit(element_count(Shape(x.extents.begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.extents.end())));
  p.outer = fit(element_count(Shape(x.extents.begin(), x.extents.begin() + static_cast<std::ptrdiff_t>(axis))));
  p.x_stride[0] = int64_t{p.extent} * p.inner, p.x_stride[1] = p.inner, p.x_stride[2] = 1;
  p.y_stride[0] = int64_t{p.indices} * p.inner, p.y_stride[1] = p.inner, p.y_stride[2] = 1;
  const bool direct = y.buffer == place.buffer;
  lowering.add(NIBBLE_KIND_GATHER, p, node, {x, indices}, y,
               direct ? std::vector{node.outputs[0]} : std::vector<ValueId>{});
  if (!direct) lowering.copy(node, y, place, {node.outputs[0]});
}

}  // namespace

bool lower_movement(Lowering& lowering, const Node& node) {
  if (const auto* slice = graph::get_if<graph::Slice>(&node.op))
    lower_slice(lowering, node, *slice);
  else if (const auto* split = graph::get_if<graph::Split>(&node.op))
    lower_split(lowering, node, *split);
  else if (const auto* transpose = graph::get_if<graph::Transpose>(&node.op))
    lower_transpose(lowering, node, *transpose);
  else if (const auto* concat = graph::get_if<graph::Concat>(&node.op))
    lower_concat(lowering, node, *concat);
  else if (const auto* gather = graph::get_if<graph::Gather>(&node.op))
    lower_gather(lowering, node, *gather);
  else if (const auto* pad = graph::get_if<graph::Pad>(&node.op))
    lower_listed(lowering, node, static_cast<int64_t>(pad->value));
  else if (graph::holds_alternative<graph::Resize>(node.op) && graph::moves_data(node.op))
    lower_listed(lowering, node, 0);
  else if (graph::reshapes(node.op) || graph::elements_of(node.op) == graph::Elements::Same)
    lower_reshape(lowering, node);
  else
    return false;
  return true;
}

}  // namespace nibble::lower
