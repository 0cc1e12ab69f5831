#include "lower/lower.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "graph/infer/infer.hpp"
#include "graph/input_rounding.hpp"
#include "lower/arena/packing.hpp"
#include "lower/bounds.hpp"
#include "lower/hold.hpp"
#include "lower/lowering.hpp"
#include "program/parameters.hpp"

namespace nibble::lower {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;
using program::Place;
using program::Port;
using program::Step;

/// The graph for one example, every extent known.
Graph of_one_example(const Graph& graph) {
  Graph result = graph;
  for (graph::Value& value : result.values)
    for (int64_t& extent : value.shape)
      if (extent == any) extent = 1;
  return result;
}

/// Reads pools' and convolutions' layout.
bool wants_channels_last(const Graph& graph, const graph::Uses& uses, ValueId id) {
  const auto& readers = uses.readers[static_cast<size_t>(id)];
  return std::any_of(readers.begin(), readers.end(), [&](int reader) {
    const graph::Op& op = graph.nodes[static_cast<size_t>(reader)].op;
    return graph::holds_alternative<graph::Conv>(op) || graph::holds_alternative<graph::ConvTranspose>(op) ||
           graph::holds_alternative<graph::MaxPool>(op) || graph::holds_alternative<graph::SumPool>(op);
  });
}

Place place_of(const View& view, const Plan& plan) {
  if (!view.exists()) return {};
  // What has no element may stand anywhere: a slice of nothing begins before it. What no step writes has none, and no room.
  const bool empty = std::find(view.extents.begin(), view.extents.end(), 0) != view.extents.end();
  const int64_t bytes = empty ? 0 : bytes_to(view.type, view.offset);
  if (view.buffer == View::constants) return {Place::Where::Constants, bytes};
  return {Place::Where::Arena, std::max<int64_t>(plan.offsets[static_cast<size_t>(view.buffer)], 0) + bytes};
}

/// The axis of a value that the network leaves open, or -1.
int batch_axis(const Graph& graph, ValueId id) {
  const Shape& shape = graph[id].shape;
  const auto found = std::find(shape.begin(), shape.end(), any);
  return found == shape.end() ? -1 : static_cast<int>(found - shape.begin());
}

program::Value value_of(const graph::Value& value, const View& view, const Plan& plan, int batch) {
  return {value.name, view.type, view.extents, view.strides, place_of(view, plan), batch, 0};
}

Port port_of(Lowering& lowering, ValueId id, const Plan& plan, int batch) {
  const graph::Value& value = lowering.graph[id];
  Port port;
  port.value = value_of(value, lowering.view(id), plan, batch);
  const Interval range = lowering.hull_of(id);
  port.low = range.low, port.high = range.high;
  if (value.grid) {
    port.scale = value.grid->scale;
    port.axis = value.grid->axis;
    port.zero_point = value.grid->zero_point;
    if (value.bounds.empty()) port.low = value.grid->low, port.high = value.grid->high;
  }
  port.rounding = graph::input_rounding(lowering.graph, value.name);
  return port;
}

/// The least integer of each value, or 0.
std::vector<int64_t> least_of(const Graph& graph) {
  std::vector<int64_t> least;
  for (const graph::Value& value : graph.values) least.push_back(value.bounds.empty() ? 0 : value.bounds.front().low);
  return least;
}

/// `held`: of each value of the network, how far above its integers those in memory lie.
Step step_of(const Graph& given, const Draft& draft, const Plan& plan, const std::vector<View>& views,
             const std::vector<int64_t>& held, const Options& options) {
  Step step;
  step.rows = draft.rows;
  if (draft.rows > 0) step.tiles = tiles_of(draft, options);
  step.kind = draft.kind;
  step.name = draft.name;
  step.op = draft.op;
  step.numbers = draft.numbers;
  for (const View& view : draft.in) step.in.push_back(place_of(view, plan));
  step.out = place_of(draft.out, plan);
  // What lowering adds to the network is not seen.
  for (ValueId id : draft.completes)
    if (static_cast<size_t>(id) < given.values.size()) {
      step.values.push_back(value_of(given[id], views[static_cast<size_t>(id)], plan, batch_axis(given, id)));
      step.values.back().held = held[static_cast<size_t>(id)];
    }
  step.operations = draft.operations;
  step.requantisation = draft.requantisation;
  return step;
}

int64_t scratch_of(const std::vector<Draft>& drafts, const Options& options) {
  int64_t most = 0;
  for (const Draft& draft : drafts)
    most = std::max(most, draft.rows > 0
                              ? packed_scratch(draft, options)
                              : nibble_scratch(draft.kind, program::parameters_of(draft.kind, draft.numbers).data()));
  return (most + 63) / 64 * 64;
}

void place_scratch(program::Program& program, const Lowering& lowering, const Arena& arena) {
  program.planned = true;
  for (size_t step = 0; step < program.steps.size(); ++step) {
    if (arena.scratch[step] < 0) continue;
    const auto buffer = static_cast<size_t>(arena.scratch[step]);
    program.steps[step].scratch = arena.plan.offsets[buffer];
    program.scratch = std::max(program.scratch, lowering.buffers[buffer].bytes);
  }
}

/// The integers of each buffer that holds values.
std::map<int, Interval> integers_held(const Lowering& lowering, const std::vector<View>& views) {
  std::map<int, Interval> held;
  for (size_t i = 0; i < views.size(); ++i) {
    const auto id = static_cast<ValueId>(i);
    if (views[i].buffer < 0 || lowering.real(id)) continue;
    const Interval hull = lowering.hull_of(id);
    const auto [found, fresh] = held.try_emplace(views[i].buffer, hull);
    if (!fresh) found->second = {std::min(found->second.low, hull.low), std::max(found->second.high, hull.high)};
  }
  return held;
}

/// Values in packed buffers as they stand there. One that is another view than its buffer's writer had is shown no more.
void pack_views(std::vector<Draft>& drafts, std::vector<View>& views, const std::map<int, Packed>& packed) {
  for (View& view : views)
    if (const auto found = packed.find(view.buffer); found != packed.end()) view = packed_view(view, found->second);
  for (Draft& draft : drafts)
    std::erase_if(draft.completes, [&](ValueId id) {
      const View& view = views[static_cast<size_t>(id)];
      if (!packed.contains(view.buffer)) return false;
      return draft.out.buffer != view.buffer || draft.out.extents != view.extents || draft.out.strides != view.strides;
    });
}

/// Buffers that are the caller's.
std::set<size_t> outside(Lowering& lowering) {
  std::set<size_t> found;
  std::map<int, int> outputs;
  for (ValueId id : lowering.graph.outputs) ++outputs[lowering.view(id).buffer];
  for (ValueId id : lowering.graph.outputs) {
    const View& view = lowering.view(id);
    if (!lowering.options.outputs_outside || view.buffer < 0 || outputs[view.buffer] > 1 || view.offset != 0) continue;
    const Buffer& buffer = lowering.buffers[static_cast<size_t>(view.buffer)];
    if (buffer.first >= 0 && buffer.bytes == element_count(view.extents) * bytes_of(view.type))
      found.insert(static_cast<size_t>(view.buffer));
  }
  for (ValueId id : lowering.graph.inputs)
    if (lowering.options.inputs_outside) found.insert(static_cast<size_t>(lowering.view(id).buffer));
  return found;
}

/// Steps in their last order, and where everything stands.
Arena planned(Lowering& lowering, std::vector<View>& views) {
  std::map<size_t, int64_t> bytes;
  for (size_t buffer : outside(lowering)) bytes[buffer] = std::exchange(lowering.buffers[buffer].bytes, 0);
  Schedule schedule{lowering.drafts, lowering.buffers};
  Arena arena = settled(schedule, lowering.options, integers_held(lowering, views));
  lowering.drafts = std::move(schedule.drafts);
  lowering.buffers = std::move(schedule.buffers);
  int64_t next = arena.plan.bytes;
  for (const auto& [buffer, whole] : bytes) {
    lowering.buffers[buffer].bytes = whole;
    arena.plan.offsets[buffer] = next;
    next += (std::max<int64_t>(whole, 1) + lowering.options.alignment - 1) / lowering.options.alignment *
            lowering.options.alignment;
  }
  pack_views(lowering.drafts, views, schedule.packed);
  return arena;
}

/// Values that a node gave without a step of its own: views of others. Those of inputs, before any step, wait in `early`
/// for the first.
void note_views(Lowering& lowering, const Node& node, std::vector<ValueId>& early) {
  const bool none = lowering.drafts.empty();
  auto& completes = none ? early : lowering.drafts.back().completes;
  if (!none && !early.empty()) {
    completes.insert(completes.begin(), early.begin(), early.end());
    early.clear();
  }
  for (ValueId id : node.outputs)
    if (lowering.written(id) && std::count(completes.begin(), completes.end(), id) == 0) completes.push_back(id);
}

/// A view that nobody reads may name a buffer that another has by then; where results lie over what they are made of,
/// only the step's own result is sure.
void drop_what_is_gone(Lowering& lowering, const std::vector<View>& views) {
  for (size_t step = 0; step < lowering.drafts.size(); ++step) {
    Draft& draft = lowering.drafts[step];
    std::erase_if(draft.completes, [&](ValueId id) {
      const int buffer = views[static_cast<size_t>(id)].buffer;
      if (buffer < 0) return false;
      if (lowering.options.order && buffer != draft.out.buffer) return true;
      return lowering.buffers[static_cast<size_t>(buffer)].last < static_cast<int>(step);
    });
  }
}

}  // namespace

