#include "lower/lowering.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "graph/op_traits.hpp"
#include "kernels/fields.h"
#include "lower/loops.hpp"

namespace nibble::lower {
namespace {

using graph::Node;
using graph::ValueId;

/// Ops whose result is another's buffer, seen otherwise.
bool only_views(const graph::Op& op) {
  return graph::elements_of(op) == graph::Elements::Same || graph::reorders(op) ||
         graph::holds_alternative<graph::Slice>(op) || graph::holds_alternative<graph::Split>(op);
}

}  // namespace

Lowering::Lowering(const graph::Graph& of, const Options& with)
    : graph(of), options(with), uses(of), ranges_(of.values.size()), views_(of.values.size()) {
  find_ranges();
  find_parts();
}

void Lowering::refuse(const Node& node, const std::string& found, const std::string& expected) const {
  fail("lower", "node '" + node.name + "' (" + std::string(name_of(node.op)) + ")", found, expected);
}

void Lowering::find_ranges() {
  for (size_t i = 0; i < graph.values.size(); ++i) {
    const graph::Value& value = graph.values[i];
    if (value.constant && !is_real(value.type))
      ranges_[i] = {graph::range_of_constant(*value.constant)};
    else
      ranges_[i] = value.bounds.empty() ? graph::Ranges{Interval{}} : value.bounds;
  }
}

/// The parts of each Concat, the last first: a whole may be a part of another.
void Lowering::find_parts() {
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    const auto* concat = graph::get_if<graph::Concat>(&node.op);
    if (concat == nullptr) continue;
    const auto axis = static_cast<size_t>(normalise_axis(concat->axis, shape(node.outputs[0]).size()));
    int64_t begin = 0;
    std::set<ValueId> seen;
    for (ValueId id : node.inputs) {
      const int64_t at = begin;
      begin += shape(id)[axis];
      const int writer = uses.writer[static_cast<size_t>(id)];
      const bool again = std::count(node.inputs.begin(), node.inputs.end(), id) > 1;
      if (writer < 0 || again || parts_.contains(id) || only_views(graph.nodes[static_cast<size_t>(writer)].op))
        continue;
      if (real(id) != real(node.outputs[0])) continue;
      parts_[id] = {node.outputs[0], axis, at};
    }
  }
}

Interval Lowering::hull_of(ValueId id) const {
  Interval hull = range(id).front();
  for (const Interval& each : range(id)) hull = {std::min(hull.low, each.low), std::max(hull.high, each.high)};
  return hull;
}

int32_t Lowering::type_of(ValueId id) const {
  if (real(id)) return NIBBLE_F64;
  if (const auto part = parts_.find(id); part != parts_.end()) return type_of(part->second.whole);
  return narrowest(hull_of(id));
}

const View& Lowering::view(ValueId id) {
  auto& held = views_[static_cast<size_t>(id)];
  if (held) return *held;
  ensure(graph[id].constant.has_value(), "value '" + graph[id].name + "' is lowered before it is read");
  const Tensor& tensor = *graph[id].constant;
  if (is_real(tensor.type())) {
    View view{View::constants, 0, tensor.shape(), strides_of(tensor.shape()), NIBBLE_F64};
    view.offset = constants.put(tensor.to_reals()) / bytes_of(NIBBLE_F64);
    held = view;
  } else {
    held = constant(tensor.to_integers(), narrowest(graph::range_of_constant(tensor)), tensor.shape());
  }
  return *held;
}

View Lowering::constant(const std::vector<int64_t>& values, int32_t type, const Shape& extents) {
  const auto put = [&](auto kind) { return constants.put(std::vector<decltype(kind)>(values.begin(), values.end())); };
  const auto put_as = [&] {
    switch (type) {
      case NIBBLE_I8: return put(int8_t{});
      case NIBBLE_U8: return put(uint8_t{});
      case NIBBLE_I16: return put(int16_t{});
      case NIBBLE_U16: return put(uint16_t{});
      case NIBBLE_I32: return put(int32_t{});
      default: return put(int64_t{});
    }
  };
  return {View::constants, put_as() / bytes_of(type), extents, strides_of(extents), type};
}