void lower_node(Lowering& lowering, int index) {
  const Node& node = lowering.graph.nodes[static_cast<size_t>(index)];
  const auto real = [&](ValueId id) { return id != graph::absent && lowering.real(id); };
  if (std::any_of(node.inputs.begin(), node.inputs.end(), real) ||
      std::any_of(node.outputs.begin(), node.outputs.end(), real))
    return lower_real(lowering, node);
  const bool done = waits_for_sum(lowering, index) || lower_linear(lowering, index) || lower_product(lowering, node) ||
                    lower_sum(lowering, index) || lower_pool(lowering, node) || lower_reduction(lowering, node) ||
                    lower_rows(lowering, node) || lower_movement(lowering, node);
  if (!done) lower_pointwise(lowering, node);
}

program::Program lower(const Graph& given, const Options& options) {
  if (given.stage != graph::Stage::ID)
    fail("lower", "network '" + given.name + "'", "stage " + std::string(to_string(given.stage)), "ID");
  Graph graph = of_one_example(given);
  graph::infer_shapes(graph);
  fill_bounds(graph);
  std::vector<int64_t> held = least_of(graph);
  if (options.fuse) hold_bytes(graph, options.bytes);
  const std::vector<int64_t> least = least_of(graph);
  for (size_t i = 0; i < held.size(); ++i) held[i] = least[i] - held[i];
  Lowering lowering(graph, options);
  for (ValueId id : graph.inputs) {
    const size_t rank = graph[id].shape.size();
    const View view =
        lowering.temporary(graph[id].shape, lowering.type_of(id),
                           wants_channels_last(graph, lowering.uses, id) ? channels_last(rank) : in_order(rank));
    lowering.buffers.back().first = lowering.buffers.back().last = -1;
    lowering.alias(id, view);
  }
  std::vector<ValueId> early;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto index = static_cast<int>(i);
    if (!lowering.claimed(index)) lower_node(lowering, index);
    note_views(lowering, graph.nodes[i], early);
  }
  const auto steps = static_cast<int>(lowering.drafts.size());
  std::vector<View> views(graph.values.size());
  for (size_t i = 0; i < views.size(); ++i)
    if (lowering.written(static_cast<ValueId>(i))) views[i] = lowering.view(static_cast<ValueId>(i));
  for (ValueId id : graph.outputs)
    if (const View& view = lowering.view(id); view.buffer >= 0)
      lowering.buffers[static_cast<size_t>(view.buffer)].last = steps;

  const Arena arena = planned(lowering, views);
  const Plan& placed = arena.plan;
  program::Program program;
  program.name = graph.name;
  program.arena = placed.bytes + NIBBLE_SLACK;
  program.lower_bound = placed.lower_bound + NIBBLE_SLACK;
  drop_what_is_gone(lowering, views);
  for (const Draft& draft : lowering.drafts)
    program.steps.push_back(step_of(given, draft, placed, views, held, options));
  if (options.order)
    place_scratch(program, lowering, arena);
  else
    program.scratch = scratch_of(lowering.drafts, options);
  for (ValueId id : graph.inputs) program.inputs.push_back(port_of(lowering, id, placed, batch_axis(given, id)));
  for (ValueId id : graph.outputs) program.outputs.push_back(port_of(lowering, id, placed, batch_axis(given, id)));
  program.metadata = graph.metadata;
  program.pieces = lowering.constants.pieces();
  program.constants = lowering.constants.take();
  for (size_t i = 0; i < lowering.buffers.size(); ++i)
    if (const Buffer& buffer = lowering.buffers[i]; placed.offsets[i] >= 0)
      program.buffers.push_back({placed.offsets[i], buffer.bytes, buffer.first, buffer.last});
  return program;
}

}  // namespace nibble::lower