View Lowering::temporary(const Shape& extents, int32_t type, const std::vector<size_t>& order) {
  buffers.push_back({element_count(extents) * bytes_of(type), INT32_MAX, -1});
  return {static_cast<int>(buffers.size()) - 1, 0, extents, dense_strides(extents, order), type};
}

View Lowering::part(ValueId id) {
  const Part& at = parts_.at(id);
  auto& whole = views_[static_cast<size_t>(at.whole)];
  if (!whole) whole = fresh(at.whole, channels_last(shape(at.whole).size()));
  View view = *whole;
  view.offset += at.begin * view.strides[at.axis];
  view.extents = shape(id);
  return view;
}

View Lowering::fresh(ValueId id, const std::vector<size_t>& order) {
  View view = parts_.contains(id) ? part(id) : temporary(shape(id), type_of(id), order);
  views_[static_cast<size_t>(id)] = view;
  return view;
}

std::vector<int64_t> Lowering::encoded(int kind, const void* parameters) const {
  std::vector<int64_t> numbers(static_cast<size_t>(nibble_fields_of(kind)->values));
  nibble_encode(kind, parameters, &program::places(), numbers.data());
  return numbers;
}

void Lowering::add(Draft draft) {
  // Nothing is written.
  if (draft.out.count() == 0) {
    if (!drafts.empty())
      drafts.back().completes.insert(drafts.back().completes.end(), draft.completes.begin(), draft.completes.end());
    return;
  }
  const auto step = static_cast<int>(drafts.size());
  const auto used = [&](const View& view) {
    if (view.buffer < 0) return;
    Buffer& buffer = buffers[static_cast<size_t>(view.buffer)];
    buffer.first = std::min(buffer.first, step);
    buffer.last = std::max(buffer.last, step);
  };
  for (const View& view : draft.in) used(view);
  used(draft.out);
  drafts.push_back(std::move(draft));
}

void Lowering::copy(const Node& node, const View& from, const View& to, std::vector<ValueId> completes) {
  const Loops loops = loops_of({to, from});
  if (!loops.fit()) refuse(node, "a movement over more than six axes", "fewer");
  nibble_move p{};
  p.x_type = from.type;
  p.y_type = to.type;
  p.rank = static_cast<int32_t>(loops.rank());
  loops.write(p.extent, {p.y_stride, p.x_stride});
  Draft draft;
  draft.kind = NIBBLE_KIND_MOVE;
  draft.name = node.name;
  draft.op = "copy";
  draft.numbers = encoded(NIBBLE_KIND_MOVE, &p);
  draft.in = {from};
  draft.out = to;
  draft.completes = std::move(completes);
  add(std::move(draft));
}

View Lowering::with_channels_last(const Node& node, const View& view) {
  if (has_channels_last(view)) return view;
  const View to = temporary(view.extents, view.type, channels_last(view.rank()));
  copy(node, view, to);
  return to;
}

View Lowering::plain(const Node& node, const View& view) {
  if (is_plain(view)) return view;
  const View to = temporary(view.extents, view.type, in_order(view.rank()));
  copy(node, view, to);
  return to;
}

Chain Lowering::absorb(ValueId id, int64_t channels_at) {
  Chain chain{id, no_stage()};
  const int reader = options.fuse ? uses.only_reader(id) : -1;
  if (reader < 0) return chain;
  const Node& node = graph.nodes[static_cast<size_t>(reader)];
  if (node.inputs[0] != id || real(node.outputs[0]) || waits_for_sum(*this, reader)) return chain;
  const auto stage = stage_of(graph, node, range(id), options.floats, constants);
  if (!stage || (stage->fields.channels > 1 && channels_at != 1)) return chain;
  chain = {node.outputs[0], *stage};
  claim(reader);
  extend(chain);
  return chain;
}

void Lowering::extend(Chain& chain) {
  if (!options.fuse) return;
  for (int reader; (reader = uses.only_reader(chain.result)) >= 0;) {
    const Node& node = graph.nodes[static_cast<size_t>(reader)];
    if (real(node.outputs[0]) || claimed(reader) || !clip_further(chain.stage, node.op)) return;
    chain.result = node.outputs[0];
    claim(reader);
  }
}

}  // namespace nibble::lower
